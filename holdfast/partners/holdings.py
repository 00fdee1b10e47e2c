"""Holdings for partners as MARC 21 holdings records."""

from __future__ import annotations

import polars as pl

from holdfast.marc.frames import SUBFIELDS, Frames
from holdfast.partners.bibliographic import records_of

_LEADER = "00000{}u  a2200000 n 4500"  # leader/06 u: unknown kind of holdings; what is hidden is deleted for a partner
_PLACES = (("location", "b"), ("call_number", "h"), ("copy_number", "t"), ("public_note", "z"))


def as_marc(cells: pl.DataFrame) -> Frames:
    """A record a row, numbered from 1: 001 number, 004 bibliographic record, 852 place, an 866 each statement.

    cells: columns of the elements of holdings (String); of what has none of them nothing is made.
    """
    if "statement" not in cells.columns:
        return Frames(records_of(pl.DataFrame(schema={"record": pl.UInt32, "leader": pl.String})), _rows([]))
    rows = cells.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record"))
    leader = pl.when(pl.col("suppressed") == "true").then(pl.lit(_LEADER.format("d")))
    records = records_of(rows.with_columns(leader.otherwise(pl.lit(_LEADER.format("n"))).alias("leader")))
    parts = [
        _control(rows, "001", "number", 0),
        _control(rows, "004", "bib", 1),
        *(_data(rows, "852", " ", code, name, 2) for name, code in _PLACES),
        _data(
            rows.with_columns(pl.col("statement").str.split(" ; ")).explode("statement"),
            "866",
            "0",
            "a",
            "statement",
            3,
        ),
    ]
    subfields = pl.concat(parts).sort("record", "field", maintain_order=True)
    # Each statement is a field of its own.
    again = (pl.col("tag") == "866").cast(pl.UInt16).cum_sum().over("record")
    place = pl.when(pl.col("tag") == "866").then(pl.col("field") + again - 1).otherwise("field")
    return Frames(records, subfields.with_columns(place.cast(pl.UInt16).alias("field")))


def _rows(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=SUBFIELDS), *parts])


def _control(rows: pl.DataFrame, tag: str, name: str, field: int) -> pl.DataFrame:
    none = [pl.lit(None, pl.String).alias(each) for each in ("ind1", "ind2", "code")]
    made = rows.drop_nulls(name).select("record", pl.lit(field).alias("field"), pl.lit(tag).alias("tag"), *none, name)
    return made.rename({name: "value"}).cast(SUBFIELDS)


def _data(rows: pl.DataFrame, tag: str, ind2: str, code: str, name: str, field: int) -> pl.DataFrame:
    said = {"field": field, "tag": tag, "ind1": " ", "ind2": ind2, "code": code}
    made = rows.drop_nulls(name).select("record", *(pl.lit(value).alias(key) for key, value in said.items()), name)
    return made.rename({name: "value"}).cast(SUBFIELDS)
