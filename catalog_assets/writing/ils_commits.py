"""`ils_commits`: what was written to the library system."""

from functools import partial

import dagster as dg

from catalog_assets.checks import conservation_spec, written_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from catalog_assets.writing.committed import committed
from holdfast.environment import read_environment
from holdfast.privacy.masking import MaskingRules
from resources.ils.client import Ils
from resources.lake.client import Lake
from resources.ledger.applying import refusals
from resources.ledger.client import Ledger, Load
from resources.ledger.gate import write_plan
from resources.ledger.plans import Plans
from resources.ledger.seen import remember
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts
from resources.redis.filter import IdempotencyFilter
from resources.redis.locks import Locks

QUEUE = "ils.sync.holdings"
RULES = MaskingRules(SETTINGS.masking.fields, SETTINGS.masking.notes_when_private)


@dg.asset(
    deps=["change_plan"],
    partitions_def=LOADS,
    group_name="writing",
    owners=["team:metadata"],
    kinds={SETTINGS.ils.adapter, "postgres"},
    code_version="2",
    check_specs=[conservation_spec("ils_commits"), written_spec("ils_commits")],
    description=(
        "What was written: a row of every record that came in with its one outcome. The ledger in PostgreSQL has a row a "
        "change, with the image before, the version and the answer; a re-run, also after a crash, writes nothing twice."
    ),
)
def ils_commits(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[Ils],
    ledger: dg.ResourceParam[Ledger],
    locks: dg.ResourceParam[Locks],
    idempotency_filter: dg.ResourceParam[IdempotencyFilter],
) -> dg.MaterializeResult:
    (source, _), partition = load_of(context), context.partition_key
    salt = read_environment().need("HOLDFAST_MASKING_SALT").encode()
    load, settings = Load(ils.name, source, partition, context.run.run_id), SETTINGS.sources[source]
    budget, plans = SETTINGS.budget_of(source), Plans(postgres, ils.name)
    halted = partial(Halts(postgres).reason, source=source, queue=QUEUE)
    applied, gate = write_plan(
        lake, partition, ils, ledger, locks, plans, load, settings, budget, RULES, salt, SETTINGS.ils, halted
    )
    remember(ledger, idempotency_filter, ils.name, source, partition)
    return committed(context, lake, postgres, "change_plan", applied, gate, refusals)
