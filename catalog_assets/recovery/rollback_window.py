"""`rollback_window`: takes back what a window wrote and keeps what anybody edited since."""

from enum import Enum
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from catalog_assets.partitions import WINDOWS
from catalog_assets.recovery.orders import WRITES, Ordered, commits_of, window_of
from catalog_assets.recovery.recounting import recount
from catalog_assets.recovery.rolling_back import rollback_of
from holdfast.catalogue.outcomes import OUTCOMES
from holdfast.catalogue.patch import CHANGES
from resources.ils.client import Ils
from resources.ils.errors import IlsDownError
from resources.lake.client import Lake
from resources.lake.tables import as_markdown
from resources.ledger.client import Ledger, Load
from resources.ledger.replaying import Order, Recoveries
from resources.ledger.undo_tables import ROLLBACK, STAYS, write_tables
from resources.ledger.undoing import Rollback, Taken
from resources.postgres.client import Postgres
from resources.postgres.halts import HaltedError
from resources.redis.locks import BusyError, LockLostError, Locks, LocksAwayError
from resources.vault.client import Vault

_SHOWN = 50


class Created(Enum):
    """What becomes of records that the window created."""

    suppress = "suppress"
    delete = "delete"
    keep = "keep"


class RollBack(Ordered):
    """What becomes of the window, and whether it is written."""

    dry_run: bool = Field(
        default=True, description="true: only show what would be taken back and what stays; false: do it"
    )
    created: Created = Field(
        default=Created.suppress,
        description="records that the window created: suppress hides them (a patron's account ends today); delete deletes those that "
        "nobody edited and on which nothing hangs, such as a loan, and hides the others; keep leaves them",
    )


@dg.op(description="Plans the undo on the live records and, unless it is a dry run, writes it through the ledger.")
def roll_back(
    context: dg.OpExecutionContext,
    config: RollBack,
    lake: dg.ResourceParam[Lake],
    vault: dg.ResourceParam[Vault],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[Ils],
    locks: dg.ResourceParam[Locks],
) -> None:
    (source, partition), order = window_of(context), config.order(context.run_id)
    load = Load(ils.name, source, partition, context.run_id)
    rollback = rollback_of(load, config.created.value, vault, postgres, ils, locks)
    outcomes, stopped = _carry_out(lake, partition, rollback, None if config.dry_run else order)
    doubtful = len(Ledger(postgres).in_doubt(ils.name, source, partition))
    counts = _report(context, lake, partition, doubtful, config.dry_run, stopped)
    if not config.dry_run:
        asset = commits_of(source)
        recount(context, lake, postgres, asset, partition, _all_of_it(lake, asset, partition, outcomes))
        Recoveries(postgres).keep("rollback", ils.name, source, partition, order, counts)
    if stopped:
        raise dg.Failure(f"{stopped}; what was taken back stays so, run it again for the rest", allow_retries=False)


def _carry_out(
    lake: Lake, partition: str, rollback: Rollback, order: Order | None
) -> tuple[dict[int, tuple[str, str]], str]:
    """Its tables in the lake, part by part; (record → outcome and detail of what was taken back, what stopped it on the way, or
    ''). Without an order nothing is written to the library system."""
    outcomes: dict[int, tuple[str, str]] = {}
    with lake.replace("rollback_window", partition) as writer:
        for table, schema in (("rows", ROLLBACK), ("conflicts", STAYS), ("changes", CHANGES)):
            writer.write(table, pl.DataFrame(schema=schema))
        try:
            for part in rollback.apply(order) if order else rollback.preview():
                write_tables(writer, part)
                back = [each for each in part if each.state == "rolled_back"]
                outcomes |= {each.row["record"]: ("rolled_back", _said(each)) for each in back}
        except (IlsDownError, HaltedError, BusyError, LocksAwayError, LockLostError) as error:
            return outcomes, f"waiting: {error}"
    return outcomes, ""


def _said(taken: Taken) -> str:
    stays = f"; {len(taken.conflicts)} edited since stay" if taken.conflicts else ""
    return f"rolled back{stays}"


def _all_of_it(
    lake: Lake, asset: str, partition: str, outcomes: dict[int, tuple[str, str]]
) -> dict[int, tuple[str, str]]:
    """Only of records that the window has an outcome of: an older row of the ledger may be of a record that is no more."""
    if not lake.exists(asset, partition):
        return {}
    known = set(lake.read(asset, partition).select(OUTCOMES.names())["record"])
    return {record: outcome for record, outcome in outcomes.items() if record in known}


def _report(
    context: dg.OpExecutionContext, lake: Lake, partition: str, doubtful: int, dry_run: bool, stopped: str
) -> dict[str, int]:
    rows = lake.read("rollback_window", partition)
    conflicts, changes = (lake.read("rollback_window", partition, table) for table in ("conflicts", "changes"))
    counts = {state: int(count) for state, count in rows.group_by("state").len().sort("state").iter_rows()}
    edited = conflicts.filter(pl.col("why") == "edited")
    counts |= {"conflicts": edited.height, "records_with_conflicts": edited["record"].n_unique()}
    counts["masked_not_restored"] = conflicts.height - edited.height
    counts["not_deleted"] = rows.filter(pl.col("detail").str.contains("not deleted: ", literal=True)).height
    notes = [stopped] if stopped else []
    if doubtful:
        asset = commits_of(partition.split("|")[1])
        notes.append(
            f"{doubtful} changes were sent and nobody saw what became of them: they are not taken back; materialize {asset} first"
        )
    again = conflicts.drop("target").head(_SHOWN)
    metadata: dict[str, Any] = {
        **counts,
        "dry_run": dry_run,
        "notes": "; ".join(notes) or "none",
        "stays_as_it_is": dg.MetadataValue.md(as_markdown(again, nothing="nobody edited what the window wrote")),
        "what_is_taken_back": dg.MetadataValue.md(as_markdown(changes.head(_SHOWN), nothing="no subfield")),
        "not_taken_back": dg.MetadataValue.md(
            as_markdown(rows.filter(pl.col("state").is_in(["cannot", "conflicted", "failed"])).head(_SHOWN))
        ),
        "records": dg.MetadataValue.md(
            as_markdown(rows.head(_SHOWN), nothing="the window has written nothing that stands")
        ),
    }
    context.add_output_metadata(metadata)
    commits = commits_of(partition.split("|")[1])
    context.log_event(dg.AssetObservation(commits, partition=partition, metadata=metadata))
    context.log.info("; ".join(f"{count:,} {name}" for name, count in counts.items()))
    return counts


@dg.job(
    name="rollback_window",
    partitions_def=WINDOWS,
    tags=WRITES,
    description="Take back what a window of a source or a feed wrote, from the images before: what somebody edited since stays as it "
    "is and is listed. A dry run shows the plan. docs/operations/roll-back-a-window.md",
)
def rollback_window() -> None:
    roll_back()
