"""Normalize a window's records, part by part, into the lake; parts that did not change are taken over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from holdfast.marc.normalize import VERSION
from holdfast.marc.window import NormalizedPart, normalize_part
from resources.lake.client import Lake
from resources.lake.reuse import Reuse, digest, file_digest

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
    lake: Lake, partition: str, source: str, day: str, *, version: str = VERSION, make: Normalize = normalize_part
) -> Normalized:
    """Fill `normalized_records`: tables `rows` (shape window.RECORDS), `subfields`, `unreadable`, and `state` (shape reuse.STATE).

    A part of `harvested_marc` whose file is the same, to the byte, as when the present code normalized it gives the same rows:
    correlation IDs hold source, day and record number, which are in it or in the partition's name.

    Args:
        version: of `make`, which is window.normalize_part.
    """
    reuse = Reuse.of(lake, ASSET, partition, TABLES, version)
    with lake.replace(ASSET, partition) as writer:
        for path in lake.parts("harvested_marc", partition):
            given = digest(file=file_digest(path), source=source, day=day)
            before = reuse.before(given)
            if before is not None and before.current:
                reuse.take(writer, given, before, _height(path))
                continue
            index = pl.read_parquet(path)
            part = make(index, source=source, window=day)
            frames = {"rows": part.records, "subfields": part.subfields, "unreadable": part.unreadable}
            reuse.write(writer, given, frames, index.height)
        reuse.finish(writer)
    rows, subfields, unreadable = (writer.rows[table] for table in TABLES)
    return Normalized(rows, subfields, unreadable, reuse.reused, reuse.computed, reuse.kept, reuse.data_version)


def _height(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())
