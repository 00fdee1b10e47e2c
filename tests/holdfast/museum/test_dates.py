from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.museum.dates import NOT_KNOWN, span_of


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1922", (1922, 1922)),
        ("c.1790-5", (1790, 1795)),
        ("c.1790–5", (1790, 1795)),
        ("?c.1785", (1785, 1785)),
        ("1707/8", (1707, 1708)),
        ("between 1751 and 1752", (1751, 1752)),
        ("1985 or 1986", (1985, 1986)),
        ("1969, printed 1973", (1969, 1969)),
        ("first published 1790, reprinted 1839", (1790, 1790)),
        ("1790, c.1795", (1790, 1795)),
        ("1960s", (1960, 1969)),
        ("1960s-70s", (1960, 1979)),
        ("after 1860", (1860, None)),
        ("before 1790", (None, 1790)),
        ("late 18th C", (1701, 1800)),
        ("15th–16th century", (1401, 1600)),
        ("5th century BC", (-499, -400)),
        ("500 BC", (-499, -499)),
        ("c. 300 BC–AD 100", (-299, 100)),
        ("sfârșitul sec.al XIX-lea", (1801, 1900)),
        ("XVIIIe siècle", (1701, 1800)),
        ("18. Jahrhundert", (1701, 1800)),
        ("1923-05-12", (1923, 1923)),
        ("1923-05", (1923, 1923)),
        ("1984~", (1984, 1984)),
        ("19XX", (1900, 1999)),
        ("1923/1925-06", (1923, 1925)),
        ("../1990", (None, 1990)),
        ("-0499", (-499, -499)),
    ],
)
def test_a_date_as_museums_write_it_has_its_years(text: str, span: tuple[int | None, int | None]) -> None:
    assert span_of(text) == span


@pytest.mark.parametrize("text", ["date not known", "no date", "", "/", "5/12", "99999", "inv. 99999"])
def test_what_names_no_year_has_none(text: str) -> None:
    assert span_of(text) == NOT_KNOWN


@given(st.text() | st.text(alphabet="0123456789 -–/.?~%XBCADscth,;()", max_size=40))
def test_any_text_at_all_gives_a_span_in_order(text: str) -> None:
    span = span_of(text)
    if span.earliest is not None and span.latest is not None:
        assert span.earliest <= span.latest


@given(st.integers(1, 2999), st.integers(0, 99))
def test_a_range_of_whole_years_is_read_back(first: int, length: int) -> None:
    last = min(first + length, 2999)
    assert span_of(f"{first:04d}–{last:04d}") == (first, last)
    assert span_of(f"{first:04d}/{last:04d}") == (first, last)


def test_years_agree_with_those_that_tate_gives(data: Path) -> None:
    with gzip.open(data / "museum/tate/artwork_data.csv.gz") as raw:
        rows = list(csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")))
    dated = [row for row in rows if row["year"].isdigit() and row["dateText"] != "date not known"]
    same = sum(span_of(row["dateText"]).earliest == int(row["year"]) for row in dated)
    assert len(dated) == 63_209
    assert same / len(dated) > 0.998
