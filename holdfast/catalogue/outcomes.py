"""The outcome of every record of a window, put together from what each step said of it."""

from __future__ import annotations

import polars as pl

from holdfast.outcomes import Conservation, Outcome

OUTCOMES = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,  # null for records that can't be read
        "outcome": pl.String,
        "detail": pl.String,
    }
)

_BY_VERDICT = {
    "duplicate": Outcome.DUPLICATE,
    "collision": Outcome.QUARANTINED,
    "stopped": Outcome.QUARANTINED,
    "unchanged": Outcome.UNCHANGED,
    "seen": Outcome.COMMITTED,
    "seen suppressed": Outcome.SUPPRESSED,
    "rolled back": Outcome.ROLLED_BACK,
    # New and changed records that the plan did not take up: there was nothing to do.
    "new": Outcome.UNCHANGED,
    "update": Outcome.UNCHANGED,
}


def outcomes(standing: pl.DataFrame, plan: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """A row a record of the window, in the shape of OUTCOMES.

    Args:
        standing: columns record, correlation_id, fault, verdict, detail of all that came in.
        plan: columns record, action.
        written: columns record, state ('acknowledged', 'conflicted', 'failed', 'rolled_back'), answer; planned records that
            are not in it were not written.
    """
    rows = standing.join(plan.select("record", "action"), on="record", how="left", maintain_order="left")
    rows = rows.join(written.select("record", "state", "answer"), on="record", how="left", maintain_order="left")
    state = pl.col("state")
    by_state = (
        pl.when(state.is_null())
        .then(pl.lit(Outcome.PLANNED))
        .when(state == "rolled_back")
        .then(pl.lit(Outcome.ROLLED_BACK))
        .when(state != "acknowledged")
        .then(pl.lit(Outcome.QUARANTINED))
        .when(pl.col("action") == "suppress")
        .then(pl.lit(Outcome.SUPPRESSED))
        .otherwise(pl.lit(Outcome.COMMITTED))
    )
    return rows.select(
        "record",
        "correlation_id",
        pl.when(pl.col("fault").is_not_null())
        .then(pl.lit(Outcome.QUARANTINED))
        .when(pl.col("action").is_not_null())
        .then(by_state)
        .otherwise(pl.col("verdict").replace_strict(_BY_VERDICT, default=None, return_dtype=pl.String))
        .alias("outcome"),
        pl.coalesce(pl.col("fault"), pl.col("answer"), pl.col("detail")).fill_null("").alias("detail"),
    ).cast(OUTCOMES)


def conservation(rows: pl.DataFrame) -> Conservation:
    """In against the sum of the outcomes; a record without an outcome counts as in and as nothing else."""
    counted = dict(rows.drop_nulls("outcome").group_by("outcome").len().iter_rows())
    return Conservation(rows.height, {each.value: int(counted.get(each.value, 0)) for each in Outcome})
