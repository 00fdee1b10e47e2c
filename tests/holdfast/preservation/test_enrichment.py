"""Language, dates, persons and places."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.preservation.enrichment.dates import find_dates
from holdfast.preservation.enrichment.language import identify
from holdfast.preservation.enrichment.page import enrich
from holdfast.preservation.enrichment.persons import find_persons
from holdfast.preservation.enrichment.places import find_places


@pytest.mark.parametrize(
    ("text", "edtf"),
    [
        ("on 3 May 1784", "1784-05-03"),
        ("the 3rd of May, 1784", "1784-05-03"),
        ("May 3, 1784", "1784-05-03"),
        ("den 30. September 1784", "1784-09-30"),
        ("den 12.5.1784", "1784-05-12"),
        ("le 1er janvier 1793", "1793-01-01"),
        ("1784-05-12", "1784-05-12"),
        ("im Mai 1784", "1784-05"),
        ("août 1914", "1914-08"),
        ("Frühjahr 1784", "1784-21"),
        ("1784–1790", "1784/1790"),
        ("1784-86", "1784/1786"),
        ("von 1784 bis 1790", "1784/1790"),
        ("de 1784 à 1790", "1784/1790"),
        ("circa 1784", "1784~"),
        ("um 1784", "1784~"),
        ("in the 1780s", "178X"),
        ("in den 1780er Jahren", "178X"),
        ("the 18th century", "17XX"),
        ("im 18. Jahrhundert", "17XX"),
        ("au XVIIIe siècle", "17XX"),
        ("MDCCLXXXIV", "1784"),
        ("im Jahre 1784", "1784"),
        ("12/31/1784", "1784-12-31"),
        ("3/4/1784", "1784-XX-XX"),
        ("30 February 1784", "1784-02"),
    ],
)
def test_a_date_becomes_edtf(text: str, edtf: str) -> None:
    (date,) = find_dates(text)
    assert date.value == edtf
    assert text[date.start : date.end] == date.text and 0 < date.confidence <= 1 and date.source


@pytest.mark.parametrize(
    "text",
    [
        "you may go",
        "31.11.1784",
        "pp. 1200-1300",
        "S. 1784",
        "No. 1784",
        "17845",
        "1.784,50",
        "MIX",
        "",
    ],
)
def test_what_is_no_date_stays_none(text: str) -> None:
    assert find_dates(text) == []


def test_day_and_month_follow_the_language_of_the_page() -> None:
    assert find_dates("3/4/1784", "fr")[0].value == "1784-04-03"


def test_languages_are_told_apart_and_few_letters_are_not_guessed() -> None:
    assert identify("The quick brown dog jumped over the lazy fox and ran away")[0] == "en"
    assert identify("Es ist so bequem, unmündig zu sein. Habe ich ein Buch, das für mich Verstand hat")[0] == "de"
    assert identify("Heureuse de Rohan, ce n'est pas sans raison que tant de beaux secrets")[0] == "fr"
    assert identify("p. 23") == ("und", 0.0)
    assert identify("") == ("und", 0.0)


def test_persons_by_title_given_name_and_initials() -> None:
    text = "Mr. John Adams met Dr. B. Franklin; printed by T. Cadell for Friedrich von Schiller and Mme de Staël."
    assert [each.value for each in find_persons(text)] == [
        "John Adams", "B. Franklin", "T. Cadell", "Friedrich von Schiller", "de Staël",
    ]  # fmt: skip
    assert find_persons("The House. Then He came. In the Garden.") == []


def test_places_come_from_the_gazetteer_and_words_do_not() -> None:
    found = find_places("Gedruckt zu Leipzig. Das Essen war gut; auch in Essen und in Frankreich.")
    assert [(each.text, each.label) for each in found] == [
        ("Leipzig", "Leipzig, DE"), ("Essen", "Essen, DE"), ("Frankreich", "France"),
    ]  # fmt: skip
    assert all(each.value.startswith("https://sws.geonames.org/") for each in found)


def test_a_person_is_no_place() -> None:
    said = enrich("We read Jack London, by Henry Lincoln, with much pleasure")[1:]
    assert [(each.kind, each.value) for each in said] == [("person", "Jack London"), ("person", "Henry Lincoln")]


@given(st.text() | st.text("AaBb MDCLXVI.,-/'1234567890\n"))
def test_every_statement_points_at_its_words(text: str) -> None:
    language, *statements = enrich(text)
    assert language.kind == "language" and language.value
    for each in statements:
        assert text[each.start : each.end] == each.text
        assert each.value and each.source and 0 < each.confidence <= 1


def test_real_pages_have_their_language(data: Path) -> None:
    for file in sorted((data / "ocr/gallicorpora-17").rglob("*.gt.txt")):
        # f16 of bpt6k6551882q opens with a Latin epigram.
        assert identify(file.read_text(encoding="utf-8"))[0] in ("fr", "la"), file
    for file in sorted((data / "ocr/kant_aufklaerung_1784").rglob("*.gt.txt")):
        assert identify(file.read_text(encoding="utf-8"))[0] == "de", file


@pytest.mark.parametrize(
    "module", ["naming", "page_image", "ocr", "enrichment.dates", "enrichment.persons", "enrichment.places"]
)
def test_the_examples_in_the_docstrings_hold(module: str) -> None:
    failed, tried = doctest.testmod(import_module(f"holdfast.preservation.{module}"))
    assert tried and not failed
