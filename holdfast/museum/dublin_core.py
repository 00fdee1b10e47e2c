"""An object as Dublin Core: what CSV and LIDO have in common, and what the public search is made of.

DCMI Metadata Terms, https://www.dublincore.org/specifications/dublin-core/dcmi-terms/ (2020-01-20): every element may
repeat and none is required there. Holdfast requires `identifier` and `title`: without the first an object can't be
found again in the next export, without the second nobody finds it at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from holdfast.museum.dates import NOT_KNOWN, Span, span_of

# C0 controls other than tab, line feed and carriage return can't stand in XML 1.0, and NUL not in PostgreSQL.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_LINK = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


def _without_controls(value: str) -> str:
    if found := _CONTROL.search(value):
        raise ValueError(f"control character U+{ord(found.group()):04X} at position {found.start() + 1}")
    return value


def _link(value: str) -> str:
    # A link of another scheme ('javascript:') must never reach a public page.
    if value and not _LINK.fullmatch(value):
        raise ValueError("not an http:// or https:// address")
    return value


Value = Annotated[str, Field(min_length=1), AfterValidator(_without_controls)]
Values = tuple[Value, ...]
# A key of the public index; longer ones are descriptions in the wrong column.
Identifier = Annotated[Value, Field(max_length=500)]
Link = Annotated[str, AfterValidator(_link), AfterValidator(_without_controls)]


class DublinCore(BaseModel):
    """One object. Values are in the order of their source, stripped, without empty ones and without repetition.

    `date` holds the text as written; `span` is what it stands for (see `holdfast.museum.dates`). `rights` is the
    statement, `rights_holder` (dcterms:rightsHolder) who holds them, `provenance` (dcterms:provenance) the credit line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    identifier: tuple[Identifier, ...] = Field(min_length=1)
    title: Values = Field(min_length=1)
    alternative: Values = ()
    creator: Values = ()
    contributor: Values = ()
    publisher: Values = ()
    date: Values = ()
    created: Values = ()
    type: Values = ()
    subject: Values = ()
    description: Values = ()
    format: Values = ()
    medium: Values = ()
    extent: Values = ()
    coverage: Values = ()
    spatial: Values = ()
    temporal: Values = ()
    provenance: Values = ()
    rights: Values = ()
    rights_holder: Values = Field(default=(), alias="rightsHolder")
    relation: Values = ()
    source: Values = ()
    language: Values = ()
    image_url: Link = ""
    page_url: Link = ""

    @property
    def date_text(self) -> str:
        """When it was made, as written: `created` before `date`."""
        return "; ".join(self.created or self.date)

    @property
    def span(self) -> Span:
        for text in (*self.created, *self.date):
            span = span_of(text)
            if span != NOT_KNOWN:
                return span
        return NOT_KNOWN


def clean(values: str | Iterable[object]) -> Values:
    """Values stripped, without empty ones and repetitions, in their order. What stands inside a value is left as it is."""
    texts = [values] if isinstance(values, str) else values
    return tuple(dict.fromkeys(text for each in texts if (text := str(each).strip())))
