"""Keep `catalog_snapshot` in the lake as fresh as the library system's change feed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from holdfast.catalogue.snapshot import FIELDS, RECORDS, Live, snapshot
from holdfast.privacy.masking import MaskingRules
from resources.ils.client import Ils, LiveRecord
from resources.lake.client import Lake, NotMaterialized

ASSET = "catalog_snapshot"
STATE = pl.Schema({"ils": pl.String, "watermark": pl.String, "compared_whole_at": pl.String})

# The feed does not show what was deleted outright, and clocks drift: once a day everything is read.
_WHOLE_EVERY = dt.timedelta(hours=24)
# The same moment is asked for again, with a little before it: a record that was being written then is not missed.
_OVERLAP = dt.timedelta(seconds=2)


class Refreshed(NamedTuple):
    records: int
    read: int
    whole: bool
    watermark: str


def as_live(each: LiveRecord) -> Live:
    return Live(each.target, each.hrid, each.version, each.source_id, each.updated, each.fields)


def refresh_snapshot(
    lake: Lake,
    ils: Ils,
    rules: MaskingRules,
    salt: bytes,
    now: dt.datetime,
    doubted_since: Callable[[str], Sequence[str]] = lambda _: (),
) -> Refreshed:
    """Read what changed since the last time (everything, the first time and once a day) and replace the snapshot.

    `doubted_since`: ids of records that turned out not to be as the snapshot has them, at or after a moment. They are read
    whatever the feed says: it does not show what was deleted outright.
    """
    state = _state(lake, ils.name, now)
    since = _before(str(state["watermark"])) if state else None
    read, watermark = 0, str(state["watermark"]) if state else ""
    changed: set[str] = set()
    with lake.replace(ASSET) as writer:
        writer.write("rows", pl.DataFrame(schema=RECORDS))
        writer.write("fields", pl.DataFrame(schema=FIELDS))
        for page in _pages(ils, since, doubted_since(str(state["compared_whole_at"])) if state else (), changed):
            with_marc = [as_live(each) for each in page if each.fields]
            watermark = max([watermark, *(each.updated for each in page)])
            if with_marc:
                records, fields = snapshot(with_marc, rules, salt)
                writer.write("rows", records)
                writer.write("fields", fields)
                read += len(with_marc)
        if state:
            for table, frame in _unchanged(lake, changed):
                writer.write(table, frame)
        whole_at = str(state["compared_whole_at"]) if state else now.isoformat()
        writer.write("state", pl.DataFrame([[ils.name, watermark, whole_at]], schema=STATE, orient="row"))
    return Refreshed(writer.rows["rows"], read, not state, watermark)


def _pages(ils: Ils, since: str | None, doubted: Sequence[str], changed: set[str]) -> Iterator[list[LiveRecord]]:
    """Pages of what is to be read; `changed` gets the ids of all that was read or is gone."""
    for page in ils.live_records(since):
        changed |= {each.target for each in page}
        yield page
    left = [each for each in doubted if each not in changed]
    changed |= set(left)
    if left:
        yield list(ils.fetch(left, ()).values())


def _state(lake: Lake, ils: str, now: dt.datetime) -> dict[str, object] | None:
    try:
        state = lake.read(ASSET, table="state").row(0, named=True)
    except (NotMaterialized, KeyError):
        return None
    fresh = now - dt.datetime.fromisoformat(state["compared_whole_at"]) < _WHOLE_EVERY
    return state if state["ils"] == ils and state["watermark"] and fresh else None


def _before(watermark: str) -> str:
    moment = dt.datetime.fromisoformat(watermark) - _OVERLAP
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")


def _unchanged(lake: Lake, changed: set[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    for table in ("rows", "fields"):
        for part in lake.batches(ASSET, table=table):
            kept = part.filter(~pl.col("instance_id").is_in(list(changed)))
            if kept.height:
                yield table, kept


def read_watermark(lake: Lake) -> str:
    return str(lake.read(ASSET, table="state")["watermark"][0])
