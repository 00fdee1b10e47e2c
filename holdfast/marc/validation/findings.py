"""Collects what the checks find, and makes the frame of issues of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from holdfast.marc.kernel import compiled
from holdfast.marc.string_views import is_there, series_of_numbers, series_of_views, text
from holdfast.marc.validation.columns import HAS_AT, HAS_COLON, HAS_CONTROL, IS_LONG, find_traits
from holdfast.marc.validation.issues import ISSUES, KINDS
from holdfast.marc.validation.rows import CHARACTERS, NONE, ODD, ODD_TAG, TAGS, Ints, Rows

SHOWN = 80  # characters of a value
_PARTS = ("of", "at", "row", "whole", "position", "code", "tag", "found", "detail", "rule")
_SCHEMA_RULE = "schema"
_NONE = _LEADER = -1
_RULES = {code: kind.rule for code, kind in KINDS.items()}
_MESSAGES = {code: kind.what for code, kind in KINDS.items()}
_HINTS = {code: kind.hint for code, kind in KINDS.items()}


class Picks(NamedTuple):
    """Texts that are few, and which of them each issue has."""

    texts: Sequence[str | None]
    which: Ints


Texts = str | Sequence[str | None] | Picks | None


class _Words:
    """Texts by number, each kept once: issues repeat themselves."""

    def __init__(self) -> None:
        self._numbers: dict[str | None, int] = {None: 0}

    def numbers(self, texts: Texts, count: int) -> Ints:
        if texts is None or isinstance(texts, str):
            return np.full(count, self.number(texts), dtype=np.int32)
        if isinstance(texts, Picks):
            return self.numbers(texts.texts, 0)[texts.which]
        return np.array([self.number(text) for text in texts], dtype=np.int32)

    def number(self, text: str | None) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def texts(self) -> list[str | None]:
        return list(self._numbers)

    def meant(self, numbers: Ints, meaning: Mapping[str, str]) -> Ints:
        """Numbers of what the texts with these numbers mean."""
        table = np.zeros(len(self._numbers), dtype=np.int32)
        texts = self.texts()
        for number in np.unique(numbers).tolist():
            table[number] = self.number(meaning.get(texts[number] or ""))
        return table[numbers]


@dataclass
class Findings:
    """Of one kind of record.

    Attributes:
        wanted: codes that are reported, each with its severity.
        schema: name of the schema.
        hints: of local rules.
    """

    rows: Rows
    wanted: Mapping[str, str]
    schema: str
    hints: Mapping[str, str] = field(default_factory=dict)
    _words: _Words = field(default_factory=_Words)
    _parts: dict[str, list[Ints]] = field(default_factory=lambda: {name: [] for name in _PARTS})

    def at_rows(self, code: str, rows: Ints, *, whole: bool = False, **more: Any) -> None:
        """Issues of subfields, by their places; with `whole`, of the fields that they are all of.

        more: position (characters, a number or an array, -1 for none), detail (message), rule, found (shown instead of the
        value): a text or a list of them, None for what the kind says.
        """
        if len(rows) and code in self.wanted:
            fields = self.rows.field[rows]
            self._add(code, self.rows.of[fields], fields, rows, whole, **more)

    def at_fields(self, code: str, fields: Ints, **more: Any) -> None:
        """Issues of fields as a whole, by their places; the value shown is that of the first subfield."""
        if len(fields) and code in self.wanted:
            self._add(code, self.rows.of[fields], fields, self.rows.first[fields], True, **more)

    def at_records(self, code: str, records: Ints, *, tag: str, leader: bool = False, **more: Any) -> None:
        """Issues of records, by their places: of the leader (with `leader` it is shown), or of what is missing."""
        if len(records) and code in self.wanted:
            none = np.full(len(records), _NONE, dtype=np.int64)
            self._add(code, records, none, none, True, tag=tag, **more)
            if leader:
                self._parts["found"][-1] = np.full(len(records), _LEADER, dtype=np.int32)

    def _add(
        self,
        code: str,
        of: Ints,
        at: Ints,
        row: Ints,
        whole: bool,
        *,
        position: int | Ints | Sequence[int] = _NONE,
        tag: Texts = None,
        found: Texts = None,
        detail: Texts = None,
        rule: Texts = None,
    ) -> None:
        count = len(of)
        own: dict[str, Ints] = {
            "of": of,
            "at": at,
            "row": row,
            "whole": np.full(count, whole),
            "position": np.broadcast_to(np.asarray(position, dtype=np.int64), (count,)),
            "code": self._words.numbers(code, count),
            "tag": self._words.numbers(tag, count),
            "found": self._words.numbers(found, count),
            "detail": self._words.numbers(detail, count),
            "rule": self._words.numbers(rule, count),
        }
        for name, values in own.items():
            self._parts[name].append(values)

    def frame(self) -> pl.DataFrame:
        """All that was found, in the shape of ISSUES."""
        if not self._parts["of"]:
            return pl.DataFrame(schema=ISSUES)
        rows, words = self.rows, self._words
        parts = {name: np.concatenate(arrays) for name, arrays in self._parts.items()}
        # By record and field, and then in the order of the checks.
        order = np.argsort(parts["of"] * (len(rows.tag) + 1) + parts["at"] + 1, kind="stable")
        parts = {name: array[order] for name, array in parts.items()}
        at, row, code, there = parts["at"], parts["row"], parts["code"], parts["at"] >= 0
        rule, message = parts["rule"], parts["detail"]
        tag = np.where(parts["tag"] > 0, parts["tag"], self._tags(at, row))
        subfield = self._subfields(row, parts["whole"])
        rule = np.where(rule > 0, rule, words.meant(code, _RULES))
        message = np.where(message > 0, message, words.meant(code, _MESSAGES))
        hints = _HINTS | dict(self.hints)
        numbers = {
            "code": code,
            "severity": words.meant(code, self.wanted),
            "tag": tag,
            "subfield": subfield,
            "rule": self._places_in_schema(rule, tag, subfield),
            "message": message,
            "hint": words.meant(code, hints),
        }
        texts = pl.Series(words.texts(), dtype=pl.String)
        found = np.zeros(len(at), dtype=np.uint16)
        found[there] = rows.occurrence(at[there])
        fields = rows.subfields["field"].to_numpy()[row] if len(rows.tag) else np.zeros(len(at), dtype=np.uint16)
        position = parts["position"]
        columns = {name: texts.gather(own) for name, own in numbers.items()} | {
            "record": pl.Series(rows.records["record"].to_numpy()[parts["of"]]),
            "field": series_of_numbers(fields, there),
            "occurrence": series_of_numbers(found, there),
            "position": series_of_numbers(position.astype(np.uint32), position >= 0),
            "value": self._values(parts["of"], row, parts["found"], texts),
        }
        return pl.DataFrame({name: columns[name] for name in ISSUES.names()}, schema_overrides=ISSUES)

    def _tags(self, at: Ints, row: Ints) -> Ints:
        """Numbers of the fields' own tags."""
        table = np.zeros(TAGS, dtype=np.int32)
        own = np.where(at >= 0, self.rows.tag[at] if len(self.rows.tag) else 0, 0)
        for tag in np.unique(own).tolist():
            table[tag] = self._words.number(f"{tag:03}")
        numbers = table[own]
        odd = np.flatnonzero((own == ODD_TAG) & (at >= 0))
        numbers[odd] = self._words.numbers(self.rows.subfields["tag"][row[odd]].to_list(), len(odd))
        return numbers

    def _subfields(self, row: Ints, whole: Ints) -> Ints:
        """Numbers of the codes, 0 where an issue is of the whole."""
        table = np.zeros(CHARACTERS, dtype=np.int32)
        own = np.where(whole, NONE, self.rows.code[row] if len(self.rows.code) else NONE)
        for code in np.unique(own).tolist():
            table[code] = self._words.number(chr(code)) if code != NONE else 0
        numbers = table[own]
        odd = np.flatnonzero(own == ODD)
        numbers[odd] = self._words.numbers(self.rows.subfields["code"][row[odd]].to_list(), len(odd))
        return numbers

    def _places_in_schema(self, rule: Ints, tag: Ints, subfield: Ints) -> Ints:
        """The numbers of rules, with the schema's name and the place in it for 'schema'."""
        words = self._words
        asked = np.flatnonzero(rule == words.number(_SCHEMA_RULE))
        keys, which = np.unique(tag[asked].astype(np.int64) << 32 | subfield[asked], return_inverse=True)
        texts = words.texts()
        names = []
        for key in keys.tolist():
            code = texts[key & 0xFFFFFFFF]
            names.append(f"{self.schema}: {texts[key >> 32]}{'' if code is None else '$' + code}")
        rule = rule.copy()
        rule[asked] = words.numbers(Picks(names, which), len(asked))
        return rule

    def _values(self, of: Ints, row: Ints, found: Ints, texts: pl.Series) -> pl.Series:
        """What is shown: `found` where there is something, else the value of the row, null where there is none."""
        own, leaders, said = self.rows.text, text(self.rows.records["leader"]), text(texts)
        views, asked = np.empty((len(row), 4), dtype=np.uint32), np.empty(len(row), dtype=np.bool_)
        there, extra = np.empty(len(row), dtype=np.bool_), np.empty(_LONGEST * len(row), dtype=np.uint8)
        used = _show(own, leaders, said, of, row, found, SHOWN, views, there, asked, extra)
        column = series_of_views(views, [own.data, leaders.data, said.data, extra[:used].copy()], there)
        places = np.flatnonzero(asked)
        return replaced(column, places, excerpts(column.gather(places))) if len(places) else column


# Bytes of the longest text that is shown: each character has four at most, the last one is an ellipsis.
_LONGEST = 4 * SHOWN
_EXTRA = 3  # number of the buffer of what is written anew


@compiled
def _show(
    values: Any, leaders: Any, said: Any, of: Any, rows: Any, found: Any, shown: int, views: Any, there: Any, asked: Any, extra: Any
) -> int:  # fmt: skip
    """Views of what each issue shows, cut as `excerpts` does it; `asked`: whole, and `excerpts` has more to do with it.

    Buffers: values, leaders, said, extra. The bytes of extra that are used."""
    used = 0
    for k in range(len(rows)):
        there[k] = True
        asked[k] = False
        if found[k] > 0:
            used = _show_one(said, found[k], 2, k, shown, views, asked, extra, used)
        elif found[k] == _LEADER:
            used = _show_one(leaders, of[k], 1, k, shown, views, asked, extra, used)
        elif rows[k] >= 0 and is_there(values.valid, values.offset, rows[k]):
            used = _show_one(values, rows[k], 0, k, shown, views, asked, extra, used)
        else:
            there[k] = False
            for slot in range(4):
                views[k, slot] = 0
    return used


@compiled
def _show_one(
    column: Any, row: int, which: int, k: int, shown: int, views: Any, asked: Any, extra: Any, used: int
) -> int:
    size = np.int64(column.words[row, 0])
    views[k, 0], views[k, 1] = column.words[row, 0], column.words[row, 1]
    if size <= 12:
        views[k, 2], views[k, 3] = column.words[row, 2], column.words[row, 3]
        begin = row * 16 + 4
        cut, asked[k], control = _cut(column.inline, begin, size, shown)
        if control and not asked[k]:
            return _write_shown(column.inline, begin, size, size, k, views, extra, used)
        return used
    begin = column.starts[column.words[row, 2]] + np.int64(column.words[row, 3])
    views[k, 2], views[k, 3] = which, begin
    cut, asked[k], control = _cut(column.data, begin, size, shown)
    if (control or cut < size) and not asked[k]:
        return _write_shown(column.data, begin, size, cut, k, views, extra, used)
    return used


@compiled
def _cut(source: Any, begin: int, size: int, shown: int) -> Any:
    """(where a text is cut, `size` where it is shown whole; may there be what must not be shown? has it control characters?)"""
    characters, cut = 0, size
    control, hidden, slashes = False, False, False
    for k in range(size):
        byte = source[begin + k]
        if (byte & 0xC0) != 0x80:
            characters += 1
            if characters == shown:
                cut = k
        if byte < 0x20 or byte == 0x7F:
            control = True
        elif byte == 0x3A and k >= 3:
            hidden = hidden or (
                source[begin + k - 3] == 0x70 and source[begin + k - 2] == 0x69 and source[begin + k - 1] == 0x69
            )
        elif byte == 0x2F and k >= 1:
            slashes = slashes or source[begin + k - 1] == 0x2F
        elif byte == 0x40:
            hidden = hidden or slashes
    return cut if characters > shown else size, hidden, control


@compiled
def _write_shown(source: Any, begin: int, size: int, cut: int, k: int, views: Any, extra: Any, used: int) -> int:
    """Write a text as far as it is shown, control characters as their pictures; the bytes of `extra` that are used then."""
    at = used
    for byte in source[begin : begin + cut]:
        if byte < 0x20 or byte == 0x7F:
            extra[at], extra[at + 1], extra[at + 2] = 0xE2, 0x90, 0xA1 if byte == 0x7F else 0x80 + byte
            at += 3
        else:
            extra[at] = byte
            at += 1
    if cut < size:
        extra[at], extra[at + 1], extra[at + 2] = 0xE2, 0x80, 0xA6
        at += 3
    views[k, 0], views[k, 1], views[k, 2], views[k, 3] = at - used, 0, 0, 0
    if at - used <= 12:
        for place in range(at - used):
            views[k, 1 + (place >> 2)] |= np.uint32(extra[used + place]) << np.uint32(8 * (place & 3))
        return used
    for place in range(4):
        views[k, 1] |= np.uint32(extra[used + place]) << np.uint32(8 * place)
    views[k, 2], views[k, 3] = _EXTRA, used
    return at


def replaced(column: pl.Series, places: Ints, new: pl.Series) -> pl.Series:
    """A column with other values at these places."""
    if not len(places):
        return column
    index = np.arange(len(column))
    index[places] = np.arange(len(column), len(column) + len(places))
    return pl.concat([column, new.alias(column.name)], rechunk=True)[index]


_MASKED = r"pii:[0-9a-f]{64}"
_LOGIN = r"//[^/@\s]+@"
_MASKED_BYTES = 68  # no masked value is shorter
_PICTURES = {chr(n): chr(0x2400 + n) for n in range(0x20)} | {"\x7f": "␡"}


def excerpts(values: pl.Series) -> pl.Series:
    """The first characters of each value as they may be shown: masked values and logins of addresses are left out, control
    characters are their pictures."""
    traits = np.empty(len(values), dtype=np.uint8)
    find_traits(*text(values), SHOWN, traits)
    # Each step on those few only that it may change; a masked value has a colon, and what is left of it is short.
    colon = np.flatnonzero(traits & HAS_COLON)
    colon = colon[values[colon].str.len_bytes().to_numpy() >= _MASKED_BYTES]
    values = replaced(values, colon, values[colon].str.replace_all(_MASKED, "pii:…"))
    at = np.flatnonzero(traits & HAS_AT)
    values = replaced(values, at, values[at].str.replace_all(_LOGIN, "//…@"))
    long = np.flatnonzero(traits & IS_LONG)
    long = long[values[long].str.len_chars().to_numpy() > SHOWN]
    values = replaced(values, long, values[long].str.slice(0, SHOWN - 1) + "…")
    control = np.flatnonzero(traits & HAS_CONTROL)
    return replaced(values, control, values[control].str.replace_many(list(_PICTURES), list(_PICTURES.values())))


def is_masked(value: str) -> bool:
    return value.startswith("pii:") and re.match(_MASKED, value) is not None


def listed(codes: Sequence[str]) -> str:
    return ", ".join(repr(code) if code.strip() != code else code for code in codes)
