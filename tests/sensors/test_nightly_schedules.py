"""What a night loads."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from holdfast.settings import load_settings
from sensors.nightly_schedules import build_nightly_schedules, day_before

VIENNA = zoneinfo.ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("scheduled", "day"),
    [
        (dt.datetime(2026, 3, 10, 2, tzinfo=VIENNA), "2026-03-09"),
        (dt.datetime(2026, 3, 10, 1, tzinfo=dt.UTC), "2026-03-09"),
        (dt.datetime(2026, 3, 9, 23, 30, tzinfo=dt.UTC), "2026-03-09"),  # 0:30 in Vienna
        (dt.datetime(2026, 3, 29, 3, tzinfo=VIENNA), "2026-03-28"),  # the night without 2 o'clock
        (dt.datetime(2026, 10, 25, 2, tzinfo=VIENNA), "2026-10-24"),  # the night with two of it
        (dt.datetime(2026, 1, 1, 2, tzinfo=VIENNA), "2025-12-31"),
    ],
)
def test_a_night_loads_the_day_that_ended_in_the_library_s_time_zone(scheduled: dt.datetime, day: str) -> None:
    assert day_before(scheduled, "Europe/Vienna") == day


def evaluate(source: str, moment: dt.datetime) -> Any:
    settings = load_settings()
    schedule = next(each for each in build_nightly_schedules(settings) if each.name == f"nightly_{source}")
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_schedule_context(
            instance=instance, scheduled_execution_time=moment, repository_def=build_defs().get_repository_def()
        ) as context,
    ):
        return schedule.evaluate_tick(context)


@pytest.mark.dagster
def test_each_source_has_a_night_of_its_own_that_runs_its_partition_once() -> None:
    settings = load_settings()
    assert {each.name for each in build_nightly_schedules(settings)} == {f"nightly_{name}" for name in settings.sources}
    tick = evaluate("ebooks", dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC))
    (request,) = tick.run_requests
    assert request.run_key == "nightly:ebooks:2026-03-09"
    assert request.partition_key == "2026-03-09|ebooks"


@pytest.mark.dagster
def test_a_night_before_the_first_day_is_skipped_with_the_reason() -> None:
    tick = evaluate("ebooks", dt.datetime(2026, 1, 1, 2, tzinfo=dt.UTC))
    assert not tick.run_requests and "partitions.first_day" in str(tick.skip_message)
