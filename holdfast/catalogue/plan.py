"""What a load would write: a row a record that would change, the patch of each, and every subfield that would change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from holdfast.catalogue.fields import as_catalogued, field_texts
from holdfast.catalogue.merging import MergeRule
from holdfast.catalogue.patch import CHANGES, PATCHES, additions, changes_of, diff
from holdfast.identity import idempotency_key, new_target

PLAN = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,
        "idempotency_key": pl.String,
        "content_sha256": pl.String,
        "action": pl.String,  # 'create', 'update' or 'suppress'
        "target": pl.String,  # instance id; of a new record the one that it will get
        "version": pl.Int64,  # of the live record that the patch is made against; 0 for a new one
        "source_id": pl.String,  # and its MARC record's version; '' for a new one
        "title": pl.String,
        "evidence": pl.String,
        "added": pl.UInt32,  # subfields
        "removed": pl.UInt32,
        "changed": pl.UInt32,
    }
)


class PlanPart(NamedTuple):
    """plan: shape PLAN. patches: shape patch.PATCHES. changes: shape patch.CHANGES. A record that is in none of them, though
    it was to be planned, would not change."""

    plan: pl.DataFrame
    patches: pl.DataFrame
    changes: pl.DataFrame


def to_plan(records: pl.DataFrame, matched: pl.DataFrame, *, suppress_deleted: bool = True) -> pl.DataFrame:
    """The records that may have to be written, with what is to be done: columns of `records`, target, evidence, action.

    A record with leader/05 'd' suppresses what it matches, and is nothing to do where it matches nothing.
    """
    rows = records.join(
        matched.select("record", "verdict", "evidence", "target"), on="record", how="inner", maintain_order="left"
    )
    deleted = (pl.col("status") == "d") if suppress_deleted else pl.lit(False)
    live = pl.col("verdict").is_in(["update", "unchanged"])
    return rows.with_columns(
        pl.when(deleted & live)
        .then(pl.lit("suppress"))
        .when(deleted)
        .then(None)
        .when(pl.col("verdict") == "new")
        .then(pl.lit("create"))
        .when(pl.col("verdict") == "update")
        .then(pl.lit("update"))
        .alias("action")
    ).filter(pl.col("action").is_not_null())


def plan_part(
    todo: pl.DataFrame,
    subfields: pl.DataFrame,
    live_fields: pl.DataFrame,
    versions: pl.DataFrame,
    protected: Sequence[str],
    merge: Sequence[MergeRule] = (),
) -> PlanPart:
    """The plan of some records.

    Args:
        todo: as `to_plan` returns it.
        subfields: shape frames.NORMALIZED_SUBFIELDS, of these records at least.
        live_fields: shape snapshot.FIELDS, of their targets at least.
        versions: columns target, version, source_id.
        protected: fields and subfields that stay as they are in the live record.
        merge: which of the others come and go.
    """
    wanted = subfields.filter(pl.col("record").is_in(todo["record"].implode()))
    theirs = field_texts(wanted, todo.select("record", "leader", "encoding"))
    incoming = as_catalogued(theirs)
    creates = todo.filter(pl.col("action") == "create").select("record")
    targets = todo.filter(pl.col("action") != "create").select("record", "target", "action")
    live = live_fields.join(targets, left_on="instance_id", right_on="target", how="inner").select(
        "record", "field", "tag", "text", "masked"
    )
    suppressed = targets.filter(pl.col("action") == "suppress").select("record")
    leaders_only = pl.col("tag") == "LDR"
    updates = targets.filter(pl.col("action") == "update").select("record")
    patches = pl.concat(
        [
            additions(incoming.join(creates, on="record", how="semi", maintain_order="left")),
            diff(
                live.join(updates, on="record", how="semi"),
                incoming.join(updates, on="record", how="semi"),
                protected,
                merge,
            ),
            diff(
                live.join(suppressed, on="record", how="semi").filter(leaders_only),
                incoming.join(suppressed, on="record", how="semi").filter(leaders_only),
            ),
        ]
    ).sort("record", maintain_order=True)
    changes = changes_of(patches)
    counts = changes.group_by("record").agg(
        (pl.col("kind") == kind).sum().cast(pl.UInt32).alias(kind) for kind in ("added", "removed", "changed")
    )
    rows = todo.join(patches.select("record").unique(), on="record", how="semi", maintain_order="left")
    rows = rows.join(counts, on="record", how="left", maintain_order="left").join(
        versions, on="target", how="left", maintain_order="left"
    )
    return PlanPart(_with_keys(rows), patches, changes)


def _with_keys(rows: pl.DataFrame) -> pl.DataFrame:
    keys, targets = [], []
    for correlation, content, target in rows.select("correlation_id", "content_sha256", "target").iter_rows():
        targets.append(target or new_target(correlation, content))
        keys.append(idempotency_key(correlation, targets[-1], content))
    return rows.with_columns(
        pl.Series("idempotency_key", keys, dtype=pl.String),
        pl.Series("target", targets, dtype=pl.String),
        pl.col("version").fill_null(0),
        pl.col("source_id").fill_null(""),
        pl.col("added", "removed", "changed").fill_null(0),
    ).select([pl.col(name).cast(dtype) for name, dtype in PLAN.items()])


__all__ = ["CHANGES", "PATCHES", "PLAN", "PlanPart", "plan_part", "to_plan"]
