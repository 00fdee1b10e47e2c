"""`holdfast.toml`: one typed file for everything that is a choice of the institution.

Addresses and secrets are not in it: they come from environment variables (see `Environment`). A wrong key, type or
value raises `SettingsError`, whose text names the key, what was found and what is allowed.
"""

from __future__ import annotations

import datetime as dt
import difflib
import os
import re
import tomllib
import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from holdfast.museum.elements import ELEMENTS


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


def _check_field_spec(value: str) -> str:
    if not re.fullmatch(r"(\d{3}|\d{2}X|\dXX)(\$[a-z0-9])?", value):
        raise ValueError("must be a MARC tag, with a subfield or without, as '541$h', '583' or '59X'")
    return value


def _check_name(value: str) -> str:
    # Names become partition keys and folders: '|' and '/' would make them ambiguous.
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise ValueError("must be lower-case letters, digits and '_', starting with a letter, 40 at most")
    return value


Timezone = Annotated[str, AfterValidator(_check_timezone)]
Cron = Annotated[str, AfterValidator(_check_cron)]
FieldSpec = Annotated[str, AfterValidator(_check_field_spec)]
Name = Annotated[str, AfterValidator(_check_name)]
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


class Ils(_Table):
    """The library system; its address and login come from HOLDFAST_ILS_*."""

    adapter: Literal["folio"] = Field(default="folio", description="which API it speaks")
    chunk_records: int = Field(default=100, ge=1, le=100, description="records in one request")
    timeout_seconds: float = Field(default=60, gt=0, description="for one request")
    retries: int = Field(
        default=5, ge=0, le=20, description="of a request that surely was not done, before the system counts as down"
    )


class Source(_Table):
    """A vendor, consortium or department that sends MARC."""

    title: str = Field(default="", description="shown to people")
    pattern: str = Field(default="*.mrc", description="names of the files in the drop folder that count")
    still_seconds: float = Field(
        default=3, ge=0, description="a drop is complete once nothing in it changed for so long"
    )
    match: tuple[MatchKey, ...] = Field(
        default=("control_number", "ocn", "isbn", "issn", "lccn"),
        description="keys tried, in this order; `title` (title, author and year together) is weaker and may stand last",
    )
    schedule: Cron = Field(default="0 2 * * *", description="cron of the nightly load of the day before")
    protected: tuple[FieldSpec, ...] = Field(
        default=("59X", "9XX"),
        description="fields of the live record that a load never touches; by default those that MARC 21 leaves to the library",
    )
    suppress_deleted: bool = Field(default=True, description="leader/05 d: suppressed, never deleted by a load")

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


class Budget(_Table):
    """How much of the catalogue one plan may change."""

    changes: int = Field(default=50_000, ge=0, description="records that one plan may write")
    share_of_catalogue: float = Field(default=1.0, ge=0, le=1, description="of the catalogue's records; 1: no limit")


class Collection(_Table):
    """A museum collection that is exported from its collection management system."""

    title: str = Field(default="", description="shown to people")
    format: Literal["csv", "lido"] = Field(description="csv or lido (XML)")
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
    full: bool = Field(default=True, description="each export holds every object: those that are missing are withdrawn")
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
    def _csv_has_columns(self) -> Collection:
        if self.format == "csv" and not {"identifier", "title"} <= self.columns.keys() | self.constants.keys():
            raise ValueError("columns: a csv collection maps at least 'identifier' and 'title' to columns")
        return self


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
    masking: Masking = Masking()
    sources: dict[Name, Source]
    budgets: dict[Name, Budget] = Field(default_factory=dict, description="by source; `default` for the others")
    authorities: dict[Name, AuthorityFiles] = Field(default_factory=dict)
    collections: dict[Name, Collection] = Field(default_factory=dict)
    scanners: dict[Name, Scanner] = Field(default_factory=dict)
    root: Path = Field(default=Path(), exclude=True, description="folder of the file; set by load_settings")

    @model_validator(mode="after")
    def _budgets_name_sources(self) -> Settings:
        unknown = set(self.budgets) - set(self.sources) - {"default"}
        if unknown:
            allowed = ", ".join(sorted({*self.sources, "default"}))
            raise ValueError(f"budgets: {', '.join(sorted(unknown))}: no such source (allowed: {allowed})")
        return self

    def budget_of(self, source: str) -> Budget:
        return self.budgets.get(source) or self.budgets.get("default") or Budget()

    @property
    def var(self) -> Path:
        override = os.environ.get("HOLDFAST_VAR")
        return (self.root / (override or self.paths.var)).resolve()

    def _below(self, given: Path | None, *default: str) -> Path:
        return (self.root / given).resolve() if given else self.var.joinpath(*default)

    @property
    def drops(self) -> Path:
        return self._below(self.paths.drops, "drops", "marc")

    @property
    def scans(self) -> Path:
        return self._below(self.paths.scans, "drops", "scans")

    @property
    def exports(self) -> Path:
        return self._below(self.paths.exports, "drops", "museum")

    @property
    def authority_files(self) -> Path:
        return self._below(self.paths.authorities, "drops", "authorities")


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that the table at `location` takes; empty where any name goes."""
    model: Any = Settings
    for part in location:
        field = model.model_fields.get(str(part)) if isinstance(model, type) and issubclass(model, BaseModel) else None
        annotation = field.annotation if field is not None else model
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = arguments[0] if arguments else annotation
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [name for name in model.model_fields if name != "root"]
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
    return f"{key}: found {found!r}; {message[:1].lower()}{message[1:]}"


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
