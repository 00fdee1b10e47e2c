"""Tables `collections.NAME`: museum collections, and how their exports are read."""

from __future__ import annotations

import fnmatch
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from holdfast.museum.elements import ELEMENTS
from holdfast.settings.checks import Address, Cron, Table, nearest


class Collection(Table):
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
                raise ValueError(
                    f"{element}: no such element (allowed: {', '.join(ELEMENTS)}){nearest(element, ELEMENTS)}"
                )
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
