"""The printed book's ISBN in the record of the e-book: two records, and they stay two."""

from __future__ import annotations

import polars as pl
import pytest

from holdfast.catalogue.matching import RECORD_COLUMNS, match, match_unstopped
from tests.holdfast.catalogue.test_matching import AUTHOR, BY_TITLE, KINDS, catalogue, live, load
from tests.records import book

NUMBER = "9780306406157"
ISBN = ("020", "a", NUMBER)
ONLINE, FILM = ("338", "b", "cr"), ("338", "b", "hd")
PRINTED = ("008", "260101s1853    enk           000 1 eng d")
ON_SCREEN = ("008", "260101s1853    enk     o     000 1 eng d")
TITLE = [("100", "1 \x1faDickens, Charles,"), ("245", "10\x1faBleak house")]
HELD_ISBN = ("020", f"  \x1fa{NUMBER}")


def unsaid(record: bytes) -> bytes:
    """The record with a fill character for its form."""
    changed = record.replace(b"enk           000", b"enk     |     000")
    assert changed != record
    return changed


def row(records: pl.DataFrame, catalog: pl.DataFrame, kinds=KINDS, **how) -> dict:
    (found,) = match(records, catalog, kinds, **how).rows.to_dicts()
    return found


def test_an_e_book_with_the_isbn_of_the_printed_book_is_a_new_record() -> None:
    found = row(load(book("9", fields=(ISBN, ONLINE))), catalogue(live("A", PRINTED, *TITLE, HELD_ISBN)))
    assert (found["verdict"], found["target"], found["matched_by"]) == ("new", None, "")
    assert found["detail"] == f"isbn {NUMBER} is also in inA, which is in print or otherwise tangible"
    assert found["agreed"] == found["disagreed"] == []


@pytest.mark.parametrize(
    ("tag", "value", "held"),
    [("020", NUMBER, NUMBER), ("022", "0378-5955", "0378-5955"), ("010", "   85-2 ", "85000002")],
)
def test_no_identifier_of_a_publication_joins_carriers(tag: str, value: str, held: str) -> None:
    catalog = catalogue(live("A", ON_SCREEN, *TITLE, (tag, f"  \x1fa{held}")))
    printed = load(book("9", fields=((tag, "a", value),)))
    assert row(printed, catalog)["verdict"] == "new"
    assert row(printed, catalog)["detail"].endswith(" is also in inA, which is electronic")
    assert row(printed, catalog, across_carriers=True)["verdict"] == "update"
    filmed = load(book("9", fields=((tag, "a", value), FILM)))
    assert row(filmed, catalog)["verdict"] == "new"


def test_the_title_joins_no_carriers_either() -> None:
    catalog = catalogue(live("A", ON_SCREEN, *TITLE))
    found = row(load(book("9", fields=(AUTHOR,))), catalog, BY_TITLE)
    assert found["verdict"] == "new" and found["detail"].startswith(
        "title dickens charles / bleak house / 1853 is also in inA"
    )


@pytest.mark.parametrize("held", [[PRINTED], [ON_SCREEN], []])
def test_a_record_that_does_not_say_matches_as_before(held: list[tuple[str, str]]) -> None:
    found = row(load(unsaid(book("9", fields=(ISBN,)))), catalogue(live("A", *held, *TITLE, HELD_ISBN)))
    assert (found["verdict"], found["target"], found["matched_by"]) == ("update", "A", "isbn")
    assert "carrier" not in found["agreed"] + found["disagreed"]


def test_the_same_carrier_matches_as_before() -> None:
    found = row(load(book("9", fields=(ISBN, ONLINE))), catalogue(live("A", ON_SCREEN, *TITLE, HELD_ISBN)))
    assert (found["verdict"], found["target"], found["matched_by"], found["detail"]) == ("update", "A", "isbn", "")
    assert "carrier" in found["agreed"]


@pytest.mark.parametrize(
    ("incoming", "held"),
    [
        (("035", "a", "(OCoLC)5"), ("035", "  \x1fa(OCoLC)5")),
        (("500", "a", "none"), ("035", "  \x1fa(XX-Test)9")),
    ],
)
def test_what_names_a_record_decides_whatever_carries_it(incoming: tuple[str, str, str], held: tuple[str, str]) -> None:
    catalog = catalogue(live("A", PRINTED, *TITLE, HELD_ISBN, held))
    found = row(load(book("9", fields=(ISBN, ONLINE, incoming))), catalog)
    assert (found["verdict"], found["target"]) == ("update", "A")
    assert found["matched_by"] in ("ocn", "control_number") and "carrier" in found["disagreed"]


def test_one_isbn_on_two_carriers_is_two_records_and_on_the_second_day_too() -> None:
    records = load(book("1", fields=(ISBN,)), book("2", title="Bleak house online", fields=(ISBN, ONLINE)))
    first = match(records, catalogue(), KINDS)
    assert first.rows["verdict"].to_list() == ["new", "new"]
    there = catalogue(
        live("P", ("001", "in1"), PRINTED, ("035", "  \x1fa(XX-Test)1"), HELD_ISBN, ("245", "10\x1faBleak house")),
        live("E", ("001", "in2"), PRINTED, ("035", "  \x1fa(XX-Test)2"), HELD_ISBN, ("245", "10\x1faBleak house online"), ("338", "  \x1fbcr")),
    )  # fmt: skip
    again = match(records, there, KINDS)
    assert again.rows.select("verdict", "target").rows() == [("unchanged", "P"), ("unchanged", "E")]
    # By the ISBN alone likewise: each finds its own.
    alone = match(records, there, ("isbn",))
    assert alone.rows.select("verdict", "target").rows() == [("unchanged", "P"), ("unchanged", "E")]
    together = match(records, there, ("isbn",), across_carriers=True)
    assert together.rows["verdict"].to_list() == ["collision", "collision"]


def test_on_each_carrier_the_newest_counts() -> None:
    records = load(
        book("1", fields=(ISBN,)),
        book("2", fields=(ISBN, ONLINE)),
        book("3", date="20250101000000.0", fields=(ISBN,)),
        book("4", date="20250101000000.0", fields=(ISBN, ONLINE)),
    )
    rows = match(records, catalogue(), KINDS).rows
    ids = records["correlation_id"]
    assert rows["verdict"].to_list() == ["new", "new", "duplicate", "duplicate"]
    assert rows["other"].to_list() == [None, None, ids[0], ids[1]]


def test_beside_two_carriers_a_record_that_does_not_say_waits_and_the_others_go_on() -> None:
    records = load(book("1", fields=(ISBN,)), book("2", fields=(ISBN, ONLINE)), unsaid(book("3", fields=(ISBN,))))
    found = match(records, catalogue(), KINDS)
    assert found.rows["verdict"].to_list() == ["new", "new", "collision"]
    assert "does not say on which it is" in found.rows["detail"][2]
    assert found.sides["number"].to_list() == ["3", "1", "2"]


def test_what_older_code_made_has_no_carrier_and_matches_as_before() -> None:
    records = load(book("9", fields=(ISBN, ONLINE)))
    catalog = catalogue(live("A", PRINTED, *TITLE, HELD_ISBN))
    stopped = pl.DataFrame(schema={"record": pl.UInt32, "detail": pl.String})
    assert match_unstopped(records, stopped, catalog, KINDS).rows["verdict"].to_list() == ["new"]
    assert match_unstopped(records, stopped, catalog.drop("carrier"), KINDS).rows["verdict"].to_list() == ["update"]
    old = records.select(name for name in RECORD_COLUMNS if name != "carrier")
    assert match(old, catalog, KINDS).rows["verdict"].to_list() == ["update"]
    everything = match_unstopped(records, stopped, catalog, KINDS, across_carriers=True)
    assert everything.rows["verdict"].to_list() == ["update"]
