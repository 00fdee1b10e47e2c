"""Runs that a recovery asked for: replays, mended windows, the nights that a halt skipped, the writes that it stopped, and
plans that waited for the quota or another run. Each is launched once.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from resources.ledger.replaying import Recoveries
from resources.ledger.stopping import PREFIX, StoppedWrites
from resources.postgres.client import Postgres
from sensors.halting import halted_of
from sensors.quality_sensor import GOING_ON

_QUEUES = {
    "catalogue_load": "ils.sync.holdings",
    "write_approved_plan": "ils.sync.holdings",
    "feed_load": "ils.sync.holdings",
    "write_approved_feed": "ils.sync.holdings",
    "museum_load": "ingestion_high",
    "digitization": "compute_intensive",
}
_PARTITION = "dagster/partition"
_DIMENSIONS = {
    "catalogue_load": ("day", "source"),
    "write_approved_plan": ("day", "source"),
    "feed_load": ("day", "feed"),
    "write_approved_feed": ("day", "feed"),
    "museum_load": ("collection", "day"),
    "digitization": (),
}


def plan_asked(
    rows: Iterable[Mapping[str, Any]],
    halted: Mapping[tuple[str, str], str],
    stopped: Collection[str] = (),
    busy: Collection[str] = (),
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """(to launch, to wait) of what was asked for, by whether it is `due`; `halted` has (job, source) → why.

    What goes on with a write that a halt stopped waits for any other run of its window (`busy`: partitions that have one, and
    those that are launched now), and is neither launched nor waits once nobody needs to go on with it.

    Args:
        stopped: run keys of the writes that nobody went on with.
    """
    launch: list[Mapping[str, Any]] = []
    wait: list[Mapping[str, Any]] = []
    goes_on: list[Mapping[str, Any]] = []
    for row in rows:
        if row["run_key"].startswith(PREFIX):
            goes_on += [row] if row["run_key"] in stopped else []
        else:
            (wait if not row["due"] or (row["job"], row["source"]) in halted else launch).append(row)
    taken = {*busy, *(row["partition"] for row in launch)}
    for row in goes_on:
        (wait if row["partition"] in taken or (row["job"], row["source"]) in halted else launch).append(row)
    return launch, wait


def _busy(instance: dg.DagsterInstance, partitions: Collection[str]) -> set[str]:
    """Those of the partitions that have a run that waits in the queue or is under way."""
    wanted = dg.RunsFilter(tags={_PARTITION: sorted(partitions)}, statuses=list(GOING_ON))
    return {run.tags[_PARTITION] for run in instance.get_runs(wanted)} if partitions else set()


def build_asked_runs_sensor(jobs: Sequence[Any], name: str = "asked_runs_sensor") -> dg.SensorDefinition:
    """`jobs`: those of the code location that can be asked for."""
    names = {job.name for job in jobs}

    @dg.sensor(
        name=name,
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches the runs that replay_window, release_quarantine and resume_ingestion ask for, and once its moment has come "
        "what waited for the quota or another run; each once. What is halted waits.",
    )
    def asked_runs_sensor(
        context: dg.SensorEvaluationContext, postgres: dg.ResourceParam[Postgres]
    ) -> dg.SensorResult | dg.SkipReason:
        state = json.loads(context.cursor or '{"after": 0, "waiting": []}')
        recoveries = Recoveries(postgres)
        found = recoveries.asked(state["after"], state["waiting"])
        rows = [row for row in found if row["job"] in names]
        halted = {
            (job, source): why
            for job, queue in _QUEUES.items()
            for source, why in halted_of(sorted({row["source"] for row in rows}), queue=queue).items()
        }
        going_on = [row for row in rows if row["run_key"].startswith(PREFIX)]
        # First who is at it, then what nobody went on with: a run that ends in between has said so.
        busy = _busy(context.instance, {row["partition"] for row in going_on})
        stopped = {each.run_key for each in StoppedWrites(postgres).standing()} if going_on else set()
        launch, wait = plan_asked(rows, halted, stopped, busy)
        after = max([state["after"], *(row["id"] for row in found)])
        cursor = json.dumps({"after": after, "waiting": [row["id"] for row in wait]})
        if not launch:
            context.update_cursor(cursor)
            reasons = {halted.get((row["job"], row["source"])) or _waits(row) for row in wait}
            return dg.SkipReason("; ".join(sorted(reasons)) or "nothing was asked for")
        return dg.SensorResult(run_requests=[_request(row) for row in launch], cursor=cursor)

    return asked_runs_sensor


def _waits(row: Mapping[str, Any]) -> str:
    return f"{row['partition']} has a run already" if row["due"] else f"{row['not_before']} has not come"


def _request(row: Mapping[str, Any]) -> dg.RunRequest:
    dimensions = _DIMENSIONS[row["job"]]
    keys = dict(zip(dimensions, row["partition"].split("|"), strict=True)) if dimensions else {}
    return dg.RunRequest(
        run_key=row["run_key"],
        job_name=row["job"],
        partition_key=dg.MultiPartitionKey(keys) if keys else row["partition"],
        tags={"holdfast/asked-by": row["who"][:200], "holdfast/asked-because": row["why"][:200]},
    )
