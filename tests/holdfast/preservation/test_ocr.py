"""Text of pages, against ground truth."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from lxml import etree

from holdfast.preservation.ocr import (
    OcrUnavailable,
    PageText,
    Task,
    check_languages,
    recognize_pages,
    word_accuracy,
    words_frame,
)
from holdfast.preservation.page_image import ImageReader, PageFault
from tests.preservation_drops import page_bytes


def read(files: list[Path], languages: tuple[str, ...], *, seconds: float = 120) -> list[PageText | PageFault]:
    with ImageReader(400_000_000) as images:

        def task(number: int, file: Path) -> Task:
            dpi = int(images.inspect(file)["x_dpi"]) or 300
            return Task(
                number, file.name, languages, dpi, lambda gray: int(images.inspect(file, gray=gray)["gray_reduced"])
            )

        tasks = [task(number, file) for number, file in enumerate(files, start=1)]
        done = list(recognize_pages(tasks, seconds=seconds))
        assert [each.page for each, _ in done] == list(range(1, len(files) + 1))
        return [text for _, text in done]


def accuracy(data: Path, image: str, truth: str, languages: tuple[str, ...]) -> float:
    (text,) = read([data / image], languages)
    assert isinstance(text, PageText)
    return word_accuracy((data / truth).read_text(encoding="utf-8"), text.text)


def test_a_clean_page_is_read_nearly_without_fault(data: Path) -> None:
    assert accuracy(data, "ocr/tesseract/phototest.tif", "ocr/tesseract/phototest.txt", ("eng",)) > 0.95


def test_a_page_in_several_languages_is_read(data: Path) -> None:
    truth = "ocr/tesseract/eurotext.txt"
    assert accuracy(data, "ocr/tesseract/eurotext.tif", truth, ("eng", "deu", "fra")) > 0.85


def test_words_point_into_the_text_and_the_page(data: Path) -> None:
    (text,) = read([data / "ocr/tesseract/phototest.tif"], ("eng",))
    assert isinstance(text, PageText) and text.words
    for word in text.words:
        assert text.text[word.start : word.end] == word.text
        assert 0 <= word.left < 640 and 0 <= word.top < 480 and 0 <= word.confidence <= 1
    assert unicodedata.is_normalized("NFC", text.text)
    assert words_frame(1, text.words).height == len(text.words)


def test_alto_and_hocr_name_the_page_and_no_folder_of_ours(tmp_path: Path) -> None:
    (tmp_path / "0001.tif").write_bytes(page_bytes("Atlas of places"))
    (text,) = read([tmp_path / "0001.tif"], ("eng",))
    assert isinstance(text, PageText)
    root = etree.fromstring(text.alto.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    assert root.findtext(".//{*}fileName") == "0001.tif"
    assert "holdfast-ocr-" not in text.alto + text.hocr


def test_a_blank_page_has_no_words_and_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "blank.tif").write_bytes(page_bytes())
    (text,) = read([tmp_path / "blank.tif"], ("eng",))
    assert isinstance(text, PageText)
    assert (text.text, text.words, text.confidence) == ("", (), 0.0)


def test_a_page_that_takes_too_long_is_refused_alone(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(page_bytes("Atlas\nof\nplaces"))
    (text,) = read([tmp_path / "a.tif"], ("eng",), seconds=0.001)
    assert isinstance(text, PageFault) and text.code == "page.ocr_timeout"


def test_a_page_that_cannot_be_drawn_is_refused_alone() -> None:
    def draw(gray: Path) -> int:
        raise PageFault("page.damaged", "no")

    ((_, text),) = recognize_pages([Task(1, "a", ("eng",), 300, draw)])
    assert isinstance(text, PageFault)


def test_fraktur_is_read_as_well_as_the_installed_data_can(data: Path) -> None:
    folder = data / "ocr/kant_aufklaerung_1784"
    image, truth = folder / "OCR-D-IMG/INPUT_0020.tif", folder / "OCR-D-GT-PAGE/PAGE_0020_PAGE.gt.txt"
    if not image.is_file() or not truth.is_file():
        pytest.skip(f"no {image}")
    (text,) = read([image], ("deu",))
    # `deu` is data for Antiqua: it gets the letters of Fraktur mostly, its words sometimes.
    assert isinstance(text, PageText) and len(text.words) > 150


def test_a_language_that_is_not_installed_is_named_with_its_package() -> None:
    assert check_languages(["eng", "deu", "fra"])
    with pytest.raises(OcrUnavailable, match="tesseract-ocr-tlh"):
        check_languages(["eng", "tlh"])


def test_word_accuracy() -> None:
    assert word_accuracy("a b c d", "a b c d") == 1
    assert word_accuracy("a b c d", "a c d") == 0.75
    assert word_accuracy("", "") == 1
