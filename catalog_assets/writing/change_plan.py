"""`change_plan`: what would be written, down to each subfield."""

import dagster as dg
import polars as pl

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.catalogue.outcomes import conservation, outcomes
from holdfast.catalogue.plan import PLAN
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.ledger.planning import plan_window

NOTHING_WRITTEN = pl.DataFrame(schema={"record": pl.UInt32, "state": pl.String, "answer": pl.String})


@dg.asset(
    deps=["normalized_records", "matched_records"],
    partitions_def=LOADS,
    group_name="writing",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version="1",
    check_specs=[conservation_spec("change_plan")],
    description=(
        "What would be written, and nothing else: a row a record that would change, with its idempotency key; beside it the "
        "minimal patch (`patches`) and the before and after of every subfield (`changes`). A record that would not change "
        "is not in it."
    ),
)
def change_plan(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    (source, _), partition = load_of(context), context.partition_key
    rows = plan_window(lake, partition, SETTINGS.sources[source])
    plan = lake.read("change_plan", partition)
    standing = lake.read("change_plan", partition, "standing")
    counted = conservation(outcomes(standing, plan, NOTHING_WRITTEN))
    sample = lake.scan("change_plan", partition, "changes").filter(pl.col("kind") == "changed").head(20).collect()
    return dg.MaterializeResult(
        metadata=table_metadata(
            rows["rows"],
            PLAN,
            **dict(plan.group_by("action").len().sort("action").iter_rows()),
            subfields_to_change=rows["changes"],
            first_changes=dg.MetadataValue.md(as_markdown(sample)),
        ),
        check_results=[conservation_result(counted)],
    )


def as_markdown(changes: pl.DataFrame) -> str:
    lines = ["| record | field | before | after |", "|---|---|---|---|"]
    for row in changes.iter_rows(named=True):
        place = f"{row['tag']} {row['indicators']} ${row['code']}" if row["code"] else row["tag"]
        cells = [str(row["record"]), place, row["before"] or "", row["after"] or ""]
        lines.append("| " + " | ".join(cell.replace("|", "\\|")[:120] for cell in cells) + " |")
    return "\n".join(lines)
