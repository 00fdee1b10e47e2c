"""Files that people and systems leave in a folder, a set a day: a run is asked for once all of a set are complete and still."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
import zoneinfo
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from holdfast.identity import named_parts
from holdfast.settings import Settings
from resources.museum_exports.client import DroppedFile, sha256_of

Hash = Callable[[DroppedFile], str]


@dataclass(frozen=True)
class ExportRequest:
    """A run to ask for; `run_key` says which content of which partition, for the how many-th time."""

    collection: str
    day: str
    run_key: str


@dataclass(frozen=True)
class SeenExports:
    """What the sensor keeps between two ticks; only of what lies in the drop folder still.

    Attributes:
        files: 'collection/name' → [bytes, modified_ns, first seen so (seconds), sha256 or '' while not still].
        exports: 'collection|day' → [content hash that a run was last asked for, how many times a run was].
    """

    files: Mapping[str, list[Any]] = field(default_factory=dict)
    exports: Mapping[str, list[Any]] = field(default_factory=dict)

    def to_cursor(self) -> str:
        return json.dumps({"files": self.files, "exports": self.exports}, separators=(",", ":"))

    @classmethod
    def from_cursor(cls, cursor: str | None) -> SeenExports:
        return cls(**json.loads(cursor)) if cursor else cls()


def plan_exports(
    seen: SeenExports,
    listing: Sequence[DroppedFile],
    *,
    now: float,
    days: tuple[dt.date, dt.date],
    still_seconds: Mapping[str, float],
    hash_of: Hash,
    halted: Collection[str] = (),
) -> tuple[list[ExportRequest], SeenExports]:
    """The runs to ask for, and what to remember.

    An export is all files of a collection and day. It is still when no file of it changed for `still_seconds`; a time
    of change that lies in the future counts from when it was first seen. The same content is asked for once; other
    content, also an earlier one that came back, is asked for anew. `hash_of` is called once for each state of a file.
    `days` are the first and the last day that are partitions; what is outside is left alone. What is `halted` is looked at
    and not asked for.
    """
    files: dict[str, list[Any]] = {}
    exports: dict[tuple[str, str], list[str]] = {}
    moving: set[tuple[str, str]] = set()
    for file in listing:
        if not days[0] <= file.day <= days[1]:
            continue
        key = (file.collection, file.day.isoformat())
        name = f"{file.collection}/{file.name}"
        state = [file.bytes, file.modified_ns]
        before = seen.files.get(name)
        first_seen, digest = (before[2], before[3]) if before and before[:2] == state else (now, "")
        modified = file.modified_ns / 1e9
        since = modified if modified <= now else first_seen
        if not digest and now - since >= still_seconds[file.collection]:
            digest = hash_of(file)
        if not digest:
            moving.add(key)
        files[name] = [*state, first_seen, digest]
        exports.setdefault(key, []).append(named_parts(name=file.name, sha256=digest).decode())
    requests = []
    asked: dict[str, list[Any]] = {}
    for (collection, day), parts in sorted(exports.items()):
        partition = f"{collection}|{day}"
        last, times = seen.exports.get(partition, ["", 0])
        content = hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()
        if (collection, day) not in moving and content != last and collection not in halted:
            last, times = content, times + 1
            requests.append(ExportRequest(collection, day, f"{partition}:{content}:{times}"))
        asked[partition] = [last, times]
    return requests, SeenExports(files, asked)


def hash_of(file: DroppedFile) -> str:
    """Of its content; empty where it is gone."""
    try:
        return sha256_of(file.path)
    except FileNotFoundError:  # cleaned up since it was listed: not still
        return ""


def ask_for_still(
    context: dg.SensorEvaluationContext,
    settings: Settings,
    listing: Sequence[DroppedFile],
    still_seconds: Mapping[str, float],
    run: Callable[[str, str, str], dg.RunRequest],
    folder: Path,
    halted: Mapping[str, str] | None = None,
) -> dg.SensorResult:
    """A tick: `run` makes the request of a name, day and run key; `folder` is named where there is nothing to do, with what is
    `halted` (name → why)."""
    today = dt.datetime.now(dt.UTC).astimezone(zoneinfo.ZoneInfo(settings.library.timezone)).date()
    requests, seen = plan_exports(
        SeenExports.from_cursor(context.cursor),
        listing,
        now=time.time(),
        days=(settings.partitions.first_day, today),
        still_seconds=still_seconds,
        hash_of=hash_of,
        halted=halted or {},
    )
    idle = [
        f"{len(listing)} files in {folder}; none new and still",
        *(f"{name}: {why}" for name, why in (halted or {}).items()),
    ]
    return dg.SensorResult(
        run_requests=[run(each.collection, each.day, each.run_key) for each in requests],
        skip_reason=None if requests else "; ".join(idle),
        cursor=seen.to_cursor(),
    )
