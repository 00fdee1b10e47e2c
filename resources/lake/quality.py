"""Count a window's quality from its tables in the lake, part by part; and the points of the windows before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from holdfast.quality.expected import Expected
from holdfast.quality.figures import TABLES, Counting, Figures
from holdfast.quality.trend import LOADS_SHOWN, Point, earlier_days, point_of
from resources.lake.client import Lake

ASSET = "quality_report"
# `format` is not in what was harvested before there was more than ISO 2709.
_INDEX = ("file", "format", "record", "claims", "found", "encoding", "fault", "fault_byte", "fault_detail")
_ISSUES = ("record", "code", "severity", "tag", "occurrence", "subfield", "position", "value", "message", "hint")
_SHOWN = ("record", "file", "control_number", "title")


def report_window(lake: Lake, source: str, day: str, expected: Sequence[Expected]) -> tuple[Figures, list[Point]]:
    """Fill `quality_report` with the tables of figures.TABLES; give the figures, and the loads before, the oldest first."""
    figures = count_window(lake, source, day, expected)
    with lake.replace(ASSET, f"{day}|{source}") as writer:
        for name in TABLES:
            writer.write(name, figures.tables[name])
    return figures, points_before(lake, source, day)


def count_window(lake: Lake, source: str, day: str, expected: Sequence[Expected]) -> Figures:
    partition = f"{day}|{source}"
    counting = Counting(expected)
    for index in _parts(lake, "harvested_marc", partition, "rows", _INDEX):
        counting.add_index(index)
    records = _parts(lake, "normalized_records", partition, "rows", ("record", "material_type"))
    subfields = _parts(lake, "normalized_records", partition, "subfields", ("record", "tag", "code", "value"))
    for own, parts in zip(records, subfields, strict=True):
        counting.add_records(own, parts)
    for issues in _parts(lake, "record_issues", partition, "rows", _ISSUES):
        counting.add_issues(issues)
    for stopped in _parts(lake, "record_issues", partition, "stopped", ("record", "code")):
        counting.add_stopped(stopped)
    return counting.figures(source, day, _shown(lake, partition, counting.shown_records))


def _parts(lake: Lake, asset: str, partition: str, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The table part by part, only these columns: the records' bytes are not read."""
    parts: list[Path] = lake.parts(asset, partition, table)
    for part in parts:
        there = pl.read_parquet_schema(part)
        yield pl.read_parquet(part, columns=[each for each in columns if each in there])


def _shown(lake: Lake, partition: str, numbers: list[int]) -> pl.DataFrame:
    wanted = pl.Series("record", numbers, dtype=pl.UInt32)
    found = [
        part.filter(pl.col("record").is_in(wanted.implode()))
        for part in _parts(lake, "normalized_records", partition, "rows", _SHOWN)
    ]
    return (
        pl.concat(found)
        if found
        else pl.DataFrame(schema={"record": pl.UInt32, **dict.fromkeys(_SHOWN[1:], pl.String)})
    )


def points_before(lake: Lake, source: str, day: str) -> list[Point]:
    """The last loads before `day` in which something came in, the oldest first; they read their own small tables."""
    partitions = (each.partition("|") for each in lake.partitions(ASSET))
    days = earlier_days((own_day for own_day, _, own_source in partitions if own_source == source), day)
    points: list[Point] = []
    for each in days:
        if len(points) == LOADS_SHOWN - 1:
            break
        rows, issues, completeness = (
            lake.read(ASSET, f"{each}|{source}", name) for name in ("rows", "issues", "completeness")
        )
        point = point_of(each, rows, issues, completeness)
        if point.summary["records"]:
            points.append(point)
    return points[::-1]
