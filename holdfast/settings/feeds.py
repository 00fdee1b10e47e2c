"""Tables `feeds.NAME`: tables of patrons, items and holdings that other systems send."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from holdfast.feeds.elements import ELEMENTS, KEYS, FeedKind, in_form
from holdfast.settings.checks import Cron, Table, nearest


class Feed(Table):
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
        allowed = ELEMENTS[self.kind]
        for element in (*self.columns, *self.constants):
            if element not in allowed:
                raise ValueError(
                    f"{element}: no such element of {self.kind} (allowed: {', '.join(allowed)}){nearest(element, allowed)}"
                )
        return self

    @model_validator(mode="after")
    def _constants_have_their_form(self) -> Feed:
        for element, value in self.constants.items():
            try:
                in_form(" ".join(value.split()), ELEMENTS[self.kind][element].shape, self.date_format)
            except ValueError as error:
                raise ValueError(f"constants: {element}: found {value!r}, which {error}") from None
        return self

    @model_validator(mode="after")
    def _has_its_key(self) -> Feed:
        keys = KEYS[self.kind]
        if self.format == "marc" and self.key not in ("", "source_number"):
            raise ValueError(f"key: found {self.key!r}; holdings records in MARC are found by source_number, their 001")
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
