"""Table `ils`: the library system, and what all workers together may ask of it."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from holdfast.settings.checks import Address, Table, TimeOfDay


def _minutes(time_of_day: str) -> int:
    """Minutes since midnight."""
    return int(time_of_day[:2]) * 60 + int(time_of_day[3:])


def _check_whole(key: str, rate: float | None) -> None:
    if rate is not None and rate > 1 and rate != int(rate):
        raise ValueError(f"{key}: found {rate:g}; a whole number, or a fraction below 1")


class QuotaProfile(Table):
    """Other limits at a time of day: how much a load may ask while readers are there."""

    start: TimeOfDay = Field(alias="from", description="HH:MM by library.timezone, this minute included")
    end: TimeOfDay = Field(
        alias="to", description="HH:MM, this minute not included; before `from`: on the next day; 24:00: midnight"
    )
    per_second: float | None = Field(
        default=None, ge=0.01, le=10_000, description="in place of ils.quota.per_second; a fraction below 1 is allowed"
    )
    concurrency: int | None = Field(default=None, ge=1, le=64, description="in place of ils.quota.concurrency")

    @model_validator(mode="after")
    def _says_something(self) -> QuotaProfile:
        if self.start == self.end:
            raise ValueError(f"from and to: both are {self.start}; a profile for the whole day is ils.quota itself")
        if self.per_second is None and self.concurrency is None:
            raise ValueError("per_second, concurrency: one of them is needed, else the profile changes nothing")
        _check_whole("per_second", self.per_second)
        return self

    @property
    def minutes(self) -> frozenset[int]:
        """Minutes of the day at which it holds."""
        first, last = _minutes(self.start), _minutes(self.end)
        spans = (range(first, last),) if first < last else (range(first, 1440), range(last))
        return frozenset(minute for span in spans for minute in span)


class Quota(Table):
    """What all workers and jobs together may ask of the library system: docs/operations/quota-and-readers.md."""

    per_second: float = Field(
        default=100, ge=0.01, le=10_000, description="requests in any one second; a fraction below 1 is allowed"
    )
    per_day: int = Field(default=0, ge=0, description="requests in a day of library.timezone; 0: no limit")
    concurrency: int = Field(
        default=8, ge=1, le=64, description="requests in flight at a time, at most; fewer while answers are slow"
    )
    remaining_header: str = Field(
        default="X-Exl-Api-Remaining",
        pattern=r"^[A-Za-z0-9-]*$",
        description="header in which the system says how many requests the day has left; empty: it has none",
    )
    left_to_others: int = Field(
        default=0, ge=0, description="of what that header says, so many are not used: other programs share it"
    )
    profiles: tuple[QuotaProfile, ...] = Field(
        default=(), description="by time of day, each a table `[[ils.quota.profiles]]`"
    )

    @model_validator(mode="after")
    def _profiles_do_not_overlap(self) -> Quota:
        _check_whole("per_second", self.per_second)
        taken: dict[int, QuotaProfile] = {}
        for profile in self.profiles:
            for minute in sorted(profile.minutes):
                if other := taken.get(minute):
                    raise ValueError(
                        f"profiles: {profile.start} to {profile.end} and {other.start} to {other.end} both hold at "
                        f"{minute // 60:02}:{minute % 60:02}; let one end where the other begins"
                    )
                taken[minute] = profile
        return self

    @property
    def most_concurrency(self) -> int:
        """The highest of all times of day."""
        return max([self.concurrency, *(each.concurrency for each in self.profiles if each.concurrency)])


class Circuit(Table):
    """When the library system counts as down for all workers, and when it is tried again."""

    failures: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="requests that got no answer, or 502, 503, 504, in the window: it is left alone; they must be half of "
        "all in it, too",
    )
    window_seconds: float = Field(default=30, gt=0, le=3600, description="in which failures are counted")
    probe_seconds: float = Field(
        default=10,
        gt=0,
        le=3600,
        description="until one request tries it; doubled with each that fails, up to ten times",
    )


class Readers(Table):
    """A request as a reader sends it, watched while loads run: when readers wait, loads slow down."""

    url: Address = Field(
        default="",
        description="asked by GET without a login, as the search of the public catalogue; empty: nobody watches",
    )
    limit_ms: float = Field(
        default=1000, gt=0, description="95th percentile above which the rate of all loads is halved"
    )
    interval_seconds: float = Field(default=0.25, ge=0.1, le=1, description="between two such requests")
    window_seconds: float = Field(
        default=5, ge=1, le=60, description="whose requests make the percentile; four intervals at least"
    )
    least_share: float = Field(
        default=0.05, gt=0, le=1, description="of the rate that is always left to the loads, so that they end"
    )

    @model_validator(mode="after")
    def _address_and_window_fit(self) -> Readers:
        if self.url and urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"url: found {self.url!r}; an address that starts with http:// or https://")
        if self.window_seconds < 4 * self.interval_seconds:
            raise ValueError(
                f"window_seconds: found {self.window_seconds:g}; at least four times interval_seconds, "
                f"{4 * self.interval_seconds:g}"
            )
        return self


class Ils(Table):
    """The library system; its address and login come from HOLDFAST_ILS_*."""

    adapter: Literal["folio", "koha"] = Field(default="folio", description="which API it speaks")
    name: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$|^$",
        description="under which its ledger and snapshot are kept; empty: the adapter and the tenant, of Koha "
        "its host and port. A sandbox of the same tenant needs one of its own",
    )
    moved_from: str = Field(
        default="", description="address that the system of this name had before it moved; only while it moves"
    )
    oai_url: str = Field(default="", description="Koha's OAI-PMH server; empty: HOLDFAST_ILS_URL/cgi-bin/koha/oai.pl")
    mark_field: str = Field(
        default="948",
        pattern=r"^9[0-9]{2}$",
        description="Koha: local field that says which change wrote a record; by it a lost answer is found again",
    )
    duplicate_check: bool = Field(
        default=True,
        description="Koha: it may refuse a new record that it holds for a duplicate; false: matching alone decides",
    )
    chunk_records: int = Field(default=100, ge=1, le=100, description="records in one request")
    progress_records: int = Field(
        default=500, ge=1, le=1000, description="records that are locked at once, and counted in one line of the log"
    )
    lease_seconds: float = Field(
        default=30, ge=1, le=600, description="after which the locks of a worker that died are free for others"
    )
    timeout_seconds: float = Field(default=60, gt=0, description="for one request")
    retries: int = Field(
        default=5, ge=0, le=20, description="of a request that surely was not done, before the system counts as down"
    )
    quota: Quota = Field(default=Quota(), description="what all workers together may ask of it")
    circuit: Circuit = Field(default=Circuit(), description="when it counts as down for all workers")
    readers: Readers = Field(default=Readers(), description="whose waiting slows the loads")
