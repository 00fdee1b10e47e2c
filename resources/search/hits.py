"""What a search answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.museum.snippets import snippet


@dataclass(frozen=True)
class Hit:
    """An object that was found.

    Attributes:
        score: of this search engine for this search; higher is nearer. Not comparable between engines.
        snippet: plain text around the first word that was looked for, 160 characters or so.
    """

    score: float
    collection: str
    identifier: str
    title: str
    creators: tuple[str, ...]
    date_text: str
    snippet: str
    image_url: str
    page_url: str


SHOWN = ("collection", "identifier", "title", "creators", "date_text", "image_url", "page_url")
TOLD = ("description", "medium", "subjects", "places", "contributors", "credit_line")
"""Columns that a hit shows, and those that its snippet is taken from."""


def hit_of(score: float, row: Mapping[str, Any], text: str) -> Hit:
    """`row` has the columns of SHOWN and TOLD."""
    told = [value if isinstance(value, str) else "; ".join(value) for name in TOLD if (value := row[name])]
    return Hit(
        score=round(float(score), 4),
        collection=row["collection"],
        identifier=row["identifier"],
        title=row["title"],
        creators=tuple(row["creators"]),
        date_text=row["date_text"] or "",
        snippet=snippet(" · ".join(told), text),
        image_url=row["image_url"] or "",
        page_url=row["page_url"] or "",
    )
