"""`feed_plan`: what a feed would change in the library system."""

import dagster as dg
import polars as pl

from catalog_assets.checks import budget_result, budget_spec, conservation_result, conservation_spec
from catalog_assets.partitions import FEEDS, SETTINGS, feed_of
from holdfast.catalogue.outcomes import conservation, outcomes
from holdfast.environment import read_environment
from holdfast.feeds.plan import PLAN
from resources.ils.feeds import FeedIls
from resources.lake.client import Lake
from resources.lake.metadata import feed_metadata
from resources.lake.tables import as_markdown
from resources.ledger.client import Ledger
from resources.ledger.planning_feeds import plan_feed_window
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.quarantine import Quarantine
from resources.vault.client import Vault

NOTHING_WRITTEN = pl.DataFrame(schema={"record": pl.UInt32, "state": pl.String, "answer": pl.String})


@dg.asset(
    deps=["feed_drops"],
    partitions_def=FEEDS,
    group_name="feeds",
    owners=["team:circulation"],
    kinds={"folio", "parquet"},
    code_version="2",
    check_specs=[conservation_spec("feed_plan", FEEDS), budget_spec("feed_plan", FEEDS)],
    description=(
        "What a feed would write, and nothing else: a row a record that would be created, changed or expired, with its "
        "idempotency key; beside it (`changes`) the before and after of each element, tokens for what is private. References that "
        "the library system does not know are in quarantine. The plan is signed, and says whether it waits for the job approve_plan."
    ),
)
def feed_plan(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    vault: dg.ResourceParam[Vault],
    ils: dg.ResourceParam[FeedIls],
    ledger: dg.ResourceParam[Ledger],
) -> dg.MaterializeResult:
    (name, _), partition, quarantine = feed_of(context), context.partition_key, Quarantine(postgres, "catalogue")
    salt = read_environment().need("HOLDFAST_MASKING_SALT").encode()
    feed, budget = SETTINGS.feeds[name], SETTINGS.budget_of(name)
    plans, run_id = Plans(postgres, ils.name), context.run.run_id
    planned = plan_feed_window(lake, vault, ledger, plans, ils, partition, feed, budget, salt, run_id=run_id)
    quarantine.replace("feed_plan", partition, planned.rejections, run_id=run_id)
    plan, changes = lake.read("feed_plan", partition), lake.read("feed_plan", partition, "changes")
    counted = conservation(outcomes(lake.read("feed_plan", partition, "standing"), plan, NOTHING_WRITTEN))
    return dg.MaterializeResult(
        metadata=feed_metadata(
            plan.height,
            PLAN,
            **dict(plan.group_by("action").len().sort("action").iter_rows()),
            elements=dg.MetadataValue.md(as_markdown(changes.group_by("element").len("changes").sort("element"))),
            plan_sha256=planned.document["plan_sha256"],
            waiting_for="; ".join(planned.waiting) or "nothing",
        )
        | quarantine_metadata(quarantine, partition),
        check_results=[conservation_result(counted), budget_result(planned.waiting)],
    )
