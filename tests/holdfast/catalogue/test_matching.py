"""Matching, each rule by a load of a few records."""

from __future__ import annotations

import io

import polars as pl
import pytest

from holdfast.catalogue.collisions import collisions
from holdfast.catalogue.matching import match
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


AUTHOR = ("100", "a", "Dickens, Charles")
BY_TITLE = (*KINDS, "title")
LIVE_BOOK = [("008", "260101s1853    enk           000 1 eng d"), ("100", "1 \x1faDickens, Charles,"), TITLE]


def test_title_author_and_date_match_only_where_the_source_says_so() -> None:
    catalog = catalogue(live("A", *LIVE_BOOK))
    records = load(book("9", fields=(AUTHOR,)))
    assert match(records, catalog, KINDS).rows["verdict"].to_list() == ["new"]
    (found,) = match(records, catalog, BY_TITLE).rows.to_dicts()
    assert (found["verdict"], found["target"], found["matched_by"]) == ("update", "A", "title")
    assert found["evidence"] == "title dickens charles / bleak house / 1853"


@pytest.mark.parametrize(
    "missing",
    [
        [LIVE_BOOK[0], LIVE_BOOK[2]],
        [("008", "260101suuuu    enk           000 1 eng d"), *LIVE_BOOK[1:]],
        LIVE_BOOK[:2],
    ],
)
def test_a_title_without_an_author_or_a_year_is_no_key(missing: list[tuple[str, str]]) -> None:
    records = load(book("9", fields=(AUTHOR,)))
    assert match(records, catalogue(live("A", *missing)), BY_TITLE).rows["verdict"].to_list() == ["new"]


def test_another_isbn_sets_two_editions_of_one_title_apart() -> None:
    catalog = catalogue(live("A", *LIVE_BOOK, ("020", "  \x1fa9780306406157")))
    records = load(book("9", fields=(AUTHOR, ("020", "a", "9783161484100"))))
    assert match(records, catalog, BY_TITLE).rows["verdict"].to_list() == ["new"]


def test_an_identifier_goes_before_the_title() -> None:
    catalog = catalogue(
        live("A", *LIVE_BOOK), live("B", ("035", "  \x1fa(OCoLC)5"), ("245", "10\x1faBleak house : a tale"))
    )
    (found,) = match(load(book("9", fields=(AUTHOR, ("035", "a", "(OCoLC)5")))), catalog, BY_TITLE).rows.to_dicts()
    assert (found["verdict"], found["target"], found["matched_by"]) == ("update", "B", "ocn")
    assert found["agreed"] == ["ocn", "title"]


def test_records_of_a_load_with_one_title_wait_unless_they_say_the_same() -> None:
    two = load(book("1", fields=(AUTHOR,)), book("2", org="XX-Other", fields=(AUTHOR,)))
    assert match(two, catalogue(), BY_TITLE).rows["verdict"].to_list() == ["collision", "collision"]
    # One organization with two numbers means two records.
    apart = load(book("1", fields=(AUTHOR,)), book("2", fields=(AUTHOR,)))
    assert match(apart, catalogue(), BY_TITLE).rows["verdict"].to_list() == ["new", "new"]
    # Without a number of its own the second says nothing that the first does not.
    same = load(book("", fields=(AUTHOR,)), book("", fields=(AUTHOR,)))
    assert sorted(match(same, catalogue(), BY_TITLE).rows["verdict"]) == ["duplicate", "new"]


def test_an_isbn_of_the_catalogue_on_another_book_is_a_collision() -> None:
    isbn = ("020", "  \x1fa9780306406157")
    catalog = catalogue(live("A", *LIVE_BOOK, isbn))
    other = load(book("9", "Gas-lighting", fields=(("100", "a", "Clegg, Samuel"), ("020", "a", "9780306406157"))))
    found = match(other, catalog, KINDS)
    (row,) = found.rows.to_dicts()
    assert (row["verdict"], row["target"]) == ("collision", "A")
    assert (row["agreed"], row["disagreed"]) == (["isbn", "year", "carrier"], ["title", "author"])
    (rejection,) = collisions(found, other)
    for shown in ("9780306406157", "Gas-lighting", "Clegg, Samuel", "Bleak house", "Dickens, Charles", "inA", "001 9"):
        assert shown in rejection.place, rejection.place


def test_a_corrected_title_under_the_same_ocn_is_an_update() -> None:
    catalog = catalogue(live("A", *LIVE_BOOK, ("035", "  \x1fa(OCoLC)5")))
    records = load(book("9", "Gas-lighting", fields=(("035", "a", "(OCoLC)5"),)))
    (row,) = match(records, catalog, KINDS).rows.to_dicts()
    assert (row["verdict"], row["target"], row["disagreed"]) == ("update", "A", ["title"])


def test_two_records_for_one_live_record_show_each_other_and_it() -> None:
    catalog = catalogue(live("A", *LIVE_BOOK, ("035", "  \x1fa(OCoLC)5"), ("020", "  \x1fa9780306406157")))
    records = load(book("8", fields=(("035", "a", "(OCoLC)5"),)), book("9", fields=(("020", "a", "9780306406157"),)))
    found = match(records, catalog, KINDS)
    assert found.rows["verdict"].to_list() == ["collision", "collision"]
    sides = found.sides.filter(pl.col("record") == 1)
    assert sides.select("held_in", "number", "target").rows() == [
        ("load", "1", "A"),
        ("catalogue", "inA", "A"),
        ("load", "2", "A"),
    ]


def test_a_chain_of_duplicates_names_the_record_that_counts() -> None:
    records = load(
        book("1", date="20260103000000.0", fields=(("035", "a", "(OCoLC)5"),)),
        book("2", date="20260102000000.0", fields=(("035", "a", "(OCoLC)5"), ("020", "a", "9780306406157"))),
        book("3", date="20260101000000.0", fields=(("020", "a", "9780306406157"), ("035", "a", "(OCoLC)5"))),
        book("2", date="20250101000000.0"),
    )
    rows = match(records, catalogue(), KINDS).rows
    assert rows["verdict"].to_list() == ["new", "duplicate", "duplicate", "duplicate"]
    assert set(rows["other"].drop_nulls()) == {records["correlation_id"][0]}


def test_a_large_group_is_shown_in_part() -> None:
    records = load(*(book(str(n), f"Volume {n}", fields=(("020", "a", "9780306406157"),)) for n in range(40)))
    found = match(records, catalogue(), KINDS)
    assert found.rows["verdict"].unique().to_list() == ["collision"]
    assert found.sides.group_by("record").len()["len"].max() <= 12
    assert "and 29 more" in found.rows["detail"][0]


def test_a_number_that_names_nothing_leads_to_many_and_the_first_are_shown() -> None:
    catalog = catalogue(*(live(f"{n:02}", ("010", "  \x1fan/a"), ("245", f"10\x1faTitle {n}")) for n in range(40)))
    records = load(book("1", fields=(("010", "a", "n/a"),)))
    found = match(records, catalog, KINDS)
    assert found.rows["verdict"].to_list() == ["collision"]
    assert found.sides.height == 12
    assert len(found.rows["other"][0].split(",")) == 11
