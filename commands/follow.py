"""Which loads the drop folders ask for, and their runs as they go on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import httpx

from commands.graphql import DagsterApi, DagsterError, Run
from holdfast.preservation.naming import batch_partition
from holdfast.settings import Settings
from resources.museum_exports.client import MuseumExports
from resources.vault.feeds import feed_files
from sensors.authority_sensors import list_files
from sensors.marc_drop_sensor import list_drops

AUTHORITY_LOAD = "authority_load"
"""No sensor starts it at first: a person looks at what a new authority file would touch before."""


class Expected(NamedTuple):
    """A load that a drop asks for."""

    location: str
    job: str
    partition: str


def expected_loads(settings: Settings) -> dict[Expected, str]:
    """Load → the shape of its drop (names, sizes, times): the same shape means that nothing came since."""
    shapes: dict[Expected, list[str]] = {}
    for each in list_drops(settings):
        if not each.day:  # no day in its name: it is not loaded, and the sensor says so
            continue
        load = Expected("catalog", "catalogue_load", f"{each.day}|{each.source}")
        shapes.setdefault(load, []).append(f"{each.name}:{each.size}:{each.changed_ns}")
    exports = MuseumExports(settings)
    for collection in settings.collections:
        for file in exports.listing(collection):
            load = Expected("catalog", "museum_load", f"{collection}|{file.day.isoformat()}")
            shapes.setdefault(load, []).append(f"{file.name}:{file.bytes}:{file.modified_ns}")
    for feed in settings.feeds:
        for dropped in feed_files(settings, feed):
            load = Expected("catalog", "feed_load", f"{dropped.day.isoformat()}|{feed}")
            shapes.setdefault(load, []).append(f"{dropped.path.name}:{dropped.bytes}:{dropped.modified_ns}")
    for folder in sorted(settings.scans.iterdir()) if settings.scans.is_dir() else []:
        if folder.is_dir() and not folder.name.startswith("."):
            files = [path for path in folder.rglob("*") if path.is_file()]
            load = Expected("preservation", "digitization", batch_partition(folder.name))
            shapes[load] = [f"{path}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in files]
    authorities = list_files(settings)
    if authorities:
        shapes[Expected("catalog", AUTHORITY_LOAD, "")] = [f"{name}:{state}" for name, state in authorities.items()]
    return {load: "\n".join(sorted(lines)) for load, lines in shapes.items()}


_DIMENSIONS = {"catalogue_load": ("day", "source"), "museum_load": ("collection", "day"), "feed_load": ("day", "feed")}


def _launch(api: DagsterApi, load: Expected) -> None:
    names = _DIMENSIONS.get(load.job)
    dimensions = dict(zip(names, load.partition.split("|"), strict=True)) if names else None
    api.launch(load.location, load.job, load.partition, dimensions)


def follow(
    api: DagsterApi,
    wanted: set[Expected],
    unchanged: set[Expected],
    *,
    since: float,
    timeout: float,
    say: Callable[[str], None],
) -> dict[Expected, Run]:
    """The last run of each wanted load, ended (or as it was when the time was over), telling what goes on.

    Sensors start a load once for each content: what is unchanged, and was loaded before, is launched again from here.
    """
    history = {
        (run.job, run.partition) for run in api.runs(limit=1000) if run.status == "SUCCESS" and run.created < since
    }
    for load in sorted(wanted):
        if load.job == AUTHORITY_LOAD:
            _launch(api, load)
    for load in sorted(unchanged):
        if (load.job, load.partition) in history and load.job != AUTHORITY_LOAD:
            say(f"{load.partition}: nothing new came; loading it again to show that nothing is written twice")
            _launch(api, load)
    say(f"waiting for {len(wanted)} loads; sensors start them")
    found: dict[Expected, Run] = {}
    told: dict[str, str] = {}
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError, DagsterError):
            for run in reversed(api.runs(since=since)):
                for load in wanted:
                    if (load.job, load.partition) == (run.job, run.partition):
                        found[load] = run
                        _tell(api, run, told, say)
        if len(found) == len(wanted) and all(run.ended for run in found.values()):
            break
        time.sleep(0.7)
    return found


def _tell(api: DagsterApi, run: Run, told: dict[str, str], say: Callable[[str], None]) -> None:
    state = run.status.lower()
    if run.status == "STARTED":
        done, step = api.running_steps(run.run_id)
        state = f"{step or 'between steps'}, {done} done"
        if not step and run.run_id in told:
            return
    elif run.ended:
        state += f" after {run.seconds:.0f} s"
    if told.get(run.run_id) != state:
        told[run.run_id] = state
        say(f"{run.partition or run.job}: {state}")
