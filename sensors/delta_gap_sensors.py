"""Days of holdings and circulation that were never read, or only before they were over, are read.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import datetime as dt

import dagster as dg

from holdfast.deltas.windows import gaps, last_day_that_is_over
from holdfast.settings import Settings
from resources.deltas.log import DeltaLog, last_read_ils
from resources.postgres.client import Postgres
from sensors.halting import unless_halted

# After a month without Holdfast: some at a tick, oldest first, and the queue stays open to others.
AT_ONCE = 10


def build_delta_gap_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    return [_sensor(settings, "holdings"), _sensor(settings, "circulation")]


def wanted(log: DeltaLog, settings: Settings, now: dt.datetime) -> list[str]:
    """Days that are gaps and over, oldest first. The present day is not among them."""
    last = last_day_that_is_over(now, settings.library.timezone, settings.deltas.settling)
    found = gaps(log.readings(), last + dt.timedelta(days=1))
    return [day.isoformat() for day in found if day >= settings.partitions.first_day]


QUEUES = {"holdings": "ils.sync.holdings", "circulation": "circulation.delta.apply"}


def _sensor(settings: Settings, what: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{what}_gap_sensor",
        job_name=f"{what}_reading",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Asks for the days of {what} that were never read, or not to their end; once a day each.",
    )
    @unless_halted(queue=QUEUES[what])
    def gap_sensor(
        context: dg.SensorEvaluationContext, postgres: dg.ResourceParam[Postgres]
    ) -> dg.SensorResult | dg.SkipReason:
        ils, now = last_read_ils(postgres, f"{what}_deltas"), dt.datetime.now(dt.UTC)
        if ils is None:
            return dg.SkipReason(f"no day of {what} was read yet")
        today = now.date().isoformat()
        before = context.cursor.split() if context.cursor else []
        told = set(before[1:]) if before[:1] == [today] else set()
        log = DeltaLog(postgres, f"{what}_deltas", ils)
        days = [day for day in wanted(log, settings, now) if day not in told][:AT_ONCE]
        cursor = " ".join([today, *sorted(told | set(days))])
        if not days:
            context.update_cursor(cursor)
            return dg.SkipReason(f"no gap in {what} that was not asked for today")
        requests = [dg.RunRequest(run_key=f"gap:{what}:{day}:{today}", partition_key=day) for day in days]
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return gap_sensor
