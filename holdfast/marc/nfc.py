"""Normalization form C beside the original.

Values stay as they came: the form is a column of its own, null where the value is in it already. Which values are not is
found by one compiled pass over their bytes (Unicode's quick check); only those are normalized.

Source: Unicode Standard Annex #15, section 9, "Detecting Normalization Forms".
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from holdfast.marc.kernel import character_at, compiled, put
from holdfast.marc.string_views import is_there, make_view, series_of_views, text

# What may decompose, apart from the syllables of Hangul, which do by rule.
_DECOMPOSING = range(0x80, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x20000), range(0x2F800, 0x2FA20)
_HANGUL = slice(0xAC00, 0xD7A4)


def _canonical(point: int) -> list[int]:
    """The characters that a character is the same as, none where it stands for itself."""
    text = unicodedata.decomposition(chr(point))
    return [int(code, 16) for code in text.split()] if not text.startswith("<") else []


@cache
def _doubtful() -> Any:
    """bool[0x110000]: may text that holds the character not be in form C?

    A character is beyond doubt if it is in form C itself and never composes with one before it.
    """
    doubtful = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    second: set[int] = set()  # what composes is what some character decomposes to
    for point in chain(*_DECOMPOSING):
        character = chr(point)
        doubtful[point] = unicodedata.combining(character) or unicodedata.normalize("NFC", character) != character
        second.update(_canonical(point)[1:])
    doubtful[list(second)] = True
    doubtful[0x1161:0x11C3] = True  # vowels and finals of Hangul, which compose by rule
    return doubtful


@compiled
def _find_doubtful(column: Any, doubtful: Any, rows: Any) -> Any:
    """(how many of the texts hold a doubtful character, the bytes they have in all); `rows`: which they are."""
    found = 0
    size: Any = 0
    for row in range(len(column.words)):
        if not is_there(column.valid, column.offset, row):
            continue
        long = np.int64(column.words[row, 0])
        if long <= 12:
            asked = _is_doubtful(column.inline, row * 16 + 4, long, doubtful)
        else:
            begin = column.starts[column.words[row, 2]] + np.int64(column.words[row, 3])
            asked = _is_doubtful(column.data, begin, long, doubtful)
        if asked:
            rows[found] = row
            found += 1
            size += long
    return found, size


@compiled
def _is_doubtful(source: Any, begin: int, size: int, doubtful: Any) -> bool:
    beyond = np.uint8(0)
    # Without a sign there is no counting from the end, and the loop runs over many bytes at once.
    for k in range(np.uint64(begin), np.uint64(begin + size)):
        beyond |= source[k]
    if beyond < 0x80:
        return False
    position, end = begin, begin + size
    while position < end:
        if source[position] < 0x80:
            position += 1
            continue
        point, length = character_at(source, position)
        if doubtful[point]:
            return True
        position += length
    return False


@cache
def _pairs() -> tuple[Any, Any, Any]:
    """(keys, composed, kinds): the characters that a letter and one mark make, as sorted letter << 21 | mark and what they
    make; and what each character is: 0 plain, 1 a mark (its combining class is not 0), 2 what only the whole algorithm knows."""
    kinds = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
    found: dict[int, int] = {}
    kinds[_doubtful()] = 2
    for point in np.flatnonzero(_doubtful()).tolist():
        if unicodedata.combining(chr(point)) and unicodedata.normalize("NFC", chr(point)) == chr(point):
            kinds[point] = 1
    for point in chain(*_DECOMPOSING):
        codes = _canonical(point)
        if len(codes) == 2 and unicodedata.normalize("NFC", chr(point)) == chr(point):
            first, second = codes
            if kinds[second] == 1 and not _canonical(first):
                found[first << 21 | second] = point
    keys = np.array(sorted(found), dtype=np.int64)
    return keys, np.array([found[key] for key in keys.tolist()], dtype=np.int64), kinds


@cache
def _decomposable() -> Any:
    """bool[0x110000]: is the character a letter with a mark in it already? Another mark may change places with that one."""
    result = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    for point in chain(*_DECOMPOSING):
        result[point] = bool(_canonical(point))
    result[_HANGUL] = True
    return result


_SAME, _OTHER, _LEFT = 0, 1, 2  # what the form of a text is: the text itself, another, not known here


@compiled
def _compose(
    source: Any, position: int, end: int, keys: Any, composed: Any, kinds: Any, decomposable: Any, out: Any, at: int
) -> int:
    """Compose letters that one mark follows into `out`; the place behind them, -1 for a text that asks for more."""
    letter: Any = np.int64(-1)  # waits for the mark that may follow
    marked = False
    while position < end:
        point, length = character_at(source, position)
        position += length
        kind = kinds[point]
        if kind == 2 or (kind == 1 and (marked or letter < 0 or decomposable[letter])):
            return -1
        if kind == 1:
            key = letter << 21 | point
            place = np.searchsorted(keys, key)
            if place < len(keys) and keys[place] == key:
                at = put(out, at, composed[place])
            else:
                at = put(out, at, letter)
                at = put(out, at, point)
            letter = np.int64(-1)
            marked = True
        else:
            if letter >= 0:
                at = put(out, at, letter)
            letter = point
            marked = False
    if letter >= 0:
        at = put(out, at, letter)
    return at


@compiled
def _same(source: Any, begin: int, size: int, out: Any, start: int, end: int) -> bool:
    if end - start != size:
        return False
    for k in range(size):  # noqa: SIM110  (numba)
        if source[begin + k] != out[start + k]:
            return False
    return True


@compiled
def _compose_rows(
    column: Any, rows: Any, keys: Any, composed: Any, kinds: Any, decomposable: Any, out: Any, views: Any, states: Any
) -> int:
    """Views into `out` of the forms of the texts in these rows; the bytes of it that are used."""
    used = 0
    for k in range(len(rows)):
        row = rows[k]
        size = np.int64(column.words[row, 0])
        short = size <= 12
        begin = row * 16 + 4 if short else column.starts[column.words[row, 2]] + np.int64(column.words[row, 3])
        if short:
            behind = _compose(column.inline, begin, begin + size, keys, composed, kinds, decomposable, out, used)
            same = behind >= 0 and _same(column.inline, begin, size, out, used, behind)
        else:
            behind = _compose(column.data, begin, begin + size, keys, composed, kinds, decomposable, out, used)
            same = behind >= 0 and _same(column.data, begin, size, out, used, behind)
        states[k] = _LEFT if behind < 0 else _SAME if same else _OTHER
        if states[k] == _OTHER:
            make_view(views, row, out, used, behind, 0, used)
            used = behind
    return used


def nfc_beside(values: pl.Series) -> pl.Series:
    """Column `nfc` (String): form C of each value, null where the value is in it or is null."""
    column = text(values)
    asked = np.empty(len(values), dtype=np.int64)
    count, size = _find_doubtful(column, _doubtful(), asked)
    if not count:
        return pl.Series("nfc", [None], dtype=pl.String).new_from_index(0, len(values))
    rows = asked[:count].copy()
    out, states = np.empty(size + 16, dtype=np.uint8), np.empty(count, dtype=np.uint8)
    views, there = np.zeros((len(values), 4), dtype=np.uint32), np.zeros(len(values), dtype=np.bool_)
    used = _compose_rows(column, rows, *_pairs(), _decomposable(), out, views, states)
    left = rows[states == _LEFT]
    there[rows[states == _OTHER]] = True
    forms = series_of_views(views, [out[:used].copy()], there).alias("nfc")
    if not len(left):
        return forms
    # What asks for more than a letter with a mark.
    before = values.gather(left).to_frame("v")
    after = before.select(pl.col("v").str.normalize("NFC").alias("v"))["v"]
    differs = (after != before["v"]).to_numpy()
    return forms.scatter(left[differs], after.filter(pl.Series(differs)))


def with_nfc(subfields: pl.DataFrame) -> pl.DataFrame:
    """Subfields (shape frames.SUBFIELDS) with the column `nfc` beside `value`: shape frames.NORMALIZED_SUBFIELDS."""
    return subfields.with_columns(nfc_beside(subfields["value"]).alias("nfc"))
