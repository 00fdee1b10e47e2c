"""When a vendor's drops are due, and which of them did not come."""

from __future__ import annotations

import calendar
import datetime as dt
import re
import zoneinfo
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALLOWED = (
    "daily, weekly mon (… sun), monthly 15 (1 to 31; a shorter month has it on its last day), every 3 days (2 to 366)"
)


@dataclass(frozen=True)
class Rhythm:
    """number: weekday from 0 (Monday), day of the month, or how many days."""

    kind: Literal["never", "daily", "weekly", "monthly", "every"]
    number: int = 0

    def due(self, day: dt.date, first: dt.date) -> bool:
        """Whether a drop is due on `day`; `first` is the day that 'every' counts from."""
        if self.kind == "weekly":
            return day.weekday() == self.number
        if self.kind == "monthly":
            return day.day == min(self.number, calendar.monthrange(day.year, day.month)[1])
        if self.kind == "every":
            return (day - first).days % self.number == 0
        return self.kind == "daily"


def parse_rhythm(text: str) -> Rhythm:
    """The setting `rhythm`; empty: never.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    words = text.lower().split()
    if not words:
        return Rhythm("never")
    if words == ["daily"]:
        return Rhythm("daily")
    if len(words) == 2 and words[0] == "weekly" and words[1] in WEEKDAYS:
        return Rhythm("weekly", WEEKDAYS.index(words[1]))
    if found := re.fullmatch(r"monthly (\d{1,2})", " ".join(words)):
        if 1 <= int(found[1]) <= 31:
            return Rhythm("monthly", int(found[1]))
    elif (found := re.fullmatch(r"every (\d{1,3}) days", " ".join(words))) and 2 <= int(found[1]) <= 366:
        return Rhythm("every", int(found[1]))
    raise ValueError(f"must be one of: {_ALLOWED}")


def days_due(rhythm: Rhythm, first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """Days from `first` to `last`, both included, on which a drop is due."""
    for number in range((last - first).days + 1):
        day = first + dt.timedelta(days=number)
        if rhythm.due(day, first):
            yield day


def missed(
    rhythm: Rhythm,
    came: Collection[dt.date],
    *,
    first: dt.date,
    now: dt.datetime,
    grace: dt.timedelta,
    timezone: str,
) -> list[dt.date]:
    """Due days whose drop did not come, `grace` after the end of the day in the library's time zone.

    `came`: days of the drops that came. A drop that came late stands for the due day before it, unless that has its own:
    a weekly file of Monday that comes on Tuesday is late and not missed. `first`: the first day that counts, usually
    that of the first drop ever; 'every' counts from it.
    """
    zone = zoneinfo.ZoneInfo(timezone)
    due = list(days_due(rhythm, first, now.astimezone(zone).date()))
    out = []
    for number, day in enumerate(due):
        until = due[number + 1] if number + 1 < len(due) else dt.date.max
        over = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone) + grace
        if now >= over and not any(day <= each < until for each in came):
            out.append(day)
    return out


class Expected(Protocol):
    """What a source's settings say of its rhythm."""

    @property
    def rhythm(self) -> str: ...

    @property
    def grace_hours(self) -> float: ...


LOOK_BACK = dt.timedelta(days=62)


def missed_of(
    source: Expected, came: Collection[dt.date], *, now: dt.datetime, timezone: str, since: dt.date | None = None
) -> list[dt.date]:
    """`missed` by a source's settings, over LOOK_BACK at most.

    Counted from the first drop that came, or from `since` if that is earlier: a source that never sent anything is missed
    from the day that it was first expected.
    """
    starts = [day for day in (since, min(came, default=None)) if day is not None]
    if not starts:
        return []
    rhythm, first, grace = parse_rhythm(source.rhythm), min(starts), dt.timedelta(hours=source.grace_hours)
    found = missed(rhythm, came, first=first, now=now, grace=grace, timezone=timezone)
    return [day for day in found if day >= (now - LOOK_BACK).date()]
