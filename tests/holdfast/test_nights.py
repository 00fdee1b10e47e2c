import datetime as dt

import pytest

from holdfast.nights import check_cron, nights


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 3, day, hour, minute, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        pytest.param(at(3, 1), at(3, 2), [2], id="the tick itself counts"),
        pytest.param(at(3, 2), at(3, 23), [], id="the tick before it was there"),
        pytest.param(at(3, 22), at(3, 23), [], id="none in between"),
        pytest.param(at(3, 22), at(6, 1, 59), [3, 4], id="several nights"),
    ],
)
def test_nights_are_the_days_before_the_ticks(since: dt.datetime, until: dt.datetime, expected: list[int]) -> None:
    assert [each.day for each in nights("0 2 * * *", since, until, "UTC")] == expected


def test_ticks_are_those_of_the_library_s_time_zone() -> None:
    # 02:00 in Vienna is 01:00 UTC before the last Sunday of March. The hour from two to three is left out on that day:
    # the load comes at three and is not lost.
    assert [each.day for each in nights("0 2 * * *", at(3, 0, 59), at(3, 1), "Europe/Vienna")] == [2]
    assert [each.day for each in nights("30 2 * * *", at(28, 12), at(30, 12), "Europe/Vienna")] == [28, 29]


@pytest.mark.parametrize("value", ["nightly", "0 2 * *", "99 2 * * *", "0 24 * * *", "0 2 30 2 *x", "0 2 * 13 *"])
def test_what_no_clock_shows_is_no_schedule(value: str) -> None:
    with pytest.raises(ValueError, match="five cron fields"):
        check_cron(value)


def test_lists_ranges_and_steps_are_fine() -> None:
    assert check_cron("*/15 1-3 1,15 * 1-5") == "*/15 1-3 1,15 * 1-5"
