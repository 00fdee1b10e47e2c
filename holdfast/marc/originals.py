"""ISO 2709 records whose bytes do not follow from their subfields: fields that lie in another order than the directory names
them, MARC-8 with other escape sequences than ours, UTF-8 under a leader that says MARC-8, the sets of other systems. A writer gives their own bytes back as long as nothing was changed.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from holdfast.marc.frames import Frames
from holdfast.marc.parts import Part


def originals_of(part: Part) -> dict[int, bytes]:
    """Record → its bytes, for those of the part that `iso2709_writer` would write in other bytes."""
    from holdfast.marc.iso2709_writer import to_iso2709

    readable = part.records.filter(pl.col("fault").is_null())
    legacy = readable.filter(
        ~pl.col("encoding").is_in(["ascii", "utf-8"])
        | ((pl.col("claims") == "marc-8") & (pl.col("encoding") == "utf-8"))
    )
    place = {
        record: (offset - part.offset, length)
        for record, offset, length in readable.select("record", "offset", "length").iter_rows()
    }
    found: dict[int, bytes] = {}
    if legacy.height:
        rows = part.subfields.filter(pl.col("record").is_in(legacy["record"].implode()))
        made = to_iso2709(Frames(legacy, rows))
        for record, data in zip(made.records, made.each(), strict=True):
            start, length = place[record]
            if data != part.data[start : start + length]:
                found[record] = part.data[start : start + length]
        for record in made.refused["record"].unique():
            start, length = place[record]
            found[record] = part.data[start : start + length]
    for record in _disordered(part.data, readable["record"].to_numpy(), *_bounds(part, readable)):
        start, length = place[record]
        found[record] = part.data[start : start + length]
    return found


def _bounds(part: Part, readable: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    start = readable["offset"].to_numpy().astype(np.int64) - part.offset
    return start, readable["length"].to_numpy().astype(np.int64)


def _disordered(data: bytes, records: np.ndarray, start: np.ndarray, length: np.ndarray) -> list[int]:
    """Records whose directory does not go through the fields from the first to the last."""
    if not len(start):
        return []
    buffer = np.frombuffer(data + bytes(32), dtype=np.uint8)
    window = np.lib.stride_tricks.sliding_window_view(buffer, 12)
    powers = 10 ** np.arange(4, -1, -1)
    base = (window[start + 12][:, :5].astype(np.int64) - 48) @ powers
    count = (base - 25) // 12
    owner = np.repeat(np.arange(len(start)), count)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    place = (window[start[owner] + 24 + 12 * number][:, 7:].astype(np.int64) - 48) @ powers
    backwards = np.flatnonzero((np.diff(place) <= 0) & (np.diff(owner) == 0))
    return [int(each) for each in records[np.unique(owner[backwards])]]
