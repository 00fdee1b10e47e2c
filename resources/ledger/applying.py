"""Write the plan of a window to the library system and say what became of every record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from holdfast.catalogue.matching import match
from holdfast.catalogue.snapshot import snapshot
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Budget, Source
from resources.ils.client import Ils, IlsDownError, Unit
from resources.ils.errors import WaitUntilError
from resources.ils.snapshot import as_live
from resources.lake.client import Lake
from resources.ledger.client import Ledger, Load, WriterBusyError
from resources.ledger.commit import Committer

log = logging.getLogger("holdfast.commit")

WRITTEN = pl.Schema({"record": pl.UInt32, "state": pl.String, "answer": pl.String})


@dataclass
class Applied:
    """written: shape WRITTEN. waiting: why planned records were not written; '' if nothing waits for anybody."""

    written: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WRITTEN))
    waiting: str = ""
    failed: bool = False
    now: int = 0  # units written by this run, not by an earlier one


def over_budget(planned: int, catalogue: int, budget: Budget) -> str:
    """Why the plan is larger than its source may write; '' where it is not."""
    if planned > budget.changes:
        return f"{planned:,} changes are planned, the budget is {budget.changes:,}: look at change_plan, then raise budgets.*.changes"
    if catalogue and planned > budget.share_of_catalogue * catalogue and budget.share_of_catalogue < 1:
        share = f"{budget.share_of_catalogue:.0%}"
        return f"{planned:,} changes are planned, the budget is {share} of {catalogue:,} records: look at change_plan, then raise it"
    return ""


def units_of(plan: pl.DataFrame, patches: pl.DataFrame) -> Iterator[Unit]:
    """The units of a part of the plan, with their patches."""
    by_record: dict[int, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {}
    for record, op, tag, text in patches.select("record", "op", "tag", "text").iter_rows():
        by_record.setdefault(record, ([], []))[0 if op == "delete" else 1].append((tag, text))
    names = ("idempotency_key", "correlation_id", "record", "action", "target", "version", "source_id")
    for row in plan.select(names).iter_rows(named=True):
        deletes, adds = by_record[row["record"]]
        yield Unit(**row, deletes=deletes, adds=adds)


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
    creates = plan.filter(pl.col("action") == "create")
    if not creates.height or not watermark:
        return {}
    ours = set(creates["target"])
    found: dict[int, str] = {}
    new = records.join(creates.select("record"), on="record", how="semi")
    for page in ils.live_records(watermark):
        others = [as_live(each) for each in page if each.target not in ours and each.fields]
        if others:
            matches = match(new, snapshot(others, rules, salt)[0], source.match)
            # A record that could be one of several is overtaken, too: it has no single target.
            hits = matches.rows.filter(pl.col("verdict") != "new")
            found |= {
                row["record"]: f"{row['evidence']} is in the catalogue since" for row in hits.iter_rows(named=True)
            }
    return found


def apply_window(
    lake: Lake,
    partition: str,
    ils: Ils,
    ledger: Ledger,
    load: Load,
    source: Source,
    budget: Budget,
    rules: MaskingRules,
    salt: bytes,
    chunk_records: int,
) -> Applied:
    """Write what is planned, unless the budget is exceeded or another run writes."""
    plan = lake.read("change_plan", partition)
    state = lake.read("change_plan", partition, "state").row(0, named=True)
    applied = Applied(waiting=over_budget(plan.height, lake.rows("catalog_snapshot"), budget))
    if applied.waiting or not plan.height:
        return applied
    rows: list[tuple[int, str, str]] = []
    try:
        with ledger.writing(ils.name):
            late = overtaken(
                plan, lake.read("normalized_records", partition), ils, state["watermark"], source, rules, salt
            )
            rows += [
                (record, "conflicted", f"{text}: materialize catalog_snapshot and this window again")
                for record, text in late.items()
            ]
            committer = Committer(ils, ledger, load, rules, salt, chunk_records=chunk_records)
            parts = zip(
                lake.batches("change_plan", partition), lake.batches("change_plan", partition, "patches"), strict=True
            )
            for part, patches in parts:
                records = dict(part.select("idempotency_key", "record").iter_rows())
                contents = dict(part.select("idempotency_key", "content_sha256").iter_rows())
                units = [each for each in units_of(part, patches) if each.record not in late]
                for each in committer.commit(units, contents):
                    rows.append((records[each.idempotency_key], each.state, each.answer))
                    applied.now += each.answer != "settled before" and each.state == "acknowledged"
    except (IlsDownError, WriterBusyError) as error:
        log.error("%s", error)
        # A quota that is spent is nobody's failure: what was not written stays planned, and the text says until when.
        applied.waiting, applied.failed = str(error), not isinstance(error, WaitUntilError)
    applied.written = pl.DataFrame(rows, schema=WRITTEN, orient="row")
    return applied


def refusals(applied: Applied, plan: pl.DataFrame) -> list[Rejection]:
    """Quarantine entries of what the system refused, or what somebody changed meanwhile."""
    refused = applied.written.filter(pl.col("state").is_in(["conflicted", "failed"])).join(
        plan, on="record", how="left"
    )
    return [
        Rejection(
            code=f"ils.{row['state']}",
            place=f"record {row['record']} ({(row['title'] or '')[:80]}) → {row['target']}: {row['answer']}",
            rule="a change is written onto the record that it was planned on, and the library system takes it",
            hint="materialize catalog_snapshot and this partition again: the record is then planned anew on what is there now"
            if row["state"] == "conflicted"
            else "the library system's answer says what it does not take; mend the record at the vendor, or the mapping",
            correlation_id=row["correlation_id"],
            sha256=row["content_sha256"],
        )
        for row in refused.iter_rows(named=True)
    ]
