"""The loops that facts are picked with, against plain Python and Polars on any text."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.marc import identifiers, picking
from holdfast.marc.normalize import normalize_ocn
from holdfast.marc.string_views import make_view, series_of_views, text

BLANKS = " \t\n\x0b\x0c\r\x85\xa0\u1680\u2003\u200a\u2028\u2029\u202f\u205f\u3000"
# U+200B and U+FEFF look like blanks and are none.
LETTERS = st.text(st.sampled_from(BLANKS + "a1é日😀\u200b\ufeff\x1c"), max_size=20)
VALUES = st.lists(st.one_of(LETTERS, st.text(max_size=20)), min_size=1, max_size=6)


@given(VALUES)
def test_blanks_are_stripped_as_polars_does_it(values: list[str]) -> None:
    column = pl.Series(values, dtype=pl.String)
    own, views = text(column), np.empty((len(values) + 1, 4), dtype=np.uint32)
    picking.stripped_firsts(np.array([*range(len(values)), -1]), own, views)
    made = series_of_views(views, [own.data], None)
    assert made.to_list() == [*column.str.strip_chars().to_list(), ""]


DATES = st.text(st.sampled_from("0123456789[]c-. é"), max_size=24)


@given(st.lists(st.tuples(st.one_of(st.none(), DATES), st.one_of(st.none(), DATES)), min_size=1, max_size=6))
@example([("13999, 2100, 12345", "c1999-2001"), (None, "1400"), ("2099", "1500"), ("", None)])
def test_a_year_is_four_digits_that_stand_alone(pairs) -> None:
    def year(value: str | None) -> int | None:
        found = (int(each) for each in re.findall(r"(?<![0-9])[0-9]{4}(?![0-9])", value or ""))
        return next((each for each in found if 1400 <= each < 2100), None)

    values = [each for pair in pairs for each in pair]
    places = np.array([-1 if each is None else k for k, each in enumerate(values)]).reshape(-1, 2)
    years, has = np.empty(len(pairs), dtype=np.int32), np.empty(len(pairs), dtype=np.bool_)
    column = text(pl.Series([each or "" for each in values], dtype=pl.String))
    picking.imprint_years(np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1]), column, years, has)
    made = [int(own) if there else None for own, there in zip(years, has, strict=True)]
    assert made == [year(one) if year(one) is not None else year(two) for one, two in pairs]


FIXED = st.text(st.sampled_from("0129u |aé日"), max_size=44)


@given(st.lists(FIXED, min_size=1, max_size=5))
def test_parts_of_008_are_counted_in_characters(values: list[str]) -> None:
    count = len(values)
    column = text(pl.Series(values, dtype=pl.String))
    views = np.empty((picking.PARTS, count + 1, 4), dtype=np.uint32)
    years, has = np.empty(count + 1, dtype=np.int32), np.empty(count + 1, dtype=np.bool_)
    picking.fixed_parts(np.array([*range(count), -1]), column, views, years, has)
    language, country, kind, one, two = (series_of_views(each, [column.data], None).to_list() for each in views)
    assert language == [*(value[35:38] for value in values), ""]
    assert country == [*(value[15:18].strip() for value in values), ""]
    assert kind == [*(value[6:7] for value in values), ""]
    assert one == [*(value[7:11] for value in values), ""] and two == [*(value[11:15] for value in values), ""]
    digits = [int(each) if re.fullmatch("[0-9]{4}", each) else None for each in one]
    assert [int(year) if there else None for year, there in zip(years, has, strict=True)] == digits


OCNS = st.builds(
    "".join,
    st.lists(
        st.sampled_from(["(OCoLC)", "(ocolc)", "ocm", "ocn", "on", "0", "00", "12", " ", "\t", "x", "(", "é"]),
        max_size=6,
    ),
)


@given(st.lists(OCNS, min_size=1, max_size=6))
@example(["(OCoLC)ocm00012345 ", "(OCoLC) on 1", "(OCoLC)0", "(OCoLC)000", "(OCoLC)", "(OCoLC)12é"])
def test_an_ocn_is_read_as_the_pattern_says_or_left_to_it(values: list[str]) -> None:
    column = pl.Series(values, dtype=pl.String)
    own, count = text(column), len(values)
    views, states = np.zeros((count, 4), dtype=np.uint32), np.empty(count, dtype=np.uint8)
    extra = np.zeros(sum(len(each.encode()) for each in values) + 16, dtype=np.uint8)
    identifiers.oclc_numbers(np.arange(count, dtype=np.int32), own, views, states, extra)
    made = series_of_views(views, [extra], states == identifiers.MADE).to_list()
    pattern = pl.DataFrame({"v": column}).select(normalize_ocn(pl.col("v")))["v"].to_list()
    for value, state, found, expected in zip(values, states.tolist(), made, pattern, strict=True):
        assert (state == identifiers.ASK) == (not value.isascii())
        assert state == identifiers.ASK or found == expected, value


def lists_of(records: list[list[tuple[str, bool]]]) -> list[list[str]] | None:
    """What `as_lists` makes of the values of each record; those without the mark were not made."""
    texts = [value.encode() for record in records for value, _ in record]
    made = np.array([mark for record in records for _, mark in record], dtype=bool)
    data = np.frombuffer(b"".join(texts) + bytes(16), dtype=np.uint8).copy()
    ends = np.cumsum([0, *map(len, texts)])
    views = np.zeros((len(texts), 4), dtype=np.uint32)
    for k in range(len(texts)):
        make_view(views, k, data, int(ends[k]), int(ends[k + 1]), 0, int(ends[k]))
    owners = np.repeat(np.arange(len(records), dtype=np.int32), [len(record) for record in records])
    out, offsets = np.empty((len(texts), 4), dtype=np.uint32), np.empty(len(records) + 1, dtype=np.int64)
    states = np.where(made, identifiers.MADE, identifiers.NOTHING).astype(np.uint8)
    found = identifiers.as_lists(views, owners, states, data, len(records), out, offsets)
    if found < 0:
        return None
    values = series_of_views(out[:found].copy(), [data], None).to_list()
    return [values[begin:end] for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


VALUE = st.tuples(
    st.sampled_from(["", "1", "12", "123456789012", "1234567890123", "1234567890124", "é" * 9]), st.booleans()
)


@given(st.lists(st.lists(VALUE, max_size=6), min_size=1, max_size=5))
def test_a_record_has_each_value_once_in_the_order_met(records) -> None:
    assert lists_of(records) == [list(dict.fromkeys(value for value, made in record if made)) for record in records]


@pytest.mark.parametrize(("count", "kept"), [(identifiers.MANY, True), (identifiers.MANY + 1, False)])
def test_very_many_values_of_a_record_are_left_to_another_way(count: int, kept: bool) -> None:
    records = [[(f"{k}", True) for k in range(count)], [("1", True)]]
    assert lists_of(records) == ([[f"{k}" for k in range(count)], ["1"]] if kept else None)
