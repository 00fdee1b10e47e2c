"""The plan of a feed in the shapes of every plan's document: its changes, what names a record, and its measures."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from holdfast.catalogue.budget import Measures
from holdfast.catalogue.patch import CHANGES
from holdfast.privacy.masking import PREFIX


def as_changes(changes: pl.DataFrame) -> pl.DataFrame:
    """Shape patch.CHANGES, of changes of the shape feeds.plan.CHANGES: the element as tag. A feed takes nothing away."""
    kind = pl.when(pl.col("before").is_null()).then(pl.lit("added")).otherwise(pl.lit("changed"))
    blank = pl.lit("")
    return changes.select(
        "record",
        kind.alias("kind"),
        pl.col("element").alias("tag"),
        blank.alias("indicators"),
        blank.alias("code"),
        "before",
        "after",
    ).cast(CHANGES)


def titled(plan: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """`plan` (shape feeds.plan.PLAN) with the column title, by which people find the row: its key, unless that is private, and
    its place in the file. places: columns record, place."""
    rows = plan.join(places, on="record", how="left", maintain_order="left")
    place = pl.col("place").fill_null("in no row of the feed")
    private = pl.col("key").str.starts_with(PREFIX)
    return rows.with_columns(
        pl.when(private).then(place).otherwise(pl.format("{} · {}", "key", place)).alias("title")
    ).drop("place")


def measure_feed(
    plan: pl.DataFrame,
    changes: pl.DataFrame,
    day: str,
    *,
    came_in: int = 0,
    catalogue: int = 0,
    unread: int = 0,
    to_approve: Sequence[str] = (),
) -> Measures:
    """
    Args:
        plan, changes: shapes feeds.plan.PLAN and CHANGES.
        catalogue: patrons that a full feed answers for, else records of the kind that the library system has.
        to_approve: elements whose change in a live record needs approval.

    Who is expired, whose account is closed, and what is hidden from the public counts as suppressed.
    """
    live = plan.filter(pl.col("action") != "create").select("record", "action")
    said = changes.join(live, on="record", how="inner")
    element, after = pl.col("element"), pl.col("after")
    over = (
        (pl.col("action") == "expire")
        | ((element == "suppressed") & (after == "true"))
        | ((element == "active") & (after == "false"))
        | ((element == "expires") & (after <= day))
    )
    suppressed = said.filter(over)["record"].n_unique()
    return Measures(
        came_in=came_in,
        catalogue=catalogue,
        created=plan.height - live.height,
        updated=live.height - suppressed,
        suppressed=suppressed,
        to_approve=said.filter(element.is_in(list(to_approve))).height,
        unread=unread,
        missing=live.filter(pl.col("action") == "expire").height,
    )
