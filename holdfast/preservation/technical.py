"""Technical metadata of a batch's pages, from the drop, or from the masters where the drop is gone."""

from __future__ import annotations

import contextlib
from typing import Any

import polars as pl

from holdfast.preservation.custody import Drop, Store, opened
from holdfast.preservation.drop import NotInDrop
from holdfast.preservation.events import EventOutcome, EventType, NewEvent
from holdfast.preservation.fixity import digest_of_open
from holdfast.preservation.page_image import AGENT, BLANK_BELOW, FACTS, ImageReader, PageFault, number_in_name

TECHNICAL: dict[str, type[pl.DataType]] = {
    "page": pl.Int64,
    "path": pl.String,
    "sha256": pl.String,  # of the bytes that were looked at
    **FACTS,
    "is_blank": pl.Boolean,
    "duplicate_of": pl.Int64,  # the first page with the same bytes; null where there is none
    "number_in_name": pl.Int64,
    "in_order": pl.Boolean,  # its number is above that of the page before it
    "resolution_as_declared": pl.Boolean,  # null where file or manifest does not say
    "fault": pl.String,  # code of what kept it from being read; '' where it was
    "rule": pl.String,
    "hint": pl.String,
}


def describe_pages(
    batch: str, pages: pl.DataFrame, dpi: int | None, drop: Drop, store: Store, images: ImageReader
) -> tuple[pl.DataFrame, list[NewEvent]]:
    """(a frame of `TECHNICAL`, events) for the pages of `pages` (`SURVEYED`) that go on.

    A page that can't be read has its fault in the row and rejects nothing: `verified_masters` looks at the same bytes
    and decides, and `ocr_text` rejects what only this step saw.
    """
    rows: list[dict[str, Any]] = []
    events: list[NewEvent] = []
    first: dict[str, int] = {}
    last_number: int | None = None
    for page in pages.filter(pl.col("outcome").is_null()).sort("page").iter_rows(named=True):
        row = {key: page[key] for key in ("page", "path")} | _describe(batch, page["path"], drop, store, images)
        if row.get("sha256"):
            row["duplicate_of"] = first.get(row["sha256"])
            first.setdefault(row["sha256"], page["page"])
        number = number_in_name(page["path"])
        row |= {"number_in_name": number, "in_order": None if number is None else number > (last_number or -1)}
        last_number = number if number is not None else last_number
        row["resolution_as_declared"] = _as_declared(row.get("x_dpi"), dpi)
        rows.append(row)
        events += _events(row)
    return pl.DataFrame(rows, schema=TECHNICAL), events


def _describe(batch: str, path: str, drop: Drop, store: Store, images: ImageReader) -> dict[str, Any]:
    try:
        with opened(_open(batch, path, drop, store)) as file:
            digest = digest_of_open(file)
            facts = images.inspect(file)
    except (NotInDrop, PageFault) as error:
        return {"fault": error.code, "rule": error.rule, "hint": error.hint}
    facts.pop("gray_reduced", None)
    is_blank = facts["ink_share"] < BLANK_BELOW
    return {"sha256": digest.sha256, **facts, "is_blank": is_blank, "fault": "", "rule": "", "hint": ""}


def _open(batch: str, path: str, drop: Drop, store: Store) -> int:
    try:
        return drop.open(batch, path)
    except NotInDrop:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return store.open(batch, path)
        raise


def _as_declared(found: float | None, declared: int | None) -> bool | None:
    """Within one per cent: TIFF and JFIF round to whole dots an inch or centimetre."""
    return abs(found - declared) <= declared / 100 if found and declared else None


def _events(row: dict[str, Any]) -> list[NewEvent]:
    if row["fault"]:
        return []
    name = f"{row['format']} {row['puid']}".strip()
    size = f"{row['width']}×{row['height']} pixels, {row['bits']} bits × {row['samples']}"
    done = EventOutcome.SUCCESS
    return [
        NewEvent(EventType.FORMAT_IDENTIFICATION, row["path"], row["sha256"], done, name, AGENT),
        NewEvent(EventType.METADATA_EXTRACTION, row["path"], row["sha256"], done, f"technical metadata: {size}", AGENT),
    ]
