"""`harvest_completeness`: what a repository lists against what was harvested of it, an identifier a row."""

import dagster as dg

from catalog_assets.checks import complete_result, complete_spec
from catalog_assets.partitions import ASKED
from holdfast.harvest.completeness import COMPLETENESS
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.postgres.client import Postgres
from resources.postgres.harvest_log import HarvestLog
from resources.repositories.client import Repositories
from resources.vault.completeness import compare_with_source


@dg.asset(
    partitions_def=ASKED,
    group_name="records",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version="1",
    check_specs=[complete_spec("harvest_completeness")],
    description=(
        "All identifiers that an OAI-PMH or SRU source lists against those that were harvested of it: held, missing, "
        "backdated, stale or silently deleted. Beside it, as `windows`, the days that would bring what is lacking: "
        "completeness_sensor asks for just those."
    ),
)
def harvest_completeness(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    repositories: dg.ResourceParam[Repositories],
) -> dg.MaterializeResult:
    source = context.partition_key
    found = compare_with_source(lake, HarvestLog(postgres), repositories, source)
    if found is None:
        raise dg.Failure(
            f"{source}: it can't list all that it has; an SRU source needs all_query for that", allow_retries=False
        )
    with lake.replace("harvest_completeness", source) as writer:
        writer.write("rows", found.report)
        writer.write("windows", found.windows)
    return dg.MaterializeResult(
        metadata=table_metadata(
            found.report.height, COMPLETENESS, listed=found.listed, windows_to_fetch=found.windows.height
        ),
        check_results=[complete_result(found.report)],
    )
