"""A run that failed: what failed, why, and where to look.

Dagster: https://docs.dagster.io/guides/automate/sensors/run-status-sensors
"""

from typing import NamedTuple

import dagster as dg

from resources.postgres.client import Postgres
from resources.postgres.failures import Failures


class Failed(NamedTuple):
    """What a run says of its failure."""

    job: str
    partition: str
    step: str
    error: str


def plan_message(failed: Failed, run_id: str) -> str:
    """The message: what failed, on which partition, why, and where to look."""
    where = f"{failed.job}, partition {failed.partition}" if failed.partition else failed.job
    step = f" at {failed.step}" if failed.step else ""
    first = (
        failed.error.strip().splitlines()[0]
        if failed.error.strip()
        else "no step failed: the process ended (see the run's output)"
    )
    return (
        f"{where} failed{step}: {first} — look at /runs/{run_id} in the UI; records that were rejected are in quarantine, "
        "and materializing the partition again is safe"
    )


def _failed(context: dg.RunFailureSensorContext) -> Failed:
    run = context.dagster_run
    step, error = "", context.failure_event.message or ""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        step = event.step_key or ""
        if data.error is not None:
            cause = data.error
            while cause.cause is not None:
                cause = cause.cause
            error = cause.message
        break
    return Failed(run.job_name, run.tags.get("dagster/partition", ""), step, error)


def build_run_failure_sensor() -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="run_failure_sensor",
        monitor_all_code_locations=True,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keeps and logs what failed and where to look, for runs of both code locations.",
    )
    def run_failure_sensor(context: dg.RunFailureSensorContext, postgres: dg.ResourceParam[Postgres]) -> None:
        failed = _failed(context)
        message = plan_message(failed, context.dagster_run.run_id)
        Failures(postgres).keep(context.dagster_run.run_id, failed.job, failed.partition, failed.step, message)
        context.log.error(message)

    return run_failure_sensor
