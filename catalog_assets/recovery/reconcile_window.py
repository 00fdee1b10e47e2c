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
from resources.ledger.replaying import Recoveries
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
    repaired: list[Found] = []
    changed = 0
    with lake.replace("reconcile_window", partition) as writer:
        writer.write("rows", pl.DataFrame(schema=RECONCILED))
        for part in job.look():
            writer.write("rows", as_frame(part))
            if not config.dry_run:
                changed += job.repair(part, order)
                repaired += [each for each in part if each.repair]
    rows = lake.read("reconcile_window", partition)
    counts = {name: rows.filter(pl.col("verdict") == name).height for name in VERDICTS}
    if not config.dry_run:
        Quarantine(postgres, "catalogue").replace(
            "reconcile_window", partition, rejections(repaired), run_id=context.run_id
        )
        outcomes = {
            each.row["record"]: (
                "suppressed"
                if each.repair == "acknowledged" and each.row["action"] == "suppress"
                else _OUTCOMES[each.repair],
                each.detail or "found written",
            )
            for each in repaired
        }
        recount(context, lake, postgres, "ils_commits", partition, outcomes)
        Recoveries(postgres).keep("reconcile", ils.name, source, partition, order, {**counts, "repaired": changed})
    differing = rows.filter(pl.col("verdict") != "agreed").drop("idempotency_key").head(_SHOWN)
    metadata: dict[str, Any] = {**counts, "repaired": changed, "dry_run": config.dry_run}
    metadata["differing"] = dg.MetadataValue.md(as_markdown(differing, nothing="every key agrees"))
    metadata["verdicts"] = dg.MetadataValue.md("\n".join(f"- **{name}**: {text}" for name, text in VERDICTS.items()))
    context.add_output_metadata(metadata)
    context.log_event(dg.AssetObservation("ils_commits", partition=partition, metadata=metadata))
    context.log.info("; ".join(f"{count:,} {name}" for name, count in counts.items()) + f"; {changed:,} repaired")


@dg.job(
    name="reconcile_window",
    partitions_def=LOADS,
    tags=WRITES,
    description="Every key of a window's ledger against the live record and the audit log: agreed, missing, foreign or in doubt. "
    "A dry run says it; else what is in doubt is settled where that is safe. docs/operations/reconcile-a-window.md",
)
def reconcile_window() -> None:
    reconcile()
