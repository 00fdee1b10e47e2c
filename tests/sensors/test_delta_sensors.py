"""Gaps of holdings and circulation are asked for, oldest first, once a day each."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from holdfast.deltas.windows import NOT_OVER, window_of
from holdfast.settings import parse_settings
from resources.deltas.log import DeltaLog, WindowReading
from resources.postgres.client import Postgres
from sensors.delta_gap_sensors import AT_ONCE, build_delta_gap_sensors
from sensors.delta_schedules import build_delta_schedules

SETTINGS = parse_settings(
    '[library]\nname = "L"\nmarc_organization_code = "X"\ntimezone = "UTC"\n[sources.own]\n[partitions]\nfirst_day = 2026-01-01\n'
)
TODAY = dt.datetime.now(dt.UTC).date()


def enter(postgres: Postgres, day: dt.date, lacks: str = "") -> None:
    window = window_of(day, "UTC", dt.timedelta())
    reading = WindowReading("circulation_deltas", "folio:demo", day, window.asked_from, window.end, window.end, lacks)
    DeltaLog(postgres, "circulation_deltas", "folio:demo").enter(reading)


def tick(postgres: Postgres, cursor: str | None = None) -> tuple[list[str], str]:
    _, sensor = build_delta_gap_sensors(SETTINGS)
    with dg.build_sensor_context(cursor=cursor, resources={"postgres": postgres}) as context:
        answer = sensor(context)
        if isinstance(answer, dg.SkipReason):
            return [], context.cursor or ""
        assert isinstance(answer, dg.SensorResult)
        return [str(each.partition_key) for each in answer.run_requests or ()], answer.cursor or ""


def test_nothing_is_asked_for_before_anything_was_read(postgres: Postgres) -> None:
    assert tick(postgres) == ([], "")


def test_exactly_the_gaps_are_asked_for_some_at_a_tick_and_each_once(postgres: Postgres) -> None:
    first = TODAY - dt.timedelta(days=20)
    for number in range(0, 20, 10):
        enter(postgres, first + dt.timedelta(days=number))
    enter(postgres, first + dt.timedelta(days=12), NOT_OVER)
    enter(postgres, TODAY, NOT_OVER)
    asked, cursor = tick(postgres)
    assert (
        asked == [(first + dt.timedelta(days=n)).isoformat() for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11)]
        and len(asked) == AT_ONCE
    )
    more, cursor = tick(postgres, cursor)
    assert more[0] == (first + dt.timedelta(days=12)).isoformat() and TODAY.isoformat() not in more
    assert not set(more) & set(asked)
    assert tick(postgres, cursor)[0] == []


def test_every_night_reads_the_day_before() -> None:
    for schedule in build_delta_schedules(SETTINGS):
        at = dt.datetime(2026, 3, 2, 0, 30, tzinfo=dt.UTC)
        with dg.build_schedule_context(scheduled_execution_time=at) as context:
            request = schedule(context)
        assert isinstance(request, dg.RunRequest) and request.partition_key == "2026-03-01"
