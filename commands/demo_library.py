"""The demo library for `holdfast run`: its ILS and scanner as processes, its sample drops, one's own file."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from commands.follow import Expected
from commands.processes import CHECKOUT, Started, wait_for_file
from holdfast.feeds.elements import FeedKind
from holdfast.settings import Settings
from resources.ils.feeds import TABLES
from sensors.marc_drop_sensor import list_drops

OWN = "own"
# The samples' feeds, with what the library system must have a place for.
_FEEDS: Mapping[str, FeedKind] = {"students": "patrons", "shelving": "items", "serials": "holdings"}
_LOGIN = {"HOLDFAST_ILS_TENANT": "demo", "HOLDFAST_ILS_USER": "demo", "HOLDFAST_ILS_PASSWORD": "demo-secret"}


def start_demo_library(
    settings: Settings, started: Started, environ: Mapping[str, str], say: Callable[[str], None]
) -> dict[str, str]:
    """Variables that lead to the demo ILS: the one whose API `ils.adapter` names."""
    name, port_file = _name_and_port(settings)
    data = port_file.parent
    if not started.find(f"demo-{name}"):
        say("starting the demo library's ILS")
        data.mkdir(parents=True, exist_ok=True)
        port_file.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            f"demo.{name}",
            "--data",
            str(data),
            "--port",
            "0",
            "--port-file",
            str(port_file),
            "--seed",
        ]
        process = started.start(f"demo-{name}", command, environ, cwd=CHECKOUT)
        wait_for_file(port_file, process, 60)
    return _variables(port_file)


def running_demo_library(settings: Settings, started: Started) -> dict[str, str]:
    """The same variables, where it runs; else none."""
    name, port_file = _name_and_port(settings)
    return _variables(port_file) if started.find(f"demo-{name}") and port_file.is_file() else {}


def _name_and_port(settings: Settings) -> tuple[str, Path]:
    name = "koha" if settings.ils.adapter == "koha" else "ils"
    return name, settings.var / "demo" / name / "port"


def _variables(port_file: Path) -> dict[str, str]:
    return {"HOLDFAST_ILS_URL": f"http://127.0.0.1:{port_file.read_text().strip()}", **_LOGIN}


def audit_position(environ: Mapping[str, str]) -> int:
    """How many writes the demo ILS has seen in all; -1 where the ILS is not the demo's."""
    try:
        answer = httpx.get(environ["HOLDFAST_ILS_URL"] + "/_demo/state", timeout=10)
        return int(answer.json()["lastSeq"]) if answer.status_code == 200 else -1
    except (httpx.HTTPError, KeyError, ValueError):
        return -1


def lay_out_samples(settings: Settings, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """The sample drops; files that are there with the same content stay as they are. Feeds that the settings do not have,
    as the library system has no place for them, are left out, and said."""
    say("laying out the sample drops")
    options = ["--to", str(settings.var / "drops")]
    for name, kind in _FEEDS.items():
        if name not in settings.feeds:
            why = f"there is no [feeds.{name}]"
            if not TABLES[settings.ils.adapter][kind]:
                why = f"{settings.ils.adapter} has no {kind} records"
            say(f"feeds/{name} is left out: {why}")
            options += ["--without", f"feeds/{name}"]
    subprocess.run(
        [sys.executable, "-m", "demo.samples", *options],
        env=dict(environ),
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def take_own_file(settings: Settings, drop: Path, say: Callable[[str], None]) -> Expected:
    """Put the file into the drop folder of the source `own`; the load that it belongs to."""
    if OWN not in settings.sources:
        raise FileNotFoundError(f"holdfast.toml has no [sources.{OWN}]: it is where DROP=… is put")
    folder = settings.drops / OWN
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / drop.name
    if target.is_file() and _sha256(target) == _sha256(drop):
        say(f"{drop.name} is in the drop folder already")
    else:
        say(f"dropping {drop.name}, {drop.stat().st_size:,} bytes")
        partial = folder / f".{drop.name}.partial"
        shutil.copyfile(drop, partial)
        partial.rename(target)
    day = next(each.day for each in list_drops(settings) if each.source == OWN and each.name == drop.name)
    return Expected("catalog", "catalogue_load", f"{day}|{OWN}")
