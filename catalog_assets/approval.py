"""The job `approve_plan`: a person lets a plan be written, or refuses it, and says why.

The plan's window is then written by a run of its own, which `approved_plan_sensor` asks for (docs/operations/approve-a-plan.md).
"""

import datetime as dt
from enum import Enum

import dagster as dg
from pydantic import Field

from catalog_assets.partitions import SETTINGS
from catalog_assets.writing.plan_metadata import link_to
from holdfast.catalogue.plan_document import PlanRefusedError
from holdfast.environment import read_environment
from resources.ils.client import Ils
from resources.lake.client import Lake
from resources.ledger.feed_gate import look_at_feed
from resources.ledger.gate import Gate, choose, look_at
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.reports.client import ReportFolder


class Verdict(Enum):
    approve = "approve"
    reject = "reject"


class Approval(dg.Config):
    source: str = Field(description="name of the source or feed in holdfast.toml")
    day: str = Field(description="of the window, as 2026-01-31")
    plan: str = Field(
        description="the plan's hash, or its first 12 characters: metadata `plan_sha256` of change_plan or feed_plan, beside the link to its page"
    )
    decision: Verdict = Field(description="approve: the plan is written; reject: it is not")
    who: str = Field(min_length=2, description="you: who decides")
    why: str = Field(min_length=3, description="for those who ask later; kept with the plan's numbers")


@dg.op(
    description="Keeps the decision in PostgreSQL, append-only. Refuses a plan that is not the one in change_plan, or of a feed in feed_plan, now."
)
def decide_plan(
    context: dg.OpExecutionContext,
    config: Approval,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[Ils],
    report_folder: dg.ResourceParam[ReportFolder],
) -> None:
    plans = Plans(postgres, ils.name)
    try:
        gate = decide(lake, plans, config, context.run_id)
    except (PlanRefusedError, ValueError) as error:
        raise dg.Failure(str(error)) from error
    page = link_to(report_folder, config.source, partition_of(config).split("|")[0], gate.plan_sha256)
    context.log_event(
        dg.AssetObservation(
            "feed_plan" if config.source in SETTINGS.feeds else "change_plan",
            partition=partition_of(config),
            metadata={
                "decision": config.decision.value,
                "who": config.who,
                "why": config.why,
                "plan_sha256": gate.plan_sha256,
                "changes": gate.measures.changes,
                **({"page": page} if page else {}),
            },
        )
    )


def partition_of(config: Approval) -> str:
    """
    Raises:
        ValueError: the day is none.
    """
    try:
        return f"{dt.date.fromisoformat(config.day).isoformat()}|{config.source}"
    except ValueError:
        raise ValueError(f"day: found {config.day!r}; write it as 2026-01-31") from None


def decide(lake: Lake, plans: Plans, config: Approval, run_id: str) -> Gate:
    """Keep the decision.

    Raises:
        PlanRefusedError: the plan is not there, was changed, or is another one.
        ValueError: there is no such source or day.
    """
    if config.source not in {*SETTINGS.sources, *SETTINGS.feeds}:
        allowed = f"sources {', '.join(sorted(SETTINGS.sources)) or 'none'}; feeds {', '.join(sorted(SETTINGS.feeds)) or 'none'}"
        raise ValueError(f"source: found {config.source!r} (allowed: {allowed})")
    partition = partition_of(config)
    budget, secret = SETTINGS.budget_of(config.source), read_environment().need("HOLDFAST_MASKING_SALT").encode()
    if feed := SETTINGS.feeds.get(config.source):
        document = choose(lake, partition, config.plan, "feed_plan")
        gate = look_at_feed(lake, partition, plans, feed, budget, secret)
    else:
        document = choose(lake, partition, config.plan)
        gate = look_at(lake, partition, plans, config.source, SETTINGS.sources[config.source], budget, secret)
    plans.decide(config.source, document, config.decision.value, config.who, config.why, run_id=run_id)
    return gate


APPROVE_PLAN = dg.GraphDefinition(
    name="approve_plan",
    description="Lets a plan that waits be written, or refuses it: who, why, and the plan's hash from change_plan or feed_plan.",
    node_defs=[decide_plan],
).to_job(tags={"dagster-celery/queue": "default"})
