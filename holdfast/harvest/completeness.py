"""What a source has against what we hold of it: every identifier with a verdict, and the windows to fetch again."""

from __future__ import annotations

import hashlib

import polars as pl

# What was harvested, a row an identifier and window.
_HELD: dict[str, pl.DataType | type[pl.DataType]] = {
    "identifier": pl.String,
    "datestamp": pl.String,  # as the source gave it, UTC
    "deleted": pl.Boolean,
    "record_sha256": pl.String,  # hex, of identifier, datestamp, status and the record's XML
    "stub": pl.String,  # MARCXML fields by which the record is found again; '' where it has no number
    "day": pl.Date,  # of the window
    "harvested_at": pl.Datetime("us", "UTC"),
}
HELD = pl.Schema(_HELD)

# What a source lists, a row an identifier.
LISTED = pl.Schema({"identifier": pl.String, "datestamp": pl.String, "deleted": pl.Boolean})

# Windows fetched whole, and whether they were over by then; a row a day.
WINDOWS = pl.Schema({"day": pl.Date, "closed": pl.Boolean})

COMPLETENESS = pl.Schema(
    {
        "identifier": pl.String,
        "verdict": pl.String,  # held, missing, backdated, stale or silently_deleted
        "source_datestamp": pl.String,  # null: the source does not list it
        "held_datestamp": pl.String,  # null: we do not hold it
        "source_deleted": pl.Boolean,
        "held_deleted": pl.Boolean,
        "window": pl.Date,  # the day in which the source has it now
        "detail": pl.String,  # in words, for people
    }
)
TO_FETCH = pl.Schema({"day": pl.Date, "records": pl.UInt32, "content": pl.String})
VERDICTS = {
    "held": "the source and we have the same",
    "missing": "the source has it and we do not, though its window was fetched (or it is not fetched yet)",
    "backdated": "the source changed it in a window that was over when we fetched it",
    "stale": "the source changed it in a window that is not fetched yet, or was not over",
    "silently_deleted": "we hold it and the source does not list it any more, not even as deleted",
}


def day_of_datestamp(datestamp: pl.Expr) -> pl.Expr:
    """The UTC day of '2026-03-10', '2026-03-10T12:00:00Z' or '20260310120000.0'; null where it is none."""
    digits = datestamp.str.replace_all(r"\D", "").str.head(8)
    return digits.str.to_date("%Y%m%d", strict=False)


def latest(held: pl.DataFrame) -> pl.DataFrame:
    """The last state of each identifier (shape HELD): by datestamp, then by when it was harvested."""
    return held.sort("identifier", "datestamp", "harvested_at").unique("identifier", keep="last", maintain_order=True)


def compare(listed: pl.DataFrame, held: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """Every identifier of either side (shape COMPLETENESS), sorted by it.

    listed: shape LISTED, the whole list of the source. held: shape HELD, all windows. windows: shape WINDOWS. What the
    source lists as deleted and we never held, or hold as deleted while the source lists it no more, lacks nothing.
    """
    source = listed.unique("identifier", keep="last").select(
        "identifier", pl.col("datestamp").alias("source_datestamp"), pl.col("deleted").alias("source_deleted")
    )
    ours = latest(held).select(
        "identifier", pl.col("datestamp").alias("held_datestamp"), pl.col("deleted").alias("held_deleted")
    )
    closed = (
        windows.filter(pl.col("closed")).select(pl.col("day").alias("window"), pl.lit(True).alias("closed")).unique()
    )
    both = (
        source.join(ours, on="identifier", how="full", coalesce=True)
        .with_columns(day_of_datestamp(pl.col("source_datestamp")).alias("window"))
        .join(closed, on="window", how="left")
        .with_columns(pl.col("closed").fill_null(False))
    )
    at_source, with_us = pl.col("source_datestamp").is_not_null(), pl.col("held_datestamp").is_not_null()
    same = (pl.col("source_datestamp") == pl.col("held_datestamp")) & (
        pl.col("source_deleted") == pl.col("held_deleted")
    )
    verdict = (
        pl.when(~at_source & pl.col("held_deleted"))
        .then(pl.lit("held"))
        .when(~at_source)
        .then(pl.lit("silently_deleted"))
        .when(~with_us & pl.col("source_deleted"))
        .then(pl.lit("held"))
        .when(~with_us)
        .then(pl.lit("missing"))
        .when(same)
        .then(pl.lit("held"))
        .when(pl.col("closed"))
        .then(pl.lit("backdated"))
        .otherwise(pl.lit("stale"))
    )
    fetched = pl.when(pl.col("closed")).then(pl.lit("fetched after it was over")).otherwise(pl.lit("not fetched whole"))
    detail = (
        pl.when(pl.col("verdict") == "held")
        .then(pl.lit(""))
        .when(pl.col("verdict") == "silently_deleted")
        .then(pl.format("held as of {}; the source lists it no more", "held_datestamp"))
        .when(pl.col("window").is_null())
        .then(pl.format("the source's datestamp {} is no date", "source_datestamp"))
        .when(pl.col("verdict") == "missing")
        .then(pl.format("at the source since {}, in a window that was {}", "source_datestamp", fetched))
        .otherwise(
            pl.format(
                "held as of {}, at the source {}, in a window that was {}",
                "held_datestamp",
                "source_datestamp",
                fetched,
            )
        )
    )
    return (
        both.with_columns(verdict.alias("verdict"))
        .with_columns(detail.alias("detail"))
        .sort("identifier")
        .select(COMPLETENESS.names())
        .cast(COMPLETENESS)
    )


def windows_to_fetch(report: pl.DataFrame) -> pl.DataFrame:
    """Shape TO_FETCH: the windows that would bring what we lack, oldest first.

    `content` is a hash over what is lacking there: the same lack has the same, so that it is asked for once. What was deleted
    in silence is in no window.
    """
    lacking = (
        report.filter(pl.col("verdict").is_in(["missing", "backdated", "stale"]) & pl.col("window").is_not_null())
        .sort("window", "identifier")
        .select("window", pl.concat_str("identifier", pl.lit("\t"), "source_datestamp", pl.lit("\n")).alias("line"))
    )
    rows = []
    for (day,), lines in lacking.group_by("window", maintain_order=True):
        digest = hashlib.sha256()
        for line in lines["line"]:
            digest.update(line.encode())
        rows.append((day, lines.height, digest.hexdigest()))
    return pl.DataFrame(rows, schema=TO_FETCH, orient="row")
