"""One thing that is said of a page, and who says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import polars as pl

STATEMENTS: dict[str, type[pl.DataType]] = {
    "page": pl.Int64,
    "kind": pl.String,  # language, date, person, place
    "text": pl.String,  # as it stands on the page; '' for the page's language
    "value": pl.String,  # BCP 47, EDTF, a name, a GeoNames address
    "label": pl.String,  # the value for people
    "start": pl.Int64,  # code points into the page's text; 0, 0 is the whole page
    "end": pl.Int64,
    "confidence": pl.Float64,  # 0 to 1; comparable within one source only
    "source": pl.String,  # library and version, or the rule set of ours
}


@dataclass(frozen=True)
class Statement:
    kind: str
    text: str
    value: str
    label: str
    start: int
    end: int
    confidence: float
    source: str


def statements_frame(page: int, statements: Iterable[Statement]) -> pl.DataFrame:
    """`statements` of a page with the columns of `STATEMENTS`."""
    return pl.DataFrame([{"page": page, **asdict(each)} for each in statements], schema=STATEMENTS)


def without_overlaps(statements: Iterable[Statement]) -> list[Statement]:
    """In the order of the text; of those that overlap the one that was given first stays."""
    kept: list[Statement] = []
    for each in statements:
        if all(each.end <= other.start or other.end <= each.start for other in kept):
            kept.append(each)
    return sorted(kept, key=lambda each: each.start)
