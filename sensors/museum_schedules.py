"""A nightly load a collection: what lies in the drop folder for today, whether the sensor has taken it or not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from holdfast.settings import Settings
from resources.museum_exports.client import DroppedFile, MuseumExports
from sensors.halting import unless_halted
from sensors.museum_export_sensor import run_request


def plan_night(day: dt.date, listing: Sequence[DroppedFile]) -> str:
    """Why there is nothing to load on `day`; '' where there is."""
    if any(file.day == day for file in listing):
        return ""
    newest = max((file.day for file in listing), default=None)
    return f"no export of {day} is in the drop folder" + (f"; the newest is of {newest}" if newest else "")


def build_museum_schedule(settings: Settings, collection: str) -> dg.ScheduleDefinition:
    """The collection's own, at its `schedule` in the library's time zone."""
    exports, rules = MuseumExports(settings), settings.collections[collection]
    harvested = rules.kind == "oai-pmh"  # no sensor looks after it: there is no file before the load

    @dg.schedule(
        name=f"museum_{collection}_nightly",
        job_name="museum_load",
        cron_schedule=settings.collections[collection].schedule,
        execution_timezone=settings.library.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if harvested else dg.DefaultScheduleStatus.STOPPED,
        description=f"Loads the export of {settings.collections[collection].title or collection} of the day.",
    )
    @unless_halted(queue="ingestion_high")
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = context.scheduled_execution_time.astimezone(exports.timezone).date()
        if harvested and not rules.full:
            day -= dt.timedelta(days=1)  # the last window that is over
        reason = "" if harvested else plan_night(day, exports.listing(collection))
        if reason:
            return dg.SkipReason(reason)
        return run_request(collection, day.isoformat(), f"{collection}|{day}:nightly")

    return nightly


def build_museum_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    return [build_museum_schedule(settings, collection) for collection in sorted(settings.collections)]
