"""Which windows are fetched."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.harvest.windows import SETTLING, Bounds, Fetched, bounds, is_closed, plan_windows

FIRST = dt.date(2026, 3, 1)
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
moments = st.integers(0, 30 * 24 * 60).map(lambda minutes: START + dt.timedelta(minutes=minutes))


def test_both_ends_are_included() -> None:
    assert bounds(FIRST, "YYYY-MM-DD") == Bounds("2026-03-01", "2026-03-01")
    assert bounds(FIRST, "YYYY-MM-DDThh:mm:ssZ") == Bounds("2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z")
    with pytest.raises(ValueError, match="granularity 'YYYY'"):
        bounds(FIRST, "YYYY")


def test_what_was_never_fetched_is_wanted_but_for_the_present_day() -> None:
    now = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
    assert plan_windows([], FIRST, now) == [dt.date(2026, 3, n) for n in (1, 2, 3)]
    assert plan_windows([], dt.date(2026, 3, 4), now) == []


def test_a_window_is_wanted_again_where_it_was_fetched_before_it_was_over() -> None:
    now = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
    midday = Fetched(dt.date(2026, 3, 2), dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC))
    settled = Fetched(dt.date(2026, 3, 3), dt.datetime(2026, 3, 4, 1, tzinfo=dt.UTC))
    assert plan_windows([midday, settled], FIRST, now) == [dt.date(2026, 3, 1), dt.date(2026, 3, 2)]


@given(st.lists(moments, min_size=1, max_size=60))
def test_harvesting_as_planned_at_any_moments_leaves_no_closed_day_out(at: list[dt.datetime]) -> None:
    harvested: list[Fetched] = []
    for now in sorted(at):
        planned = plan_windows(harvested, FIRST, now)
        assert planned == sorted(set(planned))
        harvested += [Fetched(day, now) for day in planned]
        over = [FIRST + dt.timedelta(days=n) for n in range(40)]
        over = [
            day for day in over if dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(days=1) + SETTLING <= now
        ]
        assert {each.day for each in harvested if is_closed(each)} == set(over)
        assert plan_windows(harvested, FIRST, now) == []
