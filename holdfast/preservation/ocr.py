"""Text of a page with Tesseract: words with their places and confidence, hOCR and ALTO from the same run."""

from __future__ import annotations

import os
import tempfile
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytesseract
from pytesseract.pytesseract import TesseractError, TesseractNotFoundError, run_tesseract

from holdfast.preservation.page_image import PageFault

WORDS: dict[str, type[pl.DataType]] = {
    "page": pl.Int64,
    "word": pl.Int64,  # from 1, in reading order
    "line": pl.Int64,  # from 1 on the page
    "start": pl.Int64,  # code points into the page's text
    "end": pl.Int64,
    "text": pl.String,
    "confidence": pl.Float64,  # 0 to 1
    "left": pl.Int64,  # pixels of the master
    "top": pl.Int64,
    "width": pl.Int64,
    "height": pl.Int64,
}


class OcrUnavailable(RuntimeError):
    """Tesseract or a language of it is not installed; the text says what to install."""


@dataclass(frozen=True)
class Word:
    line: int
    start: int
    end: int
    text: str
    confidence: float
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class PageText:
    """A page's text (NFC; lines end with '\\n', paragraphs with an empty line) and its words, in reading order."""

    text: str
    words: tuple[Word, ...]
    hocr: str
    alto: str
    seconds: float

    @property
    def confidence(self) -> float:
        """Mean over the words, 0 to 1; 0 without words."""
        return sum(word.confidence for word in self.words) / len(self.words) if self.words else 0.0


def check_languages(languages: Iterable[str]) -> str:
    """Tesseract's version, once it is sure that it knows `languages`.

    Raises:
        OcrUnavailable: it is not installed, or one of them is not.
    """
    try:
        known = set(pytesseract.get_languages())
        version = str(pytesseract.get_tesseract_version()).split()[0]
    except TesseractNotFoundError as error:
        raise OcrUnavailable("tesseract: not installed; install the package tesseract-ocr (5 or newer)") from error
    missing = sorted(set(languages) - known)
    if missing:
        packages = " ".join(f"tesseract-ocr-{language.replace('_', '-')}" for language in missing)
        raise OcrUnavailable(
            f"tesseract: no data for {', '.join(missing)} (it has {', '.join(sorted(known))}); install {packages}, or "
            "change scanners.NAME.languages in holdfast.toml"
        )
    return version


def recognize(
    gray: Path, *, name: str, languages: Sequence[str], dpi: int, seconds: float, reduced: int = 1
) -> PageText:
    """Text of the gray image (any format that Leptonica reads; `image_worker` writes PGM).

    Args:
        name: what hOCR and ALTO call the image: the page's path in the batch.
        dpi: of the master; Tesseract takes 70 to 2400.
        seconds: time for the page; then its process is killed.
        reduced: how many times smaller than the master `gray` is; places of words are in pixels of the master.

    Raises:
        PageFault: Tesseract ends with an error (`page.ocr`) or takes too long (`page.ocr_timeout`).
    """
    started = time.monotonic()
    base = gray.with_suffix("")
    outputs = " ".join(f"-c tessedit_create_{each}=1" for each in ("tsv", "hocr", "alto"))
    dpi = min(2400, max(70, dpi // reduced))
    try:
        run_tesseract(str(gray), str(base), "", "+".join(languages), config=f"--dpi {dpi} {outputs}", timeout=seconds)
    except TesseractError as error:
        raise PageFault("page.ocr", f"Tesseract reads a page (it said: {str(error.message)[:120]})", _HINT) from error
    except RuntimeError as error:
        raise PageFault("page.ocr_timeout", f"Tesseract reads a page within {seconds:g} seconds", _HINT) from error
    words, text = _words(base.with_suffix(".tsv").read_text(encoding="utf-8"), reduced)
    hocr = base.with_suffix(".hocr").read_text(encoding="utf-8").replace(str(gray), escape(name))
    alto = base.with_suffix(".xml").read_text(encoding="utf-8").replace(str(gray), escape(name))
    return PageText(text, tuple(words), hocr, alto, time.monotonic() - started)


_HINT = "look at the page: crop it, or scan it again; release it without text if it is no text"


def _words(tsv: str, reduced: int) -> tuple[list[Word], str]:
    """Words and the text that their offsets point into, from Tesseract's TSV (level 5 is a word)."""
    words: list[Word] = []
    text = ""
    last: tuple[str, ...] = ()
    line = 0
    for row in tsv.splitlines()[1:]:
        cells = row.split("\t", 11)
        if len(cells) < 12 or cells[0] != "5":
            continue
        word = unicodedata.normalize("NFC", cells[11].strip())
        if not word:
            continue
        place = tuple(cells[1:5])  # page, block, paragraph, line
        if place != last:
            text += "" if not last else "\n" if place[:3] == last[:3] else "\n\n"
            line, last = line + 1, place
        else:
            text += " "
        left, top, width, height = (int(cell) * reduced for cell in cells[6:10])
        confidence = min(1.0, max(0.0, float(cells[10]) / 100))
        words.append(Word(line, len(text), len(text) + len(word), word, confidence, left, top, width, height))
        text += word
    return words, text


@dataclass(frozen=True)
class Task:
    """A page to read: `draw` writes its gray copy to the path given and says how many times it was reduced."""

    page: int
    name: str
    languages: tuple[str, ...]
    dpi: int
    draw: Callable[[Path], int]


def recognize_pages(
    tasks: Iterable[Task], *, threads: int = 2, seconds: float = 300
) -> Iterator[tuple[Task, PageText | PageFault]]:
    """The text of each page, or why it has none, in the order of `tasks`; `threads` Tesseracts at a time.

    Gray copies lie in a temporary folder, at most twice as many as there are threads.
    """
    # A Tesseract with threads of its own is slower than one with a single one, and starves the others.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    waiting: deque[tuple[Task, Future[PageText | PageFault]]] = deque()
    with tempfile.TemporaryDirectory(prefix="holdfast-ocr-") as folder, ThreadPoolExecutor(threads) as pool:
        for number, task in enumerate(tasks):
            gray = Path(folder) / f"{number:06d}.pgm"
            waiting.append((task, pool.submit(_read, task, gray, _draw(task, gray), seconds)))
            if len(waiting) >= 2 * threads:
                done, text = waiting.popleft()
                yield done, text.result()
        for done, text in waiting:
            yield done, text.result()


def _draw(task: Task, gray: Path) -> int | PageFault:
    try:
        return task.draw(gray)
    except PageFault as fault:
        return fault


def _read(task: Task, gray: Path, drawn: int | PageFault, seconds: float) -> PageText | PageFault:
    if isinstance(drawn, PageFault):
        return drawn
    try:
        return recognize(gray, name=task.name, languages=task.languages, dpi=task.dpi, seconds=seconds, reduced=drawn)
    except PageFault as fault:
        return fault
    finally:
        for left_over in gray.parent.glob(f"{gray.stem}.*"):
            left_over.unlink(missing_ok=True)


def words_frame(page: int, words: Sequence[Word]) -> pl.DataFrame:
    """`words` with the columns of `WORDS`."""
    rows = [{"page": page, "word": number, **word.__dict__} for number, word in enumerate(words, start=1)]
    return pl.DataFrame(rows, schema=WORDS)


def word_accuracy(truth: str, text: str) -> float:
    """1 − (word edit distance ÷ words of the truth), white space ignored; the measure of OCR evaluation tools.

    >>> word_accuracy("the quick brown fox", "the quick brawn fox")
    0.75
    """
    wanted, found = truth.split(), text.split()
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, start=1):
        above, row = row, [number]
        for (diagonal, up), other in zip(pairwise(above), found, strict=True):
            row.append(min(up + 1, row[-1] + 1, diagonal + (word != other)))
    return 1 - row[-1] / max(1, len(wanted))
