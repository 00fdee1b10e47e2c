"""MARC-in-JSON: an array of records, one record, or a record a line; and back.

    {"leader": "…", "fields": [{"001": "…"}, {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "…"}]}}]}

Where a record starts and ends is found by array arithmetic on the bytes, so that each has its place; orjson takes it apart.

Source: rossfsinger.com/blog/2010/09/a-proposal-to-serialize-marc-in-json, as pymarc, MARC::Record and yaz write it; RFC 8259.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.opening import Content
from holdfast.marc.parts import Found, Part, found_in, part_of, records_frame, skip_rest

FORMAT = "marc-json"
LONGEST_RECORD = 10_000_000
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CONTROL_TAG = re.compile("00[0-9]")
_SPACE = b" \t\r\n"


class JsonSpan(NamedTuple):
    """An object of a file: [start, end) in `data`."""

    start: int
    end: int


class Objects(NamedTuple):
    """data: a block at `offset`. spans: the whole objects in it. stray: place of a byte that no JSON has there."""

    data: bytes
    offset: int
    spans: list[JsonSpan]
    stray: int | None


def _spans(data: bytes, top: int) -> tuple[list[JsonSpan], int | None]:
    """Objects at depth `top`, which starts outside of any; and the first byte between them that is not ours to pass over."""
    buffer: npt.NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8)
    quote = np.flatnonzero(buffer == 0x22)
    slash = buffer == 0x5C
    if slash.any():
        # A quote behind an odd run of backslashes is part of the text.
        places = np.arange(len(buffer))
        last_other = np.maximum.accumulate(np.where(slash, -1, places))
        before = np.maximum(quote - 1, 0)
        run = np.where(quote > 0, before - last_other[before], 0)
        quote = quote[run % 2 == 0]
    toggles = np.zeros(len(buffer) + 1, dtype=np.int8)
    toggles[quote] = 1
    inside = (np.cumsum(toggles[:-1], dtype=np.int32) % 2).astype(bool)
    opens, closes = (buffer == 0x7B) & ~inside, (buffer == 0x7D) & ~inside
    depth = np.cumsum(opens.astype(np.int32) - closes)
    starts, ends = np.flatnonzero(opens & (depth == 1)), np.flatnonzero(closes & (depth == 0))
    spans = [JsonSpan(int(a), int(b) + 1) for a, b in zip(starts, ends, strict=False)]
    outside = np.ones(len(buffer) + 1, dtype=np.int8)
    edges = np.zeros(len(buffer) + 1, dtype=np.int32)
    edges[[each.start for each in spans]] += 1
    edges[[each.end for each in spans]] -= 1
    outside = np.cumsum(edges)[:-1] == 0
    if len(starts) > len(ends):
        outside[starts[len(ends)] :] = False
    stray = np.flatnonzero(outside & ~np.isin(buffer, np.frombuffer(_SPACE + b",[]", dtype=np.uint8)))
    return spans, int(stray[0]) if len(stray) else None


def read_objects(content: Content, block_bytes: int) -> Iterator[Objects]:
    """Objects of a file of JSON: those of its array, or one after the other. What is behind the last whole one is carried on;
    the last block has what is left."""
    held, offset = content.read(3), 0
    if held == codecs.BOM_UTF8:
        held = b"   "  # as long as the mark, so that places stay
    lines = False
    first = True
    while True:
        read = content.read(block_bytes)
        held += read
        if first:
            line, newline, _ = held.lstrip(_SPACE).partition(b"\n")
            lines = bool(newline) and line.startswith(b"{") and line.rstrip().endswith(b"}") and _is_json(line)
            first = False
        if lines:
            cut = len(held) if not read else held.rfind(b"\n") + 1
            spans, stray = _lines(held[:cut]), None
        else:
            spans, stray = _spans(held, 1)
            spans = [each for each in spans if stray is None or each.end <= stray]
            cut = spans[-1].end if spans else 0
        yield Objects(held[:cut], offset, spans, None if stray is None else stray + offset)
        held, offset = held[cut:], offset + cut
        if stray is not None or not read or len(held) > max(LONGEST_RECORD, block_bytes):
            yield Objects(held, offset, [], stray)
            return


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _lines(data: bytes) -> list[JsonSpan]:
    """A span a line, without the white space around it and the comma behind."""
    spans, start = [], 0
    for line in data.splitlines(keepends=True):
        text = line.strip(_SPACE)
        if text:
            at = start + line.index(text[:1])
            spans.append(JsonSpan(at, at + len(text)))
        start += len(line)
    return spans


def read_marc_json(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    """Parts of a file of MARC-in-JSON. Never raises for what is in it."""
    for block in read_objects(content, block_bytes):
        found: list[Found] = []
        rows: list[tuple[Any, ...]] = []
        if not block.spans and block.data.strip(_SPACE + b",[]"):
            yield from _rest(content, block, first_record)
            return
        for start, end in block.spans:
            one = _record(block.data[start:end], block.offset + start)
            if one[0].fault is None:
                rows += [(first_record + len(found), *row) for row in one[1]]
            found.append(one[0])
        frames = Frames(
            records_frame(found, first_record) if found else pl.DataFrame(schema=RECORDS),
            pl.DataFrame(rows, schema=SUBFIELDS, orient="row"),
        )
        yield part_of(frames, content.name, FORMAT, block.data, block.offset)
        first_record += len(found)


def _rest(content: Content, block: Objects, first_record: int) -> Iterator[Part]:
    lead = len(block.data) - len(block.data.lstrip(_SPACE + b",[]"))
    start = block.offset + lead
    nothing = Frames(pl.DataFrame(schema=RECORDS), pl.DataFrame(schema=SUBFIELDS))
    if lead:
        yield part_of(nothing, content.name, FORMAT, block.data[:lead], block.offset)
    long = len(block.data) > LONGEST_RECORD
    detail = "no end of an object in so many bytes" if long else "not JSON, or an object without its end"
    fault = "marc.too_long" if long else "marc.json"
    yield from skip_rest(content, FORMAT, fault, detail, first_record, start, block.data[lead:], start)


class _StructureError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def _record(data: bytes, offset: int) -> tuple[Found, list[tuple[Any, ...]]]:
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        place = offset + len(data.decode("utf-8", "replace")[: error.pos].encode("utf-8", "replace"))
        return Found(
            offset, data, fault="marc.json", fault_byte=min(place, offset + len(data)), fault_detail=error.msg
        ), []
    try:
        leader, rows = _rows(whole)
    except _StructureError as error:
        return Found(offset, data, fault=error.code, fault_byte=offset, fault_detail=str(error)), []
    wide = any(row[-1] is not None and not row[-1].isascii() for row in rows)
    return Found(offset, data, leader, "utf-8" if wide else "ascii", found_in(data)), rows


def _rows(whole: Any) -> tuple[str, list[tuple[Any, ...]]]:
    if not isinstance(whole, dict) or not isinstance(whole.get("fields"), list):
        raise _StructureError("marc.json_structure", "no list of fields")
    leader = whole.get("leader")
    if not isinstance(leader, str) or len(leader) != 24 or not leader.isascii():
        raise _StructureError("marc.leader", "no leader of 24 ASCII characters")
    if unknown := whole.keys() - {"leader", "fields"}:
        raise _StructureError("marc.json_structure", f"{len(unknown)} members beside leader and fields")
    rows: list[tuple[Any, ...]] = []
    for number, field in enumerate(whole["fields"]):
        if not isinstance(field, dict) or len(field) != 1:
            raise _StructureError("marc.json_structure", f"field {number + 1} is not one tag with its content")
        ((tag, content),) = field.items()
        if len(tag) != 3 or not all("!" <= each <= "~" for each in tag):
            raise _StructureError("marc.tag", f"field {number + 1} has a tag of {len(tag)} characters, or not ASCII")
        if isinstance(content, str):
            rows.append((number, tag, None, None, None, _value(content, tag)))
        else:
            rows += _subfields(number, tag, content)
    return leader, rows


def _subfields(number: int, tag: str, content: Any) -> list[tuple[Any, ...]]:
    subfields = content.get("subfields") if isinstance(content, dict) else None
    if not isinstance(subfields, list) or content.keys() - {"ind1", "ind2", "subfields"}:
        raise _StructureError("marc.json_structure", f"field {tag} has not just ind1, ind2 and subfields")
    if _CONTROL_TAG.fullmatch(tag):
        raise _StructureError("marc.tag", f"subfields in a control field, {tag}")
    ind1, ind2 = content.get("ind1"), content.get("ind2")
    for each in (ind1, ind2):
        if not isinstance(each, str) or len(each) != 1 or not " " <= each <= "~":
            raise _StructureError("marc.indicators", f"field {tag} has not two indicators of one ASCII character")
    rows: list[tuple[Any, ...]] = []
    for each in subfields:
        for code, value in each.items() if isinstance(each, dict) else [("", None)]:
            if not isinstance(value, str):
                raise _StructureError("marc.json_structure", f"field {tag} has a subfield that is no code with a text")
            if (len(code) != 1 or not " " <= code <= "~") and (code or value):
                raise _StructureError(
                    "marc.subfield_code", f"field {tag} has a code of {len(code)} characters, or not ASCII"
                )
            rows.append((number, tag, ind1, ind2, code, _value(value, tag)))
    return rows or [(number, tag, ind1, ind2, None, None)]


def _value(text: str, tag: str) -> str:
    if match := _CONTROL.search(text):
        raise _StructureError(
            "marc.control_character", f"field {tag}, character {match.start()} is {ord(match[0]):02X}"
        )
    return text


def to_marc_json(frames: Frames) -> list[bytes]:
    """The readable records, an object each, on one line."""
    records = frames.records.filter(pl.col("fault").is_null()).select("record", "leader")
    rows = frames.subfields.join(records, on="record", how="semi", maintain_order="left")
    by_record = rows.partition_by("record", as_dict=True, include_key=False)
    return [
        orjson.dumps({"leader": leader, "fields": _fields(by_record[record,]) if (record,) in by_record else []})
        for record, leader in records.iter_rows()
    ]


def _fields(rows: pl.DataFrame) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    current = None
    for number, tag, ind1, ind2, code, value in rows.iter_rows():
        if number != current:
            current = number
            fields.append({tag: value if ind1 is None else {"ind1": ind1, "ind2": ind2, "subfields": []}})
        if code is not None:
            fields[-1][tag]["subfields"].append({code: value})
    return fields
