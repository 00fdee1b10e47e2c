"""Write the plan of a window to the library system and say what became of every record."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from holdfast.catalogue.by_carrier import with_carrier
from holdfast.catalogue.evidence import keys_of
from holdfast.catalogue.matching import RECORD_COLUMNS, Matches, match
from holdfast.catalogue.mending import ACCEPTED
from holdfast.catalogue.snapshot import Live, snapshot
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Ils as Pace
from holdfast.settings import Source
from resources.ils.client import Ils, IlsDownError, Unit, Written
from resources.ils.errors import WaitUntilError
from resources.ils.snapshot import as_live
from resources.lake.client import Lake
from resources.ledger.client import Claim, Ledger, Load
from resources.ledger.commit import Collisions, Committer, Identifiers, Progress, say
from resources.postgres.halts import HaltedError
from resources.redis.locks import BusyError, LockLostError, Locks, LocksAwayError, of_window

log = logging.getLogger("holdfast.commit")

WRITTEN = pl.Schema(
    {
        "record": pl.UInt32,
        "state": pl.String,
        "answer": pl.String,
        "code": pl.String,  # under which it is quarantined; '' where it was written
    }
)
_ANOTHER_RUN = dt.timedelta(minutes=10)
Row = tuple[int, str, str, str]
"""A row of WRITTEN."""
_LONGEST = 200  # of an identifier's value; of a longer one (a title) its hash stands for it
_HINTS = {
    "failed": "the library system's answer says what it does not take; mend the record at the vendor, or the mapping",
    "conflicted": "materialize catalog_snapshot and this partition again: the record is then planned anew on what is there now",
}


@dataclass
class Applied:
    """written: shape WRITTEN. waiting: why planned records were not written; '' if nothing waits for anybody. until: when it
    may be tried again, where that is known."""

    written: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WRITTEN))
    waiting: str = ""
    failed: bool = False
    halted: bool = False  # somebody stopped it on the way, or before it began
    until: dt.datetime | None = None
    now: int = 0  # units written by this run, not by an earlier one
    progress: Progress = field(default_factory=Progress)

    @property
    def pace(self) -> dict[str, int | float]:
        """For the asset's metadata."""
        return {"chunks": self.progress.chunks, "records_a_second": round(self.progress.rate, 1)}


def carry_out(
    rows: Iterable[Row],
    committer: Committer,
    load: Load,
    locks: Locks,
    pace: Pace,
    halted: Callable[[], str],
    busy: Callable[[BusyError], str],
) -> Applied:
    """Write a window under its lock; what stops that on the way is in `waiting`, and what was not written stays planned.

    Args:
        rows: what becomes of each record, written by `committer` as it is asked for.
        busy: says what to do where another run is at the window, or at a record of it.
    """
    applied, written = Applied(progress=committer.progress), list[Row]()
    try:
        if why := halted():
            raise HaltedError(why)
        # A holder that lives renews its lease within a third of it; one that died is waited for.
        window = of_window(load.source, load.partition)
        with locks.wait_for([window], 2 * pace.lease_seconds + 5, only_the_dead=True):
            for row in rows:
                written.append(row)
                applied.now += row[1] == "acknowledged" and row[2] != "settled before"
    except BusyError as error:
        log.warning("%s", error)
        applied.waiting, applied.until = busy(error), in_a_while()
    except (IlsDownError, LocksAwayError, LockLostError) as error:
        log.error("%s", error)
        # A quota that is spent is nobody's failure: what was not written stays planned, and the text says until when.
        applied.waiting, applied.failed = str(error), not isinstance(error, WaitUntilError)
        applied.until = error.until if isinstance(error, WaitUntilError) else None
    except HaltedError as error:
        log.warning("%s", error)
        applied.waiting, applied.halted = f"waiting: {error}", True
    applied.written = pl.DataFrame(written, schema=WRITTEN, orient="row")
    return applied


def row_of(record: int, each: Written, committer: Committer) -> Row:
    code = "ils.collision" if each.idempotency_key in committer.collided else f"ils.{each.state}"
    return record, each.state, each.answer, code if each.state in ("conflicted", "failed") else ""


def units_of(plan: pl.DataFrame, patches: pl.DataFrame) -> Iterator[Unit]:
    """The units of a part of the plan, with their patches."""
    by_record: dict[int, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {}
    for record, op, tag, text in patches.select("record", "op", "tag", "text").iter_rows():
        by_record.setdefault(record, ([], []))[0 if op == "delete" else 1].append((tag, text))
    names = ("idempotency_key", "correlation_id", "record", "action", "target", "version", "source_id")
    for row in plan.select(names).iter_rows(named=True):
        deletes, adds = by_record[row["record"]]
        yield Unit(**row, deletes=deletes, adds=adds)


def _matched(new: pl.DataFrame, others: Sequence[Live], source: Source, rules: MaskingRules, salt: bytes) -> Matches:
    there = snapshot(others, rules, salt)[0]
    return match(new, there, source.match, across_carriers=source.match_across_carriers)


def overtaken(
    plan: pl.DataFrame,
    records: pl.DataFrame,
    ils: Ils,
    watermark: str,
    source: Source,
    rules: MaskingRules,
    salt: bytes,
) -> dict[int, str]:
    """Records planned as new that the catalogue got from somebody else since it was looked at: record → by what."""
    creates = _really_new(plan)
    if not creates.height or not watermark:
        return {}
    ours = set(creates["target"])
    found: dict[int, str] = {}
    new = records.join(creates.select("record"), on="record", how="semi")
    for page in ils.live_records(watermark):
        others = [as_live(each) for each in page if not ours & {each.target, each.created} and each.fields]
        if others:
            matches = _matched(new, others, source, rules, salt)
            # A record that could be one of several is overtaken, too: it has no single target.
            hits = matches.rows.filter(pl.col("verdict") != "new")
            found |= {
                row["record"]: f"{row['evidence']} is in the catalogue since" for row in hits.iter_rows(named=True)
            }
    return found


def _really_new(plan: pl.DataFrame) -> pl.DataFrame:
    """Without what a person accepted as new: that is like a live record, and is none."""
    accepted = pl.col("evidence") == ACCEPTED if "evidence" in plan.columns else pl.lit(False)
    return plan.filter((pl.col("action") == "create") & ~accepted.fill_null(False))


def identifiers_of(records: pl.DataFrame, keys: dict[int, str], source: Source) -> Identifiers:
    """By which identifiers another load would find these new records; `keys`: record → idempotency key."""
    found: dict[str, list[tuple[str, str]]] = {key: [] for key in keys.values()}
    for kind in source.match:
        for record, value in keys_of(records.lazy(), kind, "record").unique().collect().iter_rows():
            short = value if len(value) <= _LONGEST else hashlib.sha256(value.encode()).hexdigest()
            found[keys[record]].append((kind, short))
    return found


def made_elsewhere(records: pl.DataFrame, ils: Ils, source: Source, rules: MaskingRules, salt: bytes) -> Collisions:
    """Looks at what other windows made under the same identifiers: what is live and matches is a collision, and so is what
    may have been made and can't be seen. What is gone again is none. `records`: the new ones, as they were matched."""

    def look(units: Sequence[Unit], claims: Sequence[Claim]) -> dict[str, str]:
        of_key = {each.idempotency_key: each for each in units}
        asking = sorted({of_key[each.idempotency_key].correlation_id for each in claims})
        live = ils.fetch(sorted({each.target for each in claims}), asking)
        there = [as_live(each) for each in live.values() if each.fields]
        hits: set[int] = set()
        if there:
            numbers = [of_key[each.idempotency_key].record for each in claims]
            new = records.filter(pl.col("record").is_in(numbers))
            matches = _matched(new, there, source, rules, salt)
            hits = set(matches.rows.filter(pl.col("verdict") != "new")["record"])
        found: dict[str, str] = {}
        for claim in claims:
            unseen = claim.state == "sent" and claim.target not in live
            if unseen or (claim.target in live and of_key[claim.idempotency_key].record in hits):
                found.setdefault(claim.idempotency_key, say(claim))
        return found

    return look


def apply_window(
    lake: Lake,
    partition: str,
    ils: Ils,
    ledger: Ledger,
    locks: Locks,
    load: Load,
    source: Source,
    waiting: str,
    rules: MaskingRules,
    salt: bytes,
    pace: Pace,
    halted: Callable[[], str] = lambda: "",
) -> Applied:
    """Write what is planned, unless it waits for a person (`waiting` says why), another run is at this window or somebody
    halted it (`halted` says why; it is asked before each chunk).

    Other windows may be written at the same time: each record, and each identifier of a new one, is locked while it is
    written.
    """
    plan = lake.read("change_plan", partition)
    if waiting or not plan.height:
        return Applied(waiting=waiting)
    committer = Committer(
        ils,
        ledger,
        load,
        rules,
        salt,
        locks,
        chunk_records=pace.chunk_records,
        progress_records=pace.progress_records,
        total=plan.height,
        halted=halted,
    )
    rows = _write_window(lake, partition, plan, ils, committer, source, rules, salt)
    return carry_out(rows, committer, load, locks, pace, halted, lambda error: _who(error, load.source, partition))


def in_a_while() -> dt.datetime:
    """When to look whether another run is done."""
    return dt.datetime.now(dt.UTC) + _ANOTHER_RUN


def _who(error: BusyError, source: str, partition: str) -> str:
    if holder := error.holders.get(of_window(source, partition)):
        return (
            f"{holder} is writing this window and goes on; nothing was written by this run. Materialize ils_commits again "
            "when it is done, to see what became of each record"
        )
    return f"{error}; what it is about stays planned: materialize ils_commits again when that run is done"


def _write_window(
    lake: Lake,
    partition: str,
    plan: pl.DataFrame,
    ils: Ils,
    committer: Committer,
    source: Source,
    rules: MaskingRules,
    salt: bytes,
) -> Iterator[Row]:
    watermark = lake.read("change_plan", partition, "state").row(0, named=True)["watermark"]
    creates = _really_new(plan).select("record", "idempotency_key")
    records = (
        with_carrier(lake.scan("normalized_records", partition))
        .select(RECORD_COLUMNS)
        .join(creates.lazy().select("record"), on="record", how="semi")
        .collect()
    )
    late = overtaken(plan, records, ils, watermark, source, rules, salt)
    for record, text in late.items():
        again = f"{text}: materialize catalog_snapshot and this window again"
        yield record, "conflicted", again, "ils.conflicted"
    identifiers = identifiers_of(records, dict(creates.iter_rows()), source)
    collisions = made_elsewhere(records, ils, source, rules, salt)
    parts = zip(lake.batches("change_plan", partition), lake.batches("change_plan", partition, "patches"), strict=True)
    for part, patches in parts:
        numbers = dict(part.select("idempotency_key", "record").iter_rows())
        contents = dict(part.select("idempotency_key", "content_sha256").iter_rows())
        units = [each for each in units_of(part, patches) if each.record not in late]
        for each in committer.commit(units, contents, identifiers, collisions):
            yield row_of(numbers[each.idempotency_key], each, committer)


def _with_title(row: Mapping[str, Any]) -> str:
    return f"record {row['record']} ({(row['title'] or '')[:80]}) → {row['target']}: {row['answer']}"


def refusals(
    applied: Applied,
    plan: pl.DataFrame,
    place: Callable[[Mapping[str, Any]], str] = _with_title,
    hints: Mapping[str, str] = _HINTS,
) -> list[Rejection]:
    """Quarantine entries of what the system refused, or what somebody changed meanwhile; `hints` by state."""
    refused = applied.written.filter(pl.col("state").is_in(list(hints))).join(plan, on="record", how="left")
    return [
        Rejection(
            code=row["code"],
            place=place(row),
            rule="a change is written onto the record that it was planned on, and the library system takes it",
            hint=hints[row["state"]],
            correlation_id=row["correlation_id"],
            sha256=row["content_sha256"],
        )
        for row in refused.iter_rows(named=True)
    ]
