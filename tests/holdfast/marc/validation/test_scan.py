"""What the compiled loops leave out is beyond doubt: the checks that know the rules find nothing in it either."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.marc.validation import scan
from holdfast.marc.validation.columns import characters, text
from holdfast.marc.validation.content import (
    _ARTICLES,
    _BEGINS,
    _CUT,
    _INDICATOR,
    _LANGUAGES,
    _NO_END,
    _cuts,
    _pick_nonfiling,
)
from holdfast.marc.validation.findings import excerpts
from holdfast.marc.validation.fixed import (
    _date_fault,
    _doubtful_codes,
    _doubtful_dates,
    _doubtful_times,
    _is_time,
    _no_dates,
    _numbers,
)
from holdfast.marc.validation.links import _parse, _parse_plain
from holdfast.marc.validation.memory import UNKNOWN, Memory, recall
from holdfast.marc.validation.values import (
    NUMBER_PATTERN,
    Matches,
    check_control_number,
    check_lccn,
    check_ocn,
    check_url,
    form_of,
)

FORMS = {
    check_control_number: "(OCoLC) 123", check_ocn: "(OCoLC)ocm00123", check_lccn: "  2001627090 ", check_url: "http://a.b/c\n",
    Matches(re.compile(NUMBER_PATTERN)): "(OCoLC)123",
}  # fmt: skip
PIECES = ["(", ")", "OCoLC", "ocoLC", "ocm", "ocn", "on", "0", "12345678", "9", " ", "\n", "\x85", "\xa0", "\u3000", "é", "http",
          "s", "://", "host.org", "/", "[", "]", "?", "n", "DLC", "\x1f", "٣"]  # fmt: skip
VALUES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


def cleared(form: int, value: str) -> bool:
    data = np.frombuffer(value.encode(), dtype=np.uint8)
    return bool(len(data)) and bool(scan._is_clear(form, data, 0, len(data)))


@given(VALUES)
def test_what_a_form_clears_its_check_clears_too(value: str) -> None:
    for check in FORMS:
        if cleared(form_of((check,)), value):
            assert check(value) == []
    both = tuple(check for check in FORMS if check is check_ocn or isinstance(check, Matches))
    if cleared(form_of(both), value):
        assert [verdict for check in both for verdict in check(value)] == []


@pytest.mark.parametrize("check", FORMS)
def test_a_form_clears_the_usual_value(check: object) -> None:
    assert cleared(form_of((check,)), FORMS[check])


def test_checks_without_a_common_form_have_none() -> None:
    assert form_of((check_url, check_lccn)) == form_of(()) == form_of((str.split,)) == scan.NO_FORM


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=12), st.integers(0, 3))
def test_characters_are_those_of_the_texts(values: list[str | None], skipped: int) -> None:
    column = pl.Series(["a long text that is sliced away", *values], dtype=pl.String)[1:][skipped:]
    found = characters(text(column), np.arange(len(column)), 14)
    for k, value in enumerate(column.to_list()):
        assert found.lengths[k] == (-1 if value is None else min(len(value), 15))
        if value:
            shown = "".join(each if each.isascii() else "?" for each in value[:14])
            assert found.matrix[k].tobytes().decode() == shown.ljust(14, "\0")
            assert found.plain[k] == value[:15].isascii()


@given(
    st.lists(st.from_regex(r"[0-2][0-9]{3}[0-3][0-9][0-9]{2}[0-2][0-9]{5}\.[0-9]", fullmatch=True) | VALUES, max_size=9)
)
def test_a_time_that_is_not_doubted_is_one(values: list[str]) -> None:
    found = characters(text(pl.Series(values, dtype=pl.String)), np.arange(len(values)), 16)
    doubtful = np.empty(len(values), dtype=np.bool_)
    _doubtful_times(found.matrix, found.lengths, doubtful)
    assert all(_is_time(value) for value, doubt in zip(values, doubtful, strict=True) if not doubt)


@given(st.text("scmdu|ntqe", min_size=1, max_size=1), st.text("0129u |", min_size=8, max_size=8))
def test_dates_that_are_not_doubted_are_right(kind: str, dates: str) -> None:
    doubtful = np.empty(1, dtype=np.bool_)
    _doubtful_dates(np.frombuffer(f"000000{kind}{dates}".encode(), dtype=np.uint8).reshape(1, -1), doubtful)
    assert doubtful[0] or _date_fault(kind + dates) == ""


@given(st.from_regex(r"[0-9]{3}-[0-9]{2,3}(/[($A-Za-z0-9]{0,4}){0,2}", fullmatch=True) | VALUES)
def test_links_are_read_as_the_pattern_reads_them(value: str) -> None:
    read = np.empty((1, 3), dtype=np.int64)
    _parse_plain(*text(pl.Series([value])), np.zeros(1, dtype=np.int64), read)
    assert read[0, 2] == 2 or tuple(read[0]) == _parse(value)


@given(st.lists(st.tuples(st.integers(1, 3), st.text("ab", max_size=6)), unique=True, max_size=30))
def test_memory_knows_what_it_learned_and_nothing_else(learned: list[tuple[int, str]]) -> None:
    memory, before = Memory(), Memory()
    words = text(pl.Series([each for _, each in learned], dtype=pl.String)).words
    texts = np.ascontiguousarray(words).view(np.uint64).reshape(-1, 2)
    subjects = np.array([subject for subject, _ in learned], dtype=np.int64)
    memory.learn(subjects, texts, np.arange(len(learned)))
    for number, (subject, (low, high)) in enumerate(zip(subjects.tolist(), texts, strict=True)):
        assert recall(*memory.slots, subject, low, high) == number
        assert recall(*memory.slots, subject + 3, low, high) == UNKNOWN
        assert recall(*before.slots, subject, low, high) == UNKNOWN


def test_memory_stays_bounded() -> None:
    memory = Memory()
    texts = np.arange(80_000, dtype=np.uint64).reshape(-1, 2)
    memory.learn(np.ones(40_000, dtype=np.int64), texts, np.zeros(40_000, dtype=np.int64))
    assert not memory.has_room
    assert recall(*memory.slots, 1, *texts[0]) == 0
    assert recall(*memory.slots, 1, *texts[-1]) == UNKNOWN


def test_an_excerpt_is_short_and_has_no_secret() -> None:
    masked = "pii:" + "0" * 64
    values = ["a\x1fb", f"x {masked} y", "ftp://me:secret@host/", "é" * 80, "é" * 81, "x" * 81 + "\x00", None, "fine"]
    expected = ["a␟b", "x pii:… y", "ftp://…@host/", "é" * 80, "é" * 79 + "…", "x" * 79 + "…", None, "fine"]
    assert excerpts(pl.Series(values, dtype=pl.String)).to_list() == expected


TITLES = st.tuples(
    st.lists(st.sampled_from(["The ", "L'", "l’", "AL-", "a", "A ", " ", "=", "?", "'", "0", "é", "e\u0301", "\u0338", "日", "K", "."]), max_size=5),
    st.integers(0, 9),
    st.sampled_from(sorted(_ARTICLES)),
)  # fmt: skip


@given(st.lists(TITLES, min_size=1, max_size=5))
def test_a_title_that_is_not_picked_counts_its_article_and_cuts_no_word(titles) -> None:
    texts, count = ["".join(pieces) for pieces, _, _ in titles], len(titles)
    of, places, counts, which = np.arange(count), *np.empty((3, count), dtype=np.int64)
    language = np.array([int.from_bytes(name.encode()) for _, _, name in titles])
    second = np.array([48 + number for _, number, _ in titles], dtype=np.uint8)
    picked = _pick_nonfiling(
        np.full(count, 245, dtype=np.int32), second, second, of, of, np.full(count, ord("a"), dtype=np.uint8),
        text(pl.Series(texts, dtype=pl.String)), _INDICATOR, language, _LANGUAGES, _BEGINS, _NO_END, places, counts, which,
    )  # fmt: skip
    found = dict(zip(places[:picked].tolist(), which[:picked].tolist(), strict=True))
    for k, (value, (_, number, name)) in enumerate(zip(texts, titles, strict=True)):
        if number and _cuts(value, number):
            assert found[k] == _CUT
        elif not number and value.lower().startswith(_ARTICLES[name]):
            assert list(_ARTICLES)[found[k]] == name


@given(st.lists(st.text(st.sampled_from("012389 u|é"), max_size=6), min_size=1, max_size=5))
def test_a_day_is_two_digits_each_of_year_month_and_day(values: list[str]) -> None:
    def is_day(value: str) -> bool:
        if not re.fullmatch("[0-9]{6}", value):
            return False
        month, day = int(value[2:4]), int(value[4:])
        return 1 <= month <= 12 and 1 <= day <= [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]

    values = [*values, "240229", "230230", "991231", "990431", "000100"]
    matrix = characters(text(pl.Series(values, dtype=pl.String)), np.arange(len(values)), 40).matrix
    wrong = np.empty(len(values), dtype=np.bool_)
    _no_dates(matrix, wrong)
    assert wrong.tolist() == [not is_day(value) for value in values]


@given(st.lists(st.text(st.sampled_from("aex |é"), min_size=3, max_size=3), min_size=1, max_size=8))
def test_a_code_that_is_not_doubtful_is_in_the_list(values: list[str]) -> None:
    codes = frozenset({"a", "ae", "aex", "   "})
    _, plain, matrix = characters(text(pl.Series(values, dtype=pl.String)), np.arange(len(values)), 3)
    doubtful = np.empty(len(values), dtype=np.bool_)
    _doubtful_codes(matrix, plain, np.arange(len(values)), 0, _numbers(codes), doubtful)
    fine = [each == "|||" or each in codes or each.rstrip() in codes for each in values]
    assert doubtful.tolist() == [not each for each in fine]
