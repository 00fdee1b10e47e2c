"""What a value of `holdfast.toml` is held to, whichever table it stands in."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict

from holdfast.harvest.rhythm import parse_rhythm
from holdfast.naming import held_to
from holdfast.nights import check_cron


def _check_timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be a name of the IANA time zone database, as Europe/Vienna or UTC") from error
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


def _groups(pattern: str) -> set[str]:
    try:
        return set(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"must be a regular expression; {error}") from error


def _check_file_day(value: str) -> str:
    groups = _groups(value)
    if value and "day" not in groups and not {"year", "month", "date"} <= groups:
        raise ValueError(
            "must have a group (?P<day>…) that matches YYYYMMDD, YYMMDD or YYYY-MM-DD, or the groups year, month and date"
        )
    return value


def _check_number_pattern(value: str) -> str:
    if "number" not in _groups(value):
        raise ValueError("must have a group (?P<number>…): the control number in an OAI identifier")
    return value


def nearest(found: str, allowed: Iterable[str]) -> str:
    """What goes behind a list of allowed names: the one that was meant, if one is near."""
    near = difflib.get_close_matches(found, list(allowed), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


Timezone = Annotated[str, AfterValidator(_check_timezone)]
TimeOfDay = Annotated[
    str, held_to(r"([01]\d|2[0-3]):[0-5]\d|24:00", "must be a time of day from 00:00 to 24:00, as '07:30'")
]
Cron = Annotated[str, AfterValidator(check_cron)]
EntitySpec = Annotated[
    str,
    held_to(
        r"(holdings|item):(/[^/\s]+)+",
        "must be holdings or item, a colon and a JSON pointer, as 'item:/circulationNotes/*/note'",
    ),
]
Address = Annotated[str, AfterValidator(_check_address)]
Rhythm = Annotated[str, AfterValidator(_check_rhythm)]
FileDay = Annotated[str, AfterValidator(_check_file_day)]
NumberPattern = Annotated[str, AfterValidator(_check_number_pattern)]
Encoding = Literal["utf-8", "marc-8", "cp1252", "latin-1", "utf-8-twice", "iso-5426"]  # encoding.ENCODINGS
MatchKey = Literal["control_number", "ocn", "isbn", "issn", "lccn", "title"]


class Table(BaseModel):
    """A table of the file: no key but its own, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
