"""A MARC drop that is complete and still starts the load of its source and day.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import datetime as dt
import hashlib
import json
import time
import zoneinfo
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from holdfast.harvest.file_names import is_unfinished, shown_name
from holdfast.settings import Settings, Source
from resources.vault.drops import day_of
from sensors.halting import halted_of, unless_halted


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
    wait_seconds: dict[str, float],
    days: tuple[str, str] = ("", "9999-12-31"),
) -> tuple[list[Window], list[str]]:
    """Windows whose files all look as at the tick before and have not changed for `wait_seconds`, and what waits.

    `days`: the first and the last day that is a partition. A file of another day waits for a person: programs that copy a
    file with its old date are many, and a run of a partition that there is not would stop the whole tick.
    """
    windows: dict[tuple[str, str], list[Listed]] = {}
    for each in listing:
        windows.setdefault((each.source, each.day), []).append(each)
    ready, waiting = [], []
    for (source, day), files in sorted(windows.items()):
        if not day:
            names = ", ".join(shown_name(f.name) for f in files[:5])
            waiting.append(f"{source}: file_day finds no day in the name, so these will not be loaded: {names}")
            continue
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
            or now_ns - f.changed_ns < wait_seconds[source] * 1e9
        ]
        unfinished = [f.name for f in files if is_unfinished(f.name)]
        if unfinished or restless:
            names = ", ".join(shown_name(name) for name in sorted({*unfinished, *restless})[:5])
            waiting.append(f"{source} {day}: waits for {names}")
        else:
            ready.append(Window(source, day, tuple(sorted(f.name for f in files))))
    return ready, waiting


def wait_of(source: Source) -> float:
    """Seconds without a change after which a file is loaded: complete, and its vendor had the time to correct it."""
    return max(source.still_seconds, source.delay_seconds)


def list_drops(settings: Settings) -> list[Listed]:
    """Files in the drop folders of this machine; `day` is '' where the setting `file_day` finds none in the name."""
    found = []
    for name, source in settings.sources.items():
        if source.url or source.asked:
            continue
        folder = settings.drops / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            wanted = is_unfinished(path.name) or path.match(source.pattern)
            if path.is_file() and not path.name.startswith(".") and wanted:
                try:
                    stat = path.stat()
                    day = day_of(path, source, settings.library.timezone) or ""
                except FileNotFoundError:  # cleaned up while we look
                    continue
                found.append(Listed(name, path.name, day, stat.st_size, stat.st_mtime_ns))
    return found


class Hashing(NamedTuple):
    """How far the content of a window is hashed: `files` whole ones, `offset` bytes of the next, and the hash so far."""

    files: int = 0
    offset: int = 0
    state: str = ""


def hash_on(
    paths: Sequence[Path], hashing: Hashing, budget: Callable[[], bool], chunk: int = 1 << 23
) -> tuple[Hashing, bool]:
    """Go on hashing while `budget()` is true; where it stands, and whether it is done.

    The hash is a chain, SHA-256 over the state before and a chunk's SHA-256, with the length at each file's end: a tick can
    stop between two chunks and the next one goes on, however many gigabytes there are.
    """
    number, offset, state = hashing
    while number < len(paths):
        with paths[number].open("rb") as stream:
            stream.seek(offset)
            while data := stream.read(chunk):
                state = hashlib.sha256(bytes.fromhex(state) + hashlib.sha256(data).digest()).hexdigest()
                offset += len(data)
                if not budget():
                    return Hashing(number, offset, state), False
        state = hashlib.sha256(bytes.fromhex(state) + offset.to_bytes(8, "big")).hexdigest()
        number, offset = number + 1, 0
    return Hashing(number, 0, state), True


def content_key(paths: Sequence[Path]) -> str:
    """Hex, over the contents of files, in their order: names and times have no part in it."""
    return hash_on(paths, Hashing(), lambda: True)[0].state


def build_marc_drop_sensor(settings: Settings, clock: Callable[[], float] = time.monotonic) -> dg.SensorDefinition:
    wait = {name: wait_of(source) for name, source in settings.sources.items()}

    def key_of(window: Window, hashing: Hashing, end: float) -> tuple[Hashing, bool]:
        paths = [settings.drops / window.source / name for name in window.files]
        return hash_on(paths, hashing, lambda: clock() < end)

    @dg.sensor(
        name="marc_drop_sensor",
        job_name="catalogue_load",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the load of a source and day once all of its files are complete and still; once for each content.",
    )
    @unless_halted(queue="ils.sync.holdings")
    def marc_drop_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        # keys: partition → [shape of its files, files hashed, bytes of the next, hash, whether the run was asked for].
        state = json.loads(context.cursor or '{"seen": {}, "keys": {}}')
        seen: Seen = {name: (size, changed) for name, (size, changed) in state["seen"].items()}
        listing = list_drops(settings)
        today = dt.datetime.now(zoneinfo.ZoneInfo(settings.library.timezone)).date()
        days = (settings.partitions.first_day.isoformat(), today.isoformat())
        ready, waiting = plan_drops(seen, listing, time.time_ns(), wait, days)
        now = {f"{f.source}/{f.name}": (f.size, f.changed_ns) for f in listing}
        halted = halted_of(sorted({window.source for window in ready}))
        waiting += [f"{source}: {why}" for source, why in halted.items()]
        end = clock() + settings.limits.hashing_seconds
        requests, keys = [], {}
        for window in ready:
            shape = json.dumps([(name, now[f"{window.source}/{name}"]) for name in window.files])
            partition = f"{window.day}|{window.source}"
            hashing, asked = _remembered(state["keys"].get(partition), shape)
            if not asked and window.source not in halted:
                try:
                    hashing, asked = key_of(window, hashing, end)
                except FileNotFoundError:  # cleaned up since it was listed
                    continue
                if asked:
                    requests.append(_request(window, hashing.state))
                else:
                    waiting.append(
                        f"{window.source} {window.day}: hashing, {hashing.files} of {len(window.files)} files done"
                    )
            keys[partition] = [shape, *hashing, asked]
        cursor = json.dumps({"seen": now, "keys": keys})
        if not requests:
            context.update_cursor(cursor)
            return dg.SkipReason("; ".join(waiting) or f"{len(listing)} files, nothing new")
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return marc_drop_sensor


def _remembered(known: list[Any] | None, shape: str) -> tuple[Hashing, bool]:
    """What the cursor holds of a window, if its files are as they were."""
    if not known or known[0] != shape:
        return Hashing(), False
    if len(known) == 2:  # a cursor of a version that hashed in one go: (shape, hash), kept once the run was asked for
        return Hashing(state=known[1]), True
    return Hashing(*known[1:4]), bool(known[4])


def _request(window: Window, content: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"marc:{window.source}:{window.day}:{content}",
        partition_key=dg.MultiPartitionKey({"source": window.source, "day": window.day}),
    )
