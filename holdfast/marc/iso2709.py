"""ISO 2709 as columns.

ISO 2709 is a table in disguise: leader and directory have fixed columns, and delimiters are bytes that no value holds.
So a block of records becomes columns with array arithmetic on its bytes. Values are views into the block, not copies;
only values in MARC-8 with something to convert are decoded one by one.

A record is readable if every byte of it is accounted for: leader, directory, and fields that the directory names, each
ending with its terminator. Anything else is a row with a fault, never an exception.

Source: ISO 2709:2008; MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from holdfast.marc.blocks import Block
from holdfast.marc.encoding import candidates, decode_value
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.marc8 import Marc8Error, NotReversibleError

_RT, _FT, _DELIMITER, _ESCAPE = 0x1D, 0x1E, 0x1F, 0x1B
_LEADER, _ENTRY = 24, 12
FILLER = b"\r\n \x00\x1a"  # what systems leave between records
_PAD = 32

Ints = npt.NDArray[Any]  # of int64; numpy types what arithmetic gives too variously to say so
Bytes = npt.NDArray[np.uint8]


@dataclass
class _Spans:
    """Records of a block as [start, end) of its bytes, with the first fault found of each."""

    start: Ints
    end: Ints
    fault: dict[int, tuple[str, int, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start)

    def reject(self, record: int, code: str, position: int, detail: str) -> None:
        self.fault.setdefault(record, (code, position, detail))

    def readable(self) -> npt.NDArray[np.bool_]:
        keep = np.ones(len(self), dtype=bool)
        keep[list(self.fault)] = False
        return keep


def _digits(matrix: Bytes) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Numbers in the rows of a matrix of ASCII digits, and which rows are digits only."""
    values = matrix.astype(np.int64) - 48
    fine = ((values >= 0) & (values <= 9)).all(axis=1)
    powers = 10 ** np.arange(matrix.shape[1] - 1, -1, -1, dtype=np.int64)
    return values @ powers, np.asarray(fine)


def _take(buffer: Bytes, start: Ints, width: int) -> Bytes:
    # Rows of a view are copied whole; an index of every byte would be eight times as large as the bytes.
    return np.lib.stride_tricks.sliding_window_view(buffer, width)[start]


def _count(found: npt.NDArray[np.bool_]) -> Ints:
    """How many there are before each place, and in the last place all."""
    counts = np.zeros(len(found) + 1, dtype=np.int32)
    np.cumsum(found, out=counts[1:])
    return counts


def _find_spans(data: bytes, buffer: Bytes, last: bool) -> _Spans:
    """One span a record terminator, without the filler before it; what follows the last terminator is a span too."""
    terminators = np.flatnonzero(buffer == _RT).astype(np.int64)
    start = np.concatenate(([0], terminators + 1))
    end = np.concatenate((terminators + 1, [len(data)]))
    # Filler is rare, so only spans that start with some are looked at one by one.
    padded = np.concatenate((buffer, np.zeros(1, dtype=np.uint8)))
    for index in np.flatnonzero(np.isin(padded[start], np.frombuffer(FILLER, dtype=np.uint8))):
        span = data[start[index] : end[index]]
        start[index] += len(span) - len(span.lstrip(FILLER))
    keep = start < end
    spans = _Spans(start[keep], end[keep])
    if len(spans) and buffer[spans.end[-1] - 1] != _RT:
        tail = len(spans) - 1
        looks_like_marc = data[spans.start[tail] :][:5].isdigit()
        if last:
            code = "marc.truncated" if looks_like_marc else "marc.not_marc"
        else:
            code = "marc.too_long"
        detail = f"{spans.end[tail] - spans.start[tail]:,} bytes without a record terminator"
        spans.reject(tail, code, int(spans.end[tail]) if code == "marc.truncated" else int(spans.start[tail]), detail)
    return spans


def _merge_inner_terminators(data: bytes, buffer: Bytes, spans: _Spans) -> _Spans:
    """A record whose value holds 0x1D was cut in two: join the parts where leader and directory agree that it is one."""
    fine = np.flatnonzero((spans.end - spans.start >= _LEADER + 2) & spans.readable())
    declared, digits = _digits(_take(buffer, spans.start[fine], 5))
    ends = set(spans.end.tolist())
    for index, length in zip(fine[digits].tolist(), declared[digits].tolist(), strict=True):
        start, end = int(spans.start[index]), int(spans.end[index])
        if length <= end - start or start + length not in ends:
            continue
        whole = _Spans(np.array([start]), np.array([start + length]))
        _read_directories(buffer, whole)
        if not whole.fault:
            inside = np.flatnonzero((spans.start > start) & (spans.end <= start + length))
            keep = np.ones(len(spans), dtype=bool)
            keep[inside] = False
            spans.end[index] = start + length
            merged = _Spans(spans.start[keep], spans.end[keep])
            position = np.cumsum(keep) - 1
            merged.fault = {int(position[k]): v for k, v in spans.fault.items() if keep[k]}
            # Indices have moved: look at the rest anew. Records like this are one in a million.
            return _merge_inner_terminators(data, buffer, merged)
    return spans


@dataclass
class _Fields:
    """Directory entries of the readable records: record (index of the span), tag bytes, [start, end) without terminator."""

    record: Ints
    number: Ints  # place in the record's directory, from 0
    tag: Bytes
    start: Ints
    end: Ints

    def only(self, keep: npt.NDArray[np.bool_]) -> _Fields:
        return _Fields(self.record[keep], self.number[keep], self.tag[keep], self.start[keep], self.end[keep])


def _read_directories(buffer: Bytes, spans: _Spans) -> _Fields:
    """Fields by the directories; rejects records whose leader, directory and fields do not agree to the byte."""
    length = spans.end - spans.start
    for k in np.flatnonzero(length < _LEADER + 2).tolist():
        spans.reject(k, "marc.not_marc", int(spans.start[k]), f"{length[k]} bytes, a leader alone has 24")
    index = np.flatnonzero(spans.readable())
    start, length = spans.start[index], length[index]
    leader = _take(buffer, start, _LEADER)

    declared, digits = _digits(leader[:, :5])
    for k in np.flatnonzero(~digits).tolist():
        spans.reject(
            int(index[k]), "marc.not_marc", int(start[k]), f"leader/00-04 is {_show(leader[k, :5])}, not a number"
        )
    ascii_leader = (leader < 0x80).all(axis=1)
    for k in np.flatnonzero(digits & ~ascii_leader).tolist():
        position = int(start[k]) + int(np.argmax(leader[k] >= 0x80))
        spans.reject(int(index[k]), "marc.not_marc", position, "a byte above 0x7F in the leader")
    for k in np.flatnonzero(digits & (declared != length)).tolist():
        detail = f"leader/00-04 says {declared[k]}, the record has {length[k]} bytes"
        spans.reject(int(index[k]), "marc.length", int(start[k]), detail)

    base, digits = _digits(leader[:, 12:17])
    inside = digits & (base > _LEADER) & (base < length) & ((base - _LEADER - 1) % _ENTRY == 0)
    inside &= buffer[start + np.where(inside, base, 1) - 1] == _FT
    for k in np.flatnonzero(~inside).tolist():
        detail = f"leader/12-16 is {_show(leader[k, 12:17])}"
        spans.reject(int(index[k]), "marc.base_address", int(start[k]) + 12, detail)

    keep = spans.readable()[index]
    index, start, length, base = index[keep], start[keep], length[keep], base[keep]
    count = (base - _LEADER - 1) // _ENTRY
    owner = np.repeat(np.arange(len(index)), count)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    entry_at = start[owner] + _LEADER + _ENTRY * number
    entries = _take(buffer, entry_at, _ENTRY)
    numbers, digits = _digits(entries[:, 3:])
    # 9 digits: length of the field in four, its start in five.
    width, place = numbers // 100_000, numbers % 100_000
    first = start[owner] + base[owner] + place
    behind = first + width
    fits = digits & (width >= 1) & (behind <= spans.end[index][owner] - 1)
    fits &= ((entries[:, :3] > 0x20) & (entries[:, :3] < 0x7F)).all(axis=1)
    safe_first, safe_behind = np.where(fits, first, 1), np.where(fits, behind, 1)
    terminators = _count(buffer == _FT)
    fits &= (buffer[safe_first - 1] == _FT) & (buffer[safe_behind - 1] == _FT)
    fits &= terminators[safe_behind] - terminators[safe_first] == 1
    for k in np.flatnonzero(~fits)[::-1].tolist():
        # Backwards, and replacing, so that the first bad entry of a record is the one that is named.
        detail = f"entry {number[k] + 1} is {_show(entries[k])}"
        spans.fault[int(index[owner[k]])] = ("marc.directory", int(entry_at[k]), detail)

    covered = np.bincount(owner, weights=np.where(fits, width, 0), minlength=len(index)).astype(np.int64)
    for k in np.flatnonzero(covered != length - base - 1).tolist():
        detail = f"the directory names {covered[k]} of {length[k] - base[k] - 1} bytes"
        spans.reject(int(index[k]), "marc.uncovered", int(start[k] + base[k]), detail)
    order = np.argsort(first, kind="stable")
    same = np.flatnonzero(np.diff(first[order]) == 0)
    for k in order[same + 1].tolist():
        spans.reject(int(index[owner[k]]), "marc.directory", int(entry_at[k]), "two entries name the same field")

    keep = spans.readable()[index][owner]
    return _Fields(index[owner], number, entries[:, :3], first, behind - 1).only(keep)


def _show(values: Bytes) -> str:
    """A few bytes as they may be shown: what can't be read can't be masked, so letters are not."""
    text = bytes(values).decode("latin-1")
    return repr("".join("a" if each.isalpha() else each for each in text))


@dataclass
class _Values:
    """Values of the readable records in their order: field (index into _Fields), code (0: none), [start, end)."""

    field: Ints
    code: Ints
    start: Ints
    end: Ints


_NO_CODE, _EMPTY_CODE = 0, 1


def _split_subfields(buffer: Bytes, spans: _Spans, fields: _Fields) -> tuple[_Fields, _Values]:
    control = (
        (fields.tag[:, 0] == 0x30)
        & (fields.tag[:, 1] == 0x30)
        & (fields.tag[:, 2] >= 0x30)
        & (fields.tag[:, 2] <= 0x39)
    )
    delimiter = np.flatnonzero(buffer == _DELIMITER).astype(np.int64)
    order = np.argsort(fields.start, kind="stable")
    slot = np.searchsorted(fields.start[order], delimiter, side="right") - 1
    owner = order[np.maximum(slot, 0)] if len(order) else np.zeros(len(delimiter), dtype=np.int64)
    if len(order):
        inside = (slot >= 0) & (delimiter < fields.end[owner]) & ~control[owner]
        delimiter, owner = delimiter[inside], owner[inside]
    else:
        delimiter = delimiter[:0]
        owner = owner[:0]
    count = np.bincount(owner, minlength=len(fields.record))
    first = np.full(len(fields.record), -1, dtype=np.int64)
    first[owner[::-1]] = delimiter[::-1]  # the first one is written last

    two = buffer[np.minimum(fields.start[:, None] + np.arange(2), len(buffer) - 1)]
    bare = ~control & (count == 0) & (fields.end - fields.start == 2)
    right = control | bare | (first - fields.start == 2)
    right &= control | ((two >= 0x20) & (two < 0x7F)).all(axis=1)
    for k in np.flatnonzero(~right).tolist():
        detail = f"field {bytes(fields.tag[k]).decode('latin-1')} starts with {_show(buffer[fields.start[k] : fields.start[k] + 4])}"
        spans.reject(int(fields.record[k]), "marc.indicators", int(fields.start[k]), detail)

    # A delimiter right before another one or the end of the field has no code: it is kept, as an empty one.
    end = np.concatenate((delimiter[1:], [0]))
    final = np.concatenate((owner[1:] != owner[:-1], [True])) if len(owner) else np.zeros(0, dtype=bool)
    end = np.where(final, fields.end[owner], end) if len(owner) else delimiter
    empty = end == delimiter + 1
    code = np.where(empty, _EMPTY_CODE, buffer[np.minimum(delimiter + 1, len(buffer) - 1)]).astype(np.int64)
    for k in np.flatnonzero(~empty & ((code < 0x20) | (code >= 0x7F))).tolist():
        detail = f"field {bytes(fields.tag[owner[k]]).decode('latin-1')} code {code[k]:02X}"
        spans.reject(int(fields.record[owner[k]]), "marc.subfield_code", int(delimiter[k]), detail)

    plain = np.flatnonzero(control | bare)
    values = _Values(
        np.concatenate((owner, plain)),
        np.concatenate((code, np.full(len(plain), _NO_CODE))),
        np.concatenate(
            (np.minimum(delimiter + 2, end), np.where(control[plain], fields.start[plain], fields.end[plain]))
        ),
        np.concatenate((end, fields.end[plain])),
    )
    keep = spans.readable()[fields.record]
    kept = np.flatnonzero(keep[values.field])
    # By field, and within it by place: both runs are sorted already, so a stable sort is nearly free.
    kept = kept[np.argsort(values.field[kept], kind="stable")]
    moved = np.cumsum(keep) - 1
    sorted_values = _Values(moved[values.field[kept]], values.code[kept], values.start[kept], values.end[kept])
    return fields.only(keep), sorted_values


def _check_encodings(
    data: bytes, buffer: Bytes, spans: _Spans, fields: _Fields, values: _Values
) -> tuple[list[str | None], dict[int, str]]:
    """Encoding of each span as decoded, and the converted text of the values that are not UTF-8 as they stand."""
    encoding: list[str | None] = ["ascii"] * len(spans)
    special = np.flatnonzero((buffer >= 0x80) | (buffer == _ESCAPE)).astype(np.int64)
    if not len(special):
        return encoding, {}
    readable = spans.readable()
    legacy = np.zeros(len(spans), dtype=bool)
    holds = np.searchsorted(special, spans.start) < np.searchsorted(special, spans.end)
    for record in np.flatnonzero(holds).tolist():
        if not readable[record]:
            continue
        start, end = int(spans.start[record]), int(spans.end[record])
        span = data[start:end]
        try:
            span.decode("utf-8")
        except UnicodeDecodeError as error:
            if span[9:10] == b"a":
                around = span[max(error.start - 40, 0) : error.start + 40]
                detail = f"leader/09 says UTF-8, byte {span[error.start]:02X} is not; candidates: {candidates(around)}"
                spans.reject(record, "marc.encoding", start + error.start, detail)
            else:
                legacy[record] = True
            continue
        if span[9:10] == b"a" or not span.isascii():
            # Bytes that are UTF-8 beyond ASCII are nothing else: MARC-8 has a letter behind each mark, never a 0x80-0xBF.
            encoding[record] = "utf-8" if not span.isascii() else "ascii"
        else:
            legacy[record] = True  # ASCII with escape sequences
    converted = _convert(data, buffer, spans, fields, values, legacy) if legacy.any() else {}
    for record in np.flatnonzero(legacy).tolist():
        encoding[record] = "marc-8"
    return encoding, converted


def _convert(
    data: bytes, buffer: Bytes, spans: _Spans, fields: _Fields, values: _Values, legacy: npt.NDArray[np.bool_]
) -> dict[int, str]:
    """Text of the values of legacy records that hold more than ASCII, by their index; rejects what can't be undone."""
    special = _count((buffer >= 0x80) | (buffer == _ESCAPE))
    wanted = legacy[fields.record[values.field]] & (special[values.end] > special[values.start])
    converted: dict[int, str] = {}
    for index in np.flatnonzero(wanted).tolist():
        start, end = int(values.start[index]), int(values.end[index])
        record = int(fields.record[values.field[index]])
        if record in spans.fault:
            continue
        try:
            converted[index] = decode_value(data[start:end])
        except Marc8Error as error:
            tag = bytes(fields.tag[values.field[index]]).decode("latin-1")
            code = "marc.encoding_lossy" if isinstance(error, NotReversibleError) else "marc.encoding"
            detail = f"field {tag}: not MARC-8, {error}; candidates: {candidates(data[start:end])}"
            spans.reject(record, code, start + error.offset, detail)
    return converted


def _views(
    data: bytes, buffer: Bytes, start: Ints, end: Ints, converted: dict[int, str], valid: Any = None
) -> pl.Series:
    """A column of strings that are views into `data`; no value is copied but those of 12 bytes at most and `converted`."""
    count = len(start)
    views = np.zeros((count, 4), dtype=np.int32)
    length = (end - start).astype(np.int32)
    views[:, 0] = length
    short = length <= 12
    heads = _take(buffer, start, 12)
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


def _ascii_column(values: Bytes, null: npt.NDArray[np.bool_] | None = None, empty: Any = None) -> pl.Series:
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


def read_columns(block: Block, first_record: int = 1) -> Frames:
    """Frames of a block of ISO 2709; records are numbered from `first_record`.

    Every byte of the block is in a record's row (readable or with a fault) or is filler between records (CR, LF, blank,
    NUL, 0x1A). Never raises for what is in the bytes.
    """
    data = block.data
    buffer: Bytes = np.frombuffer(data + bytes(_PAD), dtype=np.uint8)
    spans = _merge_inner_terminators(data, buffer, _find_spans(data, buffer[: len(data)], block.last))
    fields = _read_directories(buffer, spans)
    fields, values = _split_subfields(buffer, spans, fields)
    encoding, converted = _check_encodings(data, buffer, spans, fields, values)
    return Frames(
        _records_frame(data, block.offset, spans, encoding, first_record),
        _subfields_frame(data, buffer, spans, fields, values, converted, first_record),
    )


def _records_frame(
    data: bytes, offset: int, spans: _Spans, encoding: list[str | None], first_record: int
) -> pl.DataFrame:
    bounds = list(zip(spans.start.tolist(), spans.end.tolist(), strict=True))
    readable = spans.readable()
    claims = {b"a": "utf-8", b" ": "marc-8"}
    faults = [spans.fault.get(k) for k in range(len(spans))]
    return pl.DataFrame(
        {
            "record": np.arange(first_record, first_record + len(spans)),
            "offset": spans.start + offset,
            "length": spans.end - spans.start,
            "sha256": [hashlib.sha256(data[a:b]).hexdigest() for a, b in bounds],
            "leader": [
                data[a : a + _LEADER].decode() if ok else None for (a, _), ok in zip(bounds, readable, strict=True)
            ],
            "claims": [claims.get(data[a + 9 : a + 10], "unknown") for a, _ in bounds],
            "encoding": [e if ok else None for e, ok in zip(encoding, readable, strict=True)],
            "fault": [f[0] if f else None for f in faults],
            "fault_byte": [f[1] + offset if f else None for f in faults],
            "fault_detail": [f[2] if f else None for f in faults],
        },
        schema=RECORDS,
    )


def _subfields_frame(
    data: bytes,
    buffer: Bytes,
    spans: _Spans,
    fields: _Fields,
    values: _Values,
    converted: dict[int, str],
    first_record: int,
) -> pl.DataFrame:
    record = fields.record[values.field]
    if not len(record):
        return pl.DataFrame(schema=SUBFIELDS)
    tag = fields.tag[values.field]
    control = (tag[:, 0] == 0x30) & (tag[:, 1] == 0x30)
    bare = (values.code == _NO_CODE) & ~control
    indicators = _take(buffer, fields.start[values.field], 2)
    frame = pl.DataFrame(
        {
            "record": (record + first_record).astype(np.uint32),
            "field": fields.number[values.field].astype(np.uint16),
            "tag": _ascii_column(tag),
            "ind1": _ascii_column(indicators[:, :1], null=control),
            "ind2": _ascii_column(indicators[:, 1:], null=control),
            "code": _ascii_column(
                values.code[:, None].astype(np.uint8), null=values.code == _NO_CODE, empty=values.code == _EMPTY_CODE
            ),
            "value": _views(data, buffer, values.start, values.end, converted, valid=~bare if bare.any() else None),
        },
        schema=SUBFIELDS,
    )
    # Records that turned out to be in an encoding that can't be read are known only now.
    late = [k + first_record for k in spans.fault]
    return frame.filter(~pl.col("record").is_in(late)) if late else frame
