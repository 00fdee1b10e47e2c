"""From masters to text to statements: the last two steps of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from holdfast.outcomes import Outcome, Rejection
from holdfast.preservation.custody import Store, opened
from holdfast.preservation.enrichment.page import enrich
from holdfast.preservation.enrichment.statement import Statement, statements_frame
from holdfast.preservation.events import EventOutcome, EventType, NewEvent
from holdfast.preservation.manifest import page_rejection
from holdfast.preservation.ocr import PageText, Task, recognize_pages
from holdfast.preservation.page_image import ImageReader, PageFault
from holdfast.preservation.pages import VERDICT, verdict

Item = TypeVar("Item")

TEXTS: dict[str, type[pl.DataType]] = {
    "page": pl.Int64,
    "path": pl.String,
    "sha256": pl.String,  # of the master
    "languages": pl.String,  # Tesseract's names, joined with '+'
    "text": pl.String,  # NFC; '' for a blank page
    "words": pl.Int64,
    "confidence": pl.Float64,  # mean over the words, 0 to 1
    "hocr": pl.String,
    "alto": pl.String,  # ALTO 3
    "seconds": pl.Float64,
    **VERDICT,
}
ENRICHED: dict[str, type[pl.DataType]] = {
    "page": pl.Int64,
    "path": pl.String,
    "sha256": pl.String,
    "language": pl.String,  # BCP 47
    "language_confidence": pl.Float64,
    "words": pl.Int64,
    "dates": pl.Int64,
    "persons": pl.Int64,
    "places": pl.Int64,
    "is_blank": pl.Boolean,
    **VERDICT,
}

#: Resolution for Tesseract where neither the file nor the manifest says one.
_DPI = 300


def join_technical(batch: str, masters: pl.DataFrame, technical: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejection]]:
    """(`MASTERS` with the columns x_dpi and is_blank, rejections of pages that only the technical step found at fault).

    Both steps look at the same bytes; where they did not, because the drop changed in between, the page is rejected.
    """
    beside = technical.select("page", "x_dpi", "is_blank", "fault", "rule", "hint", seen="sha256")
    joined = masters.join(beside, on="page", how="left", suffix="_technical").sort("page")
    rows: list[dict[str, Any]] = []
    rejections: list[Rejection] = []
    for row in joined.iter_rows(named=True):
        if row["outcome"] is None and (row["fault"] is None or row["fault"] or row["seen"] != row["sha256"]):
            rejections.append(_technical_rejection(batch, row))
            row |= verdict(rejections[-1])
        rows.append(row)
    columns: dict[str, Any] = {**masters.schema, "x_dpi": pl.Float64, "is_blank": pl.Boolean}
    kept = [{key: row[key] for key in columns} for row in rows]
    return pl.DataFrame(kept, schema=columns), rejections


def _technical_rejection(batch: str, row: dict[str, Any]) -> Rejection:
    code, rule, hint = row["fault"], row["rule_technical"], row["hint_technical"]
    if code is None:
        code, rule = "page.not_described", "a page has technical metadata"
        hint = "materialize technical_metadata again, then ocr_text"
    elif not code:
        code, rule = (
            "page.changed",
            f"a page stays as it was: its master has {row['sha256']}, the drop had {row['seen']}",
        )
        hint = "leave a drop alone until its batch is done; materialize technical_metadata again"
    return page_rejection(batch, row["page"], row["path"], code, rule, hint, row["sha256"])


def read_texts(
    batch: str, pages: pl.DataFrame, languages: Sequence[str], dpi: int | None, store: Store, images: ImageReader
) -> Iterator[tuple[dict[str, Any], PageText | PageFault]]:
    """(row of `pages`, its text or why it has none) for the pages that go on, in their order, two at a time."""
    rows = {row["page"]: row for row in pages.filter(pl.col("outcome").is_null()).iter_rows(named=True)}

    def task(row: dict[str, Any]) -> Task:
        def draw(gray: Path) -> int:
            with opened(store.open(batch, row["path"])) as master:
                return int(images.inspect(master, gray=gray)["gray_reduced"])

        return Task(row["page"], row["path"], tuple(languages), round(row["x_dpi"] or dpi or _DPI), draw)

    for done, text in recognize_pages(task(row) for row in rows.values()):
        yield rows[done.page], text


def text_row(
    batch: str, row: dict[str, Any], text: PageText | PageFault, languages: Sequence[str]
) -> tuple[dict[str, Any], Rejection | None]:
    """(row of `TEXTS`, rejection where Tesseract gave up)."""
    kept = {key: row[key] for key in ("page", "path", "sha256")} | {"languages": "+".join(languages)}
    if isinstance(text, PageFault):
        rejection = page_rejection(batch, row["page"], row["path"], text.code, text.rule, text.hint, row["sha256"])
        return kept | verdict(rejection), rejection
    about = {"words": len(text.words), "confidence": text.confidence, "seconds": round(text.seconds, 3)}
    return kept | {"text": text.text, "hocr": text.hocr, "alto": text.alto, **about, **verdict(None)}, None


def text_event(row: dict[str, Any], agent: str) -> NewEvent:
    detail = f"text recognized: {row['words']} words ({row['languages']})"
    return NewEvent(EventType.METADATA_EXTRACTION, row["path"], row["sha256"], EventOutcome.SUCCESS, detail, agent)


def enrich_pages(texts: pl.DataFrame, technical: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(a frame of `ENRICHED`, its statements) for a frame of `TEXTS`; a page that comes here unrejected is committed."""
    rows: list[dict[str, Any]] = []
    said = [statements_frame(0, [])]
    for row in texts.join(technical.select("page", "is_blank"), on="page", how="left").iter_rows(named=True):
        page, statements = _enriched(row)
        rows.append(page)
        said.append(statements_frame(row["page"], statements))
    return pl.DataFrame(rows, schema=ENRICHED), pl.concat(said)


def _enriched(row: dict[str, Any]) -> tuple[dict[str, Any], list[Statement]]:
    kept = {key: row[key] for key in ("page", "path", "sha256", "is_blank", *VERDICT)}
    if row["outcome"] is not None:
        return kept, []
    statements = enrich(row["text"])
    counts = {f"{kind}s": sum(each.kind == kind for each in statements) for kind in ("date", "person", "place")}
    language = {"language": statements[0].value, "language_confidence": statements[0].confidence}
    return kept | language | counts | {"words": row["words"], "outcome": str(Outcome.COMMITTED)}, statements


def enrichment_event(batch_statements: int, sources: Sequence[str]) -> NewEvent:
    detail = f"text enriched: {batch_statements} statements"
    agent = "; ".join(sorted(sources)) or "no statements"
    return NewEvent(EventType.METADATA_EXTRACTION, "", "", EventOutcome.SUCCESS, detail, agent)


def batch_language(pages: pl.DataFrame) -> tuple[str, float]:
    """(BCP 47 tag with the most words, its share of the words of `pages`, a frame of `ENRICHED`); `und`, 0 without words."""
    by = pages.filter(pl.col("words") > 0).group_by("language").agg(pl.col("words").sum())
    if by.is_empty():
        return "und", 0.0
    first = by.sort("words", "language", descending=[True, False]).row(0, named=True)
    return first["language"], round(first["words"] / by["words"].sum(), 4)


def in_blocks(items: Iterable[Item], size: int = 16) -> Iterator[list[Item]]:
    """`items` in lists of `size`, so that a table gets a part for some pages and not for each."""
    left = iter(items)
    while block := list(islice(left, size)):
        yield block
