"""`holdfast.toml`: one typed file for everything that is a choice of the institution.

Addresses and secrets are not in it: they come from environment variables (see `Environment`). A wrong key, type or
value raises `SettingsError`, whose text names the key, what was found and what is allowed.
"""

from __future__ import annotations

import datetime as dt
import difflib
import fnmatch
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from holdfast.catalogue.budget import Budget
from holdfast.catalogue.merging import FieldSpec, MergeRule
from holdfast.catalogue.systems import SYSTEM_FIELDS
from holdfast.feeds.elements import ELEMENTS as FEED_ELEMENTS
from holdfast.feeds.elements import HOLDINGS, ITEMS, Element, FeedKind
from holdfast.feeds.elements import KEYS as FEED_KEYS
from holdfast.harvest.rhythm import parse_rhythm
from holdfast.marc.encoding import MARC21, UNIMARC, Reading
from holdfast.marc.validation.issues import KINDS
from holdfast.marc.validation.local import LocalRule
from holdfast.museum.elements import ELEMENTS
from holdfast.privacy.entities import MASKED_IN_ENTITIES


class SettingsError(ValueError):
    """`holdfast.toml` or the environment is wrong; the text lists every fault, a line each."""


def _check_timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be a name of the IANA time zone database, as Europe/Vienna or UTC") from error
    return value


def _check_cron(value: str) -> str:
    if len(value.split()) != 5 or not re.fullmatch(r"[\d*/,\- ]+", value):
        raise ValueError("must be five cron fields: minute hour day month weekday, as '0 2 * * *'")
    return value


def _check_entity_spec(value: str) -> str:
    if not re.fullmatch(r"(holdings|item):(/[^/\s]+)+", value):
        raise ValueError("must be holdings or item, a colon and a JSON pointer, as 'item:/circulationNotes/*/note'")
    return value


def _check_rhythm(value: str) -> str:
    parse_rhythm(value)
    return value


def _check_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("must hold no user and no password: these are environment variables (docs/how-to/harvest.md)")
    if parts.scheme and not parts.netloc:
        raise ValueError("must name a host (of S3: the bucket), as sftp://files.vendor.example/marc")
    return value


def _check_file_day(value: str) -> str:
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise ValueError(f"must be a regular expression; {error}") from error
    if value and "day" not in groups and not {"year", "month", "date"} <= set(groups):
        raise ValueError(
            "must have a group (?P<day>…) that matches YYYYMMDD, YYMMDD or YYYY-MM-DD, or the groups year, month and date"
        )
    return value


def _check_number_pattern(value: str) -> str:
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise ValueError(f"must be a regular expression; {error}") from error
    if "number" not in groups:
        raise ValueError("must have a group (?P<number>…): the control number in an OAI identifier")
    return value


def _check_name(value: str) -> str:
    # Names become partition keys and folders: '|' and '/' would make them ambiguous.
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise ValueError("must be lower-case letters, digits and '_', starting with a letter, 40 at most")
    return value


def _check_time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", value):
        raise ValueError("must be a time of day from 00:00 to 24:00, as '07:30'")
    return value


def _minutes(time_of_day: str) -> int:
    """Minutes since midnight."""
    return int(time_of_day[:2]) * 60 + int(time_of_day[3:])


def _check_whole(key: str, rate: float | None) -> None:
    if rate is not None and rate > 1 and rate != int(rate):
        raise ValueError(f"{key}: found {rate:g}; a whole number, or a fraction below 1")


Timezone = Annotated[str, AfterValidator(_check_timezone)]
TimeOfDay = Annotated[str, AfterValidator(_check_time_of_day)]
Cron = Annotated[str, AfterValidator(_check_cron)]
EntitySpec = Annotated[str, AfterValidator(_check_entity_spec)]
Name = Annotated[str, AfterValidator(_check_name)]
Address = Annotated[str, AfterValidator(_check_address)]
Rhythm = Annotated[str, AfterValidator(_check_rhythm)]
FileDay = Annotated[str, AfterValidator(_check_file_day)]
NumberPattern = Annotated[str, AfterValidator(_check_number_pattern)]
Encoding = Literal["utf-8", "marc-8", "cp1252", "latin-1", "utf-8-twice", "iso-5426"]  # encoding.ENCODINGS
MatchKey = Literal["control_number", "ocn", "isbn", "issn", "lccn", "title"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Library(_Table):
    """Who runs this."""

    name: str = Field(min_length=1, description="shown to people")
    marc_organization_code: str = Field(
        default="", pattern=r"^[A-Za-z0-9\-/: ]*$", description="003 of the records that the library makes"
    )
    timezone: Timezone = Field(default="UTC", description="IANA name; the day of a drop is a day there")


class Paths(_Table):
    """Where things lie; relative paths start at the folder of `holdfast.toml`."""

    var: Path = Field(
        default=Path("var"), description="lake, vault, embedded services, logs; HOLDFAST_VAR goes before it"
    )
    drops: Path | None = Field(default=None, description="MARC drops, a folder a source; default: VAR/drops/marc")
    scans: Path | None = Field(default=None, description="scan drops, a folder a batch; default: VAR/drops/scans")
    exports: Path | None = Field(
        default=None, description="museum exports, a folder a collection; default: VAR/drops/museum"
    )
    authorities: Path | None = Field(
        default=None, description="authority files, a folder each; default: VAR/drops/authorities"
    )
    feeds: Path | None = Field(
        default=None, description="feeds of patrons, items and holdings, a folder each; default: VAR/drops/feeds"
    )
    partners: Path | None = Field(
        default=None, description="exports for partners, a folder each; default: VAR/exports/partners"
    )


class Partitions(_Table):
    """How far back the partitions go."""

    first_day: dt.date = Field(default=dt.date(2026, 1, 1), description="the first day that has partitions")


class Limits(_Table):
    """Bounds on what one drop may ask of the machine."""

    block_bytes: int = Field(default=4_000_000, ge=100_000, le=64_000_000, description="bytes of MARC read at once")
    image_pixels: int = Field(default=400_000_000, ge=1_000_000, description="pixels above which a page is refused")
    page_bytes: int = Field(default=2_000_000_000, ge=1_000_000, description="bytes of one page")
    manifest_bytes: int = Field(default=16_000_000, ge=1_000, description="bytes of a manifest")
    xml_record_bytes: int = Field(default=16_000_000, ge=10_000, description="bytes of one record in an XML export")
    answer_bytes: int = Field(
        default=64_000_000, ge=100_000, description="bytes of one answer of an OAI-PMH or SRU service"
    )
    hashing_seconds: float = Field(
        default=10, gt=0, le=40, description="that one tick of the drop sensor hashes new files; the next goes on"
    )


class QuotaProfile(_Table):
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


class Quota(_Table):
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


class Circuit(_Table):
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


class Readers(_Table):
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


class Ils(_Table):
    """The library system; its address and login come from HOLDFAST_ILS_*."""

    adapter: Literal["folio", "koha"] = Field(default="folio", description="which API it speaks")
    name: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$|^$",
        description="under which its ledger and snapshot are kept; empty: the adapter and the tenant. A sandbox of the same "
        "tenant needs one of its own",
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


class Deltas(_Table):
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


# What a `files` source may be fetched from; without an address it is a folder below paths.drops.
DROP_SCHEMES = ("sftp", "ftp", "ftps", "s3")


class Source(_Table):
    """A vendor, consortium or department that sends MARC, or a repository that is asked for it."""

    title: str = Field(default="", description="shown to people")
    kind: Literal["files", "oai-pmh", "sru"] = Field(
        default="files", description="how records come: as files, or by asking a repository"
    )
    url: Address = Field(
        default="",
        description="sftp://, ftp://, ftps:// or s3:// folder of the files (empty: DROPS/NAME), or the address of an "
        "OAI-PMH or SRU service; user and password are HOLDFAST_SOURCE_NAME_*",
    )
    pattern: str = Field(default="*.mrc", description="names of the files in the drop folder that count")
    file_day: FileDay = Field(
        default="",
        description="regular expression that finds the day in a file's name, in a group `day`; empty: the day of the "
        "file's last change",
    )
    still_seconds: float = Field(
        default=3, ge=0, description="a drop is complete once nothing in it changed for so long"
    )
    delay_seconds: float = Field(
        default=0, ge=0, description="and it is loaded once so long has passed since: time for a vendor to correct it"
    )
    poll_seconds: int = Field(default=300, ge=5, le=86_400, description="how often a remote folder is looked into")
    known_hosts: Path | None = Field(
        default=None, description="file of SSH host keys, needed for sftp://; a host that is not in it is refused"
    )
    endpoint: Address = Field(default="", description="of an S3 service that is not AWS: https://host:port")
    rhythm: Rhythm = Field(
        default="",
        description="when drops are expected: daily, weekly mon, monthly 15 or every 3 days; empty: nobody misses them",
    )
    grace_hours: float = Field(
        default=12, ge=0, description="after the end of a due day before its drop counts as missed"
    )
    metadata_prefix: str = Field(
        default="marc21", min_length=1, description="OAI-PMH: format that is asked for, MARCXML by whatever name"
    )
    set_spec: str = Field(default="", description="OAI-PMH: set that is asked for; empty: all")
    harvest_from: dt.date | None = Field(
        default=None, description="OAI-PMH and SRU: first day that is harvested; default: partitions.first_day"
    )
    number_pattern: NumberPattern = Field(
        default=r"(?P<number>[^:/]+)$",
        description="OAI-PMH: finds the control number in the identifier of a deleted record that never was here alive",
    )
    number_org: str = Field(default="", description="OAI-PMH: 003 of such a record")
    query: str = Field(
        default="",
        description="SRU: CQL; {day} (or {day:%Y%m%d}) stands for the day that is harvested, as rec.changeDate = {day}",
    )
    all_query: str = Field(
        default="",
        description="SRU: CQL of all records, for the comparison; empty: `query` if it names no day, else none is made",
    )
    record_schema: str = Field(default="marcxml", min_length=1, description="SRU: recordSchema that is asked for")
    page_records: int = Field(default=100, ge=1, le=10_000, description="SRU: records in one answer")
    timeout_seconds: float = Field(default=60, gt=0, description="remote sources: for one answer")
    retries: int = Field(default=5, ge=0, le=20, description="remote sources: after a broken connection or a 503")
    match: tuple[MatchKey, ...] = Field(
        default=("control_number", "ocn", "isbn", "issn", "lccn"),
        description="keys tried, in this order; `title` (title, author and year together) is weaker and may stand last",
    )
    schedule: Cron = Field(default="0 2 * * *", description="cron of the nightly load of the day before")
    completeness: Cron = Field(
        default="0 6 * * 0", description="OAI-PMH and SRU: cron of the comparison with all that the source has"
    )
    protected: tuple[FieldSpec, ...] = Field(
        default=("59X", "9XX"),
        description="fields and subfields of the live record that a load never touches; by default those that MARC 21 leaves to "
        "the library",
    )
    merge: tuple[MergeRule, ...] = Field(
        default=(), description="merge rules, each a table `[[sources.NAME.merge]]`; what none covers is replaced"
    )
    first_load: Literal["ask", "apply"] = Field(
        default="ask",
        description="of a source that never wrote anything: the plan waits for a person (docs/operations/approve-a-plan.md), or "
        "is written at once",
    )
    dialect: Literal["marc21", "unimarc"] = Field(
        default="marc21", description="which format the records are in; unimarc needs validation.schemas.unimarc"
    )
    encodings: tuple[Encoding, ...] = Field(
        default=(),
        description="in which its bytes may be, tried in this order on what is not UTF-8; a conversion is used only if it can "
        "be undone; empty: utf-8 and marc-8, or utf-8 and iso-5426 for unimarc",
    )
    stop_on: tuple[str, ...] = Field(
        default=(),
        description="codes of issues (docs/reference/issues.md, or local.NAME) that send a record to quarantine; by default "
        "issues are reported and stop nothing",
    )
    suppress_deleted: bool = Field(default=True, description="leader/05 d: suppressed, never deleted by a load")

    @property
    def reading(self) -> Reading:
        """How its records may be decoded."""
        usual = UNIMARC if self.dialect == "unimarc" else MARC21
        return usual._replace(encodings=tuple(self.encodings)) if self.encodings else usual

    @property
    def asked(self) -> bool:
        """Whether records come by asking a repository, window by window."""
        return self.kind != "files"

    @property
    def remote_files(self) -> bool:
        return self.kind == "files" and bool(self.url)

    @model_validator(mode="after")
    def _address_fits_kind(self) -> Source:
        scheme = urlsplit(self.url).scheme
        allowed = ("http", "https") if self.asked else DROP_SCHEMES
        if (self.asked or self.url) and scheme not in allowed:
            names = " or ".join(f"{name}://" for name in allowed)
            raise ValueError(
                f"url: found {self.url!r}; a source of kind {self.kind} has an address that starts with {names}"
            )
        if scheme == "sftp" and self.known_hosts is None:
            raise ValueError(
                "known_hosts: missing; an sftp:// source needs the file of its host's key (ssh-keyscan makes it)"
            )
        if self.kind == "sru" and not self.query:
            raise ValueError("query: missing; an SRU source needs a CQL query, as rec.changeDate = {day}")
        try:
            self.query_of(dt.date(2026, 1, 31))
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(
                f"query: {error}: the only placeholder is {{day}}, as {{day}} or {{day:%Y%m%d}}"
            ) from error
        return self

    def query_of(self, day: dt.date) -> str:
        """The CQL of the day's window."""
        return self.query.format(day=day)

    @property
    def by_day(self) -> bool:
        """Whether the repository can be asked for one day."""
        return self.kind == "oai-pmh" or (self.kind == "sru" and "{day" in self.query)

    @model_validator(mode="after")
    def _match_is_in_order(self) -> Source:
        if len(set(self.match)) < len(self.match):
            raise ValueError(f"match: {', '.join(self.match)}: a key is named twice")
        if "title" in self.match[:-1]:
            raise ValueError(
                "match: title stands last: it counts only where no identifier leads to a record of the catalogue"
            )
        return self


class AuthorityFiles(_Table):
    """Authority records that headings are linked to: of one agency or thesaurus, in one file or several."""

    title: str = Field(default="", description="shown to people")
    pattern: str = Field(default="*.mrc*", description="names of the files in its folder that count; gzip by `.gz`")
    thesaurus: str = Field(
        default="",
        pattern=r"^[a-z0-9/]{0,20}$",
        description="MARC source code (lcsh, mesh, gnd …) of records that name none in 008/11 or 040 $f",
    )
    still_seconds: float = Field(default=3, ge=0, description="a file is complete once it has not changed for so long")


class Schemas(_Table):
    """Avram schemas by kind of record; Holdfast's own, made from the MARC 21 documentation, where there is none."""

    bibliographic: Path | None = Field(default=None, description="of MARC 21 bibliographic records; plain JSON or gzip")
    authority: Path | None = Field(default=None, description="of authority records")
    holdings: Path | None = Field(default=None, description="of holdings records (MFHD)")
    unimarc: Path | None = Field(default=None, description="of UNIMARC records; Holdfast has none of its own")


class Validation(_Table):
    """What records are held against: docs/how-to/validation.md."""

    schemas: Schemas = Field(default=Schemas(), description="paths of Avram schemas by kind of record")
    severity: dict[str, Literal["error", "warning", "info", "off"]] = Field(
        default_factory=dict, description="code of an issue = its severity, in place of the one it has"
    )
    rules: tuple[LocalRule, ...] = Field(default=(), description="local rules, each a table `[[validation.rules]]`")

    @model_validator(mode="after")
    def _names_are_known_and_single(self) -> Validation:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: {', '.join(twice)}: named twice; each rule has a name of its own")
        for code in self.severity:
            _check_issue(f"severity.{code}", code, self.rules)
        return self


def _check_issue(key: str, code: str, rules: tuple[LocalRule, ...]) -> None:
    known = [*KINDS, *(rule.code for rule in rules)]
    if code not in known:
        near = difflib.get_close_matches(code, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"{key}: found {code!r}; no such issue (allowed: {', '.join(known)}){hint}")


class Collection(_Table):
    """A museum collection that is exported from its collection management system."""

    title: str = Field(default="", description="shown to people")
    format: Literal["csv", "lido", "oai_dc"] = Field(description="csv, lido (XML) or oai_dc (XML, as OAI-PMH gives it)")
    kind: Literal["files", "oai-pmh"] = Field(
        default="files", description="how objects come: as files, or by asking a repository"
    )
    url: Address = Field(
        default="", description="OAI-PMH: address of the repository; user and password are HOLDFAST_COLLECTION_NAME_*"
    )
    metadata_prefix: str = Field(
        default="", description="OAI-PMH: format that is asked for; default: the collection's format"
    )
    set_spec: str = Field(default="", description="OAI-PMH: set that is asked for; empty: all")
    timeout_seconds: float = Field(default=60, gt=0, description="OAI-PMH: for one answer")
    retries: int = Field(default=5, ge=0, le=20, description="OAI-PMH: after a broken connection or a 503")
    pattern: str = Field(default="*", description="names of the files in the export folder that count")
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "latin-1"] = Field(default="utf-8-sig", description="of a csv")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="of a csv")
    columns: dict[str, str] = Field(
        default_factory=dict, description="element (holdfast/museum/elements.py) = column of the CSV"
    )
    constants: dict[str, str] = Field(default_factory=dict, description="element = the same value for every object")
    separator: str = Field(default="", max_length=3, description="between values in a cell; empty: a cell is one value")
    required: tuple[str, ...] = Field(
        default=("identifier", "title"), description="elements that no object may be without"
    )
    full: bool = Field(
        default=True,
        description="each export holds every object: those that are missing are withdrawn; OAI-PMH: the whole set is "
        "harvested each time, else the day's window",
    )
    withdraw_share: float = Field(
        default=0.2, ge=0, le=1, description="share of the public objects that one export may withdraw"
    )
    still_seconds: float = Field(
        default=3, ge=0, description="an export is complete once nothing in it changed for so long"
    )
    schedule: Cron = Field(default="0 3 * * *", description="cron of the nightly load")

    @model_validator(mode="after")
    def _elements_are_known(self) -> Collection:
        for element in (*self.columns, *self.constants, *self.required):
            if element not in ELEMENTS:
                near = difflib.get_close_matches(element, ELEMENTS, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise ValueError(f"{element}: no such element (allowed: {', '.join(ELEMENTS)}){hint}")
        return self

    @model_validator(mode="after")
    def _harvest_has_address(self) -> Collection:
        if self.kind == "oai-pmh" and urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"url: found {self.url!r}; a collection of kind oai-pmh has an address, https://…")
        if self.kind == "oai-pmh" and self.format == "csv":
            raise ValueError("format: found 'csv'; a collection of kind oai-pmh is lido or oai_dc")
        if self.kind == "oai-pmh" and not fnmatch.fnmatchcase("oai-pmh-2026-01-31.xml", self.pattern):
            raise ValueError(
                f"pattern: found {self.pattern!r}; harvests are files as oai-pmh-2026-01-31.xml, leave it away"
            )
        return self

    @model_validator(mode="after")
    def _csv_has_columns(self) -> Collection:
        if self.format == "csv" and not {"identifier", "title"} <= self.columns.keys() | self.constants.keys():
            raise ValueError("columns: a csv collection maps at least 'identifier' and 'title' to columns")
        return self


class Feed(_Table):
    """A table of patrons, items or holdings that another system sends, and that is written to the library system."""

    title: str = Field(default="", description="shown to people")
    kind: FeedKind = Field(description="what its rows are: patrons, items or holdings")
    format: Literal["csv", "marc"] = Field(
        default="csv", description="marc: holdings records (MFHD) in ISO 2709 or XML"
    )
    pattern: str = Field(default="*.csv", description="names of the files in its folder that count")
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "latin-1"] = Field(default="utf-8-sig", description="of a csv")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="of a csv")
    columns: dict[str, str] = Field(
        default_factory=dict, description="element (holdfast/feeds/elements.py) = column of the CSV"
    )
    constants: dict[str, str] = Field(default_factory=dict, description="element = the same value in every row")
    key: str = Field(default="", description="element by which a row is found in the library system")
    date_format: str = Field(
        default="%Y-%m-%d", min_length=2, description="of dates in it, as Python's strptime has it"
    )
    full: bool = Field(default=False, description="each file holds everybody; only of patrons")
    missing: Literal["keep", "expire"] = Field(
        default="keep", description="patrons that a full feed does not name: as they are, or expired on the feed's day"
    )
    missing_share: float = Field(
        default=0.05, ge=0, le=1, description="share of the patrons that one full feed may expire; above it waits"
    )
    first_load: Literal["ask", "apply"] = Field(
        default="ask",
        description="of a feed that never wrote anything: the plan waits for a person (docs/operations/approve-a-plan.md), or "
        "is written at once",
    )
    groups: tuple[str, ...] = Field(
        default=(), description="patron groups that a full feed answers for; nobody else is expired; empty: all"
    )
    still_seconds: float = Field(default=3, ge=0, description="a file is complete once it has not changed for so long")
    schedule: Cron = Field(default="0 5 * * *", description="cron of the nightly load")

    @property
    def by(self) -> str:
        """Element by which a row is found in the library system."""
        return self.key or "source_number"

    @model_validator(mode="after")
    def _elements_are_of_its_kind(self) -> Feed:
        allowed = FEED_ELEMENTS[self.kind]
        for element in (*self.columns, *self.constants):
            if element not in allowed:
                near = difflib.get_close_matches(element, allowed, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise ValueError(f"{element}: no such element of {self.kind} (allowed: {', '.join(allowed)}){hint}")
        return self

    @model_validator(mode="after")
    def _has_its_key(self) -> Feed:
        keys = FEED_KEYS[self.kind]
        if self.format == "marc":
            if self.kind != "holdings" or self.columns:
                raise ValueError("format: marc is for feeds of kind holdings, and has no columns")
            return self
        if self.key not in keys:
            raise ValueError(f"key: found {self.key!r} (allowed: {', '.join(keys)})")
        if self.key not in self.columns:
            raise ValueError(f"columns: the key, {self.key}, is not among them")
        return self

    @model_validator(mode="after")
    def _only_a_full_feed_misses(self) -> Feed:
        if self.full and self.kind != "patrons":
            raise ValueError("full: only a feed of patrons can be")
        if (self.missing == "expire" or self.groups) and not self.full:
            raise ValueError("missing, groups: they are for feeds with full = true")
        return self


# What a column of an export may hold; of bibliographic records also fields and subfields, as 245$a.
EXPORTED: Mapping[str, tuple[str, ...]] = {
    "bibliographic": ("id", "number", "deleted"),
    "holdings": ("id", "deleted", *HOLDINGS),
    "items": ("id", "deleted", *ITEMS),
    "circulation": ("item", "barcode", "state", "at", "due", "library", "deleted"),
}


class Export(_Table):
    """A file for a partner: all of the catalogue, or what is new, changed or gone since the last one."""

    title: str = Field(default="", description="shown to people")
    contents: Literal["bibliographic", "holdings", "items", "circulation"] = Field(description="what its records are")
    format: Literal["marc", "marcxml", "csv"] = Field(
        default="marc", description="ISO 2709 in UTF-8, MARCXML or CSV; items and circulation are csv"
    )
    mode: Literal["full", "since"] = Field(
        default="since", description="everything each time, or what differs from the last export that succeeded"
    )
    columns: tuple[str, ...] = Field(
        default=(), description="of a csv: id, number, deleted, elements, or fields and subfields as 245$a; empty: all"
    )
    masked: Literal["drop"] = Field(default="drop", description="masked values never leave: they are left out")
    gzip: bool = Field(default=False, description="packed, with .gz after the name")
    schedule: Cron = Field(default="0 6 * * *", description="cron of the export")

    @model_validator(mode="after")
    def _format_can_hold_it(self) -> Export:
        if self.format != "csv" and self.contents in ("items", "circulation"):
            raise ValueError(f"format: found {self.format!r}; {self.contents} are exported as csv")
        if self.format != "csv" and self.columns:
            raise ValueError(f"columns: only a csv has them, not {self.format}")
        return self

    @model_validator(mode="after")
    def _csv_of_records_names_its_columns(self) -> Export:
        if self.format == "csv" and self.contents == "bibliographic" and not self.columns:
            raise ValueError(
                'columns: a csv of bibliographic records needs them, as ["id", "number", "245$a", "deleted"]'
            )
        return self

    @model_validator(mode="after")
    def _columns_are_known(self) -> Export:
        allowed = EXPORTED[self.contents]
        kind: Mapping[str, Element] = {"holdings": HOLDINGS, "items": ITEMS}.get(self.contents, {})
        for name in self.columns:
            if self.contents == "bibliographic" and re.fullmatch(r"\d{3}(\$[a-z0-9])?", name):
                continue
            if name not in allowed:
                also = ", or a field or subfield, as 245$a" if self.contents == "bibliographic" else ""
                raise ValueError(f"columns: {name}: no column of {self.contents} (allowed: {', '.join(allowed)}{also})")
            if name in kind and kind[name].masked:
                raise ValueError(f"columns: {name}: is masked, and what is masked never leaves")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns: {', '.join(self.columns)}: one is named twice")
        return self

    @property
    def columns_or_all(self) -> tuple[str, ...]:
        """Of a csv; all that are not masked where none is named."""
        masked = {name for kind in (HOLDINGS, ITEMS) for name, element in kind.items() if element.masked}
        return self.columns or tuple(name for name in EXPORTED[self.contents] if name not in masked)

    @property
    def suffix(self) -> str:
        return {"marc": ".mrc", "marcxml": ".xml", "csv": ".csv"}[self.format] + (".gz" if self.gzip else "")


class Scanner(_Table):
    """A device that leaves pages."""

    title: str = Field(default="", description="shown to people")
    kind: Literal["hot_folder", "escl"] = Field(
        default="hot_folder", description="how pages come: it leaves drops, or it is asked over eSCL"
    )
    address: str = Field(default="", description="of an eSCL scanner: http://host:port/eSCL")
    languages: tuple[str, ...] = Field(default=("eng",), description="Tesseract's names, as eng, deu, fra")
    still_seconds: float = Field(
        default=3, ge=0, description="a drop is complete once nothing in it changed for so long"
    )

    @model_validator(mode="after")
    def _escl_has_address(self) -> Scanner:
        if self.kind == "escl" and not re.match(r"https?://", self.address):
            raise ValueError("address: an eSCL scanner needs its address, as http://127.0.0.1:8090/eSCL")
        return self


class Masking(_Table):
    """Fields whose values become `pii:` tokens before the first byte is stored."""

    fields: tuple[FieldSpec, ...] = Field(
        default=("541$h", "583$x", "583$z", "852$x", "876$x", "876$c", "877$x", "877$c", "878$x", "878$c"),
        description="prices, notes for staff and patrons' identifiers, as MARC 21 has them",
    )
    entities: tuple[EntitySpec, ...] = Field(
        default=MASKED_IN_ENTITIES,
        description="of holdings and items, 'kind:/pointer' with * for any entry; patrons are masked whole but for what names nobody",
    )
    notes_when_private: tuple[FieldSpec, ...] = Field(
        default=("541", "542", "561", "583"), description="masked whole when the first indicator is 0 (private)"
    )


class Settings(_Table):
    """All of `holdfast.toml`."""

    library: Library
    paths: Paths = Paths()
    partitions: Partitions = Partitions()
    limits: Limits = Limits()
    ils: Ils = Ils()
    deltas: Deltas = Deltas()
    masking: Masking = Masking()
    validation: Validation = Validation()
    sources: dict[Name, Source]
    budgets: dict[Name, Budget] = Field(default_factory=dict, description="by source; `default` for the others")
    authorities: dict[Name, AuthorityFiles] = Field(default_factory=dict)
    collections: dict[Name, Collection] = Field(default_factory=dict)
    scanners: dict[Name, Scanner] = Field(default_factory=dict)
    feeds: dict[Name, Feed] = Field(default_factory=dict)
    exports: dict[Name, Export] = Field(default_factory=dict)
    root: Path = Field(default=Path(), exclude=True, description="folder of the file; set by load_settings")

    @model_validator(mode="after")
    def _systems_own_fields_are_protected(self) -> Settings:
        """What the library system keeps for itself stays as it is, whatever a source's `protected` says."""
        for source in self.sources.values():
            own = [each for each in SYSTEM_FIELDS[self.ils.adapter] if each not in source.protected]
            object.__setattr__(source, "protected", (*source.protected, *own))  # frozen, and not given out yet
        return self

    @model_validator(mode="after")
    def _budgets_name_sources(self) -> Settings:
        unknown = set(self.budgets) - set(self.sources) - set(self.feeds) - {"default"}
        if unknown:
            allowed = ", ".join(sorted({*self.sources, *self.feeds, "default"}))
            raise ValueError(f"budgets: {', '.join(sorted(unknown))}: no such source (allowed: {allowed})")
        return self

    @model_validator(mode="after")
    def _a_feed_is_no_source(self) -> Settings:
        # Their windows stand in one ledger, and their limits in one table.
        both = sorted(set(self.feeds) & set(self.sources))
        if both:
            raise ValueError(f"feeds: {', '.join(both)}: a source has this name already; give the feed another")
        return self

    @model_validator(mode="after")
    def _validation_names_sources_and_issues(self) -> Settings:
        rules = self.validation.rules
        for rule in rules:
            unknown = set(rule.sources) - set(self.sources)
            if unknown:
                raise ValueError(
                    f"validation.rules: {rule.name}: {', '.join(sorted(unknown))}: no such source "
                    f"(allowed: {', '.join(sorted(self.sources))})"
                )
        for name, source in self.sources.items():
            for code in source.stop_on:
                _check_issue(f"sources.{name}.stop_on", code, rules)
                severity = self.validation.severity.get(code) or (KINDS[code].severity if code in KINDS else "")
                if severity == "off":
                    raise ValueError(
                        f'sources.{name}.stop_on: {code} is off; set validation.severity."{code}" to error, warning or info'
                    )
                own = next((rule for rule in rules if rule.code == code), None)
                if own is not None and own.sources and name not in own.sources:
                    raise ValueError(f"sources.{name}.stop_on: {code} does not hold for this source: see its `sources`")
            if source.dialect == "unimarc" and self.validation.schemas.unimarc is None:
                raise ValueError(
                    f"validation.schemas.unimarc: missing; the records of sources.{name} are UNIMARC: name an Avram schema of it"
                )
        return self

    def budget_of(self, source: str) -> Budget:
        return self.budgets.get(source) or self.budgets.get("default") or Budget()

    @property
    def var(self) -> Path:
        override = os.environ.get("HOLDFAST_VAR")
        return (self.root / (override or self.paths.var)).resolve()

    @property
    def schemas(self) -> dict[str, Path | None]:
        """Path of the Avram schema by kind of record."""
        given = self.validation.schemas
        return {
            name: (self.root / path).resolve() if (path := getattr(given, name)) else None
            for name in Schemas.model_fields
        }

    def _below(self, given: Path | None, *default: str) -> Path:
        return (self.root / given).resolve() if given else self.var.joinpath(*default)

    @property
    def drops(self) -> Path:
        return self._below(self.paths.drops, "drops", "marc")

    @property
    def scans(self) -> Path:
        return self._below(self.paths.scans, "drops", "scans")

    @property
    def museum_exports(self) -> Path:
        return self._below(self.paths.exports, "drops", "museum")

    @property
    def authority_files(self) -> Path:
        return self._below(self.paths.authorities, "drops", "authorities")

    @property
    def feed_drops(self) -> Path:
        return self._below(self.paths.feeds, "drops", "feeds")

    @property
    def partner_exports(self) -> Path:
        return self._below(self.paths.partners, "exports", "partners")


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that the table at `location` takes; empty where any name goes."""
    model: Any = Settings
    for part in location:
        field = model.model_fields.get(str(part)) if isinstance(model, type) and issubclass(model, BaseModel) else None
        annotation = field.annotation if field is not None else model
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = arguments[0] if arguments else annotation
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [each.alias or name for name, each in model.model_fields.items() if name != "root"]
    return []


def _line(error: Any) -> str:
    location = tuple(error["loc"])
    key = ".".join(str(part) for part in location if part != "[key]") or "(the whole file)"
    found = error.get("input")
    if error["type"] == "extra_forbidden":
        allowed = _allowed_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"{key}: no such key (allowed: {', '.join(allowed)}){hint}"
    if error["type"] == "missing":
        return f"{key}: missing; add it"
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(found, dict):
        # A rule over the whole file names its keys itself.
        return f"{key}: {message}" if location else message
    # A password that was put into an address is not repeated.
    shown = re.sub(r"://[^/\s]*@", "://…@", found) if isinstance(found, str) else found
    return f"{key}: found {shown!r}; {message[:1].lower()}{message[1:]}"


def parse_settings(text: str, *, root: Path = Path(), name: str = "holdfast.toml") -> Settings:
    """Settings from the text of a `holdfast.toml`.

    Raises:
        SettingsError: the text is not TOML, or a key, type or value is wrong.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name}: not TOML: {error}") from error
    if "root" in table:
        raise SettingsError(f"{name}: root: no such key (allowed: {', '.join(_allowed_keys(()))})")
    try:
        return Settings.model_validate({**table, "root": root})
    except ValidationError as error:
        lines = [f"{name}: {_line(each)}" for each in error.errors()]
        raise SettingsError("\n".join(lines)) from error


def load_settings(path: Path | None = None) -> Settings:
    """Settings of `path`, else of $HOLDFAST_CONFIG, else of ./holdfast.toml.

    Raises:
        SettingsError: the file is missing or wrong.
    """
    path = path or Path(os.environ.get("HOLDFAST_CONFIG") or "holdfast.toml")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path}: can't be read ({error.strerror}); name another file with HOLDFAST_CONFIG or --config, "
            "or start from the holdfast.toml of the repository"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: byte {error.start} is not UTF-8; TOML files are UTF-8") from error
    return parse_settings(text, root=path.resolve().parent, name=str(path))
