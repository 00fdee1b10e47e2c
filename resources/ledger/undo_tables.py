"""What a rollback takes back and what stays, as tables of the lake; the outcomes of a window that it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from holdfast.catalogue.patch import CHANGES, PATCHES, changes_of
from resources.lake.client import Lake, PartitionWriter
from resources.ledger.undoing import Taken

ROLLBACK = pl.Schema(
    {
        "record": pl.UInt32,
        "target": pl.String,
        "action": pl.String,  # what the load had done
        "undo": pl.String,  # what takes it back: 'update', 'suppress', 'unsuppress', 'delete', or '' where nothing is left
        "state": pl.String,  # 'planned', 'rolled_back', 'kept', 'conflicted', 'failed' or 'cannot'
        "conflicts": pl.UInt32,
        "detail": pl.String,
    }
)
STAYS = pl.Schema(
    {
        "record": pl.UInt32,
        "target": pl.String,
        "tag": pl.String,
        "code": pl.String,
        "before": pl.String,
        "written": pl.String,
        "now": pl.String,
        "changed_by": pl.String,
        "changed_at": pl.String,
        "why": pl.String,  # 'edited' since, or 'masked': ours, and what was there before is known by its token alone
    }
)


def write_tables(writer: PartitionWriter, taken: Sequence[Taken]) -> None:
    """Append to the tables `rows` (shape ROLLBACK), `conflicts` (shape STAYS) and `changes` (shape patch.CHANGES)."""
    rows = [
        (
            each.row["record"],
            each.row["target"],
            each.row["action"],
            each.undo,
            each.state,
            len(each.conflicts),
            each.detail,
        )
        for each in taken
    ]
    stays = [
        (each.row["record"], each.row["target"], *stays, *each.changed, why)
        for each in taken
        for stays, why in each.stays
    ]
    writer.write("rows", pl.DataFrame(rows, schema=ROLLBACK, orient="row"))
    writer.write("conflicts", pl.DataFrame(stays, schema=STAYS, orient="row"))
    patches = [
        (each.row["record"], op, n, tag, text)
        for each in taken
        for op, fields in (("delete", each.deletes), ("add", each.adds))
        for n, (tag, text) in enumerate(fields)
    ]
    elements = [
        (
            each.row["record"],
            "added" if now is None else "removed" if before is None else "changed",
            name,
            "",
            "",
            now,
            before,
        )
        for each in taken
        for name, now, before in each.elements
    ]
    changes = [pl.DataFrame(elements, schema=CHANGES, orient="row")]
    changes += [changes_of(pl.DataFrame(patches, schema=PATCHES, orient="row"))] if patches else []
    writer.write("changes", pl.concat(changes))


def overlay_outcomes(lake: Lake, asset: str, partition: str, outcomes: Mapping[int, tuple[str, str]]) -> pl.DataFrame:
    """The window's outcomes (of `ils_commits` or `feed_commits`) with those of some records replaced: record → (outcome, detail)."""
    rows = lake.read(asset, partition)
    given = pl.DataFrame(
        [(record, outcome, detail) for record, (outcome, detail) in outcomes.items()],
        schema={"record": pl.UInt32, "now": pl.String, "said": pl.String},
        orient="row",
    )
    joined = rows.join(given, on="record", how="left", maintain_order="left")
    rows = joined.with_columns(
        pl.coalesce("now", "outcome").alias("outcome"), pl.coalesce("said", "detail").alias("detail")
    ).drop("now", "said")
    with lake.replace(asset, partition) as writer:
        writer.write("rows", rows)
    return rows
