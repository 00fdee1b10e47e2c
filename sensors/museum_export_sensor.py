"""Starts `museum_load` when an export is complete and still."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from holdfast.identity import named_parts
from holdfast.settings import Settings
from resources.museum_exports.client import DroppedFile, MuseumExports, sha256_of
from sensors.halting import unless_halted

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
) -> tuple[list[ExportRequest], SeenExports]:
    """The runs to ask for, and what to remember.

    An export is all files of a collection and day. It is still when no file of it changed for `still_seconds`; a time
    of change that lies in the future counts from when it was first seen. The same content is asked for once; other
    content, also an earlier one that came back, is asked for anew. `hash_of` is called once for each state of a file.
    `days` are the first and the last day that are partitions; what is outside is left alone.
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
        if (collection, day) not in moving and content != last:
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


def run_request(collection: str, day: str, run_key: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        partition_key=dg.MultiPartitionKey({"collection": collection, "day": day}),
        # Two loads of one collection wait for each other; dagster.yaml has the limit.
        tags={"holdfast/writes-to": f"museum_index/{collection}"},
    )


def build_museum_export_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor of all collections."""
    exports = MuseumExports(settings)
    still = {name: collection.still_seconds for name, collection in settings.collections.items()}

    @dg.sensor(
        name="museum_export_sensor",
        job_name="museum_load",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts museum_load for each collection and day whose export is complete and still.",
    )
    @unless_halted(queue="ingestion_high")
    def sense(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        # What is harvested by OAI-PMH is made by the load itself, by its schedule.
        left = [name for name, collection in settings.collections.items() if collection.kind == "files"]
        listing = [file for name in left for file in exports.listing(name)]
        requests, seen = plan_exports(
            SeenExports.from_cursor(context.cursor),
            listing,
            now=time.time(),
            days=(settings.partitions.first_day, dt.datetime.now(dt.UTC).astimezone(exports.timezone).date()),
            still_seconds=still,
            hash_of=hash_of,
        )
        return dg.SensorResult(
            run_requests=[run_request(each.collection, each.day, each.run_key) for each in requests],
            skip_reason=None if requests else f"{len(listing)} files in {settings.museum_exports}; none new and still",
            cursor=seen.to_cursor(),
        )

    return sense
