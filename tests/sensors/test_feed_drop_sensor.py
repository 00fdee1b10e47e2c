"""Files of feeds start their loads when they are still; exports have their hours."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import dagster as dg
import pytest

from holdfast.settings import Settings, parse_settings
from resources.vault.feeds import feed_files
from sensors.feed_drop_sensor import build_feed_drop_sensor
from sensors.feed_schedules import build_feed_schedules
from sensors.partner_export_schedules import build_partner_export_schedules

TOML = """
[library]
name = "L"
timezone = "Europe/Vienna"
[sources.a]
[feeds.staff]
kind = "patrons"
key = "barcode"
still_seconds = 2
[feeds.staff.columns]
barcode = "card"
[exports.union]
contents = "bibliographic"
schedule = "0 6 * * *"
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("HOLDFAST_VAR")
    return parse_settings(TOML, root=tmp_path)


def put(settings: Settings, name: str, age: float, text: str = "card\n1\n") -> Path:
    path = settings.feed_drops / "staff" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def tick(settings: Settings, cursor: str | None = None) -> tuple[list[str], str | None]:
    """(partitions that runs were asked for, cursor)"""
    result = build_feed_drop_sensor(settings)(dg.build_sensor_context(cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return [str(each.partition_key) for each in result.run_requests or []], result.cursor


def test_a_still_file_is_asked_for_once_and_again_when_it_is_another(settings: Settings) -> None:
    assert tick(settings)[0] == []
    put(settings, "a.csv", age=0)
    found, cursor = tick(settings)
    assert found == []  # it may still grow
    put(settings, "a.csv", age=10)
    found, cursor = tick(settings, cursor)
    (partition,) = found
    assert partition.endswith("|staff")
    assert tick(settings, cursor)[0] == []
    put(settings, "a.csv", age=9, text="card\n2\n")
    assert len(tick(settings, cursor)[0]) == 1


def test_a_halted_feed_waits_and_forgets_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings, "a.csv", age=10)
    found, cursor = tick(settings)
    assert len(found) == 1
    put(settings, "b.csv", age=10)
    with monkeypatch.context() as now:
        now.setattr("sensors.feed_drop_sensor.halted_of", lambda names: dict.fromkeys(names, "halted by Anna"))
        result = build_feed_drop_sensor(settings)(dg.build_sensor_context(cursor=cursor))
        assert isinstance(result, dg.SensorResult) and not result.run_requests
        assert "staff: halted by Anna" in str(result.skip_reason)
    found, cursor = tick(settings, result.cursor)
    assert len(found) == 1
    assert tick(settings, cursor)[0] == []


def test_links_hidden_and_unfinished_files_are_left_alone(settings: Settings, tmp_path: Path) -> None:
    good = put(settings, "a.csv", age=10)
    put(settings, ".b.csv", age=10)
    put(settings, "c.csv.part", age=10)
    (tmp_path / "secret.csv").write_text("card\n9\n")
    (good.parent / "d.csv").symlink_to(tmp_path / "secret.csv")
    assert [each.path.name for each in feed_files(settings, "staff")] == ["a.csv"]


def test_the_night_loads_todays_file_and_says_when_there_is_none(settings: Settings) -> None:
    (nightly,) = build_feed_schedules(settings)
    now = dt.datetime.now(dt.UTC)
    context = dg.build_schedule_context(scheduled_execution_time=now)
    assert isinstance(nightly(context), dg.SkipReason)
    put(settings, "a.csv", age=0)
    request = nightly(context)
    assert isinstance(request, dg.RunRequest) and str(request.partition_key).endswith("|staff")


def test_an_export_is_of_the_librarys_own_day(settings: Settings) -> None:
    (schedule,) = build_partner_export_schedules(settings)
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    moment = dt.datetime(2026, 3, 1, 23, 30, tzinfo=dt.UTC)  # half past midnight in Vienna
    request = schedule(dg.build_schedule_context(scheduled_execution_time=moment))
    assert isinstance(request, dg.RunRequest) and str(request.partition_key) == "2026-03-02|union"
