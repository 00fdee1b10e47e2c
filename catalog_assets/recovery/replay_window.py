"""`replay_window`: a window once more, from its sealed original, under the same keys."""

from typing import Any

import dagster as dg
from pydantic import Field

from catalog_assets.partitions import SETTINGS, WINDOWS
from catalog_assets.recovery.orders import RULES, WRITES, Ordered, salt, window_of
from catalog_assets.recovery.rolling_back import rollback_of
from resources.ils.client import Ils
from resources.ledger.client import Ledger, Load
from resources.ledger.reconciling import Reconciliation
from resources.ledger.replaying import Recoveries
from resources.ledger.seen import window_name
from resources.postgres.client import Postgres
from resources.redis.filter import IdempotencyFilter
from resources.redis.locks import Locks
from resources.vault.client import Vault


class Replay(Ordered):
    """What of the window may be written anew. Without any of it a replay writes only what was never written."""

    reapply_missing: bool = Field(
        default=False,
        description="write anew what the ledger has as written and the library system has not, as after it was restored from a backup",
    )
    reapply_rolled_back: bool = Field(
        default=False, description="write anew what was rolled back; without it, it stays rolled back"
    )
    dry_run: bool = Field(
        default=False, description="true: only count what would be set back; nothing is purged or run"
    )


def _standing(load: Load, vault: Vault, postgres: Postgres, ils: Any, locks: Locks) -> tuple[list[str], list[str], int]:
    """Keys of the window that the library system has not (any more), keys that were rolled back, and how many agree."""
    missing, agreed = list[str](), 0
    if load.source in SETTINGS.feeds:
        for taken in rollback_of(load, "keep", vault, postgres, ils, locks).preview():
            missing += [each.row["idempotency_key"] for each in taken if each.gone]
            agreed += sum(not each.gone for each in taken)
        rows = Ledger(postgres).rows(ils.name, load.source, load.partition)
        return missing, [each["idempotency_key"] for each in rows if each["state"] == "rolled_back"], agreed
    rolled_back = list[str]()
    job = Reconciliation(postgres, ils, load.source, load.partition, RULES, salt(), audit="none")
    for found in job.look():
        missing += [each.row["idempotency_key"] for each in found if each.verdict == "missing"]
        rolled_back += [each.row["idempotency_key"] for each in found if each.row["state"] == "rolled_back"]
        agreed += sum(each.verdict == "agreed" and each.row["state"] == "acknowledged" for each in found)
    return missing, rolled_back, agreed


@dg.op(description="Purges the window's filter, sets back what is asked for, and asks for a run of the window.")
def replay(
    context: dg.OpExecutionContext,
    config: Replay,
    vault: dg.ResourceParam[Vault],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[Ils],
    locks: dg.ResourceParam[Locks],
    idempotency_filter: dg.ResourceParam[IdempotencyFilter],
) -> None:
    (source, partition), order = window_of(context), config.order(context.run_id)
    recoveries, load = Recoveries(postgres), Load(ils.name, source, partition, context.run_id)
    missing, rolled_back, agreed = _standing(load, vault, postgres, ils, locks)
    job = "feed_load" if source in SETTINGS.feeds else "catalogue_load"
    counts = {"missing": len(missing), "rolled_back": len(rolled_back), "agreed": agreed, "set_back": 0}
    if not config.dry_run:
        if config.reapply_missing:
            counts["set_back"] += recoveries.set_back(ils.name, missing, order, only=["acknowledged"])
        if config.reapply_rolled_back:
            counts["set_back"] += recoveries.set_back(ils.name, rolled_back, order, only=["rolled_back"])
        # Last: a filter that is filled anew before rows are set back would only cost a question.
        idempotency_filter.purge(window_name(ils.name, source, partition))
        recoveries.ask(job, source, partition, f"replay:{context.run_id}", order)
        recoveries.keep("replay", ils.name, source, partition, order, counts)
    said = f"asked_runs_sensor launches {job} for the window" if not config.dry_run else "a dry run: nothing was done"
    context.add_output_metadata({**counts, "dry_run": config.dry_run, "next": said})
    context.log.info("; ".join(f"{count:,} {name}" for name, count in counts.items()) + f"; {said}")


@dg.job(
    name="replay_window",
    partitions_def=WINDOWS,
    tags=WRITES,
    description="A window once more, from its sealed original, with the same correlation and idempotency keys; what is written "
    "and there is not written again. docs/operations/replay-a-window.md",
)
def replay_window() -> None:
    replay()
