"""Matching, each rule by a load of a few records."""

from __future__ import annotations

import io

import polars as pl
import pytest

from holdfast.catalogue.matching import collisions, match
from holdfast.catalogue.snapshot import Live, snapshot
from holdfast.marc.harvest import index_drop
from holdfast.marc.window import normalize_part
from holdfast.privacy.masking import MaskingRules
from tests.records import book

KINDS = ("control_number", "ocn", "isbn", "issn", "lccn")
RULES = MaskingRules(())


def load(*records: bytes) -> pl.DataFrame:
    (part,) = index_drop(io.BytesIO(b"".join(records)), "drop.mrc", RULES, b"salt")
    return normalize_part(part.frame, source="test", window="2026-01-01").records


def live(target: str, *fields: tuple[str, str]) -> Live:
    return Live(target, f"in{target}", 1, "s" + target, "", [("LDR", "00000nam a2200000 i 4500"), *fields])


def catalogue(*records: Live) -> pl.DataFrame:
    return snapshot(records, RULES, b"salt")[0]


def verdicts(records: pl.DataFrame, catalog: pl.DataFrame) -> list[tuple[str, str | None]]:
    return match(records, catalog, KINDS).rows.select("verdict", "target").rows()


TITLE = ("245", "10\x1faBleak house")
SAME = [("001", "in1"), ("008", "260101s1853    enk           000 1 eng d"), ("035", "  \x1fa(XX-Test)1"), TITLE]


def test_a_record_that_nothing_matches_is_new() -> None:
    assert verdicts(load(book()), catalogue(live("A", ("001", "x"), ("245", "10\x1faOther")))) == [("new", None)]


def test_the_suppliers_number_is_found_in_035_and_equal_content_is_unchanged() -> None:
    assert verdicts(load(book()), catalogue(live("A", *SAME))) == [("unchanged", "A")]


def test_other_content_is_an_update() -> None:
    assert verdicts(load(book(title="Bleak House, revised")), catalogue(live("A", *SAME))) == [("update", "A")]


@pytest.mark.parametrize(
    ("tag", "code", "incoming", "held"),
    [
        ("035", "a", "(OCoLC)ocm00012345", "(OCoLC)12345"),
        ("020", "a", "0-306-40615-2 (pbk.)", "9780306406157"),
        ("022", "a", "0378-5955", "0378-5955"),
        ("010", "a", "   85-2 ", "85000002"),
    ],
)
def test_each_identifier_finds_the_record_in_whatever_form_it_is_written(tag, code, incoming, held) -> None:
    found = match(
        load(book("77", fields=((tag, code, incoming),))), catalogue(live("A", (tag, f"  \x1f{code}{held}"))), KINDS
    ).rows
    assert found.select("verdict", "target").rows() == [("update", "A")]
    assert found["evidence"][0]


def test_an_isbn_with_a_wrong_check_digit_matches_nothing() -> None:
    catalog = catalogue(live("A", ("020", "  \x1fa9780306406150")))
    assert verdicts(load(book("77", fields=(("020", "a", "9780306406150"),))), catalog) == [("new", None)]


def test_the_newest_of_a_load_counts_and_the_others_are_duplicates() -> None:
    records = load(
        book(date="20250101000000.0"), book(date="20260101000000.0", title="Newer"), book(date="20240101000000.0")
    )
    found = match(records, catalogue(), KINDS).rows
    assert found["verdict"].to_list() == ["duplicate", "new", "duplicate"]
    assert "superseded by record 2" in found["detail"][0]


def test_the_same_bytes_twice_are_a_duplicate() -> None:
    found = match(load(book(), book()), catalogue(), KINDS).rows
    assert sorted(found["verdict"]) == ["duplicate", "new"]
    assert "the same bytes" in "".join(found["detail"])


def test_one_isbn_on_two_different_books_is_a_collision_and_shows_both_sides() -> None:
    isbn = ("020", "a", "9780306406157")
    records = load(book("1", "One book", fields=(isbn,)), book("2", "Another", fields=(isbn,)))
    found = match(records, catalogue(), KINDS)
    assert found.rows["verdict"].to_list() == ["collision", "collision"]
    rejections = collisions(found, records)
    assert len(rejections) == 2
    assert all(correlation in rejections[0].hint for correlation in records["correlation_id"])


def test_identifiers_of_two_records_of_the_catalogue_are_a_collision() -> None:
    catalog = catalogue(live("A", ("035", "  \x1fa(OCoLC)5")), live("B", ("020", "  \x1fa9780306406157")))
    records = load(book("9", fields=(("035", "a", "(OCoLC)5"), ("020", "a", "9780306406157"))))
    assert verdicts(records, catalog) == [("collision", None)]


def test_numbers_without_an_organization_match_only_with_the_same_title() -> None:
    catalog = catalogue(live("A", ("001", "in1"), ("035", "  \x1fa1"), ("245", "10\x1faSomething else")))
    assert verdicts(load(book("1", org="")), catalog) == [("new", None)]


def test_only_the_identifiers_that_the_source_names_are_tried() -> None:
    catalog = catalogue(live("A", ("020", "  \x1fa9780306406157")))
    records = load(book("9", fields=(("020", "a", "9780306406157"),)))
    assert match(records, catalog, ("control_number",)).rows["verdict"].to_list() == ["new"]
