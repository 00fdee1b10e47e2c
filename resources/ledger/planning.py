"""Fill `change_plan` of a window, part by part, from the lake."""

from __future__ import annotations

import polars as pl

from holdfast.catalogue.plan import CHANGES, PATCHES, PLAN, plan_part, to_plan
from holdfast.settings import Source
from resources.lake.client import Lake

STANDING = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,
        "fault": pl.String,  # why it can't be read; null: it can
        "verdict": pl.String,
        "detail": pl.String,
    }
)


def plan_window(lake: Lake, partition: str, source: Source) -> dict[str, int]:
    """Tables `rows` (shape plan.PLAN), `patches`, `changes` and `standing` (every record that came in, with what is known
    of it); their row counts."""
    matched = lake.read("matched_records", partition)
    versions = lake.read("matched_records", partition, "versions")
    live = lake.scan("matched_records", partition, "live_fields")
    with lake.replace("change_plan", partition) as writer:
        for table, schema in (("rows", PLAN), ("patches", PATCHES), ("changes", CHANGES)):
            writer.write(table, pl.DataFrame(schema=schema))
        parts = zip(
            lake.batches("normalized_records", partition),
            lake.batches("normalized_records", partition, "subfields"),
            strict=True,
        )
        for records, subfields in parts:
            todo = to_plan(records, matched, suppress_deleted=source.suppress_deleted)
            if not todo.height:
                continue
            targets = todo.select(pl.col("target").alias("instance_id")).drop_nulls().lazy()
            its_live = live.join(targets, on="instance_id", how="semi").collect()
            part = plan_part(todo, subfields, its_live, versions, source.protected, source.merge)
            writer.write("rows", part.plan)
            writer.write("patches", part.patches)
            writer.write("changes", part.changes)
        unreadable = lake.read("normalized_records", partition, "unreadable").select("record", "fault")
        standing = pl.concat(
            [matched.select("record", "correlation_id", "verdict", "detail"), unreadable], how="diagonal"
        )
        writer.write(
            "standing", standing.select([pl.col(name).cast(dtype) for name, dtype in STANDING.items()]).sort("record")
        )
        writer.write("state", lake.read("matched_records", partition, "state"))
    return writer.rows
