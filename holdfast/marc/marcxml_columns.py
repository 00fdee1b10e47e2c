"""A block of MARCXML that is known to be well formed, as columns: its tags are found by array arithmetic, each different tag is taken
apart once, and values are views into the block. A record in another form than the usual one goes to `marcxml_events`.

Source: XML 1.0.
"""

from __future__ import annotations

import hashlib
import html
import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.marcxml_events import Row, is_control, is_printable, one_record
from holdfast.marc.parts import claims_of, found_in
from holdfast.marc.string_views import Ints, string_views

_ATTRIBUTE = re.compile(r"""\s+([^\s=<>"']+)\s*=\s*("[^"]*"|'[^']*')""")
_TAG = re.compile(
    r"""<(/?)(?:([^\s/<>:"'=]+):)?([^\s/<>:"'=]+)((?:\s+[^\s=<>"']+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)>"""
)
_OTHER, _RECORD, _RECORD_END, _LEADER, _LEADER_END, _CONTROL, _CONTROL_END, _DATA, _DATA_END, _SUB, _SUB_END = range(11)
_CONTROL_WHOLE, _DATA_WHOLE, _SUB_WHOLE, _ODD = range(11, 15)
_KINDS = {"record": _RECORD, "leader": _LEADER, "controlfield": _CONTROL, "datafield": _DATA, "subfield": _SUB}
_WHOLE = {_CONTROL: _CONTROL_WHOLE, _DATA: _DATA_WHOLE, _SUB: _SUB_WHOLE}
_FIELDS_OR_END = (_CONTROL, _CONTROL_WHOLE, _DATA, _DATA_WHOLE, _RECORD_END)
_FOLLOWS = np.zeros((15, 15), dtype=bool)
for _kind, _next in {
    _RECORD: (_LEADER,),
    _LEADER: (_LEADER_END,),
    _LEADER_END: _FIELDS_OR_END,
    _CONTROL: (_CONTROL_END,),
    _CONTROL_END: _FIELDS_OR_END,
    _CONTROL_WHOLE: _FIELDS_OR_END,
    _DATA: (_SUB, _SUB_WHOLE, _DATA_END),
    _DATA_END: _FIELDS_OR_END,
    _DATA_WHOLE: _FIELDS_OR_END,
    _SUB: (_SUB_END,),
    _SUB_END: (_SUB, _SUB_WHOLE, _DATA_END),
    _SUB_WHOLE: (_SUB, _SUB_WHOLE, _DATA_END),
}.items():
    _FOLLOWS[_kind, list(_next)] = True


class _Tag(NamedTuple):
    prefix: str
    kind: int
    tag: str | None = None
    ind1: str | None = None
    ind2: str | None = None
    code: str | None = None


@lru_cache(maxsize=65536)
def _take_apart(text: str) -> _Tag | None:
    """A tag in its parts; None: it is not in the plain form, and the whole block is read by events."""
    match = _TAG.fullmatch(text)
    if match is None:
        return None
    closing, prefix, name, attributes, whole = match.groups()
    kind = _KINDS.get(name)
    if kind is None:
        return _Tag(prefix or "", _OTHER)
    if closing:
        return _Tag(prefix or "", kind + 1)
    found = {
        key: html.unescape(value[1:-1]) if "&" in value else value[1:-1]
        for key, value in _ATTRIBUTE.findall(attributes)
    }
    tag, ind1, ind2, code = (found.get(key) for key in ("tag", "ind1", "ind2", "code"))
    right = {
        _CONTROL: is_printable(tag, 3, "!"),
        _DATA: is_printable(tag, 3, "!")
        and not is_control(tag or "")
        and is_printable(ind1, 1, " ")
        and is_printable(ind2, 1, " "),
        _SUB: is_printable(code, 1, " "),
    }.get(kind, True)
    if not right or (whole and kind not in _WHOLE):
        return _Tag(prefix or "", _ODD)
    return _Tag(prefix or "", _WHOLE[kind] if whole else kind, tag, ind1, ind2, code)


class _Tokens(NamedTuple):
    """Tags of a block: [start, end) and the row of `table` (columns of _Tag) that each is."""

    start: Ints
    end: Ints
    row: Ints
    kind: Ints
    table: pl.DataFrame


def _tokens(data: bytes, prefixes: frozenset[str]) -> _Tokens | None:
    """None: the block is not in the plain form."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    start = np.flatnonzero(buffer == 0x3C)
    closers = np.flatnonzero(buffer == 0x3E)
    place = np.searchsorted(closers, start)
    if len(start) and place[-1] >= len(closers):
        return None
    end = closers[place] + 1
    if (end[:-1] > start[1:]).any():
        return None
    texts = string_views(data, start, end)
    table = texts.unique().to_frame("text")
    apart = [_take_apart(text) for text in table["text"]]
    if None in apart:
        return None
    known = [each if each.prefix in prefixes else _Tag(each.prefix, _OTHER) for each in apart if each is not None]
    schema = {
        "prefix": pl.String,
        "kind": pl.UInt8,
        "tag": pl.String,
        "ind1": pl.String,
        "ind2": pl.String,
        "code": pl.String,
    }
    table = pl.concat([table, pl.DataFrame(known, schema=schema, orient="row")], how="horizontal").with_row_index("row")
    row = texts.to_frame("text").join(table.select("text", "row"), on="text", how="left", maintain_order="left")["row"]
    rows = row.to_numpy()
    return _Tokens(start, end, rows, table["kind"].to_numpy()[rows], table)


def _before(found: npt.NDArray[np.bool_]) -> Ints:
    counts = np.zeros(len(found) + 1, dtype=np.int32)
    np.cumsum(found, out=counts[1:])
    return counts


def _holds(places: Ints, start: Ints, end: Ints) -> npt.NDArray[np.bool_]:
    """Is one of these (sorted, few) places in [start, end)?"""
    if not len(places):
        return np.zeros(len(start), dtype=bool)
    return np.asarray(np.searchsorted(places, end) > np.searchsorted(places, start))


class Plain(NamedTuple):
    """A block of whole records whose tags are known. opens, ends: tokens of the records' first and last tags."""

    tokens: _Tokens
    opens: Ints
    ends: Ints


def plain_block(data: bytes, prefixes: frozenset[str]) -> Plain | None:
    if b"<!" in data or b"<?" in data:
        return None
    tokens = _tokens(data, prefixes)
    if tokens is None:
        return None
    opens, ends = np.flatnonzero(tokens.kind == _RECORD), np.flatnonzero(tokens.kind == _RECORD_END)
    if len(opens) != len(ends) or (opens > ends).any() or (opens[1:] < ends[:-1]).any():
        return None
    return Plain(tokens, opens, ends)


def columns_of(data: bytes, base: int, plain: Plain, first_record: int) -> Frames:
    """Frames of a block that is well formed."""
    tokens, opens, ends = plain
    buffer = np.frombuffer(data, dtype=np.uint8)
    kind, count = tokens.kind, len(opens)
    owner = np.cumsum(kind == _RECORD) - 1
    inside = np.zeros(len(kind) + 1, dtype=np.int8)
    inside[opens] += 1
    inside[ends] -= 1
    within = np.cumsum(inside)[:-1].astype(bool)  # this tag and the next one are of the same record
    pair = np.flatnonzero(within)
    odd = np.zeros(count, dtype=bool)
    odd[owner[pair[~_FOLLOWS[kind[pair], kind[pair + 1]]]]] = True
    # Between tags that hold no value there is nothing but white space.
    gap = pair[~np.isin(kind[pair], (_LEADER, _CONTROL, _SUB))]
    inked = _before(buffer > 0x20)
    odd[owner[gap[inked[tokens.start[gap + 1]] > inked[tokens.end[gap]]]]] = True

    leaders = pair[kind[pair] == _LEADER]
    leaders = leaders[~odd[owner[leaders]]]
    leader_start = tokens.end[leaders]
    wrong = tokens.start[leaders + 1] - leader_start != 24
    odd[owner[leaders[wrong]]] = True
    leaders, leader_start = leaders[~wrong], leader_start[~wrong]
    letters = np.lib.stride_tricks.sliding_window_view(buffer, 24)[leader_start] if len(leaders) else np.zeros((0, 24))
    wrong = ((letters < 0x20) | (letters > 0x7E) | (letters == 0x26)).any(axis=1)
    odd[owner[leaders[wrong]]] = True
    leaders, leader_start = leaders[~wrong], leader_start[~wrong]

    rows, special = _value_rows(data, buffer, tokens, pair[~odd[owner[pair]]], owner, first_record)
    extra: list[pl.DataFrame] = []
    start, end = tokens.start[opens], tokens.end[ends]
    leader: list[str | None] = [None] * count
    for record, text in zip(owner[leaders].tolist(), string_views(data, leader_start, leader_start + 24), strict=True):
        leader[record] = text
    faults: dict[int, tuple[str, int, str]] = {}
    for record in np.flatnonzero(odd).tolist():
        one = one_record(data[start[record] : end[record]])
        if one.fault is None:
            leader[record] = one.leader
            extra.append(rows_frame(one.rows, first_record + record))
            if any(each.value and not each.value.isascii() for each in one.rows):
                special.add(record)
        else:
            faults[record] = (one.fault[0], base + int(start[record]) + one.fault[1], one.fault[2])
            leader[record] = None
    if extra:
        rows = pl.concat([rows, *extra]).sort("record", maintain_order=True)
    wide = _holds(np.flatnonzero(buffer >= 0x80), start, end)
    twice = _holds(_perhaps_twice(buffer), start, end)
    wide[list(special)] = True
    records = pl.DataFrame(
        {
            "record": np.arange(first_record, first_record + count),
            "offset": start + base,
            "length": end - start,
            "sha256": [
                hashlib.sha256(data[a:b]).hexdigest() for a, b in zip(start.tolist(), end.tolist(), strict=True)
            ],
            "leader": leader,
            "claims": [claims_of(each) for each in leader],
            "found": [
                found_in(data[a:b]) if look else "utf-8" if each else "ascii"
                for a, b, look, each in zip(start.tolist(), end.tolist(), twice.tolist(), wide.tolist(), strict=True)
            ],
            "encoding": [None if n in faults else "utf-8" if each else "ascii" for n, each in enumerate(wide.tolist())],
            "fault": [faults[n][0] if n in faults else None for n in range(count)],
            "fault_byte": [faults[n][1] if n in faults else None for n in range(count)],
            "fault_detail": [faults[n][2] if n in faults else None for n in range(count)],
        },
        schema=RECORDS,
    )
    return Frames(records, rows)


def _perhaps_twice(buffer: npt.NDArray[np.uint8]) -> Ints:
    """Places where text that was encoded twice could start: a letter between U+00C2 and U+00F4 with no ASCII behind it."""
    first = np.flatnonzero(buffer[:-2] == 0xC3)
    second, third = buffer[first + 1], buffer[first + 2]
    return first[(second >= 0x82) & (second <= 0xB4) & (third >= 0x80)]


def _value_rows(
    data: bytes, buffer: npt.NDArray[np.uint8], tokens: _Tokens, pair: Ints, owner: Ints, first_record: int
) -> tuple[pl.DataFrame, set[int]]:
    """Rows of the tags in `pair`, and the records (from 0) that have a letter beyond ASCII as a reference."""
    kind = tokens.kind[pair]
    is_field = np.isin(kind, (_CONTROL, _CONTROL_WHOLE, _DATA, _DATA_WHOLE))
    bare = (kind == _DATA) & (tokens.kind[pair + 1] == _DATA_END) if len(pair) else np.zeros(0, dtype=bool)
    is_row = np.isin(kind, (_CONTROL, _CONTROL_WHOLE, _DATA_WHOLE, _SUB, _SUB_WHOLE)) | bare
    if not is_row.any():
        return pl.DataFrame(schema=SUBFIELDS), set()
    field_at = np.maximum.accumulate(np.where(is_field, np.arange(len(pair)), 0))
    number = np.cumsum(is_field) - 1
    record = owner[pair]
    first = np.flatnonzero(np.concatenate(([True], record[1:] != record[:-1])))
    before = np.repeat(
        np.where(is_field[first], number[first], number[first] + 1), np.diff(np.append(first, len(pair)))
    )
    chosen = np.flatnonzero(is_row)
    kinds = kind[chosen]
    holder = tokens.row[pair[field_at[chosen]]]
    own = tokens.row[pair[chosen]]
    valued = (kinds == _CONTROL) | (kinds == _SUB)
    start = tokens.end[pair[chosen]]
    end = np.where(valued, tokens.start[np.minimum(pair[chosen] + 1, len(tokens.start) - 1)], start)
    value = string_views(data, start, end)
    special: set[int] = set()
    entities = _holds(np.flatnonzero((buffer == 0x26) | (buffer == 0x0D)), start, end)
    if entities.any():
        plain = _unescape(value.filter(pl.Series(entities)))
        value = value.scatter(np.flatnonzero(entities), plain)
        wide = plain.str.len_bytes() != plain.str.len_chars()
        special = set(record[chosen[np.flatnonzero(entities)[wide.to_numpy()]]].tolist())
    none = (kinds == _DATA_WHOLE) | bare[chosen]
    if none.any():
        value = value.set(pl.Series(none), None)
    table = tokens.table
    sub = np.isin(kinds, (_SUB, _SUB_WHOLE))
    code = table["code"].gather(own)
    frame = pl.DataFrame(
        {
            "record": (record[chosen] + first_record).astype(np.uint32),
            "field": (number[chosen] - before[chosen]).astype(np.uint16),
            "tag": table["tag"].gather(holder),
            "ind1": table["ind1"].gather(holder),
            "ind2": table["ind2"].gather(holder),
            "code": code if sub.all() else code.set(pl.Series(~sub), None),
            "value": value,
        },
        schema=SUBFIELDS,
    )
    return frame, special


_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_REFERENCE = re.compile("&#(?:x([0-9a-fA-F]+)|([0-9]+));|" + "|".join(_ENTITIES))


def _unescape(values: pl.Series) -> pl.Series:
    """XML 1.0 §2.11 (ends of lines) and §4.6 (predefined entities) and character references."""
    values = values.str.replace_all("\r\n", "\n", literal=True).str.replace_all("\r", "\n", literal=True)
    numbered = values.str.contains("&#", literal=True)
    if numbered.any():
        # In one pass: what a reference stands for is never looked at again.
        done = pl.Series([_both(each) for each in values.filter(numbered)], dtype=pl.String)
        rest = _replace(values.filter(~numbered))
        return values.scatter(numbered.arg_true(), done).scatter((~numbered).arg_true(), rest)
    return _replace(values)


def _replace(values: pl.Series) -> pl.Series:
    return values.str.replace_many(list(_ENTITIES), list(_ENTITIES.values()))


def _both(text: str) -> str:
    return _REFERENCE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0]) or chr(int(match[1], 16) if match[1] else int(match[2]))


def records_before(block: Plain, end: int) -> tuple[Plain, int]:
    """The whole records before a place, and the place behind the last of them; 0: there is none."""
    ends = block.tokens.end[block.ends]
    records = int(np.searchsorted(ends, end, side="right"))
    behind = int(ends[records - 1]) if records else 0
    keep = int(np.searchsorted(block.tokens.end, behind, side="right"))
    start, stop, row, kind, table = block.tokens
    tokens = _Tokens(start[:keep], stop[:keep], row[:keep], kind[:keep], table)
    return Plain(tokens, block.opens[:records], block.ends[:records]), behind


def rows_frame(rows: list[Row], record: int) -> pl.DataFrame:
    return pl.DataFrame([(record, *each) for each in rows], schema=SUBFIELDS, orient="row")
