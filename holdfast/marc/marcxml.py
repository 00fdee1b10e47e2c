"""MARCXML as columns.

Expat says whether the document is well formed, and refuses entities and doctypes: no line of it is trusted before. Of
what is well formed, the tags of a block are found by array arithmetic, each different tag is taken apart once, and values
are views into the block. A record in another form than the usual one (comments, CDATA, an element that the schema
does not have) is looked at event by event, and so is everything in a file that is not in UTF-8.

A record is in the namespace of MARC 21 slim or MarcXchange (ISO 25577), or in none. What is around the records (an OAI-PMH
envelope, a SRU response) is passed over.

Sources: loc.gov/standards/marcxml (MARC21slim.xsd); ISO 25577:2013; XML 1.0; Namespaces in XML 1.0.
"""

from __future__ import annotations

import codecs
import hashlib
import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from xml.parsers import expat

import numpy as np
import numpy.typing as npt
import polars as pl

from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.opening import Content
from holdfast.marc.parts import Found, Part, claims_of, found_in, part_of, records_frame, skip_rest
from holdfast.marc.string_views import Ints, string_views

FORMAT = "marcxml"
NAMESPACES = frozenset(
    {
        "http://www.loc.gov/MARC21/slim",
        "http://www.loc.gov/MARC21/slim/",
        "info:lc/xmlns/marcxchange-v1",
        "info:lc/xmlns/marcxchange-v2",
        "http://www.bs.dk/standards/MarcXchange",
        "",
    }
)
# What has not come to its end by then is no record: a hundred times what ISO 2709 holds.
LONGEST_RECORD = 10_000_000

_BINDING = re.compile(rb"""xmlns(?::([^\s=]+))?\s*=\s*("[^"]*"|'[^']*')""")
_LAST_END = re.compile(rb"</(?:[^\s/<>:]+:)?record\s*>")
_ATTRIBUTE = re.compile(r"""\s+([^\s=<>"']+)\s*=\s*("[^"]*"|'[^']*')""")
_TAG = re.compile(
    r"""<(/?)(?:([^\s/<>:"'=]+):)?([^\s/<>:"'=]+)((?:\s+[^\s=<>"']+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)>"""
)
# Declared encoding → verdict of encoding.FOUND; UTF-16 is Unicode, and is told as UTF-8.
_FOUND = {
    "iso-8859-1": "latin-1",
    "latin-1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
_DOCTYPE = "a document type declaration, which may hold entities"


class _RefusedError(Exception):
    pass


# ---- records event by event ----------------------------------------------------------------------------------------


class _Row(NamedTuple):
    field: int
    tag: str
    ind1: str | None
    ind2: str | None
    code: str | None
    value: str | None


def _printable(text: str | None, length: int, lowest: str) -> bool:
    return text is not None and len(text) == length and all(lowest <= each <= "~" for each in text)


class _Record:
    """One record as its events come. `fault` is the first one: (code, event's byte, detail)."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.leader: str | None = None
        self.fault: tuple[str, int, str] | None = None
        self._open: list[str] = []
        self._text: list[str] = []
        self._field, self._subfields = -1, 0
        self._tag, self._ind1, self._ind2, self._code = "", "", "", ""

    def _reject(self, code: str, byte: int, detail: str) -> None:
        if self.fault is None:
            self.fault = (code, byte, detail)

    def start(self, name: str, attributes: dict[str, str], byte: int) -> None:
        within = self._open[-1] if self._open else "record"
        self._open.append(name)
        if (name, within) not in {
            ("leader", "record"),
            ("controlfield", "record"),
            ("datafield", "record"),
            ("subfield", "datafield"),
        }:
            self._reject("marc.xml_structure", byte, f"an element {_shape(name)} within {_shape(within)}")
        elif name == "subfield":
            self._code, self._subfields = attributes.get("code", ""), self._subfields + 1
            if not _printable(attributes.get("code"), 1, " ") and attributes.get("code") != "":
                found = attributes.get("code")
                detail = "no code" if found is None else f"code {_shape(found)!r}"
                self._reject("marc.subfield_code", byte, f"field {self._tag}, subfield with {detail}")
        elif name != "leader":
            self._field, self._subfields, self._tag = self._field + 1, 0, attributes.get("tag", "")
            if not _printable(attributes.get("tag"), 3, "!"):
                found = attributes.get("tag")
                detail = "no tag" if found is None else f"tag {_shape(found)!r}"
                self._reject("marc.tag", byte, f"field {self._field + 1}, a {name} with {detail}")
            if name == "datafield":
                self._ind1, self._ind2 = attributes.get("ind1", ""), attributes.get("ind2", "")
                for each in ("ind1", "ind2"):
                    if not _printable(attributes.get(each), 1, " "):
                        detail = f"{each} {_shape(attributes[each])!r}" if each in attributes else f"no {each}"
                        self._reject("marc.indicators", byte, f"field {self._tag} with {detail}")
                if is_control(self._tag):
                    self._reject("marc.tag", byte, f"a datafield with the tag of a control field, {self._tag}")
        self._text.clear()

    def end(self, byte: int) -> None:
        name, text = self._open.pop(), "".join(self._text)
        if name == "leader":
            if self.leader is not None:
                self._reject("marc.leader", byte, "a second leader")
            elif not _printable(text, 24, " "):
                shown = f"{len(text)} characters" if len(text) != 24 else "a character that is not ASCII"
                self._reject("marc.leader", byte, f"a leader of {shown}")
            self.leader = text
        elif name == "controlfield":
            self.rows.append(_Row(self._field, self._tag, None, None, None, text))
        elif name == "subfield":
            if not self._code and text:
                self._reject("marc.subfield_code", byte, f"field {self._tag}, subfield with an empty code")
            self.rows.append(_Row(self._field, self._tag, self._ind1, self._ind2, self._code, text))
        elif name == "datafield" and not self._subfields:
            self.rows.append(_Row(self._field, self._tag, self._ind1, self._ind2, None, None))
        self._text.clear()

    def text(self, data: str, byte: int) -> None:
        if self._open and self._open[-1] in ("leader", "controlfield", "subfield"):
            self._text.append(data)
        elif data.strip(" \t\r\n"):
            within = self._open[-1] if self._open else "record"
            self._reject("marc.xml_structure", byte, f"text within {_shape(within)}")

    def close(self, byte: int) -> None:
        if self.leader is None:
            self._reject("marc.leader", byte, "no leader")


def is_control(tag: str) -> bool:
    """MARC 21 Record Structure: control fields are 001 to 009; 00X, as the reader of ISO 2709 has it."""
    return len(tag) == 3 and tag.startswith("00") and tag[2].isdigit()


def _shape(text: str) -> str:
    """What can't be read can't be masked: letters are not shown, but for names of the schema."""
    if text in ("record", "leader", "controlfield", "datafield", "subfield"):
        return text
    return "".join("a" if each.isalpha() else "9" if each.isdigit() else each for each in text[:40])


class _Events:
    """Records out of the events of a document, each with its place."""

    def __init__(self, namespace_aware: bool) -> None:
        self.records: list[tuple[int, int, _Record]] = []
        self._aware = namespace_aware
        self._record: _Record | None = None
        self._start = self._depth = 0
        self.doctype_at: int | None = None
        self._parser: expat.XMLParserType | None = None

    def attach(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._finish
        parser.CharacterDataHandler = self._characters

    def passed(self) -> int:
        """Bytes of the file that are looked at and belong to no open record."""
        return self._byte if self._record is None else 0

    @property
    def _byte(self) -> int:
        return self._parser.CurrentByteIndex if self._parser else 0

    def _name(self, name: str) -> str:
        if self._aware:
            namespace, _, local = name.rpartition(" ")
            return local if namespace in NAMESPACES else name
        return name.rpartition(":")[2]

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        local = self._name(name)
        if self._record is not None:
            self._depth += 1
            self._record.start(local, attributes, self._byte)
        elif local == "record":
            self._record, self._start, self._depth = _Record(), self._byte, 0

    def _finish(self, name: str) -> None:
        if self._record is None:
            return
        if self._depth:
            self._depth -= 1
            self._record.end(self._byte)
            return
        self._record.close(self._byte)
        self.records.append((self._start, self._byte, self._record))
        self._record = None

    def _characters(self, text: str) -> None:
        if self._record is not None:
            # Buffered text is given at the tag behind it.
            self._record.text(text, self._byte)


def _strict_parser(encoding: str | None, aware: bool) -> expat.XMLParserType:
    parser = expat.ParserCreate(encoding, " " if aware else None)
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)  # what was given is looked at at once, and so is its fault found

    def refuse(*_: object) -> None:
        raise _RefusedError

    parser.StartDoctypeDeclHandler = refuse
    return parser


def _one_record(data: bytes) -> _Record:
    """The one record of these well-formed bytes, which may use prefixes that are bound elsewhere."""
    events = _Events(namespace_aware=False)
    parser = _strict_parser("utf-8", aware=False)
    events.attach(parser)
    parser.Parse(data, True)
    return events.records[0][2]


# ---- records as columns --------------------------------------------------------------------------------------------

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
        _CONTROL: _printable(tag, 3, "!"),
        _DATA: _printable(tag, 3, "!")
        and not is_control(tag or "")
        and _printable(ind1, 1, " ")
        and _printable(ind2, 1, " "),
        _SUB: _printable(code, 1, " "),
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


class _Plain(NamedTuple):
    """A block of whole records whose tags are known. opens, ends: tokens of the records' first and last tags."""

    tokens: _Tokens
    opens: Ints
    ends: Ints


def _plain(data: bytes, prefixes: frozenset[str]) -> _Plain | None:
    if b"<!" in data or b"<?" in data:
        return None
    tokens = _tokens(data, prefixes)
    if tokens is None:
        return None
    opens, ends = np.flatnonzero(tokens.kind == _RECORD), np.flatnonzero(tokens.kind == _RECORD_END)
    if len(opens) != len(ends) or (opens > ends).any() or (opens[1:] < ends[:-1]).any():
        return None
    return _Plain(tokens, opens, ends)


def _columns(data: bytes, base: int, plain: _Plain, first_record: int) -> Frames:
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
        one = _one_record(data[start[record] : end[record]])
        if one.fault is None:
            leader[record] = one.leader
            extra.append(_rows_frame(one.rows, first_record + record))
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


def _rows_frame(rows: list[_Row], record: int) -> pl.DataFrame:
    return pl.DataFrame([(record, *each) for each in rows], schema=SUBFIELDS, orient="row")


# ---- the file ------------------------------------------------------------------------------------------------------


def read_marcxml(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    """Parts of a MARCXML file. Never raises for what is in it."""
    return _File(content, block_bytes, first_record).parts()


class _File:
    def __init__(self, content: Content, block_bytes: int, first_record: int) -> None:
        self._content, self._block_bytes, self._next = content, block_bytes, first_record
        head = content.peek(4096)
        self._encoding = _encoding_of(head)
        self._parser = _strict_parser(None, aware=True)
        self._held, self._offset = b"", 0  # what is not in a part yet, and its place in the file
        self._fed = 0  # bytes of the file that the parser has
        self._prefixes: dict[str, set[str]] = {}
        self._events: _Events | None = None

    def parts(self) -> Iterator[Part]:
        if not _can_decode(self._encoding):
            detail = f"the declared encoding {self._encoding!r} is not known"
            yield from self._give_up("marc.xml_not_well_formed", detail, 0)
            return
        while True:
            read = self._content.read(self._block_bytes)
            self._held += read
            last = not read
            try:
                yield from self._take(last)
            except (expat.ExpatError, _RefusedError) as error:
                yield from self._stop(error)
                return
            if last:
                if self._held:
                    yield self._part(_nothing(), len(self._held))
                return
            if len(self._held) > max(LONGEST_RECORD, self._block_bytes):
                yield from self._give_up(
                    "marc.too_long", f"no end of a record in {len(self._held):,} bytes", self._offset
                )
                return

    def _part(self, frames: Frames, length: int) -> Part:
        part = part_of(frames, self._content.name, FORMAT, self._held[:length], self._offset)
        self._held, self._offset = self._held[length:], self._offset + length
        self._next += frames.records.height
        return part

    def _take(self, last: bool) -> Iterator[Part]:
        """A part of what is held, up to the end of its last record. Raises what expat finds, with the part before it given."""
        if self._events is None:
            cut = len(self._held) if last else _last_end(self._held)
            if cut == 0 and not last:
                return
            data = self._held[:cut]
            plain = self._look(data)
            if plain is not None:
                yield from self._columns(data, plain, last)
                return
            self._events = _Events(namespace_aware=True)
            self._events.attach(self._parser)
        yield from self._by_events(self._events, last)

    def _look(self, data: bytes) -> _Plain | None:
        """The block's tags, if it is in the plain form."""
        if self._encoding != "utf-8":
            return None
        for prefix, uri in _BINDING.findall(data):
            self._prefixes.setdefault(prefix.decode("utf-8", "replace"), set()).add(
                uri[1:-1].decode("utf-8", "replace")
            )
        ours = {prefix: {each in NAMESPACES for each in bound} for prefix, bound in self._prefixes.items()}
        if any(len(each) > 1 for each in ours.values()):
            return None
        if not data.isascii():
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                return None
        if self._offset == 0:
            # The declaration is no tag: blanks stand for it, so that places stay.
            start = 3 if data.startswith(codecs.BOM_UTF8) else 0
            behind = data.find(b"?>", start) + 2 if data.startswith(b"<?xml", start) else start
            data = b" " * behind + data[behind:]
        prefixes = frozenset(prefix for prefix, each in ours.items() if each == {True}) | (
            {""} if "" not in ours else frozenset()
        )
        return _plain(data, prefixes)

    def _columns(self, data: bytes, plain: _Plain, last: bool) -> Iterator[Part]:
        error: expat.ExpatError | _RefusedError | None = None
        good = len(data)
        try:
            self._parser.Parse(data, last)
        except (expat.ExpatError, _RefusedError) as found:
            error = found
            good = self._parser.ErrorByteIndex - self._offset
            ends = plain.tokens.end[plain.ends]
            keep = int(np.searchsorted(ends, good, side="right"))
            plain = _Plain(plain.tokens, plain.opens[:keep], plain.ends[:keep])
            good = int(ends[keep - 1]) if keep else 0
            plain = _Plain(_until(plain.tokens, good), plain.opens, plain.ends)
        self._fed += len(data)
        if good:
            yield self._part(_columns(data, self._offset, plain, self._next), good)
        if error is not None:
            raise error

    def _by_events(self, events: _Events, last: bool) -> Iterator[Part]:
        """From here on the file is read by its events."""
        error: expat.ExpatError | _RefusedError | None = None
        try:
            self._parser.Parse(self._held[self._fed - self._offset :], last)
        except (expat.ExpatError, _RefusedError) as found:
            error = found
        self._fed = self._offset + len(self._held)
        if events.records:
            yield self._event_part(events)
        elif error is None and (passed := events.passed() - self._offset) > 0:
            yield self._part(_nothing(), passed)
        if error is not None:
            raise error

    def _event_part(self, events: _Events) -> Part:
        found: list[Found] = []
        rows: list[pl.DataFrame] = []
        end = 0
        closer = b">" if not self._encoding.startswith("utf-16") else ">".encode(self._encoding)
        for start, at, record in events.records:
            first = start - self._offset
            end = self._held.index(closer, at - self._offset) + len(closer)
            fault = record.fault or (None, None, None)
            ascii_only = all(each.value is None or each.value.isascii() for each in record.rows)
            encoding = "ascii" if ascii_only else self._encoding
            data = self._held[first:end]
            verdict = found_in(data) if self._encoding == "utf-8" else _FOUND.get(self._encoding, "unknown")
            found.append(Found(start, data, record.leader, encoding, "ascii" if ascii_only else verdict, *fault))
            if record.fault is None:
                rows.append(_rows_frame(record.rows, self._next + len(found) - 1))
        events.records.clear()
        subfields = pl.concat(rows) if rows else pl.DataFrame(schema=SUBFIELDS)
        return self._part(Frames(records_frame(found, self._next), subfields), end)

    def _stop(self, error: expat.ExpatError | _RefusedError) -> Iterator[Part]:
        if isinstance(error, _RefusedError):
            yield from self._give_up("marc.xml_doctype", _DOCTYPE, self._parser.CurrentByteIndex)
            return
        byte = max(self._parser.ErrorByteIndex, self._offset)
        detail = f"{expat.ErrorString(error.code)}, line {error.lineno}"
        yield from self._give_up("marc.xml_not_well_formed", detail, byte)

    def _give_up(self, fault: str, detail: str, byte: int) -> Iterator[Part]:
        rest = self._held.lstrip(b" \t\r\n")
        if len(rest) < len(self._held):
            yield self._part(_nothing(), len(self._held) - len(rest))
        yield from skip_rest(
            self._content, FORMAT, fault, detail, self._next, self._offset, rest, max(byte, self._offset)
        )


def _nothing() -> Frames:
    return Frames(pl.DataFrame(schema=RECORDS), pl.DataFrame(schema=SUBFIELDS))


def _until(tokens: _Tokens, end: int) -> _Tokens:
    keep = int(np.searchsorted(tokens.end, end, side="right"))
    return _Tokens(tokens.start[:keep], tokens.end[:keep], tokens.row[:keep], tokens.kind[:keep], tokens.table)


def _last_end(data: bytes) -> int:
    """Place behind the last end tag of a record; 0: there is none."""
    place = len(data)
    while (place := data.rfind(b"</", 0, place)) >= 0:
        if match := _LAST_END.match(data, place):
            return match.end()
    return 0


def _can_decode(encoding: str) -> bool:
    """Does expat read it? Of an encoding that is none, or has several bytes a character, Python says so by other errors."""
    if encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be"):
        return True
    try:
        expat.ParserCreate(encoding).Parse(b"<x/>", True)
    except (expat.ExpatError, LookupError, ValueError):
        return False
    return True


def _encoding_of(head: bytes) -> str:
    """XML 1.0, appendix F: by the byte order mark, else by the declaration, else UTF-8."""
    if head.startswith((b"\xff\xfe", b"<\0")):
        return "utf-16-le"
    if head.startswith((b"\xfe\xff", b"\0<")):
        return "utf-16-be"
    if match := re.match(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""", head):
        name = match[1].decode("ascii").lower()
        return "utf-8" if name in ("utf-8", "utf8", "us-ascii", "ascii") else name
    return "utf-8"
