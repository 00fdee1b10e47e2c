"""Normalize a window's records, part by part, into the lake; parts that did not change are taken over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from holdfast.marc.encoding import MARC21, Reading
from holdfast.marc.normalize import VERSION
from holdfast.marc.parallel import map_in_order
from holdfast.marc.window import NormalizedPart, normalize_part
from resources.lake.client import Lake
from resources.lake.reuse import MadePart, Reuse, digest, file_digest

ASSET, TABLES = "normalized_records", ("rows", "subfields", "unreadable")
Normalize = Callable[..., NormalizedPart]


@dataclass(frozen=True)
class Normalized:
    """What a window's normalization came to; `reused`, `computed` and `kept` as in reuse.Reuse."""

    records: int
    subfields: int
    unreadable: int
    reused: int
    computed: int
    kept: int
    data_version: str


def normalize_window(
    lake: Lake,
    partition: str,
    source: str,
    day: str,
    reading: Reading = MARC21,
    *,
    version: str = VERSION,
    make: Normalize | None = None,
) -> Normalized:
    """Fill `normalized_records`: tables `rows` (shape window.RECORDS), `subfields`, `unreadable`, and `state` (shape reuse.STATE).

    A part of `harvested_marc` whose file is the same, to the byte, as when the present code normalized it gives the same rows:
    correlation IDs hold source, day and record number, which are in it or in the partition's name. Parts that have to be made
    are made side by side.

    Args:
        reading: as the records were read when they were harvested.
        version: of `make`, which is window.normalize_part.
    """
    own = make or partial(normalize_part, reading=reading)
    reuse = Reuse.of(lake, ASSET, partition, TABLES, version)

    def made(path: Path) -> tuple[str, MadePart | None, NormalizedPart | None, int]:
        given = digest(file=file_digest(path), source=source, day=day, reading=",".join(reading.encodings))
        before = reuse.before(given)
        if before is not None and before.current:
            return given, before, None, _height(path)
        index = pl.read_parquet(path)
        return given, before, own(index, source=source, window=day), index.height

    with lake.replace(ASSET, partition) as writer:
        for given, before, part, records in map_in_order(made, lake.parts("harvested_marc", partition)):
            if part is None and before is not None:
                reuse.take(writer, given, before, records)
            elif part is not None:
                frames = {"rows": part.records, "subfields": part.subfields, "unreadable": part.unreadable}
                reuse.write(writer, given, frames, records)
        reuse.finish(writer)
    rows, subfields, unreadable = (writer.rows[table] for table in TABLES)
    return Normalized(rows, subfields, unreadable, reuse.reused, reuse.computed, reuse.kept, reuse.data_version)


def _height(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())
