"""A load's quality report is asked for once, after its run has ended."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.test_utils import create_run_for_test

from catalog_assets.definitions import build_defs
from resources.lake.client import Lake
from sensors.quality_sensor import Validated, build_quality_sensor, plan_reports, read_cursor

A, B = "2026-01-05|ebooks", "2026-01-06|ebooks"


def test_a_partition_waits_for_its_run_and_is_reported_once() -> None:
    events = [Validated(1, A, "r1"), Validated(2, B, "r2"), Validated(3, A, "r3")]
    assert plan_reports(events, set(), set()) == ({A: 3, B: 2}, [])
    # The older event of A is answered by the report after the newer one.
    assert plan_reports(events, {"r3"}, set()) == ({B: 2}, [events[2]])
    assert plan_reports(events, {"r1", "r2", "r3"}, set()) == ({}, events)
    assert plan_reports(events, set(), {A}) == ({B: 2}, [])


def test_a_new_sensor_has_seen_nothing() -> None:
    assert read_cursor(None) == (None, [])
    assert read_cursor(json.dumps({"after": 7, "waiting": [Validated(7, A, "r")]})) == (7, [Validated(7, A, "r")])


def put(lake: Lake, partition: str, rows: int) -> None:
    with lake.replace("harvested_marc", partition) as writer:
        writer.write("rows", pl.DataFrame({"record": list(range(rows))}))


@pytest.mark.dagster
def test_the_report_comes_after_the_run_and_not_for_an_empty_day(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    put(lake, A, 3)
    put(lake, B, 0)
    sensor = build_quality_sensor()
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(cursor: str | None = None) -> dg.SensorExecutionData:
            context = dg.build_sensor_context(
                instance=instance, cursor=cursor, definitions=build_defs(), resources={"lake": lake}
            )
            return sensor.evaluate_tick(context)

        assert "nothing was validated" in str(tick().skip_message)
        run = create_run_for_test(instance, job_name="catalogue_load", status=dg.DagsterRunStatus.STARTED)
        for partition in (A, B):
            instance.report_runless_asset_event(dg.AssetMaterialization("record_issues", partition=partition))
        first = tick()
        # Events without a run wait for none; the empty day is not reported.
        assert [each.partition_key for each in first.run_requests] == [A]
        assert not tick(first.cursor).run_requests
        waiting = json.dumps({"after": json.loads(first.cursor)["after"], "waiting": [[9, A, run.run_id]]})
        held = tick(waiting)
        assert not held.run_requests and "waits for 1 runs" in str(held.skip_message)
        instance.report_run_failed(run)
        ended = tick(held.cursor)
        assert [each.run_key for each in ended.run_requests] == ["quality_report:9"]
        assert not tick(ended.cursor).run_requests
