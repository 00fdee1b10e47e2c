"""Between plan and writing: only the plan that was made, within its budget or approved by a person, is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from holdfast.catalogue.budget import Budget, Measures, reasons_to_wait
from holdfast.catalogue.merging import Protection
from holdfast.catalogue.plan import PlanPart
from holdfast.catalogue.plan_document import (
    HASHED,
    PlanHash,
    PlanRefusedError,
    add_measures,
    measure_part,
    verify,
)
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Ils as Pace
from holdfast.settings import Source
from resources.ils.client import Ils
from resources.lake.client import Lake
from resources.ledger.applying import Applied, apply_window
from resources.ledger.client import Ledger, Load
from resources.ledger.planning import is_first_load
from resources.ledger.plans import Decision, Plans
from resources.redis.locks import Locks

# Folder of the lake that keeps the plans that were written, under PARTITION|HASH.
APPLIED = "applied_plans"
SHORT = 12  # characters of a hash that people type


class Gate(NamedTuple):
    """waiting: why nothing may be written, '' where it may. decision: the last word of a person on this very plan."""

    plan_sha256: str
    waiting: str
    decision: Decision | None
    measures: Measures


def document_of(lake: Lake, partition: str, asset: str = "change_plan") -> dict[str, Any]:
    """The document of the plan in `asset`, a row of the shape plan_document.DOCUMENT.

    Raises:
        PlanRefusedError: it has none.
    """
    if not lake.has(asset, partition, "document"):
        raise PlanRefusedError(f"{asset} {partition}: no signed plan is there; materialize {asset} first")
    return lake.read(asset, partition, "document").row(0, named=True)


def look_at(lake: Lake, partition: str, plans: Plans, name: str, source: Source, budget: Budget, secret: bytes) -> Gate:
    """Whether the plan that lies in the lake may be written.

    Raises:
        PlanRefusedError: it is not what change_plan made and signed, or it was made for another library system.
    """
    document = document_of(lake, partition)
    if document["ils"] != plans.ils:
        raise PlanRefusedError(
            f"change_plan {partition}: made for {document['ils']}, and {plans.ils} is to be written to; materialize "
            "catalog_snapshot and the partition again"
        )
    hashed, now = PlanHash(plans.ils, partition), Measures()
    protection, to_approve = Protection(source.protected), Protection(budget.fields_to_approve)
    for frames in zip(*(lake.batches("change_plan", partition, table) for table in HASHED), strict=True):
        hashed.add(*frames)
        now = add_measures(now, measure_part(PlanPart(*frames), protection, to_approve))
    signed = verify(document, hashed.hexdigest(), secret)
    # What is protected or needs approval is for the settings of today to say.
    measures = signed._replace(protected=now.protected, to_approve=now.to_approve)
    decision = plans.decision(partition, document["plan_sha256"])
    waiting = _waiting(measures, decision, plans, partition, name, source, budget, document["plan_sha256"])
    return Gate(document["plan_sha256"], waiting, decision, measures)


def _waiting(
    measures: Measures,
    decision: Decision | None,
    plans: Plans,
    partition: str,
    name: str,
    source: Source,
    budget: Budget,
    plan_sha256: str,
) -> str:
    if measures.protected:
        return f"{measures.protected:,} changes are of fields that are protected now: materialize change_plan again"
    if decision is not None:
        return "" if decision.decision == "approve" else f"the plan was {decision.sentence}"
    reasons = reasons_to_wait(
        measures,
        budget,
        plans.history(name, without=[partition]).measures,
        first_load=is_first_load(name, source, plans),
    )
    if not reasons:
        return ""
    return f"{'; '.join(reasons)}. {how_to_approve(partition, plan_sha256)}"


def how_to_approve(partition: str, plan_sha256: str, asset: str = "change_plan") -> str:
    day, _, source = partition.partition("|")
    page = f"plans/{source}/{day}-{plan_sha256[:SHORT]}.html"
    return f"Look at {asset} and its page ({page} of the reports), then launch the job approve_plan with source {source}, day {day} and plan {plan_sha256[:SHORT]}"


def write_plan(
    lake: Lake,
    partition: str,
    ils: Ils,
    ledger: Ledger,
    locks: Locks,
    plans: Plans,
    load: Load,
    source: Source,
    budget: Budget,
    rules: MaskingRules,
    salt: bytes,
    pace: Pace,
    halted: Callable[[], str] = lambda: "",
) -> tuple[Applied, Gate]:
    """Write the window's plan where it may be written; what came of it, and what the gate said.

    Raises:
        PlanRefusedError: as `look_at`; nothing was written.
    """
    gate = look_at(lake, partition, plans, load.source, source, budget, salt)
    if not gate.waiting and gate.measures.changes:
        keep_plan(lake, partition, gate.plan_sha256)
    begin = time.monotonic()
    applied = apply_window(lake, partition, ils, ledger, locks, load, source, gate.waiting, rules, salt, pace, halted)
    plans.ended("write_approved_plan", load, applied, gate.plan_sha256, time.monotonic() - begin, halted)
    return applied, gate


_KEPT = (*HASHED, "counts", "surprises", "document")


def keep_plan(
    lake: Lake, partition: str, plan_sha256: str, asset: str = "change_plan", tables: Sequence[str] = _KEPT
) -> None:
    """A second name for the files of a plan that is written: the window's next plan takes its place in `asset`."""
    kept = f"{partition}|{plan_sha256}"
    if lake.exists(APPLIED, kept):
        return
    with lake.replace(APPLIED, kept) as writer:
        for table in tables:
            for part in lake.parts(asset, partition, table):
                writer.take(table, part)


def choose(lake: Lake, partition: str, plan: str, asset: str = "change_plan") -> dict[str, Any]:
    """The document of the plan that lies in `asset`, if `plan` is its hash or the beginning of it.

    Raises:
        PlanRefusedError: it is another one.
    """
    document = document_of(lake, partition, asset)
    if len(plan) < SHORT or not document["plan_sha256"].startswith(plan.strip().lower()):
        raise PlanRefusedError(
            f"{asset} {partition}: the plan is {document['plan_sha256'][:SHORT]}…, not {plan!r}: it was made anew since, or "
            f"the hash is mistyped ({SHORT} characters at least). Look at {asset} again and decide on what is there now"
        )
    return document
