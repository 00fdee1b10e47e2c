"""A drop as an index with masked records: what may be stored of what came in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import polars as pl

from holdfast.marc.blocks import Block, read_blocks
from holdfast.marc.faults import rejection_of
from holdfast.marc.frames import RECORDS
from holdfast.marc.iso2709 import FILLER, read_columns
from holdfast.outcomes import Rejection, sha256_hex
from holdfast.privacy.masking import MaskedTooLongError, MaskingRules, mask_record

INDEX = pl.Schema(
    [
        ("file", pl.String),
        *RECORDS.items(),
        ("masked_values", pl.UInt32),  # how many were masked in the record
        ("raw", pl.Binary),  # the record with its masked values replaced; null where it can't be read
    ]
)


class Indexed(NamedTuple):
    """A block of a drop. frame: shape INDEX. unaccounted: bytes that are in no row and are no filler; 0, or the reader
    has a fault that the conservation check shows."""

    frame: pl.DataFrame
    rejections: list[Rejection]
    unaccounted: int


def empty_file(name: str, record: int) -> pl.DataFrame:
    """The one row of an empty file: it is accounted for like a record."""
    row = {"file": name, "record": record, "offset": 0, "length": 0, "sha256": sha256_hex(b""), "claims": "unknown"}
    row |= {"fault": "marc.empty_file", "fault_byte": 0, "fault_detail": "0 bytes", "masked_values": 0}
    return pl.DataFrame([row], schema=INDEX)


def index_drop(
    stream: BinaryIO,
    name: str,
    rules: MaskingRules,
    salt: bytes,
    *,
    first_record: int = 1,
    block_bytes: int = 4_000_000,
) -> Iterator[Indexed]:
    """A drop block by block. At least one row comes out of any file."""
    expression = rules.expression()
    next_record = first_record
    for block in read_blocks(stream, block_bytes):
        frames = read_columns(block, next_record)
        records = frames.records
        masked = frames.subfields.filter(expression).group_by("record").len("masked_values")
        records = records.join(masked, on="record", how="left", maintain_order="left").with_columns(
            pl.lit(name).alias("file"), pl.col("masked_values").fill_null(0)
        )
        raw: list[bytes | None] = []
        too_long: dict[int, str] = {}
        rejections: list[Rejection] = []
        rest, position = bytearray(), 0
        for row in records.iter_rows(named=True):
            start = row["offset"] - block.offset
            data = block.data[start : start + row["length"]]
            rest += block.data[position:start]
            position = start + row["length"]
            if row["fault"] is None:
                try:
                    raw.append(mask_record(data, rules, salt) if row["masked_values"] else data)
                    continue
                except MaskedTooLongError as error:
                    row |= {"fault": "marc.masked_too_long", "fault_byte": row["offset"], "fault_detail": str(error)}
                    too_long[row["record"]] = str(error)
            rejections.append(rejection_of(row, name, data))
            raw.append(None)
        rest += block.data[position:]
        if too_long:
            records = _rejected(records, too_long)
        index = records.with_columns(pl.Series("raw", raw, dtype=pl.Binary)).select(INDEX.names()).cast(INDEX)
        if index.height or rest:
            yield Indexed(index, rejections, len(rest.translate(None, FILLER)))
        next_record += records.height
    if next_record == first_record:
        empty = empty_file(name, first_record)
        yield Indexed(empty, [rejection_of(empty.row(0, named=True), name)], 0)


def _rejected(records: pl.DataFrame, too_long: dict[int, str]) -> pl.DataFrame:
    """The rows with the fault of those that masking made too long; `too_long`: record → detail."""
    struck = pl.col("record").is_in(list(too_long))
    faults = {
        "fault": pl.lit("marc.masked_too_long"),
        "fault_byte": pl.col("offset"),
        "fault_detail": pl.col("record").replace_strict(too_long, default=None, return_dtype=pl.String),
        "leader": pl.lit(None, pl.String),
        "encoding": pl.lit(None, pl.String),
    }
    return records.with_columns(pl.when(struck).then(new).otherwise(name).alias(name) for name, new in faults.items())


def columns_of(index: pl.DataFrame) -> pl.DataFrame:
    """The subfields (shape frames.SUBFIELDS) of an index's readable records, with their numbers."""
    readable = index.filter(pl.col("fault").is_null())
    frames = read_columns(Block(b"".join(readable["raw"]), 0, True))
    numbers = readable["record"]
    return frames.subfields.with_columns(numbers.gather(frames.subfields["record"] - 1).alias("record"))
