"""`reconcile_window`: the ledger of a window against the live records and the library system's audit log."""

import datetime as dt
from enum import Enum
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from catalog_assets.partitions import LOADS
from catalog_assets.recovery.orders import RULES, WRITES, Ordered, salt, window_of
from catalog_assets.recovery.recounting import recount
from resources.ils.client import Ils
from resources.lake.client import Lake
from resources.lake.tables import as_markdown
from resources.ledger.reconciling import RECONCILED, VERDICTS, Found, Reconciliation, as_frame, rejections
from resources.ledger.replaying import Order, Recoveries
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine

_SHOWN = 50
_OUTCOMES = {"acknowledged": "committed", "conflicted": "quarantined", "prepared": "planned"}


class AuditAsked(Enum):
    """Of which records the audit log is asked."""

    differing = "differing"
    all = "all"
    none = "none"


class Reconcile(Ordered):
    """What is compared, and whether the ledger is repaired."""

    dry_run: bool = Field(
        default=True, description="true: only say what differs; false: repair what is safe in the ledger"
    )
    audit: AuditAsked = Field(
        default=AuditAsked.differing,
        description="whose changes the library system's audit log is asked for: records that differ, all (one request a record), none",
    )
    settle_after_seconds: int = Field(
        default=60, ge=0, description="what was sent so lately may be on its way still and is not repaired"
    )


@dg.op(description="Compares every key of the window; repairs what is in doubt where that is safe.")
def reconcile(
    context: dg.OpExecutionContext,
    config: Reconcile,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[Ils],
) -> None:
    (source, partition), order = window_of(context), config.order(context.run_id)
    settle_after = dt.timedelta(seconds=config.settle_after_seconds)
    job = Reconciliation(
        postgres, ils, source, partition, RULES, salt(), audit=config.audit.value, settle_after=settle_after
    )
    repaired = _look(lake, partition, job, None if config.dry_run else order)
    rows = lake.read("reconcile_window", partition)
    counts = {name: rows.filter(pl.col("verdict") == name).height for name in VERDICTS}
    if not config.dry_run:
        _quarantine(postgres, partition, repaired, context.run_id)
        recount(
            context, lake, postgres, "ils_commits", partition, {each.row["record"]: _outcome(each) for each in repaired}
        )
        kept = {**counts, "repaired": len(repaired)}
        Recoveries(postgres).keep("reconcile", ils.name, source, partition, order, kept)
    _report(context, partition, rows, {**counts, "repaired": len(repaired), "dry_run": config.dry_run})


def _look(lake: Lake, partition: str, job: Reconciliation, order: Order | None) -> list[Found]:
    """Every key of the window in the lake, part by part; those that were repaired: with an order only."""
    repaired: list[Found] = []
    with lake.replace("reconcile_window", partition) as writer:
        writer.write("rows", pl.DataFrame(schema=RECONCILED))
        for part in job.look():
            writer.write("rows", as_frame(part))
            repaired += job.repair(part, order) if order else []
    return repaired


def _quarantine(postgres: Postgres, partition: str, repaired: list[Found], run_id: str) -> None:
    Quarantine(postgres, "catalogue").replace("reconcile_window", partition, rejections(repaired), run_id=run_id)


def _outcome(found: Found) -> tuple[str, str]:
    """(outcome, detail) of the record of a key that was repaired."""
    hidden = found.repair == "acknowledged" and found.row["action"] == "suppress"
    return "suppressed" if hidden else _OUTCOMES[found.repair], found.detail or "found written"


def _report(context: dg.OpExecutionContext, partition: str, rows: pl.DataFrame, counts: dict[str, int]) -> None:
    differing = rows.filter(pl.col("verdict") != "agreed").drop("idempotency_key").head(_SHOWN)
    metadata: dict[str, Any] = {**counts}
    metadata["differing"] = dg.MetadataValue.md(as_markdown(differing, nothing="every key agrees"))
    metadata["verdicts"] = dg.MetadataValue.md("\n".join(f"- **{name}**: {text}" for name, text in VERDICTS.items()))
    context.add_output_metadata(metadata)
    context.log_event(dg.AssetObservation("ils_commits", partition=partition, metadata=metadata))
    context.log.info("; ".join(f"{counts[name]:,} {name}" for name in (*VERDICTS, "repaired")))


@dg.job(
    name="reconcile_window",
    partitions_def=LOADS,
    tags=WRITES,
    description="Every key of a window's ledger against the live record and the audit log: agreed, missing, foreign or in doubt. "
    "A dry run says it; else what is in doubt is settled where that is safe. docs/operations/reconcile-a-window.md",
)
def reconcile_window() -> None:
    reconcile()
