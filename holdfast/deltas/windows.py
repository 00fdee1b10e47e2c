"""A day's window of a library system's changes: its bounds, when it is over, and which days are missing.

A day is the library's, from midnight to midnight in its time zone; the moments are of the library system's clock.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from typing import NamedTuple

NEVER_READ = "never read"
NOT_OVER = "read before the day was over"


class Window(NamedTuple):
    """[start, end) in UTC; `asked_from` is earlier by the overlap."""

    day: dt.date
    asked_from: dt.datetime
    start: dt.datetime
    end: dt.datetime

    def is_over(self, now: dt.datetime, settling: dt.timedelta) -> bool:
        """Whether nothing more comes into it: a system can enter a change a while after the moment that it stamps on it."""
        return now >= self.end + settling


class Reading(NamedTuple):
    """The last reading of a day. lacks: why it is not complete; '' where it is."""

    day: dt.date
    lacks: str


def window_of(day: dt.date, timezone: str, overlap: dt.timedelta) -> Window:
    """A day that has a change of the clocks has 23 or 25 hours."""
    zone = zoneinfo.ZoneInfo(timezone)
    start, end = (
        dt.datetime.combine(each, dt.time(), zone).astimezone(dt.UTC) for each in (day, day + dt.timedelta(days=1))
    )
    return Window(day, start - overlap, start, end)


def gaps(readings: Iterable[Reading], until: dt.date) -> dict[dt.date, str]:
    """Days from the first that was ever read up to, not including, `until`, that are not complete, and why; oldest first.

    Days before the first reading are no gaps: there Holdfast was not in use yet.
    """
    lacks = {each.day: each.lacks for each in readings}
    if not lacks:
        return {}
    first = min(lacks)
    days = (first + dt.timedelta(days=number) for number in range(max((until - first).days, 0)))
    return {day: why for day in days if (why := lacks.get(day, NEVER_READ))}


def last_day_that_is_over(now: dt.datetime, timezone: str, settling: dt.timedelta) -> dt.date:
    return (now - settling).astimezone(zoneinfo.ZoneInfo(timezone)).date() - dt.timedelta(days=1)
