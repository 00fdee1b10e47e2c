"""What a feed would change: a row a record that would be written, and the before and after of each element."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from holdfast.feeds.elements import ELEMENTS, FeedKind
from holdfast.identity import correlation_id, idempotency_key, new_target

PLAN = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,
        "idempotency_key": pl.String,
        "content_sha256": pl.String,
        "action": pl.String,  # 'create', 'update' or 'expire'
        "target": pl.String,  # id in the library system; of a new record the one that it gets, if the system lets us choose
        "version": pl.Int64,
        "key": pl.String,  # a token where the key is masked
    }
)
CHANGES = pl.Schema(
    {
        "record": pl.UInt32,
        "element": pl.String,
        "before": pl.String,  # null: not there; a token where the element is masked
        "after": pl.String,
    }
)
STANDING = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,
        "verdict": pl.String,  # 'new', 'update', 'unchanged', 'duplicate', 'collision' or 'seen'
        "detail": pl.String,
    }
)


def live_schema(kind: FeedKind) -> pl.Schema:
    """A live record a row: target, version (Int64), then the elements (String, masked as the rows are)."""
    return pl.Schema({"target": pl.String, "version": pl.Int64, **dict.fromkeys(ELEMENTS[kind], pl.String)})


class FeedPlan(NamedTuple):
    plan: pl.DataFrame
    changes: pl.DataFrame
    standing: pl.DataFrame


def plan_feed(rows: pl.DataFrame, live: pl.DataFrame, kind: FeedKind, key: str) -> FeedPlan:
    """The plan of all rows of a window.

    Args:
        rows: shape `rows.rows_schema`, masked (`rows.mask_rows`).
        live: shape `live_schema`, masked with the same salt; those whose key a row has, at least.

    A row that says the same as the row before it is a duplicate; rows of one key that say different things are a collision,
    for nothing tells which is right, and so is a key that two live records have.
    """
    first = pl.col("record").min().over("key", "content_sha256")
    says = pl.col("content_sha256").n_unique().over("key")
    found = live.filter(pl.col(key).is_not_null()).select(pl.col(key).alias("key"), "target", "version")
    found = found.with_columns(pl.len().over("key").alias("holders")).unique("key", keep="first", maintain_order=True)
    judged = rows.with_columns(
        (pl.col("record") != first).alias("again"), says.alias("says"), first.alias("first")
    ).join(found, on="key", how="left", maintain_order="left")
    changes = _changes(judged, live, kind)
    judged = judged.with_columns(pl.col("record").is_in(changes["record"].implode()).alias("differs"))
    verdict = (
        pl.when(pl.col("says") > 1)
        .then(pl.lit("collision"))
        .when("again")
        .then(pl.lit("duplicate"))
        .when(pl.col("holders") > 1)
        .then(pl.lit("collision"))
        .when(pl.col("target").is_null())
        .then(pl.lit("new"))
        .when("differs")
        .then(pl.lit("update"))
        .otherwise(pl.lit("unchanged"))
    )
    detail = (
        pl.when(pl.col("says") > 1)
        .then(pl.format("{} rows of this {} say different things", "says", pl.lit(key)))
        .when("again")
        .then(pl.format("says the same as row {} of the window", "first"))
        .when(pl.col("holders") > 1)
        .then(pl.format("{} live records have this {}", "holders", pl.lit(key)))
        .otherwise(pl.lit(""))
    )
    judged = judged.with_columns(verdict.alias("verdict"), detail.alias("detail"))
    wanted = judged.filter(pl.col("verdict").is_in(["new", "update"]))
    keep = wanted.select("record")
    return FeedPlan(
        _with_keys(wanted),
        changes.join(keep, on="record", how="semi", maintain_order="left"),
        judged.select([pl.col(name).cast(dtype) for name, dtype in STANDING.items()]),
    )


def _changes(judged: pl.DataFrame, live: pl.DataFrame, kind: FeedKind) -> pl.DataFrame:
    """Every element that a row says and the live record does not have so."""
    elements = list(ELEMENTS[kind])
    theirs = judged.select("record", "target", *elements).unpivot(
        elements, index=["record", "target"], variable_name="element", value_name="after"
    )
    ours = live.unpivot(elements, index="target", variable_name="element", value_name="before")
    both = theirs.drop_nulls("after").join(ours, on=["target", "element"], how="left", maintain_order="left")
    order = pl.col("element").replace_strict({name: place for place, name in enumerate(elements)}, return_dtype=pl.Int8)
    return (
        both.filter(pl.col("after").ne_missing(pl.col("before")))
        .sort("record", order)
        .select([pl.col(name).cast(dtype) for name, dtype in CHANGES.items()])
    )


def _with_keys(wanted: pl.DataFrame) -> pl.DataFrame:
    keys, targets = [], []
    for correlation, content, target in wanted.select("correlation_id", "content_sha256", "target").iter_rows():
        targets.append(target or new_target(correlation, content))
        keys.append(idempotency_key(correlation, targets[-1], content))
    return wanted.with_columns(
        pl.Series("idempotency_key", keys, dtype=pl.String),
        pl.when(pl.col("verdict") == "new").then(pl.lit("create")).otherwise(pl.lit("update")).alias("action"),
        pl.Series("target", targets, dtype=pl.String),
        pl.col("version").fill_null(0),
    ).select([pl.col(name).cast(dtype) for name, dtype in PLAN.items()])


def expiries(
    rows: pl.DataFrame,
    live: pl.DataFrame,
    key: str,
    day: str,
    *,
    first_record: int,
    feed: str,
) -> pl.DataFrame:
    """Of a full feed: the live patrons that no row names and whose account goes on, to end on `day`.

    Returns columns record (numbered on from `first_record`), correlation_id, target, version, key, before (null: no end),
    in the order of the ids. They came in by their absence: each counts as a record of the window.
    """
    known = rows.select(pl.col("key").alias(key))
    gone = (
        live.filter(pl.col(key).is_not_null())
        .join(known, on=key, how="anti")
        .filter(pl.col("expires").is_null() | (pl.col("expires") > day))
        .sort("target")
    )
    records = range(first_record, first_record + gone.height)
    # Not of its number, which another one may get once some are written.
    ids = [correlation_id(feed, day, 0, target) for target in gone["target"]]
    return gone.select(
        pl.Series("record", records, dtype=pl.UInt32),
        pl.Series("correlation_id", ids, dtype=pl.String),
        "target",
        "version",
        pl.col(key).alias("key"),
        pl.col("expires").alias("before"),
    )
