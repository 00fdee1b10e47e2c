"""Which nights a schedule has: cron of five fields in the library's time zone (crontab(5))."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator

from cronsim import CronSim, CronSimError


def check_cron(value: str) -> str:
    """Its value, unchanged.

    Raises:
        ValueError: not five fields of numbers, or one that no minute, hour, day, month or weekday has.
    """
    said = "must be five cron fields: minute hour day month weekday, as '0 2 * * *'"
    if len(value.split()) != 5 or any(each not in "0123456789*/,- " for each in value):
        raise ValueError(said)
    try:
        CronSim(value, dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    except CronSimError as error:
        raise ValueError(f"{said}; {str(error).lower()}") from error
    return value


def nights(cron: str, since: dt.datetime, until: dt.datetime, timezone: str) -> Iterator[dt.date]:
    """The days whose load starts at a tick of `cron` after `since` and not after `until`: each the day before its tick.

    `since` and `until` carry a time zone; the ticks are those of `timezone` (a name of the IANA database).
    """
    zone = zoneinfo.ZoneInfo(timezone)
    for tick in CronSim(cron, since.astimezone(zone)):
        if tick > until:
            return
        yield tick.date() - dt.timedelta(days=1)
