"""What is kept and said of a run that failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from resources.postgres.client import Postgres
from resources.postgres.failures import Failures
from sensors.run_failure_sensor import Failed, build_run_failure_sensor, plan_message


def test_the_message_says_what_where_why_and_what_to_do() -> None:
    failed = Failed("catalogue_load", "2026-03-10|ebooks", "ils_commits", "the cause\nTraceback …")
    message = plan_message(failed, "run-1")
    assert message.startswith("catalogue_load, partition 2026-03-10|ebooks failed at ils_commits: the cause — ")
    assert "/runs/run-1" in message and "Traceback" not in message and "materializing the partition again" in message


def test_a_run_whose_process_ended_has_a_message_too() -> None:
    message = plan_message(Failed("catalogue_load", "", "", " \n"), "run-1")
    assert message.startswith("catalogue_load failed: no step failed: the process ended")


@dg.op
def breaks() -> None:
    try:
        raise ValueError("old.mrc: record 7: the cause")
    except ValueError as error:
        raise RuntimeError("what came of it") from error


@dg.job
def a_job_that_breaks() -> None:
    breaks()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


@pytest.mark.services
@pytest.mark.dagster
def test_the_root_cause_is_kept_once(postgres: Postgres, instance: dg.DagsterInstance) -> None:
    result = a_job_that_breaks.execute_in_process(
        instance=instance, raise_on_error=False, tags={"dagster/partition": "2026-03-10|ebooks"}
    )
    sensor = build_run_failure_sensor()
    for _ in range(2):
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failure_sensor",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"postgres": postgres},
        ).for_run_failure()
        sensor(context)
    (kept,) = Failures(postgres).latest()
    assert (kept["run_id"], kept["job"], kept["step"]) == (result.run_id, "a_job_that_breaks", "breaks")
    assert kept["partition"] == "2026-03-10|ebooks"
    assert "record 7: the cause" in kept["message"] and "what came of it" not in kept["message"]
