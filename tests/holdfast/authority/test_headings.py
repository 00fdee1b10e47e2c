"""Headings of bibliographic records: what is part of them, and where they are looked for."""

from __future__ import annotations

import pytest

from holdfast.authority.headings import headings
from tests.authorities import frames, heading_record

D = "\x1f"


def found(*fields: tuple[str, ...]) -> list[dict]:
    return headings(frames(heading_record("1", *fields)).subfields).to_dicts()


def test_a_subject_has_its_subdivisions_apart() -> None:
    (row,) = found(("650", " 0", "a", "Arabic poetry", "z", "Iran", "x", "History and criticism", "v", "Congresses."))
    assert row["heading"] == "Arabic poetry--Iran--History and criticism--Congresses"
    assert row["name"] == f"{D}aARABIC POETRY"
    assert row["subdivisions"] == [f"{D}zIRAN", f"{D}xHISTORY AND CRITICISM", f"{D}vCONGRESSES"]
    assert (row["thesaurus"], row["tag"], row["occurrence"]) == ("lcsh", "650", 1)


@pytest.mark.parametrize(
    "field",
    [
        ("100", "1 ", "a", "Dickens, Charles,", "d", "1812-1870,", "e", "author."),
        ("700", "1 ", "i", "Based on:", "a", "Dickens, Charles,", "d", "1812-1870.", "4", "aut", "0", "n78087607"),
        ("100", "1 ", "6", "880-01", "a", "Dickens, Charles", "d", "1812-1870", "5", "NNC", "8", "1\\c"),
    ],
)
def test_relators_links_and_control_subfields_are_no_part_of_a_name(field: tuple[str, ...]) -> None:
    (row,) = found(field)
    assert row["name"] == f"{D}aDICKENS, CHARLES{D}d1812 1870"
    assert (row["thesaurus"], row["title"], row["subdivisions"]) == ("names", "", [])


def test_name_and_title_are_told_apart() -> None:
    (row,) = found(("700", "12", "a", "Dickens, Charles,", "d", "1812-1870.", "t", "Bleak house.", "l", "French"))
    assert row["title"] == f"{D}tBLEAK HOUSE{D}lFRENCH"


def test_a_uniform_title_goes_with_its_creator() -> None:
    rows = found(
        ("100", "1 ", "a", "Homer."), ("240", "10", "a", "Odyssey.", "l", "English"), ("245", "10", "a", "The Odyssey")
    )
    assert [(row["tag"], row["name"], row["title"]) for row in rows] == [
        ("100", f"{D}aHOMER", ""),
        ("240", f"{D}aHOMER", f"{D}tODYSSEY{D}lENGLISH"),
    ]
    (alone,) = found(("240", "10", "a", "Odyssey.", "l", "English"))
    assert (alone["tag"], alone["name"]) == ("240", f"{D}aODYSSEY{D}lENGLISH")


def test_volume_and_issn_of_a_series_are_no_subdivisions() -> None:
    (row,) = found(("830", " 0", "a", "Lecture notes in physics ;", "x", "0075-8450", "v", "12."))
    assert (row["name"], row["subdivisions"]) == (f"{D}aLECTURE NOTES IN PHYSICS", [])


@pytest.mark.parametrize(
    ("indicator", "source", "thesaurus"),
    [
        ("0", "", "lcsh"),
        ("1", "", "lcshac"),
        ("2", "", "mesh"),
        ("4", "", ""),
        ("7", "FAST.", "fast"),
        ("7", "", ""),
        (" ", "", ""),
    ],
)
def test_the_thesaurus_is_named_by_indicator_or_2(indicator: str, source: str, thesaurus: str) -> None:
    named = ("2", source) if source else ()
    (row,) = found(("650", " " + indicator, "a", "Poetry", *named))
    assert row["thesaurus"] == thesaurus


def test_occurrences_are_counted_by_tag_and_what_is_no_heading_is_left_out() -> None:
    rows = found(
        ("650", " 0", "a", "A"), ("651", " 0", "a", "B"), ("650", " 0", "a", "C"), ("653", "  ", "a", "free"),
        ("880", "1 ", "6", "100-01", "a", "x"), ("650", " 0", "a", "..."), ("490", "0 ", "a", "Untraced"),
    )  # fmt: skip
    assert [(row["tag"], row["occurrence"]) for row in rows] == [("650", 1), ("651", 1), ("650", 2)]


def test_records_without_headings_give_none() -> None:
    assert found(("245", "00", "a", "Title")) == []
