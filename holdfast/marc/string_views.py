"""Columns of strings that are views into bytes at hand (Arrow's variable-size binary view layout): nothing is copied.

Source: Arrow Columnar Format 1.4, "Variable-size Binary View Layout".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from holdfast.marc.kernel import compiled

Ints = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

_HELD = 12  # bytes of a text that a view holds itself


def series_of_views(
    views: Ints, buffers: list[bytes | bytearray | Ints], valid: npt.NDArray[np.bool_] | None
) -> pl.Series:
    """A String column of int32[n, 4] views into `buffers`, which hold UTF-8; null where not `valid`."""
    validity = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    array = pa.Array.from_buffers(
        pa.string_view(), len(views), [validity, pa.py_buffer(views), *map(pa.py_buffer, buffers)]
    )
    return pl.Series(pl.from_arrow(array), dtype=pl.String)


def series_of_numbers(values: Ints, valid: npt.NDArray[np.bool_]) -> pl.Series:
    """A column of numbers; null where not `valid`."""
    validity = pa.py_buffer(np.packbits(valid, bitorder="little"))
    kind = pa.from_numpy_dtype(values.dtype)
    array = pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])
    return pl.Series(pl.from_arrow(array))


def take_rows(buffer: Bytes, start: Ints, width: int) -> Bytes:
    # Rows of a view are copied whole; an index of every byte would be eight times as large as the bytes.
    return np.lib.stride_tricks.sliding_window_view(buffer, width)[start]


def string_views(data: bytes, start: Ints, end: Ints) -> pl.Series:
    """`data[start:end]` for each pair, as a column of strings. `data` must be UTF-8 at these places."""
    count = len(start)
    padded: Bytes = np.frombuffer(data + bytes(12), dtype=np.uint8)
    views = np.zeros((count, 4), dtype=np.int32)
    length = (end - start).astype(np.int32)
    views[:, 0] = length
    heads = np.lib.stride_tricks.sliding_window_view(padded, 12)[start]
    short = length <= 12
    heads *= np.arange(12, dtype=np.int32) < length[:, None]
    words = heads.view(np.int32)
    views[:, 1] = words[:, 0]
    views[:, 2] = np.where(short, words[:, 1], 0)
    views[:, 3] = np.where(short, words[:, 2], start)
    array = pa.Array.from_buffers(pa.string_view(), count, [None, pa.py_buffer(views), pa.py_buffer(data)])
    return pl.Series(pl.from_arrow(array), dtype=pl.String)


def text_column(
    data: bytes, buffer: Bytes, start: Ints, end: Ints, converted: dict[int, str], valid: Any = None
) -> pl.Series:
    """A column of strings that are views into `data`; no value is copied but those of 12 bytes at most and `converted`."""
    count = len(start)
    views = np.zeros((count, 4), dtype=np.int32)
    length = (end - start).astype(np.int32)
    views[:, 0] = length
    short = length <= 12
    heads = take_rows(buffer, start, 12)
    heads *= np.arange(12, dtype=np.int32) < length[:, None]
    words = heads.view(np.int32)
    views[short, 1:] = words[short]
    views[~short, 1] = words[~short, 0]
    views[~short, 3] = start[~short]
    buffers = [None, pa.py_buffer(views), pa.py_buffer(data)]
    if converted:
        extra = bytearray()
        for index, text in converted.items():
            value = text.encode()
            views[index] = 0
            views[index, 0] = len(value)
            row = views[index : index + 1].view(np.uint8).reshape(-1)
            if len(value) <= 12:
                row[4 : 4 + len(value)] = np.frombuffer(value, dtype=np.uint8)
            else:
                row[4:8] = np.frombuffer(value[:4], dtype=np.uint8)
                views[index, 2], views[index, 3] = 1, len(extra)
                extra += value
        buffers.append(pa.py_buffer(bytes(extra)))
    array = pa.Array.from_buffers(pa.string_view(), count, buffers)
    series = pl.Series(pl.from_arrow(array), dtype=pl.String)
    return series if valid is None else series.set(pl.Series(~valid), None)


def ascii_column(values: Bytes, null: npt.NDArray[np.bool_] | None = None, empty: Any = None) -> pl.Series:
    """A column of short ASCII strings, a row of `values` each (12 bytes at most)."""
    count, width = values.shape
    views = np.zeros((count, 16), dtype=np.uint8)
    views[:, 0] = width
    views[:, 4 : 4 + width] = values
    if empty is not None:
        views[empty] = 0
    validity = None if null is None else pa.py_buffer(np.packbits(~null, bitorder="little"))
    array = pa.Array.from_buffers(pa.string_view(), count, [validity, pa.py_buffer(views)])
    return pl.Series(pl.from_arrow(array), dtype=pl.String)


def text_buffers(values: pl.Series) -> tuple[Any, Any]:
    """(bytes as uint8, offsets as int64) of a String column without nulls."""
    array = values.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    # The system's allocator gives back what is freed; Arrow's own would keep it for each thread.
    array = array.cast(pa.large_string(), memory_pool=pa.system_memory_pool())
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = array.buffers()[2]
    return np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, dtype=np.uint8), offsets


def series_of_texts(data: Any, offsets: Any) -> pl.Series:
    """A String column of the texts from offsets[k] to offsets[k + 1] (int64) of `data`, which is UTF-8."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    array = pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)
    return pl.Series(pl.from_arrow(array), dtype=pl.String)


class Text(NamedTuple):
    """A String column.

    Attributes:
        words: uint32[n, 4], the views; rows of nulls are undefined.
        inline: the same as bytes.
        data: the bytes of long texts. starts: where each buffer that the views name begins in it.
        valid: a bit a row, from bit `offset` on; empty where there is no null.
    """

    words: Ints
    inline: Ints
    data: Ints
    starts: Ints
    valid: Ints
    offset: int


def text(values: pl.Series) -> Text:
    """A column without a copy, where its long texts are in one buffer."""
    array = values.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    validity, views, *buffers = array.buffers()
    count, offset = len(array), array.offset
    if views is None or not count:
        words = np.zeros((0, 4), dtype=np.uint32)
    else:
        words = np.frombuffer(views, dtype=np.uint32, count=4 * (offset + count)).reshape(-1, 4)[offset:]
    sizes = [0 if each is None else each.size for each in buffers]
    starts = np.cumsum([0, *sizes], dtype=np.int64)[: max(len(sizes), 1)]
    filled = [np.frombuffer(each, dtype=np.uint8) for each in buffers if each is not None and each.size]
    if len(filled) > 1:
        data = np.concatenate(filled)
    else:
        data = filled[0] if filled else np.zeros(0, dtype=np.uint8)
    nulls = values.null_count() and validity is not None
    valid = np.frombuffer(validity, dtype=np.uint8) if nulls else np.zeros(0, dtype=np.uint8)
    return Text(_readonly(words), _readonly(words.reshape(-1).view(np.uint8)), _readonly(data), starts,
                _readonly(valid), offset if nulls else 0)  # fmt: skip


def numbers(values: pl.Series) -> Ints:
    """A column of numbers without nulls."""
    return _readonly(values.rechunk().to_numpy())


def _readonly(array: Ints) -> Ints:
    # One type of array, so that every loop is compiled once.
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


@compiled
def is_there(valid: Any, offset: int, row: int) -> bool:
    if len(valid) == 0:
        return True
    bit = row + offset
    return (valid[bit >> 3] >> (bit & 7)) & 1 == 1


@compiled
def make_view(views: Any, row: int, source: Any, start: int, end: int, which: int, at: int) -> None:
    """A view of source[start:end], which is at `at` of buffer number `which`."""
    size = end - start
    views[row, 0] = size
    for slot in range(1, 4):
        views[row, slot] = 0
    if size <= _HELD:
        for k in range(size):
            views[row, 1 + (k >> 2)] |= np.uint32(source[start + k]) << np.uint32(8 * (k & 3))
    else:
        for k in range(4):
            views[row, 1] |= np.uint32(source[start + k]) << np.uint32(8 * k)
        views[row, 2], views[row, 3] = which, at
