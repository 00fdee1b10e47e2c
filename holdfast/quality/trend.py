"""The last loads of a source, a point each, by the tables of their figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from holdfast.quality.figures import Figures, shares

LOADS_SHOWN = 12
CODES_SHOWN = 6
SEVERITIES = ("errors", "warnings", "notes")


@dataclass(frozen=True)
class Point:
    """A load. summary: of figures.SUMMARY. codes: code → issues. completeness: expected field → share."""

    day: str
    summary: Mapping[str, int]
    codes: Mapping[str, int]
    completeness: Mapping[str, float]

    def per_thousand(self, issues: int) -> float | None:
        """Issues a thousand readable records."""
        readable = self.summary["readable"]
        return 1000 * issues / readable if readable else None

    @property
    def rejected_share(self) -> float | None:
        return self.summary["rejected"] / self.summary["records"] if self.summary["records"] else None

    @property
    def errors_share(self) -> float | None:
        """Of the readable records: those that have an error."""
        return self.summary["with_errors"] / self.summary["readable"] if self.summary["readable"] else None


def point_of(day: str, rows: pl.DataFrame, issues: pl.DataFrame, completeness: pl.DataFrame) -> Point:
    """Of tables of figures.TABLES."""
    return Point(day, rows.row(0, named=True), dict(issues.select("code", "issues").iter_rows()), shares(completeness))


def point_of_figures(figures: Figures) -> Point:
    tables = figures.tables
    return point_of(figures.day, tables["rows"], tables["issues"], tables["completeness"])


def earlier_days(days: Iterable[str], day: str) -> list[str]:
    """Days before `day` (ISO dates), the latest first."""
    return sorted((each for each in days if each < day), reverse=True)


def top_codes(points: Sequence[Point]) -> list[str]:
    """The codes that are most frequent in the last load, then in those before it."""
    if not points:
        return []
    last = points[-1].codes
    totals: dict[str, int] = {}
    for point in points:
        for code, count in point.codes.items():
            totals[code] = totals.get(code, 0) + count
    return sorted(totals, key=lambda code: (-last.get(code, 0), -totals[code], code))[:CODES_SHOWN]


def median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
