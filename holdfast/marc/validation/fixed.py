"""Checks of the leader and of the fixed fields: 005, 006, 007, 008 by the material they describe."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from holdfast.marc.kernel import compiled
from holdfast.marc.validation.avram import Position
from holdfast.marc.validation.columns import Characters
from holdfast.marc.validation.findings import Findings
from holdfast.marc.validation.rows import Ints, Rows
from holdfast.marc.validation.tables import FINE, OBSOLETE, UNDEFINED, Tables, Verdict, said_of
from holdfast.marc.validation.values import COUNTRIES, LANGUAGES, position_verdict

_BYTES = 256
_STANDINGS = {"": FINE, "undefined": UNDEFINED, "obsolete": OBSOLETE}

# Leader/06-07 → configuration of 008, and 006/00 → that of 006 (MARC 21 Bibliographic, 006 and 008).
CONFIGURATIONS: Mapping[str, str] = {
    **dict.fromkeys("at", "Books"), "m": "Computer Files", **dict.fromkeys("ef", "Maps"), **dict.fromkeys("cdij", "Music"),
    "s": "Continuing Resources", **dict.fromkeys("gkor", "Visual Materials"), "p": "Mixed Materials",
}  # fmt: skip
_NAMES = ("", *sorted(set(CONFIGURATIONS.values())))
_CONFIGURATION = np.zeros((256, 256), dtype=np.uint8)  # number in _NAMES, by leader/06 and 07
for _type, _name in CONFIGURATIONS.items():
    _CONFIGURATION[ord(_type)] = _NAMES.index(_name)
_CONFIGURATION[ord("a"), list(b"bis")] = _NAMES.index(CONFIGURATIONS["s"])
COMMON_TYPES = ("All Materials", "Common")

# 007/00 → (name of the type in the schema, lengths): MARC 21, 007.
CATEGORIES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "a": ("Map", (8,)), "c": ("Electronic resource", (6, 14)), "d": ("Globe", (6,)), "f": ("Tactile material", (10,)),
    "g": ("Projected graphic", (9,)), "h": ("Microform", (13,)), "k": ("Nonprojected graphic", (6,)),
    "m": ("Motion picture", (8, 23)), "o": ("Kit", (2,)), "q": ("Notated music", (2,)), "r": ("Remote-sensing image", (11,)),
    "s": ("Sound recording", (14,)), "t": ("Text", (2,)), "v": ("Videorecording", (9,)), "z": ("Unspecified", (2,)),
}  # fmt: skip
LENGTHS = {"bibliographic": 40, "authority": 40, "holdings": 32}


class _Program(NamedTuple):
    """Positions for `_wrong`: where each begins and ends, and its standings by character, 255 for 'ask'."""

    starts: Ints
    ends: Ints
    standings: Ints


_ASK = 255


@lru_cache(maxsize=1024)
def _program(positions: tuple[Position, ...]) -> _Program:
    tables = []
    for each in positions:
        known = each.by_character
        ask = np.full(_BYTES, _ASK, dtype=np.uint8)
        if each.codes is None and not each.codelist and each.pattern is None:
            ask[:] = FINE
        elif known is not None:
            ask[:] = [_STANDINGS[standing] for standing in known]
        tables.append(ask)
    return _Program(
        np.array([each.start for each in positions], dtype=np.int64),
        np.array([each.end for each in positions], dtype=np.int64),
        np.array(tables, dtype=np.uint8).reshape(len(tables), _BYTES),
    )


@compiled
def _wrong(starts: Any, ends: Any, standings: Any, matrix: Any, rows: Any, length: int, which: Any, where: Any) -> int:
    """Fill `which` position of `where` in `rows` is not fine; how many there are."""
    found = 0
    for position in range(len(starts)):
        if ends[position] >= length:
            continue
        for k in range(len(rows)):
            for at in range(starts[position], ends[position] + 1):
                if standings[position, matrix[rows[k], at]] != 0:
                    which[found], where[found] = position, k
                    found += 1
                    break
    return found


@dataclass(frozen=True)
class _Texts:
    """Values of a fixed field, or leaders.

    Attributes:
        of: what `text` asks for the text in full. characters: all of them. rows: which of them.
    """

    of: Callable[[int], str | None]
    characters: Characters
    rows: Ints

    def with_length(self, *lengths: int) -> _Texts:
        own = self.characters.lengths[self.rows]
        fine = own == lengths[0]
        for length in lengths[1:]:
            fine |= own == length
        return self.only(fine)

    def only(self, chosen: Ints) -> _Texts:
        return replace(self, rows=self.rows[chosen])

    @property
    def matrix(self) -> Ints:
        return self.characters.matrix[self.rows]

    def part(self, place: int, part: slice) -> str:
        """Characters of the text at this place in `rows`."""
        row = int(self.rows[place])
        if self.characters.plain[row]:
            return self.characters.matrix[row, part].tobytes().decode("ascii")
        return (self.of(row) or "")[part]

    def distinct(self, part: slice) -> tuple[Ints, list[str]]:
        """(which of the parts each has, these characters of all, in the order in which they are met)"""
        width = part.stop - part.start
        if width <= 8 and self.characters.plain[self.rows].all():
            letters = np.zeros((len(self.rows), 8), dtype=np.uint8)
            letters[:, :width] = self.characters.matrix[self.rows, part]
            _, first, which = np.unique(letters.view(np.uint64).ravel(), return_index=True, return_inverse=True)
            order = np.argsort(first)
            ranks = np.empty(len(order), dtype=np.int64)
            ranks[order] = np.arange(len(order))
            return ranks[which], self.only(first[order]).parts(part)
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(each, len(numbers)) for each in self.parts(part)]), list(numbers)

    def parts(self, part: slice) -> list[str]:
        """These characters of each."""
        if self.characters.plain[self.rows].all():
            width = part.stop - part.start
            joined = self.characters.matrix[self.rows, part].tobytes().decode("ascii")
            return [joined[at : at + width] for at in range(0, len(joined), width)]
        return [self.part(place, part) for place in range(len(self.rows))]


def _positions(
    positions: tuple[Position, ...],
    tables: Tables,
    texts: _Texts,
    length: int,
    report: Callable[[str, Ints, dict[str, Any]], None],
) -> None:
    """Calls `report(code, places, what to say)` with what the schema does not allow in the values, which have this length."""
    if not positions or not len(texts.rows):
        return
    which = np.empty(len(positions) * len(texts.rows), dtype=np.int32)
    where = np.empty(len(which), dtype=np.int64)
    found = _wrong(*_program(positions), texts.characters.matrix, texts.rows, length, which, where)
    which, where = which[:found], where[:found]
    bounds = np.searchsorted(which, np.arange(len(positions) + 1))
    for each, begin, end in zip(positions, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if begin == end:
            continue
        wrong = where[begin:end]
        own, parts = texts.only(wrong).distinct(slice(each.start, each.end + 1))
        verdicts = [_verdict(each, part, tables) for part in parts]
        # The codes come in the order in which they are met.
        for code in dict.fromkeys(verdict.code for verdict in verdicts if verdict is not None):
            chosen = np.array([verdict is not None and verdict.code == code for verdict in verdicts])
            kept = [verdict for verdict in verdicts if verdict is not None and verdict.code == code]
            hit = np.flatnonzero(chosen[own])
            report(code, wrong[hit], said_of(kept, (np.cumsum(chosen) - 1)[own[hit]]))


def _verdict(position: Position, part: str, tables: Tables) -> Verdict | None:
    if position.codelist:
        codes = tables.schema.codelists.get(position.codelist)
        fine = codes is None or part in codes.active or part.strip() in codes.active or set(part) <= {"|"}
        return None if fine else position_verdict(position, part, "undefined")
    standing = position.standing(part)
    return position_verdict(position, part, standing) if standing else None


def check_fixed(
    rows: Rows, tables: Tables, findings: Findings, languages: frozenset[str], countries: frozenset[str]
) -> None:
    """languages, countries: codes in use and discontinued ones."""
    _leader(rows, tables, findings)
    if tables.kind == "unimarc":
        return
    _005(rows, findings)
    _008(rows, tables, findings, languages, countries)
    _coded(rows, tables, findings, 6)
    _coded(rows, tables, findings, 7)


def _leader(rows: Rows, tables: Tables, findings: Findings) -> None:
    definition = tables.schema.fields.get("LDR")
    leaders = rows.records["leader"]
    if definition is None or not len(leaders):
        return
    all_of_them = np.arange(len(leaders))
    texts = _Texts(leaders.__getitem__, rows.leaders, all_of_them)
    fine = texts.with_length(24)
    short = np.flatnonzero(texts.characters.lengths != 24)
    findings.at_records("fixed.length", short, tag="LDR", detail="the leader has 24 characters")

    def report(code: str, found: Ints, said: dict[str, Any]) -> None:
        findings.at_records(code, fine.rows[found], leader=True, **said | {"tag": "LDR", "rule": "schema"})

    _positions(definition.positions, tables, fine, 24, report)


@lru_cache(maxsize=65536)
def _is_time(value: str) -> bool:
    try:
        dt.datetime.strptime(value, "%Y%m%d%H%M%S.%f")  # noqa: DTZ007  (005 has no zone)
    except ValueError:
        return False
    return len(value) == 16 and value.isascii()


@compiled
def _doubtful_times(matrix: Any, lengths: Any, doubtful: Any) -> None:
    """All that are not yyyymmddhhmmss.f with a day that the month has in every year."""
    for k in range(len(lengths)):
        fine = lengths[k] == 16 and matrix[k, 14] == 0x2E
        for at in range(16):
            fine = fine and (at == 14 or 48 <= matrix[k, at] <= 57)
        if fine:
            month = (np.int64(matrix[k, 4]) - 48) * 10 + matrix[k, 5] - 48
            day = (np.int64(matrix[k, 6]) - 48) * 10 + matrix[k, 7] - 48
            hour = (np.int64(matrix[k, 8]) - 48) * 10 + matrix[k, 9] - 48
            longest = 28 if month == 2 else 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31
            fine = 1 <= month <= 12 and 1 <= day <= longest and hour < 24 and matrix[k, 10] < 54 and matrix[k, 12] < 54
            # There is no year 0.
            fine = fine and not (matrix[k, 0] == matrix[k, 1] == matrix[k, 2] == matrix[k, 3] == 48)
        doubtful[k] = not fine


def _005(rows: Rows, findings: Findings) -> None:
    places = rows.rows_of(5)
    texts = rows.characters(places, 16)
    # The form is looked at first: hardly any 005 is wrong, and all are different.
    doubtful = np.empty(len(places), dtype=np.bool_)
    _doubtful_times(texts.matrix, texts.lengths, doubtful)
    asked = np.flatnonzero(doubtful)
    wrong = [
        k for k, value in zip(asked.tolist(), rows.values(places[asked]), strict=True) if not _is_time(value or "")
    ]
    if wrong:
        findings.at_rows("date.last_change", places[wrong], whole=True)


def _008(rows: Rows, tables: Tables, findings: Findings, languages: frozenset[str], countries: frozenset[str]) -> None:
    definition = tables.schema.fields.get("008")
    length = LENGTHS.get(tables.kind)
    places, all_texts = rows.fixed_008
    if definition is None or length is None or not len(places):
        return
    texts = _Texts(lambda k: rows.values(places[k : k + 1])[0], all_texts, np.arange(len(places))).with_length(length)
    findings.at_rows(
        "fixed.length",
        places[all_texts.lengths != length],
        whole=True,
        detail=f"008 has {length} characters in these records",
    )
    if not len(texts.rows):
        return
    fine, matrix = places[texts.rows], texts.matrix
    _report_positions(tables, findings, definition.positions, places, texts, length)
    for name in COMMON_TYPES:
        if name in definition.types:
            _report_positions(tables, findings, definition.types[name], places, texts, length)
    # A kind of record is two characters of the leader.
    kinds = rows.leaders.matrix[rows.of[rows.field[fine]], 6:8]
    numbers = _CONFIGURATION[kinds[:, 0], kinds[:, 1]]
    for number in np.flatnonzero(np.bincount(numbers)).tolist():
        if _NAMES[number] in definition.types:
            chosen = np.flatnonzero(numbers == number)
            _report_positions(tables, findings, definition.types[_NAMES[number]], places, texts.only(chosen), length)
    _entered(fine, matrix, findings)
    if tables.kind == "bibliographic":
        _published(fine, texts, findings)
        _listed(fine, texts, findings, slice(15, 18), "code.country", countries, COUNTRIES)
        _listed(fine, texts, findings, slice(35, 38), "code.language", languages | {"   "}, LANGUAGES)
    elif tables.kind == "holdings":
        _listed(fine, texts, findings, slice(22, 25), "code.language", languages | {"   "}, LANGUAGES)


def _report_positions(
    tables: Tables, findings: Findings, positions: tuple[Position, ...], places: Ints, texts: _Texts, length: int
) -> None:
    """places: of all the texts that `texts` are some of."""
    own = places[texts.rows]

    def report(code: str, found: Ints, said: dict[str, Any]) -> None:
        findings.at_rows(code, own[found], whole=True, **said | {"rule": "schema"})

    _positions(positions, tables, texts, length, report)


@compiled
def _no_dates(matrix: Any, wrong: Any) -> None:
    """All whose first six characters are not yymmdd."""
    for k in range(len(wrong)):
        fine = True
        for at in range(6):
            fine = fine and 48 <= matrix[k, at] <= 57
        month = (np.int64(matrix[k, 2]) - 48) * 10 + np.int64(matrix[k, 3]) - 48
        day = (np.int64(matrix[k, 4]) - 48) * 10 + np.int64(matrix[k, 5]) - 48
        longest = 29 if month == 2 else 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31
        wrong[k] = not (fine and 1 <= month <= 12 and 1 <= day <= longest)


def _entered(places: Ints, matrix: Ints, findings: Findings) -> None:
    wrong = np.empty(len(places), dtype=np.bool_)
    _no_dates(matrix, wrong)
    findings.at_rows("date.entered", places[wrong], whole=True, position=0)


@lru_cache(maxsize=65536)
def _date_fault(text: str) -> str:
    """What is wrong with 008/06-14; '' if nothing is. MARC 21 Bibliographic, 008, Date 1 and Date 2."""
    kind, one, two = text[0], text[1:5], text[5:9]
    if "|" in text:
        fills = all(set(part) <= {"|"} or "|" not in part for part in (kind, one, two))
        return "" if fills else "fill characters stand for a whole date, not for a part of one"
    for name, date in (("date 1", one), ("date 2", two)):
        if not (date == "    " or all(c in "0123456789u" for c in date)):
            return f"{name} is {date!r}, not four digits or u"
    if kind == "b":
        return "" if one == two == "    " else "type b has blanks in both dates"
    if one == "    ":
        return f"date 1 is blank, which only type b has, not {kind!r}"
    if kind == "n":
        return "" if one == two == "uuuu" else "type n has uuuu in both dates"
    if kind == "s" and two != "    ":
        return f"type s has one date, and date 2 is {two!r}"
    if kind == "c" and two != "9999":
        return f"type c is still published: date 2 is 9999, not {two!r}"
    if kind == "u" and two != "uuuu":
        return f"type u has uuuu as date 2, not {two!r}"
    if kind in "dikmpqrt" and two == "    ":
        return f"type {kind} has two dates, and date 2 is blank"
    if kind == "e" and two.strip() and not (two[:2].isdigit() and 1 <= int(two[:2]) <= 12):
        return f"type e has month and day as date 2, not {two!r}"
    if kind in "dikmq" and one.isdigit() and two.isdigit() and one > two:
        return f"date 2 ({two}) is before date 1 ({one})"
    if kind == "r" and one.isdigit() and two.isdigit() and two > one:
        return f"the original's date ({two}) is after the reprint's ({one})"
    return ""


@compiled
def _date(matrix: Any, k: int, begin: int) -> Any:
    """Four digits as a number; -1: with 'u' among them, -2: blanks, -3: anything else."""
    value: Any = np.int64(0)
    unknown: Any = 0
    blanks: Any = 0
    odd: Any = 0
    for at in range(begin, begin + 4):
        byte = np.int64(matrix[k, at])
        unknown += byte == 0x75
        blanks += byte == 0x20
        odd += byte < 48 or byte > 57
        value = value * 10 + byte - 48
    return value if odd == 0 else -1 if unknown == odd else -2 if blanks == 4 else -3


@compiled
def _doubtful_dates(matrix: Any, doubtful: Any) -> None:
    """All that are not one date of digits or 'u', or two such in order where the type asks for it."""
    for k in range(len(doubtful)):
        kind = matrix[k, 6]
        one, two = _date(matrix, k, 7), _date(matrix, k, 11)
        fine = False
        if one >= -1:
            if kind == 0x73:  # s
                fine = two == -2
            elif kind == 0x63:  # c
                fine = two == 9999
            elif kind == 0x72:  # r
                fine = two >= -1 and (one < 0 or two <= one)
            elif kind == 0x6D or kind == 0x64 or kind == 0x69 or kind == 0x6B or kind == 0x71:  # m d i k q
                fine = two >= -1 and (one < 0 or two < 0 or one <= two)
            elif kind == 0x70 or kind == 0x74:  # p t
                fine = two >= -1
        doubtful[k] = not fine


def _published(places: Ints, texts: _Texts, findings: Findings) -> None:
    doubtful = np.empty(len(places), dtype=np.bool_)
    _doubtful_dates(texts.matrix, doubtful)
    asked = np.flatnonzero(doubtful)
    dates = texts.only(asked).parts(slice(6, 15))
    wrong = {date: fault for date in set(dates) if (fault := _date_fault(date))}
    faults = [(place, wrong[date]) for place, date in zip(asked.tolist(), dates, strict=True) if date in wrong]
    if faults:
        at = places[[place for place, _ in faults]]
        findings.at_rows("date.publication", at, whole=True, position=6, detail=[fault for _, fault in faults])


@lru_cache(maxsize=64)
def _numbers(codes: frozenset[str]) -> Ints:
    """The codes as numbers of three bytes, filled up with blanks; with fill characters."""
    fine = {each.ljust(3) for each in codes if each.isascii() and (len(each) == 3 or each == each.rstrip())} | {"|||"}
    return np.array(sorted(int.from_bytes(each.encode()) for each in fine if len(each) == 3), dtype=np.int64)


@compiled
def _doubtful_codes(matrix: Any, plain: Any, rows: Any, begin: int, fine: Any, doubtful: Any) -> None:
    """All of `rows` whose three characters from `begin` are none of the numbers in `fine`, which rise."""
    last = np.int64(-1)
    for k in range(len(rows)):
        number = np.int64(0)
        for at in range(begin, begin + 3):
            number = number * 256 + np.int64(matrix[rows[k], at])
        doubtful[k] = not plain[rows[k]]
        if number != last and not doubtful[k]:
            found = np.searchsorted(fine, number)
            if found < len(fine) and fine[found] == number:
                last = number
            else:
                doubtful[k] = True


def _listed(
    places: Ints, texts: _Texts, findings: Findings, part: slice, code: str, codes: frozenset[str], source: str
) -> None:
    if not codes:
        return
    doubtful = np.empty(len(texts.rows), dtype=np.bool_)
    _doubtful_codes(texts.characters.matrix, texts.characters.plain, texts.rows, part.start, _numbers(codes), doubtful)
    asked = np.flatnonzero(doubtful)
    if not len(asked):
        return
    found = texts.only(asked).parts(part)
    at = [
        (place, each)
        for place, each in zip(asked.tolist(), found, strict=True)
        if each not in codes and each.rstrip() not in codes and each != "|||"
    ]
    if at:
        name = f"008/{part.start:02}-{part.stop - 1:02}"
        findings.at_rows(
            code, places[[place for place, _ in at]], whole=True, position=part.start,
            detail=[f"{name} is {each!r}" for _, each in at], rule=source,
        )  # fmt: skip


def _coded(rows: Rows, tables: Tables, findings: Findings, tag: int) -> None:
    """006 and 007: the first character says what the others are."""
    definition = tables.schema.fields.get(f"{tag:03}")
    places = rows.rows_of(tag)
    if definition is None or not len(places) or not (definition.types or definition.positions):
        return
    texts = _Texts(lambda k: rows.values(places[k : k + 1])[0], rows.characters(places, 23), np.arange(len(places)))
    # An empty or missing value has the head -1.
    first = np.where(texts.characters.lengths > 0, texts.characters.matrix[:, 0].astype(np.int64), -1)
    for k in np.flatnonzero(~texts.characters.plain).tolist():
        first[k] = ord((texts.of(k) or "")[0])
    for number in np.unique(first).tolist():
        head = chr(number) if number >= 0 else ""
        chosen = texts.only(first == number)
        name, lengths = (CONFIGURATIONS.get(head, ""), (18,)) if tag == 6 else CATEGORIES.get(head, ("", ()))
        if not name:
            findings.at_rows(
                "fixed.category", places[chosen.rows], whole=True, position=0, detail=f"{tag:03}/00 is {head!r}"
            )
            continue
        positions = definition.types.get(name, ())
        for length in lengths:
            _report_positions(tables, findings, positions, places, chosen.with_length(length), length)
        expected = " or ".join(map(str, lengths))
        own = chosen.characters.lengths[chosen.rows]
        wrong = np.logical_and.reduce([own != length for length in lengths])
        findings.at_rows(
            "fixed.length", places[chosen.rows[wrong]], whole=True,
            detail=f"{tag:03} of category {head} ({name}) has {expected} characters",
        )  # fmt: skip
