"""Keep `catalog_snapshot` in the lake as fresh as the library system's change feed."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from holdfast.catalogue.snapshot import FIELDS, RECORDS, Live, snapshot
from holdfast.marc.normalize import VERSION as NORMALIZE_VERSION
from holdfast.privacy.masking import MaskingRules
from resources.ils.client import Ils, LiveRecord
from resources.ils.errors import WaitUntilError
from resources.lake.client import Lake, NotMaterialized, PartitionWriter

log = logging.getLogger("holdfast.ils")

ASSET = "catalog_snapshot"
STATE = pl.Schema(
    {
        "ils": pl.String,
        "watermark": pl.String,
        "compared_whole_at": pl.String,
        "made_by": pl.String,  # code version of what made its columns: by another one, everything is read again
    }
)

# The feed does not show what was deleted outright, and clocks drift: once a day everything is read.
_WHOLE_EVERY = dt.timedelta(hours=24)
# The same moment is asked for again, with a little before it: a record that was being written then is not missed.
_OVERLAP = dt.timedelta(seconds=2)
# Pages of the feed are a hundred records; read as so many small files, two million would be twenty thousand.
_PART_RECORDS = 20_000
_MADE_BY = f"{NORMALIZE_VERSION}.2"


class Refreshed(NamedTuple):
    records: int
    read: int
    whole: bool
    watermark: str
    waiting: str = ""  # why it is as it was before


class _Parts:
    """Gathers small frames of a table and writes them as parts of about `rows` rows."""

    def __init__(self, writer: PartitionWriter, table: str, rows: int) -> None:
        self._writer, self._table, self._rows = writer, table, rows
        self._frames: list[pl.DataFrame] = []
        self._height = 0

    def add(self, frame: pl.DataFrame) -> None:
        self._frames.append(frame)
        self._height += frame.height
        if self._height >= self._rows:
            self.flush()

    def flush(self) -> None:
        if self._height:
            self._writer.write(self._table, pl.concat(self._frames))
        self._frames, self._height = [], 0


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
        parts = {"rows": _Parts(writer, "rows", _PART_RECORDS), "fields": _Parts(writer, "fields", 30 * _PART_RECORDS)}
        for page in _pages(ils, since, doubted_since(str(state["compared_whole_at"])) if state else (), changed):
            with_marc = [as_live(each) for each in page if each.fields]
            watermark = max([watermark, *(each.updated for each in page)])
            if with_marc:
                records, fields = snapshot(with_marc, rules, salt)
                parts["rows"].add(records)
                parts["fields"].add(fields)
                read += len(with_marc)
        if state:
            for table, frame in _unchanged(lake, changed):
                parts[table].add(frame)
        for part in parts.values():
            part.flush()
        whole_at = str(state["compared_whole_at"]) if state else now.isoformat()
        writer.write("state", pl.DataFrame([[ils.name, watermark, whole_at, _MADE_BY]], schema=STATE, orient="row"))
    return Refreshed(writer.rows["rows"], read, not state, watermark)


def refresh_or_keep(
    lake: Lake,
    ils: Ils,
    rules: MaskingRules,
    salt: bytes,
    now: dt.datetime,
    doubted_since: Callable[[str], Sequence[str]] = lambda _: (),
) -> Refreshed:
    """`refresh_snapshot`; where the quota does not let it, the snapshot of before stays, if there is one of this system. A plan
    made on it is safe: each record is read again before it is written.

    Raises:
        WaitUntilError: there is none.
    """
    try:
        return refresh_snapshot(lake, ils, rules, salt, now, doubted_since)
    except WaitUntilError as error:
        try:
            state = lake.read(ASSET, table="state").row(0, named=True)
        except (NotMaterialized, KeyError):
            raise error from None
        if state["ils"] != ils.name:
            raise
        log.warning("the snapshot stays as it was: %s", error)
        return Refreshed(lake.rows(ASSET), 0, False, str(state["watermark"]), str(error))


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
    same = state["ils"] == ils and state.get("made_by") == _MADE_BY
    return state if same and state["watermark"] and fresh else None


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
