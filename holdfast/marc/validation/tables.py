"""A schema as look-up tables by tag and code, so that it is asked once a distinct thing and not once a subfield."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from holdfast.marc.validation.avram import Codes, Field, Position, Schema, Subfield
from holdfast.marc.validation.findings import Picks, is_masked
from holdfast.marc.validation.memory import Memory
from holdfast.marc.validation.rows import CHARACTERS, ODD, ODD_TAG, TAGS, Ints
from holdfast.marc.validation.scan import IS_SINGLE

FINE, UNDEFINED, OBSOLETE = 0, 1, 2


class Verdict(NamedTuple):
    """What is wrong with a value: code of issues.KINDS, the character (-1: the whole), the message, whose rule."""

    code: str
    position: int = -1
    detail: str | None = None
    rule: str | None = None


def said_of(verdicts: Sequence[Verdict], which: Ints) -> dict[str, Any]:
    """Position, detail and rule for `Findings`: which of the verdicts each issue is."""
    own = np.asarray(which, dtype=np.int64)
    return {
        "position": np.array([each.position for each in verdicts], dtype=np.int64)[own],
        "detail": Picks([each.detail for each in verdicts], own),
        "rule": Picks([each.rule for each in verdicts], own),
    }


Check = Callable[[str], list[Verdict]]
_REMEMBERED = 8_192  # values a subfield; memory stays bounded whatever comes


@dataclass(frozen=True)
class Bundle:
    """The checks of one subfield, whose verdicts on a value are remembered."""

    checks: tuple[Check, ...]
    judge: Callable[[str], tuple[Verdict, ...]]


def bundle(checks: tuple[Check, ...]) -> Bundle:
    @lru_cache(maxsize=_REMEMBERED)
    def judge(value: str) -> tuple[Verdict, ...]:
        found: list[Verdict] = []
        for check in checks:
            if verdicts := check(value):
                found += verdicts
        return tuple(found) if found and not is_masked(value) else ()

    return Bundle(checks, judge)


@dataclass(frozen=True)
class Tables:
    """A schema of one kind of record.

    Attributes:
        kind: 'bibliographic', 'authority', 'holdings', 'unimarc', or '' (no schema: nothing is undefined).
        schema: what it was made of.
        field: by tag: FINE, UNDEFINED or OBSOLETE.
        single_field: by tag: may not be repeated.
        indicators: by tag and value, for the first and for the second.
        subfield, single_subfield: by tag * CHARACTERS + code.
        check: by tag * CHARACTERS + code: number in `bundles`, 0 for none.
        required: tags. required_by_schema: does the schema say so? Else MARC 21's mandatory fields are.
        required_subfields: (tag, code).
        ordered: tag → codes in the order they must come in.
        forms: of each bundle, the form that clears a value (`scan`).
        memory, remembered: what was said of short values by bundle; verdicts → their number in it.
    """

    kind: str
    schema: Schema
    field: Ints
    single_field: Ints
    indicators: tuple[Ints, Ints]
    subfield: Ints
    single_subfield: Ints
    check: Ints
    bundles: tuple[Bundle, ...]
    required: tuple[int, ...]
    required_by_schema: bool
    required_subfields: tuple[tuple[int, str], ...]
    ordered: Mapping[int, str]
    forms: Ints
    _numbering: threading.Lock = made(default_factory=threading.Lock)
    memory: Memory = made(default_factory=Memory)
    remembered: dict[tuple[Verdict, ...], int] = made(default_factory=lambda: {(): 0})

    def number_of(self, verdicts: tuple[Verdict, ...]) -> int:
        with self._numbering:
            return self.remembered.setdefault(verdicts, len(self.remembered))

    @cached_property
    def standing(self) -> Ints:
        """By tag * CHARACTERS + code, for `scan`."""
        standing = self.subfield | np.where(self.single_subfield, IS_SINGLE, 0)
        return standing.astype(np.uint8)

    def codes_of(self, position: Position) -> Codes | None:
        return self.schema.codelists.get(position.codelist) if position.codelist else position.codes


def is_local(tag: str, kind: str) -> bool:
    """Tags that the format leaves to libraries: 9XX and X9X; in UNIMARC also XX9."""
    return tag[0] == "9" or tag[1] == "9" or (kind == "unimarc" and tag[2] == "9")


def compile_tables(
    kind: str,
    schema: Schema,
    checks_of: Callable[[str, str, Subfield, Schema], tuple[Check, ...]],
    mandatory: tuple[str, ...] = (),
    form_of: Callable[[tuple[Check, ...]], int] = lambda _: 0,
) -> Tables:
    """`checks_of(tag, code, subfield, schema)`: the checks of a subfield's values. mandatory: tags that are required where the
    schema has none that is (not all schemas say it). form_of: number of the form (`scan`) that clears values of these checks."""
    size = TAGS * CHARACTERS
    fields = np.full(TAGS, UNDEFINED, dtype=np.uint8)
    single_field = np.zeros(TAGS, dtype=bool)
    indicators = (np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8))
    subfields, single_subfield = np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=bool)
    check = np.zeros(size, dtype=np.uint16)
    bundles: list[Bundle] = [bundle(())]
    known: dict[tuple[Check, ...], int] = {}
    required, required_subfields, ordered = [], [], {}
    fields[ODD_TAG] = FINE  # a finding of its own
    for number in range(1000):
        tag = f"{number:03}"
        definition = schema.fields.get(tag)
        if not schema.fields or (definition is None and is_local(tag, kind)):
            fields[number] = FINE
        if definition is None:
            continue
        fields[number] = OBSOLETE if definition.deprecated else FINE
        single_field[number] = not definition.repeatable
        if definition.required:
            required.append(number)
        place = slice(number * CHARACTERS, (number + 1) * CHARACTERS)
        for which, codes in zip(indicators, definition.indicators, strict=True):
            which[place] = _standings(codes)
        if definition.subfields is None:
            continue
        subfields[place], single_subfield[place] = _subfields_of(definition, kind)
        required_subfields += [(number, code) for code, each in definition.subfields.items() if each.required]
        order = sorted((each.order, code) for code, each in definition.subfields.items() if each.order)
        if order:
            ordered[number] = "".join(code for _, code in order)
        for code, each in definition.subfields.items():
            checks = checks_of(tag, code, each, schema)
            if checks and len(code) == 1 and ord(code) < ODD:
                if checks not in known:
                    known[checks] = len(bundles)
                    bundles.append(bundle(checks))
                check[number * CHARACTERS + ord(code)] = known[checks]
    by_schema = bool(required)
    required = required or [int(tag) for tag in mandatory]
    return Tables(kind, schema, fields, single_field, indicators, subfields, single_subfield, check, tuple(bundles),
                  tuple(required), by_schema, tuple(required_subfields), ordered,
                  np.array([form_of(each.checks) for each in bundles], dtype=np.uint8))  # fmt: skip


def _standings(codes: Codes | None) -> Ints:
    standings = np.zeros(CHARACTERS, dtype=np.uint8)
    if codes is not None:
        standings[:] = UNDEFINED
        for names, standing in ((codes.deprecated, OBSOLETE), (codes.active, FINE)):
            standings[[ord(name) for name in names if len(name) == 1 and ord(name) < ODD]] = standing
    # What is no character of its own is none of the codes; a control field has no indicators to look at.
    standings[0] = FINE
    return standings


# Subfield codes that MARC and UNIMARC use; only these can be repeated against a rule.
_NAMES = "0123456789abcdefghijklmnopqrstuvwxyz"


def _subfields_of(definition: Field, kind: str) -> tuple[Ints, Ints]:
    standings = np.full(CHARACTERS, UNDEFINED, dtype=np.uint8)
    single = np.zeros(CHARACTERS, dtype=bool)
    standings[[0, ODD]] = FINE  # nothing, or no code at all: findings of their own
    if kind != "unimarc":
        standings[ord("9")] = FINE  # left to libraries in every field
    for code, each in (definition.subfields or {}).items():
        if len(code) == 1 and 0 < ord(code) < ODD:
            standings[ord(code)] = OBSOLETE if each.deprecated else FINE
            single[ord(code)] = not each.repeatable and code in _NAMES
    return standings, single
