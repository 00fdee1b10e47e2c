from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import dagster as dg
import pytest

from holdfast.settings import Settings, parse_settings
from resources.museum_exports.client import DroppedFile
from sensors.museum_export_sensor import build_museum_export_sensor
from sensors.museum_schedules import build_museum_schedule, plan_night

DAY = dt.date(2026, 11, 20)


def file(name: str) -> DroppedFile:
    return DroppedFile("prints", DAY, name, Path(name), 1, 0)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    text = '[library]\nname = "L"\n[sources.s]\n[collections.prints]\nformat = "lido"\nschedule = "15 4 * * *"\n'
    return parse_settings(text, root=tmp_path)


def test_the_sensor_asks_for_the_partition_of_what_lies_there(settings: Settings) -> None:
    folder = settings.museum_exports / "prints"
    folder.mkdir(parents=True)
    (folder / "a.xml").write_text("<a/>")
    os.utime(folder / "a.xml", (time.time() - 60, time.time() - 60))
    day = dt.datetime.fromtimestamp(time.time() - 60, dt.UTC).date().isoformat()
    sensor = build_museum_export_sensor(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        (request,) = result.run_requests or []
        assert request.partition_key == dg.MultiPartitionKey({"collection": "prints", "day": day})
        assert request.tags["holdfast/writes-to"] == "museum_index/prints"
        again = sensor(dg.build_sensor_context(instance=instance, cursor=result.cursor))
    assert isinstance(again, dg.SensorResult)
    assert not again.run_requests


def test_the_night_loads_what_lies_there_for_the_day() -> None:
    assert plan_night(DAY, [file("a.csv")]) == ""
    assert "newest is of 2026-11-20" in plan_night(DAY + dt.timedelta(1), [file("a.csv")])
    assert "no export" in plan_night(DAY, [])


def test_each_collection_has_its_own_night(settings: Settings) -> None:
    schedule = build_museum_schedule(settings, "prints")
    assert (schedule.name, schedule.cron_schedule) == ("museum_prints_nightly", "15 4 * * *")
    context = dg.build_schedule_context(scheduled_execution_time=dt.datetime(2026, 11, 20, 4, 15, tzinfo=dt.UTC))
    assert isinstance(schedule(context), dg.SkipReason)
    (settings.museum_exports / "prints").mkdir(parents=True)
    path = settings.museum_exports / "prints/a.xml"
    path.write_text("<a/>")
    os.utime(path, (1_795_147_200, 1_795_147_200))  # 2026-11-20 04:00 UTC
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == dg.MultiPartitionKey({"collection": "prints", "day": "2026-11-20"})
