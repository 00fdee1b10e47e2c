"""Which limits hold when: the quota's profiles by the library's time of day, and the days that are counted.

Pure arithmetic. The moments come from whoever asks (the governor: from Redis), never from this machine's clock.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple
from zoneinfo import ZoneInfo

from holdfast.settings import Quota

# No change of a zone's offset falls between two of these, so that a look at each quarter of an hour misses none.
_QUARTER_HOUR = 900


class Limits(NamedTuple):
    """What holds in [since, until), seconds since 1970.

    Attributes:
        per_second: requests a second.
        concurrency: requests in flight.
        per_day: requests in the day; 0: no limit.
        day: the day that is counted, ISO 8601 by the library's time zone.
        day_ends: when the next one begins, seconds since 1970.
    """

    per_second: float
    concurrency: int
    per_day: int
    day: str
    day_ends: float
    since: float
    until: float


def limits_at(quota: Quota, timezone: str, moment: float) -> Limits:
    """What holds at `moment` (seconds since 1970), and until when that is sure."""
    zone = ZoneInfo(timezone)
    local = dt.datetime.fromtimestamp(moment, zone)
    minute = local.hour * 60 + local.minute
    profile = next((each for each in quota.profiles if minute in each.minutes), None)
    tomorrow = dt.datetime.combine(local.date() + dt.timedelta(days=1), dt.time(), zone)
    day_ends = tomorrow.timestamp()
    # Profiles change on a minute, offsets on a quarter of an hour.
    since = moment // 60 * 60
    until = since + 60
    while until < (since // _QUARTER_HOUR + 1) * _QUARTER_HOUR and until < day_ends:
        later = dt.datetime.fromtimestamp(until, zone)
        if next((each for each in quota.profiles if later.hour * 60 + later.minute in each.minutes), None) != profile:
            break
        until += 60
    per_second, concurrency = quota.per_second, quota.concurrency
    if profile is not None:
        per_second = profile.per_second or per_second
        concurrency = profile.concurrency or concurrency
    return Limits(
        per_second, concurrency, quota.per_day, local.date().isoformat(), day_ends, since, min(until, day_ends)
    )


def share_of(per_second: float, workers: int) -> int:
    """Requests a second that one of so many workers may send when they cannot agree; 0 where none is surely left."""
    return math.floor(per_second / max(workers, 1))


def percentile(values: list[float], share: float) -> float:
    """Nearest-rank percentile; of no values 0."""
    if not values:
        return 0.0
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]
