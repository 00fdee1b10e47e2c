"""Every load gets its quality report once its run has ended, so that the writing never waits for it.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import json
from collections.abc import Collection, Mapping
from typing import NamedTuple

import dagster as dg

from resources.lake.client import Lake
from sensors.halting import unless_halted

_EVENTS_A_TICK = 100

# Runs that hold a load or its validation; a report of a run in hand would take time from the writing that follows.
GOING_ON = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


class Validated(NamedTuple):
    """A materialization of record_issues: its number, partition and run."""

    number: int
    partition: str
    run_id: str


def plan_reports(
    waiting: Collection[Validated], going_on: Collection[str], empty: Collection[str]
) -> tuple[dict[str, int], list[Validated]]:
    """(partition → number of the event that asks for its report, events that still wait for their run).

    A partition that waits for a run of its own is not reported before; what came to nothing (`empty`) is not at all.
    """
    still = [each for each in waiting if each.run_id in going_on]
    held = {each.partition for each in still}
    ready: dict[str, int] = {}
    for each in sorted(waiting):
        if each.partition not in held and each.partition not in empty:
            ready[each.partition] = each.number
    return ready, still


def read_cursor(cursor: str | None) -> tuple[int | None, list[Validated]]:
    held: Mapping[str, list[list[int | str]]] = json.loads(cursor) if cursor else {}
    after = held.get("after")
    return (int(str(after)) if after is not None else None), [
        Validated(int(number), str(partition), str(run_id)) for number, partition, run_id in held.get("waiting", [])
    ]


def build_quality_sensor() -> dg.SensorDefinition:
    @dg.sensor(
        name="quality_report_sensor",
        job_name="quality_reporting",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the quality report of every source and day that was validated, once its run has ended.",
    )
    @unless_halted(queue="marc21.parse")
    def quality_report_sensor(
        context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
    ) -> dg.SensorResult | dg.SkipReason:
        after, waiting = read_cursor(context.cursor)
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("record_issues"), after_storage_id=after),
            limit=_EVENTS_A_TICK,
            ascending=True,
        ).records
        waiting += [
            Validated(each.storage_id, str(each.partition_key), each.run_id) for each in records if each.partition_key
        ]
        ready, still = plan_reports(
            waiting,
            _going_on(context.instance, {each.run_id for each in waiting}),
            {each.partition for each in waiting if _is_empty(lake, each.partition)},
        )
        cursor = json.dumps({"after": records[-1].storage_id if records else after, "waiting": still})
        requests = [
            dg.RunRequest(run_key=f"quality_report:{number}", partition_key=partition)
            for partition, number in ready.items()
        ]
        if not requests:
            context.update_cursor(cursor)
            return dg.SkipReason(
                f"waits for {len(still)} runs to end" if still else "nothing was validated since that has records"
            )
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return quality_report_sensor


def _going_on(instance: dg.DagsterInstance, run_ids: set[str]) -> set[str]:
    if not run_ids:
        return set()
    wanted = dg.RunsFilter(run_ids=sorted(run_ids), statuses=list(GOING_ON))
    return {run.run_id for run in instance.get_runs(filters=wanted)}


def _is_empty(lake: Lake, partition: str) -> bool:
    """Did nothing come in, now or before?"""
    if lake.exists("quality_report", partition) or not lake.exists("harvested_marc", partition):
        return False
    return lake.rows("harvested_marc", partition) == 0
