"""Holdings and circulation of the day before, every night.

Dagster: https://docs.dagster.io/guides/automate/schedules
"""

import dagster as dg

from holdfast.settings import Settings
from sensors.delta_gap_sensors import QUEUES
from sensors.halting import unless_halted
from sensors.nightly_schedules import day_before


def build_delta_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    return [
        _nightly(settings, "holdings", settings.deltas.holdings_schedule),
        _nightly(settings, "circulation", settings.deltas.circulation_schedule),
    ]


def _nightly(settings: Settings, what: str, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"nightly_{what}_deltas",
        job_name=f"{what}_reading",
        cron_schedule=cron,
        execution_timezone=settings.library.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Reads what changed in {what} on the day before.",
    )
    @unless_halted(queue=QUEUES[what])
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = day_before(context.scheduled_execution_time, settings.library.timezone)
        if day < settings.partitions.first_day.isoformat():
            return dg.SkipReason(f"{day} is before partitions.first_day")
        return dg.RunRequest(run_key=f"nightly:{what}:{day}", partition_key=day)

    return nightly
