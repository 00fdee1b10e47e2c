"""The quarantine entries of records in collision."""

from __future__ import annotations

import polars as pl

from holdfast.catalogue.matching import Matches
from holdfast.outcomes import Rejection


def collisions(matches: Matches, records: pl.DataFrame) -> list[Rejection]:
    """The quarantine entries of the records in collision, each with all sides, so that a cataloguer can decide."""
    facts = records.select("record", "file", "content_sha256")
    rows = matches.rows.filter(pl.col("verdict") == "collision").join(
        facts, on="record", how="left", maintain_order="left"
    )
    sides: dict[int, list[str]] = {}
    for side in matches.sides.iter_rows(named=True):
        sides.setdefault(side["record"], []).append(_as_words(side))
    return [
        Rejection(
            code="match.collision",
            place=f"{row['file']} record {row['record']}: {row['evidence']}: {row['detail']}; "
            + " ↔ ".join(sides[row["record"]]),
            rule="one identifier names one record: neither two records of a load nor two of the catalogue may share it",
            hint=f"other sides: {row['other'] or row['target']}. Correct the wrong identifier at the vendor or in the "
            f"catalogue, or take {row['matched_by']} out of the source's `match`, then materialize again",
            correlation_id=row["correlation_id"],
            sha256=row["content_sha256"],
        )
        for row in rows.iter_rows(named=True)
    ]


def _as_words(side: dict[str, object]) -> str:
    """'[catalogue in0042] Bleak house / Dickens, Charles, 1853; 001 ocm123; by ocn 123; agrees in title; differs in year'."""
    said = [f"{str(side['title'] or '(no title)')[:80]}"]
    if side["author"]:
        said[0] += f" / {str(side['author'])[:60]}"
    if side["year"]:
        said[0] += f", {side['year']}"
    if side["control_number"]:
        said.append(f"001 {side['control_number']}")
    if side["evidence"]:
        said.append(f"by {side['evidence']}")
    for name, words in (("agreed", "agrees in"), ("disagreed", "differs in")):
        keys = side[name]
        if isinstance(keys, list) and keys:
            said.append(f"{words} {', '.join(keys)}")
    if side["target"] and side["held_in"] == "load":
        said.append(f"would change {side['target']}")
    return f"[{side['held_in']} {side['number']}] " + "; ".join(said)
