"""Frames to Parquet, with columns of few short values (tags, indicators, codes, languages) as dictionaries found in one pass.

On the long table of subfields this takes a quarter off the time of Polars' own writer (docs/decisions/0014); readers see
plain strings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.marc.kernel import compiled

_ROWS, _BATCH = 10_000_000, 65_536
_SLOTS = 4096  # of the hash table; a column with more than a quarter of it in values is written as text


@compiled
def _codes(views: Any, valid: Any, offset: int, codes: Any, keys: Any, slots: Any) -> int:
    """Number the distinct strings of three bytes at most in the order met; how many, -1: longer, or too many.

    views: int32[n, 4], Arrow's. valid: Arrow's bitmap, which begins `offset` bits before the views; empty: none is null.
    codes: uint16[n], the number of each. keys: int64, length and bytes of each number.
    """
    found = 0
    for row in range(len(views)):
        if len(valid):
            bit = offset + row
            if not (valid[bit >> 3] >> (bit & 7)) & 1:
                codes[row] = 0
                continue
        length = np.int64(views[row, 0])
        if length > 3:
            return -1
        key = (length << 24) | (np.int64(views[row, 1]) & 0xFFFFFF)
        slot = (key * 2654435761 >> 7) & (_SLOTS - 1)
        while slots[slot] >= 0 and keys[slots[slot]] != key:
            slot = (slot + 1) & (_SLOTS - 1)
        if slots[slot] < 0:
            if found == len(keys):
                return -1
            slots[slot] = found
            keys[found] = key
            found += 1
        codes[row] = slots[slot]
    return found


def _as_dictionary(values: pl.Series) -> Any:
    """The column as a dictionary array of Arrow's; itself, where its values are long or many."""
    array = values.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    if not len(array) or array.null_count == len(array) or not pa.types.is_string_view(array.type):
        return array
    bitmap, *buffers = array.buffers()
    views = np.frombuffer(buffers[0], dtype=np.int32).reshape(-1, 4)[array.offset : array.offset + len(array)]
    valid = np.frombuffer(bitmap, dtype=np.uint8) if bitmap and array.null_count else np.zeros(0, dtype=np.uint8)
    codes = np.empty(array.offset + len(views), dtype=np.uint16)
    keys = np.empty(_SLOTS // 4, dtype=np.int64)
    found = _codes(views, valid, array.offset, codes[array.offset :], keys, np.full(_SLOTS, -1, dtype=np.int32))
    if found < 0:
        return array
    texts = [int(key & 0xFFFFFF).to_bytes(3, "little")[: int(key >> 24)].decode() for key in keys[:found]]
    indices = pa.Array.from_buffers(
        pa.uint16(), len(views), [bitmap if len(valid) else None, pa.py_buffer(codes)], offset=array.offset
    )
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string()), safe=False)


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as one Parquet file, zstd. It reads back equal, by Polars, DuckDB and whatever else reads Parquet."""
    columns, other = {}, []
    for name, dtype in frame.schema.items():
        column = _as_dictionary(frame[name]) if dtype == pl.String else frame[name].rechunk().to_arrow()
        columns[name] = column
        if not (pa.types.is_dictionary(column.type) or pa.types.is_integer(column.type)):
            other.append(name)
    coded = [name for name in columns if name not in other]
    numbers = [name for name in coded if pa.types.is_integer(columns[name].type)]
    # A column without nulls that says so needs no list of what is null. One of the type Null may not say so, even if empty.
    fields = [
        pa.field(name, column.type, nullable=column.null_count > 0 or pa.types.is_null(column.type))
        for name, column in columns.items()
    ]
    table = pa.table(list(columns.values()), schema=pa.schema(fields))
    # The system's allocator gives back what the pages took; Arrow's own would keep it for each thread.
    with pq.ParquetWriter(
        path,
        table.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=coded or False,
        write_statistics=numbers or False,
        store_schema=False,
        # Pages by bytes, not by rows: many small ones take longer, and more room.
        max_rows_per_page=_ROWS,
        write_batch_size=_BATCH,
        memory_pool=pa.system_memory_pool(),
    ) as writer:
        writer.write_table(table)
