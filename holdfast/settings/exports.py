"""Tables `exports.NAME`: files for partners."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from holdfast.feeds.elements import HOLDINGS, ITEMS, Element
from holdfast.settings.checks import Cron, Table

# What a column of an export may hold; of bibliographic records also fields and subfields, as 245$a.
EXPORTED: Mapping[str, tuple[str, ...]] = {
    "bibliographic": ("id", "number", "deleted"),
    "holdings": ("id", "deleted", *HOLDINGS),
    "items": ("id", "deleted", *ITEMS),
    "circulation": ("item", "barcode", "state", "at", "due", "library", "deleted"),
}


class Export(Table):
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
