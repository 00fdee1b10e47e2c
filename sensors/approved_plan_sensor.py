"""What a person approved is written: a run of `ils_commits`, or of `feed_commits`, for each approved plan.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from holdfast.settings import Settings
from resources.ils.client import Ils
from resources.ledger.plans import Decision, Plans
from resources.postgres.client import Postgres
from sensors.halting import halted_of, unless_halted


def plan_writing(approved: Iterable[Decision]) -> dict[str, Decision]:
    """Partition → the last approval of one of its plans: the window is written once for all of them."""
    return {each.partition: each for each in approved}


def source_of(decision: Decision) -> str:
    """The source or feed whose plan it is."""
    return decision.partition.partition("|")[2]


def job_of(partition: str, settings: Settings) -> str:
    """That writes an approved plan of the window."""
    return "write_approved_feed" if partition.partition("|")[2] in settings.feeds else "write_approved_plan"


def build_approved_plan_sensor(settings: Settings, jobs: Sequence[Any]) -> dg.SensorDefinition:
    @dg.sensor(
        name="approved_plan_sensor",
        jobs=jobs,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes each plan that the job approve_plan approved, once.",
    )
    @unless_halted(queue="ils.sync.holdings")
    def approved_plan_sensor(
        context: dg.SensorEvaluationContext, postgres: dg.ResourceParam[Postgres], ils: dg.ResourceParam[Ils]
    ) -> dg.SensorResult | dg.SkipReason:
        approved = Plans(postgres, ils.name).approved_after(int(context.cursor or 0))
        if not approved:
            return dg.SkipReason("no plan was approved since")
        halted = halted_of(sorted({source_of(each) for each in approved}))
        free = [each for each in approved if source_of(each) not in halted]
        # What is halted is asked for once the halt is lifted; what came after it has its run key.
        held = [each.number for each in approved if source_of(each) in halted]
        cursor = str(min(held) - 1 if held else approved[-1].number)
        requests = [
            dg.RunRequest(
                run_key=f"approved:{each.number}",
                job_name=job_of(partition, settings),
                partition_key=partition,
                tags={"holdfast/plan": each.plan_sha256, "holdfast/approved-by": each.who[:60]},
            )
            for partition, each in plan_writing(free).items()
        ]
        said = "; ".join(f"{source}: {why}" for source, why in halted.items())
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else said, cursor=cursor)

    return approved_plan_sensor
