"""What differs between two exports: by what is in them, not by when something was touched."""

from __future__ import annotations

import hashlib

import polars as pl

STATE = pl.Schema(
    {
        "id": pl.String,
        "number": pl.String,  # for people; of a bibliographic record its 001
        "leader": pl.String,  # of MARC; '' of other records
        "sha256": pl.String,  # hex, of what is exported of it
    }
)
EXPORTED = pl.Schema({"id": pl.String, "number": pl.String, "change": pl.String})


def hashes(texts: pl.Series) -> pl.Series:
    """Hex SHA-256 of each text."""
    return pl.Series([hashlib.sha256(each.encode()).hexdigest() for each in texts], dtype=pl.String)


def changes(now: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """`now` (shape STATE) with the column change: 'new', 'changed' or 'same'."""
    known = before.select("id", pl.col("sha256").alias("was"))
    change = (
        pl.when(pl.col("was").is_null())
        .then(pl.lit("new"))
        .when(pl.col("was") != pl.col("sha256"))
        .then(pl.lit("changed"))
        .otherwise(pl.lit("same"))
    )
    return now.join(known, on="id", how="left", maintain_order="left").with_columns(change.alias("change")).drop("was")


def gone(now: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Rows of `before` (shape STATE) that are no more, by their ids."""
    return before.join(now, on="id", how="anti", maintain_order="left").sort("id")
