"""Table `deltas`: when holdings and circulation are read, and how far around the day."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from holdfast.settings.checks import Cron, Table


class Deltas(Table):
    """Holdings and circulation of the library system, read by the day."""

    overlap_minutes: int = Field(
        default=10, ge=0, le=1440, description="before the day's begin that are asked for again: clocks are off"
    )
    settling_minutes: int = Field(
        default=10, ge=0, le=1440, description="after the day's end before it counts as over: changes are entered late"
    )
    whole_days: int = Field(
        default=7, ge=1, le=90, description="so often all holdings and items are read: only so deletions are found"
    )
    removed_share: float = Field(
        default=0.2, ge=0, le=1, description="share of the known holdings and items that one comparison may call gone"
    )
    circulation_schedule: Cron = Field(default="30 0 * * *", description="cron of the reading of the day before")
    holdings_schedule: Cron = Field(default="45 0 * * *", description="cron of the reading of the day before")

    @property
    def overlap(self) -> dt.timedelta:
        return dt.timedelta(minutes=self.overlap_minutes)

    @property
    def settling(self) -> dt.timedelta:
        return dt.timedelta(minutes=self.settling_minutes)
