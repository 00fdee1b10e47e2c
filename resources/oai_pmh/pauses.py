"""How long a server asks us to wait."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime

# A run that waits longer holds its place in the queue for nothing: it fails, and the sensor asks again.
LONGEST_PAUSE = 600.0


def pause_of(retry_after: str) -> float | None:
    """Seconds by a Retry-After header (RFC 9110, section 10.2.3: seconds or a date), LONGEST_PAUSE at most; None: it says none."""
    text = retry_after.strip()
    if text.isdecimal():
        return min(float(text), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return min(max((moment - dt.datetime.now(dt.UTC)).total_seconds(), 0.0), LONGEST_PAUSE)
