"""Which drops did not come."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.harvest.rhythm import Rhythm, days_due, missed, parse_rhythm

MONDAY = dt.date(2026, 3, 2)


def due(text: str, first: dt.date, days: int) -> list[int]:
    return [day.day for day in days_due(parse_rhythm(text), first, first + dt.timedelta(days=days - 1))]


def test_the_days_that_are_due() -> None:
    assert due("daily", MONDAY, 3) == [2, 3, 4]
    assert due("weekly wed", MONDAY, 14) == [4, 11]
    assert due("every 3 days", MONDAY, 8) == [2, 5, 8]
    assert due("monthly 31", dt.date(2026, 1, 1), 365)[:4] == [31, 28, 31, 30]
    assert due("", MONDAY, 100) == []


@pytest.mark.parametrize(
    "text", ["hourly", "weekly", "weekly montag", "monthly 0", "monthly 32", "every 1 days", "daily 2"]
)
def test_what_is_no_rhythm_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"daily, weekly mon .*monthly 15.*every 3 days"):
        parse_rhythm(text)


def missing(rhythm: str, came: list[int], now: dt.datetime, timezone: str = "UTC", grace: float = 6) -> list[int]:
    days = missed(
        parse_rhythm(rhythm),
        {dt.date(2026, 3, n) for n in came},
        first=MONDAY,
        now=now,
        grace=dt.timedelta(hours=grace),
        timezone=timezone,
    )
    return [day.day for day in days]


def at(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2026, 3, day, hour, tzinfo=dt.UTC)


def test_a_drop_is_missed_once_its_day_and_the_grace_are_over() -> None:
    assert missing("daily", [2], at(4, 5)) == []
    assert missing("daily", [2], at(4, 6)) == [3]
    assert missing("daily", [2, 3], at(4, 6)) == []


def test_the_day_ends_where_the_library_is() -> None:
    assert missing("daily", [2], at(4, 5), "Asia/Tokyo") == [3]
    assert missing("daily", [2], at(4, 10), "America/New_York") == []


def test_a_late_drop_is_not_missed_and_one_before_does_not_count() -> None:
    assert missing("weekly mon", [3, 12], at(20, 12)) == [16]
    assert missing("weekly mon", [8], at(20, 12)) == [9, 16]


@given(
    st.sets(st.integers(2, 28)),
    st.integers(2, 28),
    st.sampled_from(["daily", "weekly fri", "every 4 days", "monthly 9"]),
)
def test_every_missed_day_is_due_over_and_without_a_drop(came: set[int], day: int, rhythm: str) -> None:
    now = at(day, 7)
    found = missing(rhythm, sorted(came), now)
    days = due(rhythm, MONDAY, 26)
    assert set(found) <= {n for n in days if n < day}
    assert not set(found) & came
    if rhythm == "daily":
        assert set(found) == set(range(2, day)) - came


def test_never_is_never() -> None:
    assert not Rhythm("never").due(MONDAY, MONDAY)
