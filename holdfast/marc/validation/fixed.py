"""Checks of the leader and of the fixed fields: 005, 006, 007, 008 by the material they describe."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import numpy as np

from holdfast.marc.validation.avram import Position
from holdfast.marc.validation.findings import Findings
from holdfast.marc.validation.rows import Ints, Rows
from holdfast.marc.validation.tables import FINE, OBSOLETE, UNDEFINED, Tables, Verdict
from holdfast.marc.validation.values import COUNTRIES, LANGUAGES, position_verdict

_BYTES = 256
_STANDINGS = {"": FINE, "undefined": UNDEFINED, "obsolete": OBSOLETE}

# Leader/06-07 → configuration of 008, and 006/00 → that of 006 (MARC 21 Bibliographic, 006 and 008).
CONFIGURATIONS: Mapping[str, str] = {
    **dict.fromkeys("at", "Books"), "m": "Computer Files", **dict.fromkeys("ef", "Maps"), **dict.fromkeys("cdij", "Music"),
    "s": "Continuing Resources", **dict.fromkeys("gkor", "Visual Materials"), "p": "Mixed Materials",
}  # fmt: skip
COMMON_TYPES = ("All Materials", "Common")

# 007/00 → (name of the type in the schema, lengths): MARC 21, 007.
CATEGORIES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "a": ("Map", (8,)), "c": ("Electronic resource", (6, 14)), "d": ("Globe", (6,)), "f": ("Tactile material", (10,)),
    "g": ("Projected graphic", (9,)), "h": ("Microform", (13,)), "k": ("Nonprojected graphic", (6,)),
    "m": ("Motion picture", (8, 23)), "o": ("Kit", (2,)), "q": ("Notated music", (2,)), "r": ("Remote-sensing image", (11,)),
    "s": ("Sound recording", (14,)), "t": ("Text", (2,)), "v": ("Videorecording", (9,)), "z": ("Unspecified", (2,)),
}  # fmt: skip
LENGTHS = {"bibliographic": 40, "authority": 40, "holdings": 32}


def _matrix(texts: list[str], length: int) -> Ints:
    raw = "".join(texts).encode("ascii", "replace")
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(texts), length)


@lru_cache(maxsize=4096)
def _standings(position: Position) -> Ints | None:
    """By character: its standing, for positions whose codes are single characters."""
    standings = position.by_character
    return None if standings is None else np.array([_STANDINGS[each] for each in standings], dtype=np.uint8)


def _positions(
    positions: Iterable[Position],
    tables: Tables,
    texts: list[str],
    matrix: Ints,
    report: Callable[[str, Ints, list[Verdict]], None],
) -> None:
    """Calls `report(code, places, verdicts)` with what the schema does not allow in the values of one length."""
    for each in positions:
        if each.end >= matrix.shape[1] or (each.codes is None and not each.codelist and each.pattern is None):
            continue
        standings = _standings(each)
        wrong = (
            np.arange(len(texts))
            if standings is None
            else np.flatnonzero(standings[matrix[:, each.start : each.end + 1]].any(axis=1))
        )
        verdicts: dict[str, Verdict | None] = {}
        hits: dict[str, list[tuple[int, Verdict]]] = {}
        for place in wrong.tolist():
            part = texts[place][each.start : each.end + 1]
            if part not in verdicts:
                verdicts[part] = _verdict(each, part, tables)
            verdict = verdicts[part]
            if verdict is not None:
                hits.setdefault(verdict.code, []).append((place, verdict))
        for code, found in hits.items():
            report(code, np.array([place for place, _ in found]), [verdict for _, verdict in found])


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
    leaders = rows.records["leader"].to_list()
    if definition is None or not leaders:
        return
    short = [place for place, leader in enumerate(leaders) if len(leader) != 24]
    findings.at_records(
        "fixed.length", np.array(short, dtype=np.int64), tag="LDR", detail="the leader has 24 characters"
    )
    places = np.array([place for place, leader in enumerate(leaders) if len(leader) == 24], dtype=np.int64)
    texts = [leaders[place] for place in places]
    if not texts:
        return

    def report(code: str, found: Ints, verdicts: list[Verdict]) -> None:
        at = places[found]
        findings.at_records(
            code, at, tag="LDR", position=[v.position for v in verdicts], detail=[v.detail for v in verdicts],
            found=[leaders[place] for place in at.tolist()], rule="schema",
        )  # fmt: skip

    _positions(definition.positions, tables, texts, _matrix(texts, 24), report)


@lru_cache(maxsize=65536)
def _is_time(value: str) -> bool:
    try:
        dt.datetime.strptime(value, "%Y%m%d%H%M%S.%f")  # noqa: DTZ007  (005 has no zone)
    except ValueError:
        return False
    return len(value) == 16 and value.isascii()


def _005(rows: Rows, findings: Findings) -> None:
    places = rows.rows_of(5)
    values = rows.values(places)
    # The form is looked at first: hardly any 005 is wrong, and all are different.
    fine = values.str.contains(r"^\d{4}(0[1-9]|1[0-2])(0[1-9]|1\d|2[0-8])([01]\d|2[0-3])[0-5]\d[0-5]\d\.\d$").fill_null(
        False
    )
    doubtful = np.flatnonzero(~fine.to_numpy())
    wrong = [k for k in doubtful.tolist() if not _is_time(values[k] or "")]
    if wrong:
        findings.at_rows("date.last_change", places[wrong], whole=True)


def _of_length(rows: Rows, places: Ints, lengths: tuple[int, ...]) -> tuple[Ints, list[str]]:
    """(places whose value has one of these lengths in characters, these values)"""
    texts = rows.values(places).to_list()
    fine = [k for k, text in enumerate(texts) if text is not None and len(text) in lengths]
    return (places, texts) if len(fine) == len(texts) else (places[fine], [texts[k] for k in fine])


def _008(rows: Rows, tables: Tables, findings: Findings, languages: frozenset[str], countries: frozenset[str]) -> None:
    definition = tables.schema.fields.get("008")
    length = LENGTHS.get(tables.kind)
    places = rows.rows_of(8)
    if definition is None or length is None or not len(places):
        return
    fine, texts = _of_length(rows, places, (length,))
    findings.at_rows(
        "fixed.length", np.setdiff1d(places, fine), whole=True, detail=f"008 has {length} characters in these records"
    )
    if not texts:
        return
    matrix = _matrix(texts, length)
    _report_positions(rows, tables, findings, definition.positions, fine, texts, matrix)
    for name in COMMON_TYPES:
        if name in definition.types:
            _report_positions(rows, tables, findings, definition.types[name], fine, texts, matrix)
    leaders = rows.records["leader"]
    of = rows.of[rows.field[fine]]
    kinds = [leader[6:8] for leader in leaders[of].to_list()]
    configurations = {kind: _configuration(kind) for kind in set(kinds)}
    names = [configurations[kind] for kind in kinds]
    for name in sorted(set(names) & set(definition.types)):
        chosen = np.array([k for k, each in enumerate(names) if each == name])
        of_type = [texts[k] for k in chosen.tolist()]
        _report_positions(rows, tables, findings, definition.types[name], fine[chosen], of_type, matrix[chosen])
    _entered(fine, matrix, findings)
    if tables.kind == "bibliographic":
        _published(fine, texts, findings)
        _listed(fine, texts, findings, slice(15, 18), "code.country", countries, COUNTRIES)
        _listed(fine, texts, findings, slice(35, 38), "code.language", languages | {"   "}, LANGUAGES)
    elif tables.kind == "holdings":
        _listed(fine, texts, findings, slice(22, 25), "code.language", languages | {"   "}, LANGUAGES)


def _configuration(kind: str) -> str:
    """Of 008, by leader/06-07; '' where there is none."""
    serial = kind in ("ab", "ai", "as")
    return CONFIGURATIONS["s"] if serial else CONFIGURATIONS.get(kind[:1], "")


def _report_positions(
    rows: Rows,
    tables: Tables,
    findings: Findings,
    positions: tuple[Position, ...],
    places: Ints,
    texts: list[str],
    matrix: Ints,
) -> None:
    def report(code: str, found: Ints, verdicts: list[Verdict]) -> None:
        findings.at_rows(
            code, places[found], whole=True, position=[v.position for v in verdicts], detail=[v.detail for v in verdicts], rule="schema"
        )  # fmt: skip

    _positions(positions, tables, texts, matrix, report)


def _entered(places: Ints, matrix: Ints, findings: Findings) -> None:
    digits = matrix[:, :6].astype(np.int64) - 48
    month, day = digits[:, 2] * 10 + digits[:, 3], digits[:, 4] * 10 + digits[:, 5]
    fine = ((digits >= 0) & (digits <= 9)).all(axis=1) & (month >= 1) & (month <= 12) & (day >= 1)
    longest = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    fine &= day <= longest[np.clip(month, 0, 12)]
    findings.at_rows("date.entered", places[~fine], whole=True, position=0)


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


def _published(places: Ints, texts: list[str], findings: Findings) -> None:
    dates = [text[6:15] for text in texts]
    wrong = {date: fault for date in set(dates) if (fault := _date_fault(date))}
    faults = [(place, wrong[date]) for place, date in enumerate(dates) if date in wrong] if wrong else []
    if faults:
        at = places[[place for place, _ in faults]]
        findings.at_rows("date.publication", at, whole=True, position=6, detail=[fault for _, fault in faults])


def _listed(
    places: Ints, texts: list[str], findings: Findings, part: slice, code: str, codes: frozenset[str], source: str
) -> None:
    if not codes:
        return
    found = [text[part] for text in texts]
    wrong = {each for each in set(found) if each not in codes and each.rstrip() not in codes and each != "|||"}
    at = [place for place, each in enumerate(found) if each in wrong] if wrong else []
    if at:
        name = f"008/{part.start:02}-{part.stop - 1:02}"
        findings.at_rows(
            code, places[at], whole=True, position=part.start, detail=[f"{name} is {found[k]!r}" for k in at], rule=source
        )  # fmt: skip


def _coded(rows: Rows, tables: Tables, findings: Findings, tag: int) -> None:
    """006 and 007: the first character says what the others are."""
    definition = tables.schema.fields.get(f"{tag:03}")
    places = rows.rows_of(tag)
    if definition is None or not len(places) or not (definition.types or definition.positions):
        return
    heads = [(value or "")[:1] for value in rows.values(places).to_list()]
    for head in sorted(set(heads)):
        chosen = places[[k for k, each in enumerate(heads) if each == head]]
        name, lengths = (CONFIGURATIONS.get(head, ""), (18,)) if tag == 6 else CATEGORIES.get(head, ("", ()))
        if not name:
            findings.at_rows("fixed.category", chosen, whole=True, position=0, detail=f"{tag:03}/00 is {head!r}")
            continue
        positions = definition.types.get(name, ())
        for length in lengths:
            fine, texts = _of_length(rows, chosen, (length,))
            if texts:
                _report_positions(rows, tables, findings, positions, fine, texts, _matrix(texts, length))
        right, _ = _of_length(rows, chosen, lengths)
        expected = " or ".join(map(str, lengths))
        findings.at_rows(
            "fixed.length", np.setdiff1d(chosen, right), whole=True,
            detail=f"{tag:03} of category {head} ({name}) has {expected} characters",
        )  # fmt: skip
