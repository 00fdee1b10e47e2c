"""Tables `library`, `paths`, `partitions` and `limits`: who runs this, where things lie, and how much is taken."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pydantic import Field

from holdfast.settings.checks import Table, Timezone


class Library(Table):
    """Who runs this."""

    name: str = Field(min_length=1, description="shown to people")
    marc_organization_code: str = Field(
        default="", pattern=r"^[A-Za-z0-9\-/: ]*$", description="003 of the records that the library makes"
    )
    timezone: Timezone = Field(default="UTC", description="IANA name; the day of a drop is a day there")


class Paths(Table):
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


class Partitions(Table):
    """How far back the partitions go."""

    first_day: dt.date = Field(default=dt.date(2026, 1, 1), description="the first day that has partitions")


class Limits(Table):
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
