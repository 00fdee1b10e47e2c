"""`rollback_window`: takes back what a window wrote and keeps what anybody edited since."""

from enum import Enum
from functools import partial
from typing import Any, Literal

import dagster as dg
import polars as pl
from pydantic import Field

from catalog_assets.partitions import LOADS, SETTINGS
from catalog_assets.recovery.orders import RULES, WRITES, Ordered, salt, window_of
from catalog_assets.recovery.recounting import recount
from holdfast.catalogue.outcomes import OUTCOMES
from holdfast.catalogue.patch import CHANGES
from resources.ils.client import Ils
from resources.ils.errors import IlsDownError
from resources.lake.client import Lake
from resources.lake.tables import as_markdown
from resources.ledger.client import Load
from resources.ledger.replaying import Order, Recoveries
from resources.ledger.undoing import ROLLBACK, STAYS, Rollback, Taken, write_tables
from resources.postgres.client import Postgres
from resources.postgres.halts import HaltedError, Halts
from resources.redis.locks import BusyError, LockLostError, Locks, LocksAwayError

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
        description="records that the window created: suppress hides them; delete deletes those that nobody edited and suppresses "
        "the others; keep leaves them",
    )


@dg.op(description="Plans the undo on the live records and, unless it is a dry run, writes it through the ledger.")
def roll_back(
    context: dg.OpExecutionContext,
    config: RollBack,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[Ils],
    locks: dg.ResourceParam[Locks],
) -> None:
    (source, partition), order = window_of(context), config.order(context.run_id)
    load = Load(ils.name, source, partition, context.run_id)
    rollback = _rollback_of(load, config.created.value, postgres, ils, locks)
    outcomes, stopped = _carry_out(lake, partition, rollback, None if config.dry_run else order)
    counts = _report(context, lake, partition, rollback.others(), config.dry_run, stopped)
    if not config.dry_run:
        recount(context, lake, postgres, partition, _all_of_it(lake, partition, outcomes))
        Recoveries(postgres).keep("rollback", ils.name, source, partition, order, counts)
    if stopped:
        raise dg.Failure(f"{stopped}; what was taken back stays so, run it again for the rest", allow_retries=False)


def _rollback_of(
    load: Load, created: Literal["suppress", "delete", "keep"], postgres: Postgres, ils: Ils, locks: Locks
) -> Rollback:
    halted = partial(Halts(postgres).reason, source=load.source, queue=WRITES["dagster-celery/queue"])
    return Rollback(
        postgres, ils, load, RULES, salt(), locks,
        created=created, halted=halted, chunk_records=SETTINGS.ils.chunk_records,
    )  # fmt: skip


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
                write_tables(writer, part, rollback.who_changed(part))
                back = [each for each in part if each.state == "rolled_back"]
                outcomes |= {each.row["record"]: ("rolled_back", _said(each)) for each in back}
        except (IlsDownError, HaltedError, BusyError, LocksAwayError, LockLostError) as error:
            return outcomes, f"waiting: {error}"
    return outcomes, ""


def _said(taken: Taken) -> str:
    stays = f"; {len(taken.conflicts)} edited since stay" if taken.conflicts else ""
    return f"rolled back{stays}"


def _all_of_it(lake: Lake, partition: str, outcomes: dict[int, tuple[str, str]]) -> dict[int, tuple[str, str]]:
    """Only of records that the window has an outcome of: an older row of the ledger may be of a record that is no more."""
    if not lake.exists("ils_commits", partition):
        return {}
    known = set(lake.read("ils_commits", partition).select(OUTCOMES.names())["record"])
    return {record: outcome for record, outcome in outcomes.items() if record in known}


def _report(
    context: dg.OpExecutionContext, lake: Lake, partition: str, others: int, dry_run: bool, stopped: str
) -> dict[str, int]:
    rows = lake.read("rollback_window", partition)
    conflicts, changes = (lake.read("rollback_window", partition, table) for table in ("conflicts", "changes"))
    counts = {state: int(count) for state, count in rows.group_by("state").len().sort("state").iter_rows()}
    counts |= {"conflicts": conflicts.height, "records_with_conflicts": conflicts["record"].n_unique()}
    notes = [stopped] if stopped else []
    if others:
        notes.append(
            f"{others} changes of holdings, items and patrons are not taken back: the ledger keeps no image of them"
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
    context.log_event(dg.AssetObservation("ils_commits", partition=partition, metadata=metadata))
    context.log.info("; ".join(f"{count:,} {name}" for name, count in counts.items()))
    return counts


@dg.job(
    name="rollback_window",
    partitions_def=LOADS,
    tags=WRITES,
    description="Take back what a window wrote, from the images before: subfields that somebody edited since stay as they are and "
    "are listed. A dry run shows the plan. docs/operations/roll-back-a-window.md",
)
def rollback_window() -> None:
    roll_back()
