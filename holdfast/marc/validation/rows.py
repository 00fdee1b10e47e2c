"""Subfields as arrays of small numbers, so that a rule is a look-up in a table and not a comparison of strings.

A tag is its number (000 to 999, `ODD_TAG` for any other), a code or an indicator its ASCII value (`NONE` where there is none,
`ODD` where it is not one ASCII character). Reads the sixteen-byte views of Arrow's string columns: length, then the first
twelve bytes (Arrow columnar format, variable-size binary view layout).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from holdfast.marc.string_views import numbers
from holdfast.marc.validation.columns import Characters, Text, characters, text
from holdfast.marc.validation.scan import CHARACTERS, NONE, ODD, ODD_TAG, count_occurrences, number_rows, order_by_tag

__all__ = ["CHARACTERS", "NONE", "ODD", "ODD_TAG", "TAGS", "Ints", "Mask", "Rows", "as_rows"]

Ints = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

TAGS = 1001


@dataclass(frozen=True)
class Rows:
    """Subfields of records of one kind.

    Attributes:
        records: columns record, leader; a row a record, ordered.
        subfields: shape frames.SUBFIELDS, ordered by record and field.
        field: place of each subfield's field in the field arrays.
        code: of each subfield.
        first: place of each field's first subfield.
        tag: of each field; `shape`: the tag by whose rules its content goes (of an 880 that of its partner).
        ind1, ind2: of each field.
        of: place of each field's record in `records`.
        known_leaders: characters of the leaders, where somebody has them.
    """

    records: pl.DataFrame
    subfields: pl.DataFrame
    field: Ints
    code: Ints
    first: Ints
    tag: Ints
    shape: Ints
    ind1: Ints
    ind2: Ints
    of: Ints
    known_leaders: Characters | None = None

    @cached_property
    def text(self) -> Text:
        """The values."""
        return text(self.subfields["value"])

    def length(self, places: Ints) -> Ints:
        """Bytes of these values; 0 also where there is none."""
        length = self.text.words[places, 0].astype(np.int64)
        if len(self.text.valid):
            length = np.where(self.values(places).is_null().to_numpy(), 0, length)
        return length

    def characters(self, places: Ints, width: int) -> Characters:
        """The first characters of these values."""
        return characters(self.text, places, width)

    def count(self, *tags: int) -> Ints:
        """How many fields with these tags each record has."""
        return np.bincount(self.of[self.of_tag(*tags)], minlength=self.records.height)

    @cached_property
    def control(self) -> Mask:
        """Of each field: is it a control field?"""
        return self.ind1 == NONE

    @cached_property
    def leaders(self) -> Characters:
        if self.known_leaders is not None:
            return self.known_leaders
        return characters(text(self.records["leader"]), np.arange(self.records.height), 24)

    @cached_property
    def fixed_008(self) -> tuple[Ints, Characters]:
        """(places of the values of 008, these values)"""
        places = self.rows_of(8)
        return places, self.characters(places, 40)

    @cached_property
    def _language_008(self) -> Ints:
        """Of each record the place in `fixed_008` of what has its language, -1 for none."""
        places, texts = self.fixed_008
        long = np.flatnonzero(texts.lengths >= 38)
        found = np.full(self.records.height, -1, dtype=np.int64)
        found[self.of[self.field[places[long]]]] = long
        return found

    @cached_property
    def language_number(self) -> Ints:
        """Of each record: 008/35-37 of MARC 21 as a number, three bytes; '?' for what is not ASCII; -1 where there is none."""
        if not len(self.fixed_008[0]):
            return np.full(self.records.height, -1, dtype=np.int64)
        number = self.fixed_008[1].matrix[:, 35:38].astype(np.int64) @ [65536, 256, 1]
        return np.where(self._language_008 >= 0, number[self._language_008], -1)

    def language(self, record: int) -> str | None:
        """008/35-37 of the record at this place, where there is one."""
        own = int(self._language_008[record])
        return None if own < 0 else str(self.values(self.fixed_008[0][own : own + 1])[0])[35:38]

    @cached_property
    def place(self) -> Ints:
        """Of each subfield: its field's place in the record."""
        return self.subfields["field"].to_numpy()

    @cached_property
    def ranks(self) -> Ints:
        """Which of its record's fields with its tag each field is, from 1."""
        ranks = np.empty(len(self.tag), dtype=np.uint16)
        count_occurrences(self.of, self.tag, np.full(TAGS, -1), np.zeros(TAGS, dtype=np.int64), ranks)
        return ranks

    def key(self, places: Ints) -> Ints:
        """Of these subfields: tag * CHARACTERS + code, the tag being their field's `shape`."""
        return self.shape[self.field[places]] * CHARACTERS + self.code[places]

    @cached_property
    def _sizes(self) -> Ints:
        return np.diff(self.first, append=len(self.field))

    def within(self, fields: Ints) -> Ints:
        """Places of the subfields of these fields, which rise."""
        sizes = self._sizes[fields]
        before = np.cumsum(sizes) - sizes
        return np.repeat(self.first[fields] - before, sizes) + np.arange(int(sizes.sum()))

    def rows_of(self, tag: int, code: str = "") -> Ints:
        """Places of the subfields of fields with this tag."""
        places = self.within(self.of_tag(tag))
        return places[self.code[places] == ord(code)] if code else places

    @cached_property
    def _by_tag(self) -> tuple[Ints, Ints]:
        """(places of the fields, by tag; where each tag begins in them)"""
        order, begins = np.empty(len(self.tag), dtype=np.int64), np.zeros(TAGS + 1, dtype=np.int64)
        order_by_tag(self.tag, begins, order)
        return order, begins

    def of_tag(self, *tags: int) -> Ints:
        """Places of the fields with these tags."""
        order, begins = self._by_tag
        own = [order[begins[tag] : begins[tag + 1]] for tag in tags if begins[tag] < begins[tag + 1]]
        return own[0] if len(own) == 1 else np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *own]))

    def values(self, rows: Ints) -> pl.Series:
        return self.subfields["value"][rows]

    def first_of(self, fields: Ints, code: str) -> tuple[Ints, Ints]:
        """(fields, row of the first subfield `code` of each), of those fields that have one."""
        places = self.within(fields)
        places = places[self.code[places] == ord(code)]
        return self.one_each(places)

    def one_each(self, places: Ints) -> tuple[Ints, Ints]:
        """(fields, the first of their places), of places that rise."""
        own = self.field[places]
        first = np.ones(len(own), dtype=bool)
        first[1:] = own[1:] != own[:-1]
        return own[first], places[first]

    def having(self, code: str) -> Mask:
        """Of each field: has it a subfield `code`?"""
        has = np.zeros(len(self.tag), dtype=bool)
        has[self.field[self.code == ord(code)]] = True
        return has


def as_rows(records: pl.DataFrame, subfields: pl.DataFrame, leaders: Characters | None = None) -> Rows:
    """Subfields of these records (every record of `subfields` is one of `records`, which is ordered). leaders: the records' own, where
    they are at hand."""
    count = subfields.height
    code, one, two = (text(subfields[name]) for name in ("code", "ind1", "ind2"))
    of_row = {
        "field": np.int32,
        "codes": np.uint8,
        "first": np.int64,
        "tag": np.int32,
        "ind1": np.uint8,
        "ind2": np.uint8,
        "of": np.int64,
    }
    arrays: dict[str, Ints] = {name: np.empty(count, dtype=kind) for name, kind in of_row.items()}
    fields = number_rows(
        numbers(subfields["record"]), numbers(subfields["field"]), numbers(records["record"]),
        text(subfields["tag"]).words, one.words, one.valid, one.offset, two.words, two.valid, two.offset,
        code.words, code.valid, code.offset, *arrays.values(),
    )  # fmt: skip
    first, tag, ind1, ind2, of = (arrays[name][:fields].copy() for name in ("first", "tag", "ind1", "ind2", "of"))
    return Rows(records, subfields, arrays["field"], arrays["codes"], first, tag, tag.copy(), ind1, ind2, of, leaders)
