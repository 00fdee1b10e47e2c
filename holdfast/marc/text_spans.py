"""Loops over the bytes of one text of a `string_views.Text` column: where it begins and ends, without its blanks, by characters. Compiled,
without the GIL.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.marc.kernel import character_at, compiled

_WORDS = 16  # bytes of a view
_INLINE = 12


@compiled
def begin_of(column: Any, row: int) -> int:
    """Where the text begins, in `inline` or in `data`."""
    if column.words[row, 0] <= _INLINE:
        return row * _WORDS + 4
    return column.starts[column.words[row, 2]] + np.int64(column.words[row, 3])


@compiled
def source_of(column: Any, row: int) -> Any:
    if column.words[row, 0] <= _INLINE:
        return column.inline
    return column.data


@compiled
def is_blank(point: int) -> bool:
    """Unicode's White_Space, which is what Polars strips."""
    if point < 0x80:
        return point == 0x20 or 9 <= point <= 13
    return (
        point == 0x85 or point == 0xA0 or point == 0x1680 or 0x2000 <= point <= 0x200A or point == 0x2028 or point == 0x2029
        or point == 0x202F or point == 0x205F or point == 0x3000
    )  # fmt: skip


@compiled
def stripped(source: Any, start: int, end: int) -> Any:
    """(start, end) without the blanks at both ends."""
    while start < end:
        point, length = character_at(source, start)
        if not is_blank(point):
            break
        start += length
    while end > start:
        at = end - 1
        while at > start and (source[at] & 0xC0) == 0x80:
            at -= 1
        point, _ = character_at(source, at)
        if not is_blank(point):
            break
        end = at
    return start, end


@compiled
def is_ascii(source: Any, start: int, end: int) -> bool:
    for k in range(start, end):  # noqa: SIM110  (numba)
        if source[k] >= 0x80:
            return False
    return True


@compiled
def characters(source: Any, start: int, end: int, begin: int, count: int) -> Any:
    """(start, end) of `count` characters from character `begin` on, as many as there are."""
    for _ in range(begin):
        if start >= end:
            return end, end
        start += character_at(source, start)[1]
    behind = start
    for _ in range(count):
        if behind >= end:
            break
        behind += character_at(source, behind)[1]
    return start, behind


@compiled
def copied(source: Any, start: int, end: int, out: Any, at: int) -> int:
    for k in range(start, end):
        out[at] = source[k]
        at += 1
    return at
