"""String columns for compiled loops: Arrow's views with the bytes they lead to.

Source: Arrow Columnar Format 1.4, "Variable-size Binary View Layout": length, then up to twelve bytes of text, or its first
four, the number of a buffer and a place in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from holdfast.marc.kernel import compiled
from holdfast.marc.string_views import Text, is_there, text

__all__ = ["Characters", "Text", "characters", "fill_characters", "find_traits", "is_there", "text"]

Ints = npt.NDArray[Any]


@compiled
def _fill(source: Any, start: int, size: int, k: int, plain: Any, matrix: Any) -> int:
    """Put the text into row k; how many characters it has, or one more than there is room for."""
    width = matrix.shape[1]
    whole = min(size, width + 1)
    # Without a sign there is no counting from the end, and the loops run over many bytes at once.
    begin = np.uint64(start)
    beyond = np.uint8(0)
    for at in range(np.uint64(whole)):
        beyond |= source[begin + np.uint64(at)]
    if beyond < 0x80:
        for at in range(np.uint64(min(whole, width))):
            matrix[k, at] = source[begin + np.uint64(at)]
        return whole
    count = 0
    plain[k] = False
    for at in range(start + count, start + size):
        byte = source[at]
        if (byte & 0xC0) == 0x80:
            continue
        if count < width:
            matrix[k, count] = byte if byte < 0x80 else 63
        count += 1
        if count > width:
            break
    return count


@compiled
def fill_characters(words: Any, inline: Any, data: Any, starts: Any, valid: Any, offset: int, rows: Any, lengths: Any,
                    plain: Any, matrix: Any) -> None:  # fmt: skip
    """The first characters of the texts at `rows`, '?' for one beyond ASCII; lengths in characters, of longer ones one more than
    the matrix is wide, -1 for null."""
    for k in range(len(rows)):
        row = rows[k]
        plain[k] = True
        size = np.int64(words[row, 0])
        if not is_there(valid, offset, row):
            lengths[k] = -1
        elif size <= 12:
            lengths[k] = _fill(inline, row * 16 + 4, size, k, plain, matrix)
        else:
            start = starts[words[row, 2]] + np.int64(words[row, 3])
            lengths[k] = _fill(data, start, size, k, plain, matrix)


HAS_CONTROL, HAS_AT, HAS_COLON, IS_LONG = 1, 2, 4, 8


@compiled
def _traits(source: Any, start: int, size: int) -> int:
    traits = 0
    for at in range(np.uint64(start), np.uint64(start + size)):
        byte = source[at]
        if byte < 0x20 or byte == 0x7F:
            traits |= HAS_CONTROL
        elif byte == 0x40:
            traits |= HAS_AT
        elif byte == 0x3A:
            traits |= HAS_COLON
    return traits


@compiled
def find_traits(
    words: Any, inline: Any, data: Any, starts: Any, valid: Any, offset: int, long: int, traits: Any
) -> None:
    """Of each text: has it an ASCII control character, '@', ':', more than `long` bytes? 0 for null."""
    for row in range(len(traits)):
        size = np.int64(words[row, 0])
        if not is_there(valid, offset, row):
            traits[row] = 0
        elif size <= 12:
            traits[row] = _traits(inline, row * 16 + 4, size)
        else:
            traits[row] = _traits(data, starts[words[row, 2]] + np.int64(words[row, 3]), size)
            if size > long:
                traits[row] |= IS_LONG


class Characters(NamedTuple):
    """Texts as a matrix of characters: a row each, as wide as asked for, zero after the end.

    Attributes:
        lengths: characters of each, -1 for null; of all that are longer than the matrix is wide, one more than that.
        plain: has it ASCII only, as far as it was looked at? Others have '?' in the matrix.
    """

    lengths: Ints
    plain: Ints
    matrix: Ints


def characters(column: Text, rows: Ints, width: int) -> Characters:
    lengths = np.empty(len(rows), dtype=np.int64)
    plain = np.empty(len(rows), dtype=np.bool_)
    matrix = np.zeros((len(rows), width), dtype=np.uint8)
    fill_characters(*column, np.asarray(rows, dtype=np.int64), lengths, plain, matrix)
    return Characters(lengths, plain, matrix)
