"""A MARC drop that is complete and still starts the load of its source and day.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import datetime as dt
import hashlib
import json
import time
import zoneinfo
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from holdfast.settings import Settings
from resources.vault.drops import is_unfinished, shown_name


class Listed(NamedTuple):
    """A file of a drop folder, as it is now."""

    source: str
    name: str
    day: str  # of its last change, in the library's time zone
    size: int
    changed_ns: int


class Window(NamedTuple):
    """A window to be loaded, because all of its files are complete and still."""

    source: str
    day: str
    files: tuple[str, ...]


Seen = dict[str, tuple[int, int]]  # source/name → (size, time of last change) at the tick before


def plan_drops(
    seen: Seen,
    listing: Iterable[Listed],
    now_ns: int,
    still_seconds: dict[str, float],
    days: tuple[str, str] = ("", "9999-12-31"),
) -> tuple[list[Window], list[str]]:
    """Windows whose files all look as at the tick before and have not changed for `still_seconds`, and what waits.

    `days`: the first and the last day that is a partition. A file of another day waits for a person: programs that copy a
    file with its old date are many, and a run of a partition that there is not would stop the whole tick.
    """
    windows: dict[tuple[str, str], list[Listed]] = {}
    for each in listing:
        windows.setdefault((each.source, each.day), []).append(each)
    ready, waiting = [], []
    for (source, day), files in sorted(windows.items()):
        if not days[0] <= day <= days[1]:
            names = ", ".join(shown_name(f.name) for f in files[:5])
            waiting.append(
                f"{source} {day}: not between {days[0]} and {days[1]}, so {names} will not be loaded: `touch` it, or set "
                "partitions.first_day in holdfast.toml"
            )
            continue
        restless = [
            f.name
            for f in files
            if seen.get(f"{f.source}/{f.name}") != (f.size, f.changed_ns)
            or now_ns - f.changed_ns < still_seconds[source] * 1e9
        ]
        unfinished = [f.name for f in files if is_unfinished(f.name)]
        if unfinished or restless:
            names = ", ".join(shown_name(name) for name in sorted({*unfinished, *restless})[:5])
            waiting.append(f"{source} {day}: waits for {names}")
        else:
            ready.append(Window(source, day, tuple(sorted(f.name for f in files))))
    return ready, waiting


def list_drops(settings: Settings) -> list[Listed]:
    zone = zoneinfo.ZoneInfo(settings.library.timezone)
    found = []
    for name, source in settings.sources.items():
        folder = settings.drops / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            wanted = is_unfinished(path.name) or path.match(source.pattern)
            if path.is_file() and not path.name.startswith(".") and wanted:
                stat = path.stat()
                day = dt.datetime.fromtimestamp(stat.st_mtime, zone).date().isoformat()
                found.append(Listed(name, path.name, day, stat.st_size, stat.st_mtime_ns))
    return found


def content_key(paths: Iterable[Path]) -> str:
    """Hex SHA-256 over the contents of files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def build_marc_drop_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="marc_drop_sensor",
        job_name="catalogue_load",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the load of a source and day once all of its files are complete and still; once for each content.",
    )
    def marc_drop_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        state = json.loads(context.cursor or '{"seen": {}, "keys": {}}')
        seen: Seen = {name: (size, changed) for name, (size, changed) in state["seen"].items()}
        listing = list_drops(settings)
        still = {name: source.still_seconds for name, source in settings.sources.items()}
        today = dt.datetime.now(zoneinfo.ZoneInfo(settings.library.timezone)).date()
        days = (settings.partitions.first_day.isoformat(), today.isoformat())
        ready, waiting = plan_drops(seen, listing, time.time_ns(), still, days)
        now = {f"{f.source}/{f.name}": (f.size, f.changed_ns) for f in listing}
        requests, keys = [], {}
        for window in ready:
            # The content is hashed once for each state of the folder, not at every tick.
            shape = json.dumps([(name, now[f"{window.source}/{name}"]) for name in window.files])
            partition = f"{window.day}|{window.source}"
            known = state["keys"].get(partition)
            if known and known[0] == shape:
                keys[partition] = known
                continue
            content = content_key(settings.drops / window.source / name for name in window.files)
            keys[partition] = (shape, content)
            requests.append(
                dg.RunRequest(
                    run_key=f"marc:{window.source}:{window.day}:{content}",
                    partition_key=dg.MultiPartitionKey({"source": window.source, "day": window.day}),
                )
            )
        cursor = json.dumps({"seen": now, "keys": keys})
        if not requests:
            context.update_cursor(cursor)
            return dg.SkipReason("; ".join(waiting) or f"{len(listing)} files, nothing new")
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return marc_drop_sensor
