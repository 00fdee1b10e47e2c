"""Collects what the checks find, and makes the frame of issues of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from holdfast.marc.kernel import compiled
from holdfast.marc.string_views import Text, is_there, series_of_numbers, series_of_views, text
from holdfast.marc.validation.columns import HAS_AT, HAS_COLON, HAS_CONTROL, IS_LONG, find_traits
from holdfast.marc.validation.issues import ISSUES, KINDS, SEVERITIES
from holdfast.marc.validation.rows import CHARACTERS, NONE, ODD, ODD_TAG, TAGS, Ints, Rows

SHOWN = 80  # characters of a value
_SCHEMA_RULE = "schema"
_NONE = _LEADER = -1


class Picks(NamedTuple):
    """Texts that are few, and which of them each issue has."""

    texts: Sequence[str | None]
    which: Ints


Texts = str | Sequence[str | None] | Picks | None

# Texts that every block may need, by number: nothing, the tags, the codes of subfields, what KINDS says.
_FIRST_TAG, _FIRST_CODE = 1, ODD_TAG
_KNOWN: dict[str | None, int] = {None: 0}
for _text in (
    *(f"{tag:03}" for tag in range(ODD_TAG)), *map(chr, range(1, ODD)), *SEVERITIES, _SCHEMA_RULE,
    *(each for code, kind in KINDS.items() for each in (code, kind.what, kind.rule, kind.hint)),
):  # fmt: skip
    _KNOWN.setdefault(_text, len(_KNOWN))
_SCHEMA = _KNOWN[_SCHEMA_RULE]


class _Words:
    """Texts by number, each kept once: issues repeat themselves."""

    def __init__(self) -> None:
        self._numbers = _KNOWN.copy()

    def numbers(self, texts: Texts, otherwise: int = 0) -> int | Ints:
        """The number of a text, or of each; `otherwise` where there is none."""
        if texts is None:
            return otherwise
        if isinstance(texts, str):
            return self.number(texts)
        if isinstance(texts, Picks):
            numbers = self.numbers(texts.texts, otherwise)
            return numbers if isinstance(numbers, int) else numbers[texts.which]
        return np.array([otherwise if text is None else self.number(text) for text in texts], dtype=np.int32)

    def number(self, text: str | None) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def texts(self) -> list[str | None]:
        return list(self._numbers)


class _Added(NamedTuple):
    """Issues of one code. Columns with a text have its number (`_Words`); what is the same for all is one number."""

    of: Ints
    at: int | Ints
    row: int | Ints
    position: int | Ints
    found: int | Ints
    message: int | Ints
    rule: int | Ints
    same: tuple[int, ...]  # as _SAME


_SAME = 5  # is it of the whole field or record? Texts: code, severity, hint, tag (0: the field's own)
_EACH = _Added._fields[:-1]


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
    _added: list[_Added] = field(default_factory=list)

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
            self._add(code, records, _NONE, _NONE, True, tag=tag, **more)
            added = self._added[-1]
            # There is no field to take the tag from.
            rule = self._words.number(f"{self.schema}: {tag}")
            own = np.where(added.rule == _SCHEMA, rule, added.rule)
            self._added[-1] = added._replace(found=_LEADER if leader else added.found, rule=own)

    def _add(
        self,
        code: str,
        of: Ints,
        at: int | Ints,
        row: int | Ints,
        whole: bool,
        *,
        position: int | Ints | Sequence[int] = _NONE,
        tag: str | None = None,
        found: Texts = None,
        detail: Texts = None,
        rule: Texts = None,
    ) -> None:
        words, kind = self._words, KINDS.get(code)
        hint = self.hints.get(code, kind.hint if kind else None)
        self._added.append(
            _Added(
                of,
                at,
                row,
                position if isinstance(position, int) else np.asarray(position),
                words.numbers(found),
                words.numbers(detail, words.number(kind.what if kind else None)),
                words.numbers(rule, words.number(kind.rule if kind else None)),
                (whole, words.number(code), words.number(self.wanted[code]), words.number(hint), words.number(tag)),
            )
        )

    def frame(self) -> pl.DataFrame:
        """All that was found, in the shape of ISSUES."""
        if not self._added:
            return pl.DataFrame(schema=ISSUES)
        rows, words = self.rows, self._words
        sizes = [len(added.of) for added in self._added]
        given = np.empty((len(_EACH), sum(sizes)), dtype=np.int64)
        which = np.repeat(np.arange(len(sizes)), sizes)
        end = 0
        for added, size in zip(self._added, sizes, strict=True):
            begin, end = end, end + size
            for column, values in zip(given, added, strict=False):
                column[begin:end] = values
        same = np.array([added.same for added in self._added], dtype=np.int64)
        issues, added_by = np.empty((len(_EACH), end), dtype=np.int64), np.empty(end, dtype=np.int64)
        _sort(given, which, rows.of, np.zeros(rows.records.height + len(rows.of) + 1, dtype=np.int64), issues, added_by)
        numbers, keys = np.empty((len(_TEXT_COLUMNS), end), dtype=np.int32), np.empty(end, dtype=np.int64)
        texts, known = words.texts(), np.zeros(TAGS * CHARACTERS, dtype=np.int32)
        pairs, odd = _number_texts(
            issues, added_by, same, rows.tag, rows.code, _SCHEMA, len(texts), known, keys, numbers
        )
        for number, letter in (divmod(key, CHARACTERS) for key in keys[:pairs].tolist()):
            texts.append(self._place(f"{number:03}", chr(letter) if letter else None))
        if odd:
            self._name_odd(issues, numbers, texts)
        said = text(pl.Series(texts, dtype=pl.String))
        views = np.empty((*numbers.shape, 4), dtype=np.uint32)
        valid, nulls = np.empty(numbers.shape, dtype=np.bool_), np.empty(len(numbers), dtype=np.bool_)
        _take_views(said.words, said.starts, numbers, views, valid, nulls)
        columns = {
            name: series_of_views(own, [said.data], there if some else None)
            for name, own, there, some in zip(_TEXT_COLUMNS, views, valid, nulls, strict=True)
        }
        of, at, row, position, found = (issues[_EACH.index(name)] for name in ("of", "at", "row", "position", "found"))
        there = at >= 0
        record, field_of = rows.records["record"].to_numpy(), rows.place
        columns |= {
            "record": pl.Series(record[of]),
            "field": series_of_numbers(field_of[row] if len(field_of) else np.zeros(len(at), dtype=np.uint16), there),
            "occurrence": series_of_numbers(
                rows.ranks[at] if len(field_of) else np.zeros(len(at), dtype=np.uint16), there
            ),
            "position": series_of_numbers(position.astype(np.uint32), position >= 0),
            "value": self._values(of, row, found, said),
        }
        return pl.DataFrame([columns[name].alias(name) for name in ISSUES.names()])

    def _place(self, tag: str | None, code: str | None) -> str:
        return f"{self.schema}: {tag}{'' if code is None else '$' + code}"

    def _name_odd(self, issues: Ints, numbers: Ints, texts: list[str | None]) -> None:
        """Tags and codes that have no number: `texts` gets what the columns say."""
        tags, codes, rules = (numbers[_TEXT_COLUMNS.index(name)] for name in ("tag", "subfield", "rule"))
        row, made = issues[_EACH.index("row")], dict[str | None, int]()

        def number(name: str | None) -> int:
            if name not in made:
                made[name] = len(texts)
                texts.append(name)
            return made[name]

        places = np.flatnonzero((tags == _ODD) | (codes == _ODD))
        for own, name in ((tags, "tag"), (codes, "code")):
            odd = places[own[places] == _ODD]
            own[odd] = [number(each) for each in self.rows.subfields[name][row[odd]].to_list()]
        asked = places[rules[places] == _SCHEMA]
        pairs = zip(tags[asked].tolist(), codes[asked].tolist(), strict=True)
        rules[asked] = [number(self._place(texts[tag], texts[code])) for tag, code in pairs]

    def _values(self, of: Ints, row: Ints, found: Ints, said: Text) -> pl.Series:
        """What is shown: `found` where there is something, else the value of the row, null where there is none."""
        own, leaders = self.rows.text, text(self.rows.records["leader"])
        views, asked = np.empty((len(row), 4), dtype=np.uint32), np.empty(len(row), dtype=np.bool_)
        there, extra = np.empty(len(row), dtype=np.bool_), np.empty(_LONGEST * len(row), dtype=np.uint8)
        used = _show(own, leaders, said, of, row, found, SHOWN, views, there, asked, extra)
        column = series_of_views(views, [own.data, leaders.data, said.data, extra[:used].copy()], there)
        places = np.flatnonzero(asked)
        return replaced(column, places, excerpts(column.gather(places))) if len(places) else column


_TEXT_COLUMNS = ("code", "severity", "hint", "tag", "subfield", "rule", "message")
_ODD = -1
_HELD = 12  # bytes of a text that a view holds itself


@compiled
def _sort(given: Any, which: Any, of: Any, counts: Any, issues: Any, added: Any) -> None:
    """By record and field, and then in the order of the checks: columns as _EACH. of: each field's record. counts: zeros."""
    # A place for each record and each field, in their order: a record at `first`, behind the fields before it.
    fields = len(of)
    first = np.empty(len(counts) - fields, dtype=np.int64)
    record = 0
    for k in range(fields):
        while record <= of[k]:
            first[record] = k
            record += 1
    first[record:] = fields
    size = given.shape[1]
    places = np.empty(size, dtype=np.int64)
    for k in range(size):
        at = given[1, k]
        places[k] = (at + 1 if at >= 0 else first[given[0, k]]) + given[0, k]
        counts[places[k]] += 1
    begin = 0
    for k in range(len(counts)):
        own = counts[k]
        counts[k] = begin
        begin += own
    for k in range(size):
        to = counts[places[k]]
        counts[places[k]] += 1
        for column in range(given.shape[0]):
            issues[column, to] = given[column, k]
        added[to] = which[k]


@compiled
def _number_texts(
    issues: Any, added: Any, same: Any, tag: Any, code: Any, schema: int, first: int, known: Any, keys: Any, numbers: Any
) -> Any:  # fmt: skip
    """Fill `numbers` of the texts of each issue, as _TEXT_COLUMNS; (how many places in the schema are new texts, from number `first`
    on, how many tags and codes are _ODD).

    known: 0 by tag * CHARACTERS + code. keys: these of the new texts.
    """
    pairs, odd = 0, 0
    for k in range(len(added)):
        one = added[k]
        at, row = issues[1, k], issues[2, k]
        for column in range(3):
            numbers[column, k] = same[one, 1 + column]
        numbers[6, k] = issues[5, k]
        own_tag: Any = -1
        own_code: Any = NONE
        numbers[3, k] = same[one, 4]
        if numbers[3, k] == 0 and at >= 0:
            own_tag = np.int64(tag[at])
            numbers[3, k] = _FIRST_TAG + own_tag if own_tag != ODD_TAG else _ODD
        if same[one, 0] == 0:
            own_code = np.int64(code[row])
        numbers[4, k] = 0 if own_code == NONE else _ODD if own_code == ODD else _FIRST_CODE + own_code
        numbers[5, k] = issues[6, k]
        if own_tag == ODD_TAG or own_code == ODD:
            odd += 1
        elif issues[6, k] == schema and own_tag >= 0:
            key = own_tag * CHARACTERS + own_code
            if known[key] == 0:
                known[key] = first + pairs
                keys[pairs] = key
                pairs += 1
            numbers[5, k] = known[key]
    return pairs, odd


@compiled
def _take_views(words: Any, starts: Any, numbers: Any, views: Any, valid: Any, nulls: Any) -> None:
    """The texts with these numbers as views of one buffer, 0 for none; `nulls`: has a column any?"""
    for column in range(numbers.shape[0]):
        nulls[column] = False
        for k in range(numbers.shape[1]):
            number = numbers[column, k]
            valid[column, k] = number != 0
            nulls[column] |= number == 0
            for slot in range(4):
                views[column, k, slot] = words[number, slot] if number != 0 else np.uint32(0)
            if views[column, k, 0] > _HELD:
                views[column, k, 2] = 0
                views[column, k, 3] = words[number, 3] + starts[words[number, 2]]


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
    odd = np.uint8(0)
    # Without a sign there is no counting from the end, and the loops run over many bytes at once.
    for at in range(np.uint64(begin), np.uint64(begin + size)):
        byte = source[at]
        odd |= np.uint8(byte < 0x20) | np.uint8(byte == 0x7F) | np.uint8(byte == 0x40)
    for at in range(np.uint64(begin + 1), np.uint64(begin + size)):
        odd |= np.uint8(source[at] == 0x3A) & np.uint8(source[at - np.uint64(1)] == 0x69)
    if odd == 0:
        if size <= shown:
            return size, False, False
        for k in range(size):
            if (source[begin + k] & 0xC0) != 0x80:
                characters += 1
                if characters == shown:
                    cut = k
                elif characters > shown:
                    return cut, False, False
        return size, False, False
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
