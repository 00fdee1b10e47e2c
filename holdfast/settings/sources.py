"""Tables `sources.NAME`: where records come from, how they are read, matched and merged."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from holdfast.catalogue.merging import MergeRule
from holdfast.marc.encoding import MARC21, UNIMARC, Reading
from holdfast.naming import FieldSpec
from holdfast.settings.checks import Address, Cron, Encoding, FileDay, MatchKey, NumberPattern, Rhythm, Table

# What a `files` source may be fetched from; without an address it is a folder below paths.drops.
DROP_SCHEMES = ("sftp", "ftp", "ftps", "s3")


class Source(Table):
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
    match_across_carriers: bool = Field(
        default=False,
        description="whether an ISBN, ISSN, LCCN or title joins records on different carriers, too: an e-book to the printed book",
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
