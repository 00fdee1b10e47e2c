"""The comparison with all that a repository lists, by each source's setting `completeness`.

Dagster: https://docs.dagster.io/guides/automate/schedules
"""

import dagster as dg

from holdfast.settings import Settings
from sensors.halting import unless_halted


def build_completeness_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """One a source that is asked and can list what it has."""
    return [
        _schedule(settings, name)
        for name, source in sorted(settings.sources.items())
        if source.asked and (source.kind == "oai-pmh" or source.all_query or not source.by_day)
    ]


def _schedule(settings: Settings, source: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"completeness_{source}",
        job_name="completeness",
        cron_schedule=settings.sources[source].completeness,
        execution_timezone=settings.library.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Compares what {settings.sources[source].title or source} lists with what was harvested of it.",
    )
    @unless_halted(source=source, queue="marc21.parse")
    def completeness(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(run_key=f"completeness:{source}:{day}", partition_key=source)

    return completeness
