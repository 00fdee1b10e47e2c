"""A nightly load a feed: what lies in its folder for today, whether the sensor has taken it or not."""

from __future__ import annotations

import zoneinfo

import dagster as dg

from holdfast.settings import Settings
from sensors.feed_drop_sensor import feed_listing, feed_run
from sensors.halting import unless_halted
from sensors.museum_schedules import plan_night


def build_feed_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    return [_nightly(settings, name) for name in sorted(settings.feeds)]


def _nightly(settings: Settings, name: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"feed_{name}_nightly",
        job_name="feed_load",
        cron_schedule=settings.feeds[name].schedule,
        execution_timezone=settings.library.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,  # the sensor takes what comes; this is for who turns it off
        description=f"Loads the files of {settings.feeds[name].title or name} of the day.",
    )
    @unless_halted(source=name, queue="ils.sync.holdings")
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = context.scheduled_execution_time.astimezone(zoneinfo.ZoneInfo(settings.library.timezone)).date()
        reason = plan_night(day, [each for each in feed_listing(settings) if each.collection == name])
        return dg.SkipReason(reason) if reason else feed_run(name, day.isoformat(), f"feed:{name}:{day}:nightly")

    return nightly
