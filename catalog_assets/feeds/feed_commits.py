"""`feed_commits`: what of a feed was written to the library system."""

from functools import partial

import dagster as dg

from catalog_assets.checks import conservation_spec, written_spec
from catalog_assets.partitions import FEEDS, SETTINGS, feed_of
from catalog_assets.writing.committed import committed
from holdfast.environment import read_environment
from resources.ils.feeds import FeedIls
from resources.lake.client import Lake
from resources.ledger.applying_feeds import feed_refusals
from resources.ledger.client import Ledger, Load
from resources.ledger.feed_gate import write_feed
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts
from resources.redis.locks import Locks
from resources.vault.client import Vault


@dg.asset(
    deps=["feed_plan"],
    partitions_def=FEEDS,
    group_name="feeds",
    owners=["team:circulation"],
    kinds={SETTINGS.ils.adapter, "postgres"},
    code_version="2",
    check_specs=[conservation_spec("feed_commits", FEEDS), written_spec("feed_commits", FEEDS)],
    description=(
        "What of a feed was written: a row of everything that came in with its one outcome. Values are read again from the sealed "
        "originals and live in memory and in the request alone; the ledger has the image before, masked. A re-run, also after a "
        "crash, writes nothing twice."
    ),
)
def feed_commits(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    vault: dg.ResourceParam[Vault],
    ils: dg.ResourceParam[FeedIls],
    ledger: dg.ResourceParam[Ledger],
    locks: dg.ResourceParam[Locks],
) -> dg.MaterializeResult:
    (name, _), partition = feed_of(context), context.partition_key
    salt, feed = read_environment().need("HOLDFAST_MASKING_SALT").encode(), SETTINGS.feeds[name]
    load, masked = Load(ils.name, name, partition, context.run.run_id), SETTINGS.masking.entities
    halted = partial(Halts(postgres).reason, source=name, queue="ils.sync.holdings")
    budget, plans, pace = SETTINGS.budget_of(name), Plans(postgres, ils.name), SETTINGS.ils
    applied, gate = write_feed(
        lake, vault, partition, feed, budget, ils, ledger, locks, plans, load, salt, masked, pace, halted
    )
    return committed(context, lake, postgres, "feed_plan", applied, gate, feed_refusals)
