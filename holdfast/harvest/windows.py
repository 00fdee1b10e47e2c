"""Windows of a harvest: what was fetched, what is wanted, and the bounds that OAI-PMH takes.

A window is a day in UTC, whatever the library's time zone: datestamps of OAI-PMH are in UTC (section 3.3), and only so do
windows meet without a gap and without sharing a moment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

Granularity = Literal["YYYY-MM-DD", "YYYY-MM-DDThh:mm:ssZ"]

# A repository may enter a change a little after the moment that it stamps on it.
SETTLING = dt.timedelta(minutes=30)


class Fetched(NamedTuple):
    """A window that was fetched whole. at: when the fetch began, by our clock, with time zone."""

    day: dt.date
    at: dt.datetime


class Bounds(NamedTuple):
    """`from` and `until` of a request; both are included (OAI-PMH 2.0, section 2.7.1)."""

    from_: str
    until: str


def bounds(day: dt.date, granularity: str) -> Bounds:
    """The whole of a day in the repository's granularity.

    Raises:
        ValueError: the granularity is none of OAI-PMH's.
    """
    text = day.isoformat()
    if granularity == "YYYY-MM-DD":
        return Bounds(text, text)
    if granularity.lower() == "yyyy-mm-ddthh:mm:ssz":
        return Bounds(f"{text}T00:00:00Z", f"{text}T23:59:59Z")
    raise ValueError(
        f"granularity {granularity!r}: must be YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ (OAI-PMH 2.0, section 3.3.1)"
    )


def is_closed(fetched: Fetched) -> bool:
    """Whether the window was over, and had settled, when it was fetched."""
    end = dt.datetime.combine(fetched.day + dt.timedelta(days=1), dt.time(), dt.UTC)
    return fetched.at >= end + SETTLING


def days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    for number in range((last - first).days + 1):
        yield first + dt.timedelta(days=number)


def plan_windows(harvested: Iterable[Fetched], first_day: dt.date, now: dt.datetime) -> list[dt.date]:
    """Days to fetch, oldest first: those that are over and were never fetched, or only before they were over.

    A window that was fetched while it ran is fetched again; what came in twice is known by its identifier and content.
    The present day is not among them: it is not over.
    """
    closed = {each.day for each in harvested if is_closed(each)}
    last = (now.astimezone(dt.UTC) - SETTLING).date() - dt.timedelta(days=1)
    return [day for day in days(first_day, last) if day not in closed]
