"""What writing a plan will cost: requests, and when it would be done."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What an API asks for a change of a record: requests to write, each for `batch` records, and to read, each for `read_batch`
    (0: as many as are written), and reads that each changed record needs of its own, however many are in a request."""

    write_requests: int = 1
    read_requests: int = 1
    batch: int = 1
    own_reads: int = 0
    read_batch: int = 0


class Quota(NamedTuple):
    """Requests that may be made; None: no limit is set."""

    per_second: float | None = None
    per_day: int | None = None


class Estimate(NamedTuple):
    """seconds: None where neither a quota nor an earlier load says how long it takes. days: how many days' quota it needs."""

    requests: int
    seconds: float | None
    days: int | None

    @property
    def sentence(self) -> str:
        if not self.requests:
            return "no requests"
        parts = [f"about {self.requests:,} requests"]
        parts.append(
            f"about {duration(self.seconds)}"
            if self.seconds is not None
            else "no quota and no earlier load says how long"
        )
        if self.days is not None and self.days > 1:
            parts.append(f"the quota of {self.days:,} days")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """'12 s', '5 min', '3 h 20 min'."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def quota_of(ils: dict[str, Any]) -> Quota:
    """Of the table `[ils]` as a dictionary; no limit where it has no table `quota`."""
    table = ils.get("quota") or {}
    return Quota(table.get("per_second") or None, table.get("per_day") or None)


def estimate(created: int, updated: int, cost: Cost, quota: Quota, seconds_a_record: float | None = None) -> Estimate:
    """Of a plan that creates and updates (suppresses are updates) so many records.

    Args:
        seconds_a_record: what the source's last load took; the quota may make it longer, never shorter.
    """
    records = created + updated
    batch = max(1, cost.batch)
    requests = math.ceil(records / batch) * cost.write_requests
    requests += math.ceil(updated / (cost.read_batch or batch)) * cost.read_requests + updated * cost.own_reads
    bounds = [requests / quota.per_second] if quota.per_second else []
    bounds += [records * seconds_a_record] if seconds_a_record else []
    days = math.ceil(requests / quota.per_day) if quota.per_day else None
    if days is not None and days > 1:
        bounds.append((days - 1) * 86_400.0)
    return Estimate(requests, max(bounds) if bounds else None if records else 0.0, days)
