"""Old and new sides of a comparison, part by part: from files, from partitions of the lake, from what was saved before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import polars as pl

from holdfast.marc.comparing import Made
from holdfast.marc.harvest import index_drop
from holdfast.marc.rulebook import Rulebook
from holdfast.marc.validation import ISSUES
from holdfast.marc.window import UNREADABLE
from resources.lake.client import Lake
from resources.lake.slices import Slices

# What `save` fills: an asset's folder in a lake of its own, a partition a source.
BASELINE = "marc_compare"


class Progress(Protocol):
    """Hears how far it is: bytes of files, records of partitions."""

    def __call__(self, done: int) -> object: ...


def _silent(done: int) -> None:
    """Nobody listens."""


class Held:
    """What an earlier run made of a partition, as the lake has it."""

    def __init__(self, lake: Lake, partition: str) -> None:
        self._rows = Slices(lake, "normalized_records", partition, "rows")
        self._subfields = Slices(lake, "normalized_records", partition, "subfields")
        self._unreadable = Slices(lake, "normalized_records", partition, "unreadable", UNREADABLE)
        self._issues = Slices(lake, "record_issues", partition, "rows", ISSUES)
        self._stopped = Slices(
            lake, "record_issues", partition, "stopped", pl.Schema({"record": pl.UInt32, "code": pl.String})
        )

    def between(self, low: int, high: int) -> Made:
        return Made(
            self._rows.between(low, high),
            self._subfields.between(low, high),
            self._unreadable.between(low, high),
            self._issues.between(low, high),
            self._stopped.between(low, high)["record"],
        )


def of_partition(
    lake: Lake, partition: str, new: Rulebook, old: Rulebook | None = None, progress: Progress = _silent
) -> Iterator[tuple[Made, Made]]:
    """A partition's records as they were made (`old` None: the lake's tables; else by these rules) and as `new` would make them.

    Nothing is written. Where the lake has no issues of the partition, none are compared.

    Raises:
        NotMaterialized: the partition is not in the lake.
    """
    day, source = partition.split("|")
    held = Held(lake, partition) if old is None else None
    issues = lake.exists("record_issues", partition)
    if held is not None:
        lake.parts("normalized_records", partition)  # says what to materialize where it is not there
    for index in lake.batches("harvested_marc", partition):
        if not index.height:
            continue
        after = new.make(index, source=source, window=day)
        if held is not None:
            before = held.between(*_bounds(index))
            if not issues:
                after = after._replace(issues=before.issues, stopped=before.stopped)
        else:
            before = cast("Rulebook", old).judge_again(after)
        yield before, after
        progress(index.height)


def _bounds(index: pl.DataFrame) -> tuple[int, int]:
    low, high = index.select(pl.col("record").min().alias("low"), pl.col("record").max().alias("high")).row(0)
    return int(low), int(high)


class _Counted:
    """A stream that says how much of it was read."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self._stream, self._progress = stream, progress
        self.name = stream.name

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._progress(len(data))
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _indexed(
    files: list[Path], book: Rulebook, salt: bytes, block_bytes: int, progress: Progress
) -> Iterator[pl.DataFrame]:
    first = 1
    for path in files:
        with path.open("rb") as stream:
            counted = cast("BinaryIO", _Counted(stream, progress))
            for part in index_drop(
                counted,
                path.name,
                book.masking,
                salt,
                first_record=first,
                block_bytes=block_bytes,
                reading=book.reading,
            ):
                first += part.frame.height
                if part.frame.height:
                    yield part.frame


def of_files(
    files: list[Path],
    source: str,
    old: Rulebook,
    new: Rulebook,
    salt: bytes,
    *,
    block_bytes: int = 4_000_000,
    progress: Progress = _silent,
) -> Iterator[tuple[Made, Made]]:
    """Records of files by the old rules and by the new: masked, normalized and validated as a load would. Reads the files twice
    where the two mask differently.

    Raises:
        OSError: a file can't be read.
    """
    day = _DAY.isoformat()
    news = _indexed(files, new, salt, block_bytes, progress)
    if old.masking == new.masking:
        for index in news:
            after = new.make(index, source=source, window=day)
            yield old.judge_again(after), after
        return
    olds = _indexed(files, old, salt, block_bytes, _silent)
    for index, other in zip(news, olds, strict=True):
        yield old.make(other, source=source, window=day), new.make(index, source=source, window=day)


# Correlation IDs hold the window: of files that are in no window any day will do, if it is the same one for both sides.
_DAY = dt.date(2000, 1, 1)


def save(
    lake: Lake,
    files: list[Path],
    source: str,
    book: Rulebook,
    salt: bytes,
    *,
    block_bytes: int = 4_000_000,
    progress: Progress = _silent,
) -> int:
    """What the present code and rules make of files, for `against` after a change; how many records."""
    records = 0
    with lake.replace(BASELINE, source) as writer:
        for index in _indexed(files, book, salt, block_bytes, progress):
            made = book.make(index, source=source, window=_DAY.isoformat())
            writer.write("rows", made.records)
            writer.write("subfields", made.subfields)
            writer.write("unreadable", made.unreadable)
            writer.write("issues", made.issues)
            writer.write("stopped", pl.DataFrame({"record": made.stopped}))
            records += index.height
    return records


class _Saved:
    def __init__(self, lake: Lake, source: str) -> None:
        lake.parts(BASELINE, source)
        self._tables = [
            Slices(lake, BASELINE, source, table) for table in ("rows", "subfields", "unreadable", "issues", "stopped")
        ]

    def between(self, low: int, high: int) -> Made:
        rows, subfields, unreadable, issues, stopped = (each.between(low, high) for each in self._tables)
        return Made(rows, subfields, unreadable, issues, stopped["record"])


def against(
    lake: Lake,
    files: list[Path],
    source: str,
    book: Rulebook,
    salt: bytes,
    *,
    block_bytes: int = 4_000_000,
    progress: Progress = _silent,
) -> Iterator[tuple[Made, Made]]:
    """What `save` put aside, and what the present code and rules make of the same files.

    Raises:
        NotMaterialized: nothing was saved for the source.
        OSError: a file can't be read.
    """
    saved, last = _Saved(lake, source), 0
    for index in _indexed(files, book, salt, block_bytes, progress):
        low, high = _bounds(index)
        yield saved.between(low, high), book.make(index, source=source, window=_DAY.isoformat())
        last = high
    rest = saved.between(last + 1, 0xFFFFFFFF)
    if rest.records.height or rest.unreadable.height:
        nothing = (rest.records.clear(), rest.subfields.clear(), rest.unreadable.clear(), rest.issues.clear())
        yield rest, Made(*nothing, rest.stopped.clear())
