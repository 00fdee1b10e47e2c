"""Fold text to a comparison form, character by character, in one compiled pass over a column.

A folding is a function of one character; what it gives is worked out once for each character that occurs. Runs of blanks
in the result become one, and none is left at its ends.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from holdfast.marc.kernel import character_at, compiled
from holdfast.marc.string_views import series_of_texts, text_buffers

_UNKNOWN = -1


@compiled
def _fold(
    data: Any, offsets: Any, places: Any, lengths: Any, folded: Any, out: Any, out_offsets: Any, unknown: Any
) -> int:
    """Write the folded texts to `out` (nothing where it has no length). The bytes that they have; -1: `unknown` was met.

    places, lengths: by character, where its folding is in `folded`.
    """
    at = 0
    missing = 0
    for row in range(len(offsets) - 1):
        out_offsets[row] = at
        begin = at
        blank = False
        position, end = offsets[row], offsets[row + 1]
        while position < end:
            point, length = character_at(data, position)
            position += length
            place = places[point]
            if place < 0:
                if missing < len(unknown):
                    unknown[missing] = point
                    missing += 1
                continue
            for k in range(lengths[point]):
                each = folded[place + k]
                if each == 0x20:
                    blank = True
                    continue
                if blank and at > begin:
                    if at < len(out):
                        out[at] = 0x20
                    at += 1
                blank = False
                if at < len(out):
                    out[at] = each
                at += 1
    out_offsets[len(offsets) - 1] = at
    return -1 if missing else at


class Folding:
    """A folding of text. `of_character`: the text that stands for a character, in which blanks part words."""

    def __init__(self, of_character: Callable[[str], str]) -> None:
        self._of_character = of_character
        places = np.full(sys.maxunicode + 1, _UNKNOWN, dtype=np.int32)
        self._table = places, np.zeros(sys.maxunicode + 1, dtype=np.uint8), np.zeros(0, dtype=np.uint8)
        self._learning = threading.Lock()

    def __call__(self, values: pl.Series) -> pl.Series:
        """The folded texts (String) of a String column; null stays null."""
        folded = series_of_texts(*self.fold(*text_buffers(values.fill_null(""))))
        return folded.set(values.is_null(), None) if values.null_count() else folded

    def fold(self, data: Any, offsets: Any) -> tuple[Any, Any]:
        """(bytes, offsets) of the folded texts, of texts that are given in the same way."""
        out_offsets = np.empty(len(offsets), dtype=np.int64)
        unknown = np.empty(1024, dtype=np.int32)
        out = np.empty(int(offsets[-1] - offsets[0]) + 64, dtype=np.uint8)
        while True:
            unknown[:] = _UNKNOWN
            length = _fold(data, offsets, *self._table, out, out_offsets, unknown)
            if length < 0:
                self._learn(np.unique(unknown[unknown >= 0]))
            elif length > len(out):
                out = np.empty(length, dtype=np.uint8)
            else:
                return out, out_offsets

    def _learn(self, points: Any) -> None:
        with self._learning:
            # The table is replaced, never changed: other threads may be folding with it.
            places, lengths, folded = self._table[0].copy(), self._table[1].copy(), bytearray(self._table[2].tobytes())
            for point in points.tolist():
                text = self._of_character(chr(point)).encode()
                places[point], lengths[point] = len(folded), len(text)
                folded += text
            self._table = places, lengths, np.frombuffer(bytes(folded), dtype=np.uint8)
