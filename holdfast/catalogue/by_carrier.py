"""Records on different carriers apart, where the key that they share names a publication: the printed book's ISBN stands in records of
the e-book, too.

Carriers are those of `holdfast.marc.carriers`. A record whose carrier is unknown (null) is apart from none.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

UNSURE = "share it on different carriers, and this one does not say on which it is"
_WORDS = {"electronic": "electronic", "microform": "a microform", "tangible": "in print or otherwise tangible"}
_UNKNOWN = pl.lit(None, pl.String)


def with_carrier(rows: pl.LazyFrame, *, unknown: bool = False) -> pl.LazyFrame:
    """`rows` with a column carrier: nobody knows it where older code made them, or by wish."""
    missing = unknown or "carrier" not in rows.collect_schema().names()
    return rows.with_columns(_UNKNOWN.alias("carrier")) if missing else rows


def whole(rows: pl.DataFrame) -> pl.DataFrame:
    """As `parted`, of a key that names a record, whatever carries it."""
    return rows.with_columns(pl.lit("").alias("part"), pl.lit(False).alias("unsure"))


def parted(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` (key, carrier …) with `part`, the carrier where records of several share the key, else ''; and with `unsure`, the records of
    such a key that don't say which is theirs."""
    several = pl.col("carrier").drop_nulls().n_unique().over("key") > 1
    return rows.with_columns(
        pl.when(several).then("carrier").fill_null("").alias("part"),
        (several & pl.col("carrier").is_null()).alias("unsure"),
    )


def sifted(
    hits: pl.DataFrame, weak: Sequence[int], records: pl.DataFrame, live: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(hits, refused): refused are those by a key of a publication whose two sides are on different carriers.

    Args:
        hits: columns record, target, rank, key.
        weak: ranks of the keys that name a publication.
        records: record, carrier. live: instance_id, hrid, carrier.

    Returns:
        The hits that stay, and the others with number and carrier of the live record.
    """
    theirs = live.select(target="instance_id", number="hrid", theirs="carrier")
    both = hits.join(records.select("record", "carrier"), on="record", maintain_order="left")
    both = both.join(theirs, on="target", maintain_order="left")
    differ = (pl.col("rank").is_in(list(weak)) & (pl.col("carrier") != pl.col("theirs"))).fill_null(False)
    return both.filter(~differ).select(hits.columns), both.filter(differ).drop("carrier")


def told(rows: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """`rows` whose new records say in `detail` where else their keys are: 'isbn 978… is also in in42, which is electronic'."""
    first = refused.sort("record", "rank", "number", "target", "key").group_by("record", maintain_order=True)
    others = pl.col("target").n_unique() - 1
    words = first.agg(
        pl.concat_str(
            pl.col("key").first(),
            pl.lit(" is also in "),
            pl.col("number").first(),
            pl.lit(", which is "),
            pl.col("theirs").first().replace_strict(_WORDS, return_dtype=pl.String),
            pl.when(others > 0).then(pl.format(" (and {} more on another carrier)", others)).otherwise(pl.lit("")),
        ).alias("also")
    )
    new = pl.when(pl.col("verdict") == "new").then("also")
    return (
        rows.join(words, on="record", how="left", maintain_order="left")
        .with_columns(pl.coalesce(new, "detail").alias("detail"))
        .drop("also")
    )
