"""A drop as an index with masked records: what may be stored of what came in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import polars as pl

from holdfast.marc.blocks import Block
from holdfast.marc.encoding import MARC21, Reading
from holdfast.marc.faults import rejection_of
from holdfast.marc.frames import RECORDS, Frames
from holdfast.marc.iso2709 import FILLER, read_columns
from holdfast.marc.marcxml_writer import HEAD, TAIL, to_marcxml
from holdfast.marc.opening import Content, unpacked
from holdfast.marc.parts import Part
from holdfast.marc.reading import check_format, read_content
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import MaskedTooLongError, MaskingRules, mask_record, token

INDEX = pl.Schema(
    [
        ("file", pl.String),
        ("format", pl.String),  # of reading.FORMATS
        *RECORDS.items(),
        ("masked_values", pl.UInt32),  # how many were masked in the record
        # The record with its masked values replaced: in ISO 2709 if it came so, else in MARCXML; null where it can't be read.
        ("raw", pl.Binary),
    ]
)


class Indexed(NamedTuple):
    """A block of a drop. frame: shape INDEX. unaccounted: bytes that are in no row and are no filler (in XML and JSON the
    markup between records is filler); 0, or the reader has a fault that the conservation check shows."""

    frame: pl.DataFrame
    rejections: list[Rejection]
    unaccounted: int


def index_drop(
    stream: BinaryIO,
    name: str,
    rules: MaskingRules,
    salt: bytes,
    *,
    first_record: int = 1,
    block_bytes: int = 4_000_000,
    format: str | None = None,
    reading: Reading = MARC21,
) -> Iterator[Indexed]:
    """A drop block by block: any of reading.FORMATS, told by its content where `format` is None, plain or packed. At least one
    row comes out of any file. Files of an archive are named `archive.zip/inner.mrc`.
    """
    check_format(format)
    masking = _Masking(rules, salt)
    next_record = first_record
    for content in unpacked(name, stream):
        reached = 0
        for part in read_content(content, format, block_bytes, next_record, reading):
            indexed = masking.index(part)
            gap = abs(part.offset - reached)
            reached = max(part.offset + len(part.data), _end(part))
            next_record += indexed.frame.height
            if indexed.frame.height or indexed.unaccounted or gap:
                yield indexed._replace(unaccounted=indexed.unaccounted + gap)
        if missed := abs(content.position - reached):
            yield Indexed(pl.DataFrame(schema=INDEX), [], missed)
    if next_record == first_record:
        # An archive without a file in it: its one row, as of an empty file.
        yield from index_drop(io.BytesIO(), name, rules, salt, first_record=first_record)


def _end(part: Part) -> int:
    """Where the part's last row ends, which may be behind its data where bytes were skipped."""
    ends = part.records.select((pl.col("offset") + pl.col("length")).max()).item()
    return int(ends or 0)


class _Masking:
    """Parts of a drop as what may be stored of them."""

    def __init__(self, rules: MaskingRules, salt: bytes) -> None:
        self._rules, self._salt, self._expression = rules, salt, rules.expression()

    def index(self, part: Part) -> Indexed:
        counts = part.subfields.filter(self._expression).group_by("record").len("masked_values")
        records = part.records.join(counts, on="record", how="left", maintain_order="left").with_columns(
            pl.lit(part.file).alias("file"), pl.lit(part.format).alias("format"), pl.col("masked_values").fill_null(0)
        )
        raw, faults, rest = self._iso2709(part, records) if part.format == "iso2709" else self._others(part)
        if faults:
            records = _rejected(records, faults)
        frame = records.with_columns(pl.Series("raw", raw, dtype=pl.Binary)).select(INDEX.names()).cast(INDEX)
        rejections = []
        for row in records.filter(pl.col("fault").is_not_null()).iter_rows(named=True):
            start = row["offset"] - part.offset
            rejections.append(rejection_of(row, part.file, part.data[start : start + row["length"]]))
        return Indexed(frame, rejections, rest)

    def _iso2709(self, part: Part, records: pl.DataFrame) -> tuple[list[bytes | None], dict[int, tuple[str, str]], int]:
        """(masked bytes by row, faults by record, bytes between the records that are no filler)."""
        raw: list[bytes | None] = []
        faults: dict[int, tuple[str, str]] = {}
        rest, position = bytearray(), 0
        rows = records.select("record", "offset", "length", "fault", "masked_values")
        for record, offset, length, fault, masked in rows.iter_rows():
            start = offset - part.offset
            data = part.data[start : start + length]
            rest += part.data[position:start]
            position = start + length
            if fault is not None:
                raw.append(None)
                continue
            try:
                raw.append(mask_record(data, self._rules, self._salt) if masked else data)
            except MaskedTooLongError as error:
                faults[record] = ("marc.masked_too_long", str(error))
                raw.append(None)
        rest += part.data[position:]
        return raw, faults, len(rest.translate(None, FILLER))

    def _others(self, part: Part) -> tuple[list[bytes | None], dict[int, tuple[str, str]], int]:
        """The same of a format whose records are stored as MARCXML; rows that share bytes count as unaccounted."""
        written, refused = to_marcxml(Frames(part.records, self._masked(part.subfields)))
        texts = dict(written.iter_rows())
        raw = [texts[record].encode() if record in texts else None for record in part.records["record"]]
        faults = {
            record: ("marc.control_character", detail)
            for record, detail in refused.select("record", "detail").iter_rows()
        }
        before = (pl.col("offset") + pl.col("length")).shift(1).cast(pl.Int64)
        overlap = (before - pl.col("offset").cast(pl.Int64)).clip(0).sum()
        return raw, faults, int(part.records.select(overlap).item() or 0)

    def _masked(self, subfields: pl.DataFrame) -> pl.DataFrame:
        """The rows with tokens for the values that the rules name; control fields stay, as in masking.mask_record."""
        struck = self._expression & ~pl.col("tag").str.starts_with("00") & pl.col("value").is_not_null()
        values = subfields.filter(struck)["value"].unique()
        if not len(values):
            return subfields
        tokens = {value: token(value, self._salt) for value in values}
        return subfields.with_columns(
            pl.when(struck).then(pl.col("value").replace_strict(tokens, default=None)).otherwise("value").alias("value")
        )


def _rejected(records: pl.DataFrame, found: dict[int, tuple[str, str]]) -> pl.DataFrame:
    """The rows with the faults of what can't be stored; `found`: record → (code, detail)."""
    struck = pl.col("record").is_in(list(found))

    def of(part: int) -> pl.Expr:
        texts = {record: fault[part] for record, fault in found.items()}
        return pl.col("record").replace_strict(texts, default=None, return_dtype=pl.String)

    faults = {
        "fault": of(0),
        "fault_detail": of(1),
        "fault_byte": pl.col("offset"),
        "leader": pl.lit(None, pl.String),
        "encoding": pl.lit(None, pl.String),
    }
    return records.with_columns(pl.when(struck).then(new).otherwise(name).alias(name) for name, new in faults.items())


def columns_of(index: pl.DataFrame, reading: Reading = MARC21) -> pl.DataFrame:
    """The subfields (shape frames.SUBFIELDS) of an index's readable records, with their numbers; read as they were indexed."""
    readable = index.filter(pl.col("fault").is_null())
    # An index of before there were formats is of ISO 2709.
    binary = readable["format"] == "iso2709" if "format" in readable.columns else pl.Series([True] * readable.height)
    if binary.all():
        return _numbered(read_columns(Block(b"".join(readable["raw"]), 0, True), 1, reading), readable["record"])
    others = readable.filter(~binary)
    content = Content("", io.BytesIO(HEAD + b"".join(others["raw"]) + TAIL).read)
    read = [_numbered(part, others["record"]) for part in read_content(content, "marcxml", 4_000_000, 1)]
    if binary.any():
        iso2709 = readable.filter(binary)
        read.append(_numbered(read_columns(Block(b"".join(iso2709["raw"]), 0, True), 1, reading), iso2709["record"]))
    return pl.concat(read).sort("record", maintain_order=True)


def _numbered(frames: Frames, numbers: pl.Series) -> pl.DataFrame:
    return frames.subfields.with_columns(numbers.gather(frames.subfields["record"] - 1).alias("record"))
