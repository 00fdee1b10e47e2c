"""`feed_plan`: what a feed would change in the library system."""

import dagster as dg
import polars as pl

from catalog_assets.checks import budget_result, budget_spec, conservation_result, conservation_spec
from catalog_assets.partitions import FEEDS, SETTINGS, feed_of
from catalog_assets.writing.plan_metadata import page_of, plan_metadata
from holdfast.catalogue.estimate import quota_of
from holdfast.catalogue.outcomes import conservation, outcomes
from holdfast.environment import read_environment
from holdfast.feeds.plan import PLAN
from holdfast.settings import Feed
from resources.ils.feeds import KINDS, FeedIls
from resources.lake.client import Lake
from resources.lake.metadata import feed_metadata
from resources.ledger.client import Ledger
from resources.ledger.planning import Terms, cost_of
from resources.ledger.planning_feeds import plan_feed_window
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.quarantine import Quarantine
from resources.reports.client import ReportFolder
from resources.vault.client import Vault

NOTHING_WRITTEN = pl.DataFrame(schema={"record": pl.UInt32, "state": pl.String, "answer": pl.String})


@dg.asset(
    deps=["feed_drops"],
    partitions_def=FEEDS,
    group_name="feeds",
    owners=["team:circulation"],
    kinds={"polars", "html"},
    code_version="2",
    check_specs=[conservation_spec("feed_plan", FEEDS), budget_spec("feed_plan", FEEDS)],
    description=(
        "What a feed would write, and nothing else: a row a record that would be created, changed or expired, with its "
        "idempotency key; beside it (`changes`) the before and after of each element, tokens for what is private. References that "
        "the library system does not know are in quarantine. The plan is signed, shows its most surprising changes first, and says "
        "what it would cost and whether it waits for the job approve_plan."
    ),
)
def feed_plan(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    vault: dg.ResourceParam[Vault],
    ils: dg.ResourceParam[FeedIls],
    ledger: dg.ResourceParam[Ledger],
    report_folder: dg.ResourceParam[ReportFolder],
) -> dg.MaterializeResult:
    (name, day), partition, quarantine = feed_of(context), context.partition_key, Quarantine(postgres, "catalogue")
    plans, run_id, terms = Plans(postgres, ils.name), context.run.run_id, terms_of(name, ils)
    planned, rejections = plan_feed_window(lake, vault, ledger, plans, ils, partition, terms, run_id=run_id)
    quarantine.replace("feed_plan", partition, rejections, run_id=run_id)
    plan, standing = (lake.read("feed_plan", partition, table) for table in ("rows", "standing"))
    page = page_of(report_folder, planned, name, day, plans, KINDS[terms.source.kind])
    actions = dict.fromkeys(("create", "update", "expire"), 0) | dict(plan.group_by("action").len().iter_rows())
    return dg.MaterializeResult(
        metadata=feed_metadata(plan.height, PLAN)
        | plan_metadata(planned, page)
        | actions
        | quarantine_metadata(quarantine, partition),
        check_results=[
            conservation_result(conservation(outcomes(standing, plan, NOTHING_WRITTEN))),
            budget_result(planned.waiting, page),
        ],
    )


def terms_of(name: str, ils: FeedIls) -> Terms[Feed]:
    feed = SETTINGS.feeds[name]
    return Terms(
        name,
        feed,
        SETTINGS.budget_of(name),
        cost_of(ils.capabilities, SETTINGS.ils.chunk_records, KINDS[feed.kind]),
        quota_of(SETTINGS.ils.model_dump()),
        read_environment().need("HOLDFAST_MASKING_SALT").encode(),
    )
