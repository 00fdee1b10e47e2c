"""`museum_objects` as a frame: one row an object, and what makes it the same object as yesterday.

Identity is collection + identifier (the first one; see the crosswalks). `content_sha256` covers everything that is said
of the object and nothing of where it was read: another row number or file name is no change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import polars as pl

from holdfast.museum.dublin_core import DublinCore

COLUMNS: dict[str, tuple[pl.DataType, str]] = {
    "collection": (pl.String(), "key of the collection in holdfast.toml"),
    "identifier": (pl.String(), "dcterms:identifier; with the collection it is the object's identity"),
    "title": (pl.String(), "the first title"),
    "alternative_titles": (pl.List(pl.String()), "further titles, also in other languages"),
    "identifiers": (pl.List(pl.String()), "further identifiers: inventory numbers, published IDs"),
    "creators": (pl.List(pl.String()), "who made it, as written"),
    "contributors": (pl.List(pl.String()), "who else took part in what happened to it"),
    "date_text": (pl.String(), "when it was made, as written; null where nothing is said"),
    "earliest_year": (
        pl.Int32(),
        "first year that date_text stands for, astronomical (1 BC is 0); null: open or unknown",
    ),
    "latest_year": (pl.Int32(), "last year, likewise"),
    "types": (pl.List(pl.String()), "dcterms:type: work types"),
    "subjects": (pl.List(pl.String()), "dcterms:subject: what it shows or is about, classifications"),
    "description": (pl.String(), "dcterms:description, paragraphs apart by an empty line"),
    "medium": (pl.String(), "dcterms:medium: material and technique, apart by '; '"),
    "dimensions": (pl.String(), "dcterms:extent and dcterms:format, apart by '; '"),
    "places": (pl.List(pl.String()), "dcterms:spatial and dcterms:coverage"),
    "periods": (pl.List(pl.String()), "dcterms:temporal: periods and cultures"),
    "repository": (pl.String(), "dcterms:publisher: who keeps it"),
    "credit_line": (pl.String(), "dcterms:provenance"),
    "rights": (pl.List(pl.String()), "dcterms:rights and dcterms:rightsHolder"),
    "relations": (pl.List(pl.String()), "dcterms:relation"),
    "record_source": (pl.String(), "dcterms:source: who says so"),
    "languages": (pl.List(pl.String()), "dcterms:language of the description, as written"),
    "image_url": (pl.String(), "http(s) address of a picture, or null"),
    "page_url": (pl.String(), "http(s) address of its page, or null"),
    "source_file": (pl.String(), "name of the export file"),
    "row": (pl.Int64(), "number of the row or record in its file, from 1"),
    "place": (pl.String(), "'row 17 line 20' of a CSV, the XPath in a LIDO file"),
    "content_sha256": (pl.String(), "hex; of all columns but the three that say where it was read"),
}
"""Column → (type, what it holds). The order is the order in the lake."""

SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in COLUMNS.items()})
_NOT_CONTENT = ("source_file", "row", "place", "content_sha256")


@dataclass(frozen=True)
class Origin:
    """Where an object was read."""

    source_file: str
    row: int
    place: str


def object_row(collection: str, record: DublinCore, origin: Origin) -> dict[str, object]:
    """The frame's row of one object (see COLUMNS)."""
    span = record.span
    row: dict[str, object] = {
        "collection": collection,
        "identifier": record.identifier[0],
        "title": record.title[0],
        "alternative_titles": [*record.title[1:], *record.alternative],
        "identifiers": list(record.identifier[1:]),
        "creators": list(record.creator),
        "contributors": list(record.contributor),
        "date_text": record.date_text or None,
        "earliest_year": span.earliest,
        "latest_year": span.latest,
        "types": list(record.type),
        "subjects": list(record.subject),
        "description": "\n\n".join(record.description) or None,
        "medium": "; ".join(record.medium) or None,
        "dimensions": "; ".join((*record.extent, *record.format)) or None,
        "places": list(dict.fromkeys((*record.spatial, *record.coverage))),
        "periods": list(record.temporal),
        "repository": "; ".join(record.publisher) or None,
        "credit_line": "; ".join(record.provenance) or None,
        "rights": list(dict.fromkeys((*record.rights, *record.rights_holder))),
        "relations": list(record.relation),
        "record_source": "; ".join(record.source) or None,
        "languages": list(record.language),
        "image_url": record.image_url or None,
        "page_url": record.page_url or None,
    }
    row["content_sha256"] = hashlib.sha256(orjson.dumps(row)).hexdigest()
    return {**row, "source_file": origin.source_file, "row": origin.row, "place": origin.place}


def frame_of(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Frame of SCHEMA, also of no rows."""
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
