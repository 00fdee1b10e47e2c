"""An export a partner, at its hour."""

from __future__ import annotations

import zoneinfo

import dagster as dg

from holdfast.settings import Settings
from sensors.halting import unless_halted


def build_partner_export_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    return [_export(settings, name) for name in sorted(settings.exports)]


def _export(settings: Settings, name: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"export_{name}",
        job_name="partner_export",
        cron_schedule=settings.exports[name].schedule,
        execution_timezone=settings.library.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Exports {settings.exports[name].title or name}.",
    )
    @unless_halted(queue="marc21.parse")
    def export(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.astimezone(zoneinfo.ZoneInfo(settings.library.timezone)).date()
        return dg.RunRequest(
            run_key=f"export:{name}:{day}",
            partition_key=dg.MultiPartitionKey({"export": name, "day": day.isoformat()}),
        )

    return export
