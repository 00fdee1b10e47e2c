"""Which limits hold when: by the library's time of day, through both changes of the clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.quota import limits_at, percentile, share_of
from holdfast.settings import Quota

DAY = {"from": "07:00", "to": "20:00", "per_second": 5, "concurrency": 2}
NIGHT = {"from": "22:30", "to": "02:30", "per_second": 50}
QUOTA = Quota.model_validate({"per_second": 25, "per_day": 1000, "profiles": [DAY, NIGHT]})
ZONES = ("UTC", "Europe/Vienna", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo")


def moment(text: str, zone: str = "Europe/Vienna", fold: int = 0) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("at", "per_second", "concurrency"),
    [
        ("2026-03-10T06:59", 25, 8),
        ("2026-03-10T07:00", 5, 2),
        ("2026-03-10T19:59:59.9", 5, 2),
        ("2026-03-10T20:00", 25, 8),
        ("2026-03-10T22:30", 50, 8),
        ("2026-03-11T00:00", 50, 8),
        ("2026-03-11T02:29", 50, 8),
        ("2026-03-11T02:30", 25, 8),
    ],
)
def test_a_profile_holds_at_its_time_of_day_by_the_library(at: str, per_second: float, concurrency: int) -> None:
    found = limits_at(QUOTA, "Europe/Vienna", moment(at))
    assert (found.per_second, found.concurrency, found.per_day) == (per_second, concurrency, 1000)
    assert found.day == at[:10]


def test_the_hour_that_comes_twice_is_judged_by_the_clock_on_the_wall() -> None:
    # 2026-10-25: at 03:00 it is 02:00 again in Vienna, and the night profile ends at 02:30 each time.
    rates = [limits_at(QUOTA, "Europe/Vienna", moment("2026-10-25T02:45", fold=fold)).per_second for fold in (0, 1)]
    assert rates == [25, 25]
    assert limits_at(QUOTA, "Europe/Vienna", moment("2026-10-25T02:15", fold=1)).per_second == 50


def test_a_day_is_as_long_as_the_library_has_it() -> None:
    spring, autumn = (limits_at(QUOTA, "Europe/Vienna", moment(day)) for day in ("2026-03-29", "2026-10-25"))
    assert spring.day_ends - moment("2026-03-29") == 23 * 3600
    assert autumn.day_ends - moment("2026-10-25") == 25 * 3600


@given(st.sampled_from(ZONES), st.floats(1.5e9, 2.0e9), st.floats(0, 1))
def test_what_is_said_to_hold_until_a_moment_holds_until_then(zone: str, at: float, share: float) -> None:
    found = limits_at(QUOTA, zone, at)
    assert found.since <= at < found.until <= found.day_ends
    assert found.until - at <= 900
    within = at + share * (found.until - at) * 0.999
    later = limits_at(QUOTA, zone, within)
    assert later[:5] == found[:5]
    wall = dt.datetime.fromtimestamp(within, ZoneInfo(zone)).strftime("%H:%M")
    expected = 5 if "07:00" <= wall < "20:00" else 50 if wall >= "22:30" or wall < "02:30" else 25
    assert found.per_second == expected


@given(st.integers(1, 500), st.integers(1, 64))
def test_shares_together_are_never_more_than_the_quota(rate: int, workers: int) -> None:
    assert share_of(rate, workers) * workers <= rate


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_no_more_than_a_twentieth_is_above_the_percentile(values: list[float]) -> None:
    found = percentile(values, 0.95)
    assert found in values
    assert sum(each > found for each in values) <= 0.05 * len(values)
