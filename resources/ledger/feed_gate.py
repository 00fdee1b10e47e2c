"""The gate of feeds: the plan that was made and signed is written once it is within its limits, or approved by a person."""

from __future__ import annotations

import time
from collections.abc import Callable

from holdfast.catalogue.budget import Budget
from holdfast.catalogue.plan_document import HASHED_OF_FEEDS, PlanRefusedError, verify
from holdfast.feeds.document import measure_feed
from holdfast.settings import Feed
from holdfast.settings import Ils as Pace
from resources.ils.feeds import FeedIls
from resources.lake.client import Lake
from resources.ledger.applying import Applied
from resources.ledger.applying_feeds import apply_feed
from resources.ledger.client import Ledger, Load
from resources.ledger.gate import Gate, document_of, how_to_approve, keep_plan
from resources.ledger.planning_feeds import ASSET, hash_of, reasons_of
from resources.ledger.plans import Plans
from resources.redis.locks import Locks
from resources.vault.client import Vault


def look_at_feed(lake: Lake, partition: str, plans: Plans, feed: Feed, budget: Budget, secret: bytes) -> Gate:
    """Whether the plan that lies in `feed_plan` may be written.

    Raises:
        PlanRefusedError: it is not what feed_plan made and signed, or it was made for another library system.
    """
    document = document_of(lake, partition, ASSET)
    if document["ils"] != plans.ils:
        raise PlanRefusedError(
            f"{ASSET} {partition}: made for {document['ils']}, and {plans.ils} is to be written to; materialize {ASSET} again"
        )
    (day, name), plan, changes = (
        partition.split("|"),
        lake.read(ASSET, partition),
        lake.read(ASSET, partition, "changes"),
    )
    found = hash_of(plan, changes, plans.ils, partition)
    # What needs approval is for the settings of today to say.
    now = measure_feed(plan, changes, day, to_approve=budget.elements_to_approve)
    measures = verify(document, found, secret, ASSET)._replace(to_approve=now.to_approve)
    decision, waiting = plans.decision(partition, found), ""
    earlier = plans.history(name, without=[partition]).measures
    if decision is not None:
        waiting = "" if decision.decision == "approve" else f"the plan was {decision.sentence}"
    elif reasons := reasons_of(measures, earlier, plans, name, feed, budget):
        waiting = f"{'; '.join(reasons)}. {how_to_approve(partition, found, ASSET)}"
    return Gate(found, waiting, decision, measures)


def write_feed(
    lake: Lake,
    vault: Vault,
    partition: str,
    feed: Feed,
    budget: Budget,
    ils: FeedIls,
    ledger: Ledger,
    locks: Locks,
    plans: Plans,
    load: Load,
    salt: bytes,
    masked: tuple[str, ...],
    pace: Pace,
    halted: Callable[[], str] = lambda: "",
) -> tuple[Applied, Gate]:
    """Write the plan where it may be written; what came of it, and what the gate said.

    Raises:
        PlanRefusedError: as `look_at_feed`; nothing was written.
        OriginalDiffersError: as `apply_feed`.
    """
    gate = look_at_feed(lake, partition, plans, feed, budget, salt)
    if not gate.waiting and gate.measures.changes:
        keep_plan(lake, partition, gate.plan_sha256, ASSET, (*HASHED_OF_FEEDS, "counts", "surprises", "document"))
    begin = time.monotonic()
    applied = apply_feed(
        lake, vault, partition, feed, gate.waiting, ils, ledger, locks, load, salt, masked, pace, halted
    )
    plans.ended("write_approved_feed", load, applied, gate.plan_sha256, time.monotonic() - begin, halted)
    return applied, gate
