"""`change_plan`: what would be written, down to each subfield."""

from typing import Any

import dagster as dg
import polars as pl

from catalog_assets.checks import budget_result, budget_spec, conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.catalogue.estimate import quota_of
from holdfast.catalogue.outcomes import conservation, outcomes
from holdfast.catalogue.plan import PLAN
from holdfast.catalogue.plan_page import PlanShown, counts_markdown, plan_page, surprises_markdown
from holdfast.environment import read_environment
from resources.ils.client import Ils
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.ledger.planning import Planned, Terms, cost_of, plan_window
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
    page = report_folder.write_plan(source, day, planned.plan_sha256, plan_page(shown(planned, source, day, plans)))
    url = report_folder.url(page)
    return dg.MaterializeResult(
        metadata=table_metadata(
            plan.height,
            PLAN,
            page=dg.MetadataValue.url(url) if url else dg.MetadataValue.path(page),
            **said(planned),
            peak_mib=peak_mib(),
        ),
        check_results=[
            conservation_result(conservation(outcomes(standing, plan, NOTHING_WRITTEN))),
            budget_result(planned.waiting),
        ],
    )


def terms_of(source: str, ils: Ils) -> Terms:
    return Terms(
        source,
        SETTINGS.sources[source],
        SETTINGS.budget_of(source),
        cost_of(ils.capabilities, SETTINGS.ils.chunk_records),
        quota_of(SETTINGS.ils.model_dump()),
        read_environment().need("HOLDFAST_MASKING_SALT").encode(),
    )


def shown(planned: Planned, source: str, day: str, plans: Plans) -> PlanShown:
    partition = f"{day}|{source}"
    return PlanShown(
        library=SETTINGS.library.name,
        source=source,
        day=day,
        plan_sha256=planned.plan_sha256,
        signature=planned.document["signature"],
        measures=planned.measures,
        counts=planned.counts,
        surprises=planned.surprises,
        waiting=planned.waiting,
        cost=planned.cost.sentence,
        earlier=plans.history(source, without=[partition]).measures,
        written=plans.written_plans(partition),
    )


def said(planned: Planned) -> dict[str, Any]:
    """Metadata: numbers that Dagster plots over the partitions, and what people read before they approve."""
    measures = planned.measures
    return {
        "plan_sha256": planned.plan_sha256,
        "waiting_for": "; ".join(planned.waiting) or "nothing",
        "create": measures.created,
        "update": measures.updated,
        "suppress": measures.suppressed,
        "removed_fields": measures.removed_fields,
        "subfields_to_change": planned.rows["changes"],
        "requests": planned.cost.requests,
        "cost": planned.cost.sentence,
        "changes_by_field": dg.MetadataValue.md(counts_markdown(planned.counts)),
        "most_surprising": dg.MetadataValue.md(surprises_markdown(planned.surprises)),
    }
