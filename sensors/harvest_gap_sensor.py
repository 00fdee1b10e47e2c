"""Windows of repositories that were never fetched, or only before they were over, are fetched.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import datetime as dt

import dagster as dg

from holdfast.harvest.windows import plan_windows
from holdfast.settings import Settings
from resources.postgres.client import Postgres
from resources.postgres.harvest_log import HarvestLog
from sensors.halting import halted_of, unless_halted

# A new source has years of windows: they come in their order, some at a tick, and leave the queue to others.
AT_ONCE = 10


def first_day_of(settings: Settings, source: str) -> dt.date:
    """The first day of the source that is harvested and is a partition."""
    return max(settings.sources[source].harvest_from or settings.partitions.first_day, settings.partitions.first_day)


def build_harvest_gap_sensor(settings: Settings) -> dg.SensorDefinition:
    asked = [name for name, source in sorted(settings.sources.items()) if source.by_day]

    @dg.sensor(
        name="harvest_gap_sensor",
        job_name="catalogue_load",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the windows of OAI-PMH and SRU sources that the harvest log has not as whole; once a day each.",
    )
    @unless_halted(queue="ils.sync.holdings")
    def harvest_gap_sensor(
        context: dg.SensorEvaluationContext, postgres: dg.ResourceParam[Postgres]
    ) -> dg.SensorResult | dg.SkipReason:
        now, log = dt.datetime.now(dt.UTC), HarvestLog(postgres)
        today = now.date().isoformat()
        before = context.cursor.split() if context.cursor else []
        told = set(before[1:]) if before[:1] == [today] else set()
        requests = []
        halted = halted_of(asked)
        for name in asked:
            if name in halted:
                continue
            gaps = [f"{day}|{name}" for day in plan_windows(log.fetched(name), first_day_of(settings, name), now)]
            for gap in [each for each in gaps if each not in told][:AT_ONCE]:
                told.add(gap)
                requests.append(
                    dg.RunRequest(
                        run_key=f"gap:{gap}:{today}",
                        partition_key=dg.MultiPartitionKey({"source": name, "day": gap.split("|")[0]}),
                    )
                )
        cursor = " ".join([today, *sorted(told)])
        if not requests:
            context.update_cursor(cursor)
            if halted:
                return dg.SkipReason("; ".join(f"{name}: {why}" for name, why in halted.items()))
            return dg.SkipReason(
                f"no gap that was not asked for today in {', '.join(asked) or 'any source: none is asked'}"
            )
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return harvest_gap_sensor
