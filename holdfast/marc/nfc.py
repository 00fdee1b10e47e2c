"""Normalization form C beside the original.

Values stay as they came: the form is a column of its own, null where the value is in it already. Which values are not is
found by one compiled pass over their bytes (Unicode's quick check); only those are normalized.

Source: Unicode Standard Annex #15, section 9, "Detecting Normalization Forms".
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from holdfast.marc.kernel import character_at, compiled, put
from holdfast.marc.string_views import text_buffers


@cache
def _doubtful() -> Any:
    """bool[0x110000]: may text that holds the character not be in form C?

    A character is beyond doubt if it is in form C itself and never composes with one before it.
    """
    doubtful = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    second: set[str] = set()
    # What composes is what some character decomposes to; ideographs and surrogates decompose to nothing of that kind.
    ranges = (range(0x80, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x20000), range(0x2F800, 0x2FA20))
    for point in (point for each in ranges for point in each):
        character = chr(point)
        doubtful[point] = unicodedata.combining(character) or unicodedata.normalize("NFC", character) != character
        decomposed = unicodedata.decomposition(character)
        if decomposed and not decomposed.startswith("<"):
            second.update(chr(int(code, 16)) for code in decomposed.split()[1:])
    for character in second:
        doubtful[ord(character)] = True
    doubtful[0x1161:0x11C3] = True  # vowels and finals of Hangul, which compose by rule
    return doubtful


@compiled
def _find_doubtful(data: Any, offsets: Any, doubtful: Any, found: Any) -> None:
    """found[k]: does the UTF-8 text from offsets[k] to offsets[k + 1] hold a doubtful character?"""
    for row in range(len(offsets) - 1):
        position, end = offsets[row], offsets[row + 1]
        while position < end:
            point, length = character_at(data, position)
            position += length
            if doubtful[point]:
                found[row] = True
                break


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
    for point in (*range(0xC0, 0x3400), *range(0xA000, 0xAC00)):
        codes = unicodedata.decomposition(chr(point)).split()
        if len(codes) == 2 and not codes[0].startswith("<") and unicodedata.normalize("NFC", chr(point)) == chr(point):
            first, second = (int(code, 16) for code in codes)
            if kinds[second] == 1 and not unicodedata.decomposition(chr(first)):
                found[first << 21 | second] = point
    keys = np.array(sorted(found), dtype=np.int64)
    return keys, np.array([found[key] for key in keys.tolist()], dtype=np.int64), kinds


@cache
def _decomposable() -> Any:
    """bool[0x110000]: is the character a letter with a mark in it already? Another mark may change places with that one."""
    result = np.zeros(sys.maxunicode + 1, dtype=np.bool_)
    for point in (*range(0xC0, 0x3400), *range(0xA000, 0xD7B0)):
        text = unicodedata.decomposition(chr(point))
        result[point] = bool(text) and not text.startswith("<")
    result[0xAC00:0xD7A4] = True
    return result


@compiled
def _compose(
    data: Any,
    offsets: Any,
    keys: Any,
    composed: Any,
    kinds: Any,
    decomposable: Any,
    out: Any,
    out_offsets: Any,
    left: Any,
) -> int:
    """Compose letters that one mark follows; `left`: the texts that ask for more, whose output means nothing."""
    at = 0
    for row in range(len(offsets) - 1):
        out_offsets[row] = at
        position, end = offsets[row], offsets[row + 1]
        letter: Any = np.int64(-1)  # waits for the mark that may follow
        marked = False
        while position < end:
            point, length = character_at(data, position)
            position += length
            kind = kinds[point]
            if kind == 2 or (kind == 1 and (marked or letter < 0 or decomposable[letter])):
                left[row] = True
                break
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
    out_offsets[len(offsets) - 1] = at
    return at


def _form_c(values: pl.Series) -> pl.Series:
    """Form C of values without nulls: letters with one mark here, what asks for more by Polars."""
    data, offsets = text_buffers(values)
    out = np.empty(int(offsets[-1] - offsets[0]) + 16, dtype=np.uint8)
    out_offsets, left = np.empty(len(offsets), dtype=np.int64), np.zeros(len(values), dtype=np.bool_)
    _compose(data, offsets, *_pairs(), _decomposable(), out, out_offsets, left)
    array = pa.Array.from_buffers(pa.large_string(), len(values), [None, pa.py_buffer(out_offsets), pa.py_buffer(out)])
    result = pl.Series(pl.from_arrow(array), dtype=pl.String)
    rows = np.flatnonzero(left)
    if not len(rows):
        return result
    whole = values.gather(rows).to_frame("v").select(pl.col("v").str.normalize("NFC").alias("v"))["v"]
    return result.scatter(rows, whole)


def nfc_beside(values: pl.Series) -> pl.Series:
    """Column `nfc` (String): form C of each value, null where the value is in it or is null."""
    rows = np.flatnonzero((values.str.len_bytes() != values.str.len_chars()).fill_null(False).to_numpy())
    if len(rows):
        beyond = values.gather(rows)
        found = np.zeros(len(rows), dtype=np.bool_)
        _find_doubtful(*text_buffers(beyond), _doubtful(), found)
        rows = rows[found]
    column = pl.Series("nfc", [None], dtype=pl.String).new_from_index(0, len(values))
    if not len(rows):
        return column
    before = values.gather(rows)
    after = _form_c(before)
    differs = (after != before).to_numpy()
    return column.scatter(rows[differs], after.filter(pl.Series(differs)))


def with_nfc(subfields: pl.DataFrame) -> pl.DataFrame:
    """Subfields (shape frames.SUBFIELDS) with the column `nfc` beside `value`: shape frames.NORMALIZED_SUBFIELDS."""
    return subfields.with_columns(nfc_beside(subfields["value"]).alias("nfc"))
