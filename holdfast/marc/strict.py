"""The rules of ISO 2709, each with its fault: what `iso2709` reads the records with that its inner loop leaves.

ISO 2709 is a table in disguise: leader and directory have fixed columns, and delimiters are bytes that no value holds.
So a block of records becomes columns with array arithmetic on its bytes.

A record is readable if every byte of it is accounted for: leader, directory, and fields that the directory names, each
ending with its terminator. Anything else is a row with a fault, never an exception.

Source: ISO 2709:2008; MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from holdfast.marc.blocks import Block
from holdfast.marc.encoding import CLAIMS, MARC21, Reading, judge, what_bytes_are
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.string_views import Bytes, Ints, ascii_column, take_rows, text_column

_RT, _FT, _DELIMITER, _ESCAPE = 0x1D, 0x1E, 0x1F, 0x1B
_LEADER, _ENTRY = 24, 12
FILLER = b"\r\n \x00\x1a"  # what systems leave between records
_PAD = 32


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


def _merge_inner_terminators(data: bytes, buffer: Bytes, spans: _Spans, seams: frozenset[int]) -> _Spans:
    """A record whose value holds 0x1D was cut in two: join the parts where leader and directory agree that it is one."""
    fine = np.flatnonzero((spans.end - spans.start >= _LEADER + 2) & spans.readable())
    declared, digits = _digits(take_rows(buffer, spans.start[fine], 5))
    # The last span may have no terminator: nothing may be joined with it.
    ends = {end for end in spans.end.tolist() if buffer[end - 1] == _RT}
    for index, length in zip(fine[digits].tolist(), declared[digits].tolist(), strict=True):
        start, end = int(spans.start[index]), int(spans.end[index])
        if length <= end - start or start + length not in ends or any(start < s < start + length for s in seams):
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
            return _merge_inner_terminators(data, buffer, merged, seams)
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
    leader = take_rows(buffer, start, _LEADER)

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
    entries = take_rows(buffer, entry_at, _ENTRY)
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


@dataclass
class _Encodings:
    """By span. found: what the bytes are. used: how they were decoded. text: of the values that do not stand as UTF-8."""

    found: list[str | None]
    used: list[str | None]
    text: dict[int, str] = field(default_factory=dict)


def _check_encodings(
    data: bytes, buffer: Bytes, spans: _Spans, fields: _Fields, values: _Values, reading: Reading
) -> _Encodings:
    """Rejects the records of which a value can't be decoded so that it can be undone."""
    result = _Encodings(["ascii"] * len(spans), ["ascii"] * len(spans))
    special = _count((buffer >= 0x80) | (buffer == _ESCAPE))
    owner = fields.record[values.field]
    wanted = np.flatnonzero(special[values.end] > special[values.start])
    of_record: dict[int, list[int]] = {}
    for index, record in zip(wanted.tolist(), owner[wanted].tolist(), strict=True):
        of_record.setdefault(record, []).append(index)
    for record, indices in of_record.items():
        span = data[spans.start[record] : spans.end[record]]
        parts = [data[values.start[k] : values.end[k]] for k in indices]
        verdict = judge(span, parts, unimarc_declaration(data, fields, values, record, reading), reading)
        result.found[record], result.used[record] = verdict.found, verdict.used
        if verdict.texts is not None:
            result.text.update(zip(indices, verdict.texts, strict=True))
        if verdict.fault:
            code, part, offset, detail = verdict.fault
            at = indices[part]
            tag = bytes(fields.tag[values.field[at]]).decode("latin-1")
            spans.reject(record, code, int(values.start[at]) + offset, f"field {tag}: {detail}")
    return result


def unimarc_declaration(data: bytes, fields: _Fields, values: _Values, record: int, reading: Reading) -> str:
    """Positions 26-33 of UNIMARC 100 $a, the sets that the record says it is in; empty in MARC 21 or where it is missing."""
    if not reading.unimarc:
        return ""
    for k in np.flatnonzero(fields.record[values.field] == record).tolist():
        if bytes(fields.tag[values.field[k]]) == b"100" and values.code[k] == ord("a"):
            return data[values.start[k] : values.end[k]][26:34].decode("latin-1")
    return ""


def read_strictly(
    block: Block, first_record: int = 1, reading: Reading = MARC21, seams: frozenset[int] = frozenset()
) -> Frames:
    """What `iso2709.read_columns` gives, record by record with every rule; slower, and the judge of what is unusual.

    Args:
        seams: places in the block where something was left out: no record reaches over one.
    """
    data = block.data
    buffer: Bytes = np.frombuffer(data + bytes(_PAD), dtype=np.uint8)
    spans = _merge_inner_terminators(data, buffer, _find_spans(data, buffer[: len(data)], block.last), seams)
    fields = _read_directories(buffer, spans)
    fields, values = _split_subfields(buffer, spans, fields)
    encodings = _check_encodings(data, buffer, spans, fields, values, reading)
    return Frames(
        _records_frame(data, block.offset, spans, encodings, first_record),
        _subfields_frame(data, buffer, spans, fields, values, encodings.text, first_record),
    )


def _records_frame(data: bytes, offset: int, spans: _Spans, encodings: _Encodings, first_record: int) -> pl.DataFrame:
    bounds = list(zip(spans.start.tolist(), spans.end.tolist(), strict=True))
    readable = spans.readable()
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
            "claims": [CLAIMS.get(data[a:b][9:10], "unknown") for a, b in bounds],
            "found": [
                _found(data[a:b], f, ok) for (a, b), f, ok in zip(bounds, encodings.found, readable, strict=True)
            ],
            "encoding": [e if ok else None for e, ok in zip(encodings.used, readable, strict=True)],
            "fault": [f[0] if f else None for f in faults],
            "fault_byte": [f[1] + offset if f else None for f in faults],
            "fault_detail": [f[2] if f else None for f in faults],
        },
        schema=RECORDS,
    )


def _found(span: bytes, found: str | None, readable: bool) -> str:
    # A record that is broken elsewhere was never judged: what its bytes are can be said all the same.
    return found or "unknown" if readable or found not in (None, "ascii") else what_bytes_are(span)


def _subfields_frame(
    data: bytes,
    buffer: Bytes,
    spans: _Spans,
    fields: _Fields,
    values: _Values,
    converted: dict[int, str],
    first_record: int,
) -> pl.DataFrame:
    # Records that turned out to be in an encoding that can't be read are known only now; their bytes are no text.
    kept = np.flatnonzero(spans.readable()[fields.record[values.field]])
    if not len(kept):
        return pl.DataFrame(schema=SUBFIELDS)
    if len(kept) < len(values.field):
        place = {index: k for k, index in enumerate(kept.tolist())}
        converted = {place[index]: text for index, text in converted.items() if index in place}
        values = _Values(values.field[kept], values.code[kept], values.start[kept], values.end[kept])
    record = fields.record[values.field]
    tag = fields.tag[values.field]
    control = (tag[:, 0] == 0x30) & (tag[:, 1] == 0x30)
    bare = (values.code == _NO_CODE) & ~control
    indicators = take_rows(buffer, fields.start[values.field], 2)
    return pl.DataFrame(
        {
            "record": (record + first_record).astype(np.uint32),
            "field": fields.number[values.field].astype(np.uint16),
            "tag": ascii_column(tag),
            "ind1": ascii_column(indicators[:, :1], null=control),
            "ind2": ascii_column(indicators[:, 1:], null=control),
            "code": ascii_column(
                values.code[:, None].astype(np.uint8), null=values.code == _NO_CODE, empty=values.code == _EMPTY_CODE
            ),
            "value": text_column(
                data, buffer, values.start, values.end, converted, valid=~bare if bare.any() else None
            ),
        },
        schema=SUBFIELDS,
    )
