"""`change_plan`: what would be written, down to each subfield."""

import dagster as dg
import polars as pl

from catalog_assets.checks import budget_result, budget_spec, conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from catalog_assets.writing.plan_metadata import page_of, plan_metadata
from holdfast.catalogue.estimate import quota_of
from holdfast.catalogue.outcomes import conservation, outcomes
from holdfast.catalogue.plan import PLAN
from holdfast.environment import read_environment
from holdfast.settings import Source
from resources.ils.client import Ils
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.ledger.planning import Terms, cost_of, plan_window
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.reports.client import ReportFolder

NOTHING_WRITTEN = pl.DataFrame(schema={"record": pl.UInt32, "state": pl.String, "answer": pl.String})


@dg.asset(
    deps=["normalized_records", "matched_records"],
    partitions_def=LOADS,
    group_name="writing",
    owners=["team:metadata"],
    kinds={"polars", "html"},
    code_version="2",
    check_specs=[conservation_spec("change_plan"), budget_spec("change_plan")],
    description=(
        "What would be written, and nothing else: a row a record that would change, with its idempotency key; beside it the "
        "minimal patch (`patches`) and the before and after of every subfield (`changes`), by the source's merge rules. A record "
        "that would not change is not in it. The plan is signed, shows its most surprising changes first, and says what it would "
        "cost and whether it waits for the job approve_plan."
    ),
)
def change_plan(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[Ils],
    report_folder: dg.ResourceParam[ReportFolder],
) -> dg.MaterializeResult:
    (source, day), partition = load_of(context), context.partition_key
    plans = Plans(postgres, ils.name)
    planned = plan_window(lake, partition, terms_of(source, ils), plans, run_id=context.run.run_id)
    plan, standing = (lake.read("change_plan", partition, table) for table in ("rows", "standing"))
    page, measures = page_of(report_folder, planned, source, day, plans, "bib"), planned.measures
    return dg.MaterializeResult(
        metadata=table_metadata(
            plan.height,
            PLAN,
            **plan_metadata(planned, page),
            create=measures.created,
            update=measures.updated,
            suppress=measures.suppressed,
            removed_fields=measures.removed_fields,
            subfields_to_change=planned.rows["changes"],
            peak_mib=peak_mib(),
        ),
        check_results=[
            conservation_result(conservation(outcomes(standing, plan, NOTHING_WRITTEN))),
            budget_result(planned.waiting, page),
        ],
    )


def terms_of(source: str, ils: Ils) -> Terms[Source]:
    return Terms(
        source,
        SETTINGS.sources[source],
        SETTINGS.budget_of(source),
        cost_of(ils.capabilities, SETTINGS.ils.chunk_records),
        quota_of(SETTINGS.ils.model_dump()),
        read_environment().need("HOLDFAST_MASKING_SALT").encode(),
    )
