"""Partitions that older code or rules made are made anew, the newest first, some at a tick.

Dagster shows by `code_version` that an asset's code changed, for the asset as a whole; which partitions, and by whose rules, is told by
what the lake keeps beside each. https://docs.dagster.io/guides/build/assets/asset-versioning-and-caching
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import dagster as dg

from holdfast.marc.normalize import VERSION
from holdfast.settings import Settings
from resources.lake.client import Lake
from resources.lake.staleness import stale_partitions
from sensors.halting import unless_halted

AT_ONCE = 5


def plan_stale(
    stale: Iterable[tuple[str, str, str]], asked: Iterable[str], *, at_once: int = AT_ONCE
) -> tuple[list[tuple[str, str]], list[str]]:
    """((partition, run key) of those to ask for now, cursor: run keys of stale partitions that were asked for).

    A run key holds the versions that the partition should have: one that is stale again later is asked for again, and one whose run
    failed is not asked for without end.

    Args:
        stale: (partition, asset, version now), the newest first.
        asked: the cursor.
    """
    wanted: dict[str, list[str]] = {}
    for partition, asset, now in stale:
        wanted.setdefault(partition, []).append(f"{asset}={now}")
    keys = {
        partition: f"stale:{partition}:{hashlib.sha256(' '.join(versions).encode()).hexdigest()[:16]}"
        for partition, versions in wanted.items()
    }
    before = set(asked)
    requests = [(partition, key) for partition, key in keys.items() if key not in before][:at_once]
    told = before | {key for _, key in requests}
    return requests, [key for key in keys.values() if key in told]


def build_stale_partitions_sensor(settings: Settings, rules: Mapping[str, str]) -> dg.SensorDefinition:
    """`rules`: version of its rules by source."""

    @dg.sensor(
        name="stale_partitions_sensor",
        job_name="changed_rules",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Asks for partitions whose records were normalized by other code, or judged by other rules, than there are now: "
        f"the newest first, {AT_ONCE} a tick, each once a version. Off at first: `holdfast marc compare --stale` says what would change.",
    )
    @unless_halted(queue="marc21.parse")
    def stale_partitions_sensor(
        context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
    ) -> dg.SensorResult | dg.SkipReason:
        # The lake may hold days that are partitions no more; keys begin with the day.
        first = settings.partitions.first_day.isoformat()
        found = stale_partitions(lake, rules, version=VERSION).select("partition", "asset", "now").rows()
        requests, told = plan_stale(
            [row for row in found if row[0] >= first], context.cursor.split("\n") if context.cursor else []
        )
        cursor = "\n".join(told)
        if not requests:
            context.update_cursor(cursor)
            return dg.SkipReason(f"no stale partition that was not asked for; {len(told)} asked for are not done yet")
        runs = []
        for partition, key in requests:
            day, source = partition.split("|")
            runs.append(dg.RunRequest(run_key=key, partition_key=dg.MultiPartitionKey({"source": source, "day": day})))
        return dg.SensorResult(run_requests=runs, cursor=cursor)

    return stale_partitions_sensor
