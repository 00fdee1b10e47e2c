"""Columns of strings that are views into a block of bytes: no value is copied but those of 12 bytes at most.

Source: Apache Arrow Columnar Format, "Variable-size Binary View Layout".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Ints = npt.NDArray[Any]
_INLINE = 12


def string_views(data: bytes, start: Ints, end: Ints) -> pl.Series:
    """`data[start:end]` for each pair, as a column of strings. `data` must be UTF-8 at these places."""
    count = len(start)
    padded: npt.NDArray[np.uint8] = np.frombuffer(data + bytes(_INLINE), dtype=np.uint8)
    views = np.zeros((count, 4), dtype=np.int32)
    length = (end - start).astype(np.int32)
    views[:, 0] = length
    heads = np.lib.stride_tricks.sliding_window_view(padded, _INLINE)[start]
    short = length <= _INLINE
    heads *= np.arange(_INLINE, dtype=np.int32) < length[:, None]
    words = heads.view(np.int32)
    views[:, 1] = words[:, 0]
    views[:, 2] = np.where(short, words[:, 1], 0)
    views[:, 3] = np.where(short, words[:, 2], start)
    array = pa.Array.from_buffers(pa.string_view(), count, [None, pa.py_buffer(views), pa.py_buffer(data)])
    return pl.Series(pl.from_arrow(array), dtype=pl.String)
