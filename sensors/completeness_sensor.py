"""Just the windows that a comparison with the source found lacking are fetched again.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import datetime as dt
import json
from collections.abc import Iterable

import dagster as dg

from holdfast.settings import Settings
from resources.lake.client import Lake
from sensors.halting import halted_of, unless_halted


def plan_backfill(
    source: str, windows: Iterable[tuple[dt.date, int, str]], days: tuple[dt.date, dt.date]
) -> tuple[list[tuple[str, str]], list[str]]:
    """(day, run key) of the windows (rows of shape TO_FETCH) that are partitions, and those that are not, for people.

    The run key holds what is lacking: the same lack is asked for once, however often it is found.
    """
    requests, outside = [], []
    for day, records, content in windows:
        if days[0] <= day <= days[1]:
            requests.append((day.isoformat(), f"lack:{source}:{day}:{content}"))
        else:
            outside.append(f"{source} {day}: {records} records lie outside of the partitions")
    return requests, outside


def build_completeness_sensor(settings: Settings) -> dg.SensorDefinition:
    asked = [name for name, source in sorted(settings.sources.items()) if source.asked]

    @dg.sensor(
        name="completeness_sensor",
        job_name="catalogue_load",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="After harvest_completeness: asks for just the windows that would bring what is lacking, once for each lack.",
    )
    @unless_halted(queue="ils.sync.holdings")
    def completeness_sensor(
        context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
    ) -> dg.SensorResult | dg.SkipReason:
        versions = json.loads(context.cursor or "{}")
        days = (settings.partitions.first_day, dt.datetime.now(dt.UTC).date())
        requests, said = [], []
        halted = halted_of(asked)
        said += [f"{name}: {why}" for name, why in halted.items()]
        for name in asked:
            if name in halted or not lake.exists("harvest_completeness", name):
                continue
            version = lake.version("harvest_completeness", name)
            if versions.get(name) == version:
                continue
            versions[name] = version
            windows = lake.read("harvest_completeness", name, "windows")
            wanted, outside = plan_backfill(name, windows.iter_rows(), days)
            said += outside
            requests += [
                dg.RunRequest(run_key=key, partition_key=dg.MultiPartitionKey({"source": name, "day": day}))
                for day, key in wanted
            ]
        cursor = json.dumps(versions)
        if not requests:
            context.update_cursor(cursor)
            return dg.SkipReason("; ".join(said) or "no new comparison that found a window lacking")
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return completeness_sensor
