"""The figures are what a plain count over the same records gives, however the load is cut into parts."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pymarc
import pytest

from holdfast.marc.validation import ISSUES
from holdfast.quality.expected import FOLLOWED, MARC21, UNIMARC, Expected, expected_of
from holdfast.quality.figures import COMPLETENESS, ENCODINGS, TABLES, Counting, Figures, present
from resources.lake.client import Lake
from resources.lake.quality import count_window
from tests.quality_loads import put_load
from tests.records import book

SERIAL = book("9", "A journal", fields=(("022", "a", "0378-5955"), ("310", "a", " "))).replace(b"nam a", b"nas a", 1)
BAD = b"00050nonsense\x1d"
RECORDS = [
    book("1", "Bleak house", fields=(("020", "a", "0-306-40615-3"), ("650", "a", "Law"), ("035", "a", "(OCoLC)12"))),
    book("2", "Hard\ttimes", fields=(("020", "a", "9780306406157"), ("035", "a", "(DE-599)12"), ("300", "a", "  "))),
    book("3", "Little Dorrit\t", fields=(("020", "z", "9780306406157"), ("650", "x", "Law"), ("500", "a", "n\tote"))),
    book("4", "Über alles", fields=(("852", "x", "Ask Mrs. Ward"),)),
    SERIAL,
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def counted(lake: Lake, block_bytes: int = 4_000_000) -> Figures:
    put_load(lake, "2026-01-05", {"a.mrc": b"".join([*RECORDS, BAD]), "b.mrc": b""}, block_bytes=block_bytes)
    return count_window(lake, "ebooks", "2026-01-05", MARC21)


def has(record: pymarc.Record, each: Expected) -> bool:
    """The same in plain Python over pymarc's objects."""
    for field in record.get_fields(*each.tags):
        values = (
            [field.data]
            if field.is_control_field()
            else [s.value for s in field.subfields if not each.codes or s.code in each.codes]
        )
        for value in values:
            if (
                value.strip()
                and re.search(each.form, value)
                and not (each.not_form and re.search(each.not_form, value))
            ):
                return True
    return False


def test_completeness_is_that_of_a_plain_count(lake: Lake) -> None:
    figures = counted(lake)
    read = list(pymarc.MARCReader(io.BytesIO(b"".join(RECORDS))))
    wanted = {}
    for each in MARC21:
        for material, records in (("book", read[:4]), ("serial", read[4:])):
            if each.holds_for(material):
                wanted[each.name, material] = (sum(has(record, each) for record in records), len(records))
    rows = figures.tables["completeness"].iter_rows()
    assert {(name, material): (have, of) for name, material, have, of in rows} == wanted
    assert wanted["isbn", "book"] == (2, 4) and ("isbn", "serial") not in wanted
    assert wanted["oclc_number", "book"] == (1, 4) and wanted["subject", "book"] == (1, 4)
    assert wanted["extent", "book"] == (0, 4) and wanted["frequency", "serial"] == (0, 1)
    assert figures.completeness["isbn"] == 0.5 and figures.completeness["issn"] == 1


def test_issues_are_those_of_a_plain_count(lake: Lake) -> None:
    figures = counted(lake)
    rows = lake.read("record_issues", "2026-01-05|ebooks").rows(named=True)
    issues = Counter(row["code"] for row in rows)
    records = {code: len({row["record"] for row in rows if row["code"] == code}) for code in issues}
    table = figures.tables["issues"]
    assert dict(table.select("code", "issues").iter_rows()) == issues
    assert dict(table.select("code", "records").iter_rows()) == records
    by = Counter(row["severity"] for row in rows)
    summary = figures.summary
    assert (summary["errors"], summary["warnings"], summary["notes"]) == (by["error"], by["warning"], by["info"])
    assert summary["with_errors"] == len({row["record"] for row in rows if row["severity"] == "error"})
    assert summary["with_issues"] == len({row["record"] for row in rows if row["severity"] != "info"})
    assert issues["value.control_character"] == 3 and records["value.control_character"] == 2


def test_what_came_in_is_what_was_read_and_what_was_not(lake: Lake) -> None:
    figures = counted(lake)
    assert {name: figures.summary[name] for name in ("records", "readable", "rejected")} == {
        "records": 7,
        "readable": 5,
        "rejected": 2,
    }
    assert figures.share("rejected") == 2 / 7
    faults = dict(figures.tables["faults"].iter_rows())
    assert faults == {"marc.empty_file": 1, "marc.not_marc": 1}
    assert figures.tables["encodings"]["records"].sum() == 7
    places = figures.tables["fault_examples"]
    assert set(places["file"]) == {"a.mrc", "b.mrc"} and set(places["record"]) == {6, 7}


def test_examples_have_their_record_and_no_masked_value(lake: Lake) -> None:
    examples = counted(lake).tables["examples"]
    (row,) = examples.filter(code="isbn.check_digit").rows(named=True)
    assert (row["file"], row["record"], row["control_number"], row["title"]) == ("a.mrc", 1, "1", "Bleak house")
    assert (row["tag"], row["occurrence"], row["subfield"], row["value"]) == ("020", 1, "a", "0-306-40615-3")
    # One of each record, so that three examples are three records.
    assert examples.filter(code="value.control_character")["record"].to_list() == [2, 3]
    assert "pii:0" not in str(examples.rows()) and "Ward" not in str(examples.rows())


def test_the_parts_of_a_load_make_no_difference(lake: Lake, tmp_path: Path) -> None:
    whole, cut = counted(lake), counted(Lake(tmp_path / "other"), block_bytes=400)
    assert len(Lake(tmp_path / "other").parts("harvested_marc", "2026-01-05|ebooks")) > 2
    for name in TABLES:
        assert whole.tables[name].equals(cut.tables[name]), name


def test_a_title_with_a_masked_value_is_shown_without_it() -> None:
    token = "pii:" + "0a" * 32
    counting = Counting(MARC21)
    issue = {"record": 1, "code": "c", "severity": "error", "tag": "245", "message": "m", "hint": "h"}
    counting.add_issues(pl.DataFrame([issue], schema=ISSUES))
    shown = pl.DataFrame(
        {"record": [1], "file": ["f"], "control_number": ["1"], "title": [f"Life of {token}"]},
        schema_overrides={"record": pl.UInt32},
    )
    assert counting.figures("s", "2026-01-05", shown).tables["examples"]["title"].to_list() == ["Life of pii:…"]


def test_a_load_of_nothing_has_no_shares() -> None:
    figures = Counting(MARC21).figures("s", "2026-01-05", pl.DataFrame(schema={"record": pl.UInt32}))
    assert set(figures.summary.values()) == {0}
    assert figures.completeness == {} and figures.share("rejected") is None and figures.share("with_errors") is None
    assert {name: frame.schema for name, frame in figures.tables.items()} == dict(TABLES)


def test_holdings_and_authorities_are_not_held_to_what_books_should_have() -> None:
    records = pl.DataFrame(
        {"record": [1, 2], "material_type": ["holdings", "authority"]}, schema_overrides={"record": pl.UInt32}
    )
    subfields = pl.DataFrame(
        [(1, "852", "b", "Main"), (2, "150", "a", "Poetry")],
        schema={"record": pl.UInt32, "tag": pl.String, "code": pl.String, "value": pl.String},
        orient="row",
    )
    found = present(records, subfields, MARC21)
    assert found.schema == COMPLETENESS
    rows = {(name, material): have for name, material, have, _ in found.iter_rows()}
    assert rows["location", "holdings"] == 1 and rows["authorized_heading", "authority"] == 1
    assert ("title", "holdings") not in rows and ("isbn", "authority") not in rows


def test_utf8_under_a_leader_that_says_marc8_is_not_as_claimed() -> None:
    counting = Counting(MARC21)
    index = pl.DataFrame(
        {
            "file": "f", "record": [1, 2, 3, 4], "claims": ["marc-8", "marc-8", "utf-8", "unknown"],
            "found": ["utf-8", "ascii", "utf-8", "utf-8"], "encoding": ["utf-8", "ascii", "utf-8", "utf-8"],
            "fault": None, "fault_byte": None, "fault_detail": None,
        },
        schema_overrides={"record": pl.UInt32, "fault": pl.String},
    )  # fmt: skip
    counting.add_index(index)
    figures = counting.figures("s", "2026-01-05", pl.DataFrame(schema={"record": pl.UInt32}))
    assert figures.tables["encodings"].schema == ENCODINGS
    assert figures.not_as_claimed == 1 and figures.found == {"utf-8": 3, "ascii": 1}


def test_xml_is_utf8_whatever_the_leader_says() -> None:
    row = {"file": "f", "claims": "marc-8", "found": "utf-8", "encoding": "utf-8"}
    rows = [row | {"record": n, "format": form} for n, form in enumerate(("marcxml", "iso2709", None))]
    none = {"fault": None, "fault_byte": None, "fault_detail": None}
    counting = Counting(MARC21)
    counting.add_index(pl.DataFrame([each | none for each in rows], schema_overrides={"fault": pl.String}))
    figures = counting.figures("s", "2026-01-05", pl.DataFrame(schema={"record": pl.UInt32}))
    assert figures.not_as_claimed == 2
    assert figures.tables["encodings"].filter(claims="utf-8")["records"].to_list() == [1]


@pytest.mark.parametrize("dialect", ["marc21", "unimarc"])
def test_each_expected_field_has_one_name_and_the_followed_ones_are_there(dialect: str) -> None:
    names = [each.name for each in expected_of(dialect)]
    assert len(set(names)) == len(names) and set(FOLLOWED) <= set(names)
    assert expected_of("unimarc") is UNIMARC
