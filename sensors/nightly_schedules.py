"""A nightly load a source: what came in on the day before, whether or not the drop sensor saw it.

Dagster: https://docs.dagster.io/guides/automate/schedules
"""

import datetime as dt
import zoneinfo

import dagster as dg

from holdfast.settings import Settings
from sensors.halting import unless_halted


def day_before(scheduled: dt.datetime, timezone: str) -> str:
    """The day that a nightly run loads: the one that ended before it, in the library's time zone."""
    return (scheduled.astimezone(zoneinfo.ZoneInfo(timezone)).date() - dt.timedelta(days=1)).isoformat()


def build_nightly_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    return [_nightly(settings, source) for source in sorted(settings.sources)]


def _nightly(settings: Settings, source: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"nightly_{source}",
        job_name="catalogue_load",
        cron_schedule=settings.sources[source].schedule,
        execution_timezone=settings.library.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Loads what came from {settings.sources[source].title or source} on the day before.",
    )
    @unless_halted(source=source, queue="ils.sync.holdings")
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = day_before(context.scheduled_execution_time, settings.library.timezone)
        if day < settings.partitions.first_day.isoformat():
            return dg.SkipReason(f"{day} is before partitions.first_day")
        return dg.RunRequest(
            run_key=f"nightly:{source}:{day}", partition_key=dg.MultiPartitionKey({"source": source, "day": day})
        )

    return nightly
