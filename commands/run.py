"""`holdfast run`: start everything, load the samples (or one's own file), say what came out."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from commands.dagster_process import start_dagster
from commands.demo_library import audit_position, lay_out_samples, start_demo_library, take_own_file
from commands.follow import Expected, expected_loads, follow
from commands.graphql import DagsterApi
from commands.processes import CHECKOUT, Started
from commands.report import print_report
from commands.reports import start_reports
from commands.setup import install, missing_packages
from holdfast.marc.validation import rules_by_source
from holdfast.settings import Settings, load_settings
from resources.embedded.environment import service_environment
from resources.embedded.services import stop as stop_services
from resources.ils.feeds import check_feeds


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("run", help="start everything, load the samples or one's own file, say what came out")
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.add_argument("--drop", type=Path, metavar="FILE", help="load this MARC file instead of the samples")
    parser.add_argument(
        "--once", action="store_true", help="end when the loads are done; the exit code says whether all is well"
    )
    parser.add_argument("--port", type=int, default=3000, help="of the UI; another one is taken if somebody has it")
    parser.add_argument("--timeout", type=float, default=1800, metavar="SECONDS", help="for the loads")
    parser.set_defaults(call=run)
    stop = parsers.add_parser("stop", help="stop what `holdfast run` left running, and nothing else")
    stop.add_argument("--config", type=Path, help="another holdfast.toml")
    stop.set_defaults(call=stop_all)


class Progress:
    """Lines with the seconds since the start."""

    def __init__(self) -> None:
        self.begin = time.time()

    def __call__(self, text: str) -> None:
        print(f"{time.time() - self.begin:6.1f} s  {text}", flush=True)


def run(arguments: argparse.Namespace) -> int:
    settings, say = load_settings(arguments.config), Progress()
    if arguments.drop and not arguments.drop.is_file():
        print(f"{arguments.drop}: no such file; DROP names a file of binary MARC (ISO 2709)", file=sys.stderr)
        return 2
    # What is wrong ends it here, before anything is started.
    rules_by_source(settings)
    check_feeds(settings)
    started = Started(settings.var)
    before = set(started.names())
    try:
        compiling = subprocess.Popen([sys.executable, "-m", "holdfast.marc.compiling"], cwd=CHECKOUT)
        say("starting PostgreSQL and Redis")
        environ = os.environ | service_environment(settings)
        environ["PYTHONPATH"] = str(CHECKOUT)
        if arguments.config:
            environ["HOLDFAST_CONFIG"] = str(arguments.config.resolve())
        environ |= {} if environ.get("HOLDFAST_ILS_URL") else start_demo_library(settings, started, environ, say)
        environ |= {} if environ.get("HOLDFAST_REPORTS_URL") else start_reports(settings, started, environ, say)
        os.environ.update(
            {name: value for name, value in environ.items() if name.startswith(("HOLDFAST_", "DAGSTER_"))}
        )
        url = start_dagster(settings, started, environ, arguments.port, say)
        api = DagsterApi(url)
        if not arguments.drop:
            install(missing_packages(settings), say)
        # Beside the start of the services, so that no two runs compile the same: seconds once, none later.
        compiling.wait()
        healthy = load(settings, api, arguments.drop, arguments.timeout, environ, say)
        if arguments.once:
            return 0 if healthy else 1
        stop = f"make stop CONFIG={arguments.config}" if arguments.config else "make stop"
        say(f"the UI is at {url} — Ctrl-C or `{stop}` ends it all")
        wait(started)
        return 0
    except KeyboardInterrupt:
        return 0 if not arguments.once else 130
    finally:
        if arguments.once and "dagster" in before:
            say("left running what ran before")
        else:
            say("stopping")
            stop_what_was_started(settings, started)


def load(
    settings: Settings, api: DagsterApi, drop: Path | None, timeout: float, environ: dict[str, str], say: Progress
) -> bool:
    """Drop, wait for the runs, report; whether every run succeeded and every count holds."""
    seen_before = expected_loads(settings)
    if drop:
        own = take_own_file(settings, drop, say)
        wanted = {each: shape for each, shape in expected_loads(settings).items() if each == own}
    else:
        lay_out_samples(settings, environ, say)
        wanted = expected_loads(settings)
    unchanged = {each for each, shape in wanted.items() if seen_before.get(each) == shape}
    position = audit_position(environ)
    runs = follow(api, set(wanted), unchanged, since=say.begin - 5, timeout=timeout, say=say)
    writes = audit_position(environ) - position if position >= 0 else -1
    return print_report(settings, api, runs, set(wanted), writes)


def wait(started: Started) -> None:
    process = started.find("dagster")
    while process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(1)


def stop_what_was_started(settings: Settings, started: Started) -> list[str]:
    names = sorted(started.names(), key=lambda name: name != "dagster")  # who uses the others goes first
    stopped = [name for name in names if started.stop(name)]
    return stopped + list(stop_services(settings.var))


def stop_all(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    stopped = stop_what_was_started(settings, Started(settings.var))
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing to stop")
    return 0


__all__ = ["Expected", "add", "run", "stop_all"]
