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

from holdfast.marc.kernel import compiled
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
            byte = np.int64(data[position])
            if byte < 0x80:
                position += 1
                continue
            if byte < 0xE0:
                point, length = byte & 0x1F, 2
            elif byte < 0xF0:
                point, length = byte & 0x0F, 3
            else:
                point, length = byte & 0x07, 4
            for k in range(1, length):
                point = (point << 6) | (np.int64(data[position + k]) & 0x3F)
            if doubtful[point]:
                found[row] = True
                break
            position += length


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
    after = before.to_frame("v").select(pl.col("v").str.normalize("NFC").alias("nfc"))["nfc"]
    differs = (after != before).to_numpy()
    return column.scatter(rows[differs], after.filter(pl.Series(differs)))


def with_nfc(subfields: pl.DataFrame) -> pl.DataFrame:
    """Subfields (shape frames.SUBFIELDS) with the column `nfc` beside `value`: shape frames.NORMALIZED_SUBFIELDS."""
    return subfields.with_columns(nfc_beside(subfields["value"]).alias("nfc"))
