"""A day's window in the library's time zone, and the gaps between days."""

from __future__ import annotations

import datetime as dt
import itertools

from holdfast.deltas.windows import NEVER_READ, NOT_OVER, Reading, gaps, last_day_that_is_over, window_of

TEN = dt.timedelta(minutes=10)


def day(number: int) -> dt.date:
    return dt.date(2026, 3, number)


def test_days_meet_without_a_gap_in_the_librarys_time_zone_also_where_the_clocks_change() -> None:
    windows = [window_of(day(number), "Europe/Vienna", TEN) for number in (28, 29, 30)]
    assert [each.end - each.start for each in windows] == [dt.timedelta(hours=h) for h in (24, 23, 24)]
    assert all(one.end == two.start for one, two in itertools.pairwise(windows))
    assert windows[0].start == dt.datetime(2026, 3, 27, 23, tzinfo=dt.UTC)
    assert windows[0].asked_from == windows[0].start - TEN


def test_a_day_is_over_when_it_has_settled() -> None:
    window = window_of(day(1), "UTC", TEN)
    assert not window.is_over(window.end + TEN - dt.timedelta(seconds=1), TEN)
    assert window.is_over(window.end + TEN, TEN)
    assert last_day_that_is_over(window.end + TEN, "UTC", TEN) == day(1)
    assert last_day_that_is_over(window.end, "UTC", TEN) == dt.date(2026, 2, 28)


def test_gaps_are_days_that_were_never_read_or_not_to_their_end() -> None:
    readings = [Reading(day(3), ""), Reading(day(5), NOT_OVER), Reading(day(6), ""), Reading(day(9), NOT_OVER)]
    assert gaps(readings, day(8)) == {day(4): NEVER_READ, day(5): NOT_OVER, day(7): NEVER_READ}
    assert gaps(readings, day(3)) == {} and gaps([], day(8)) == {}
