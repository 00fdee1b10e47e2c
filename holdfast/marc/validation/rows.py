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

Ints = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

ODD_TAG = 1000
TAGS = 1001
NONE, ODD, CHARACTERS = 0, 127, 128
_INLINE = 12


def views(text: pl.Series) -> Ints:
    """A row a string: length in bytes, then as four little-endian bytes each: the first four; for strings of at most twelve
    bytes the next eight. Rows of nulls are undefined."""
    array = text.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.zeros((0, 4), dtype=np.uint32)
    return np.frombuffer(buffer, dtype=np.uint32).reshape(-1, 4)[array.offset : array.offset + len(array)]


def short_bytes(text: pl.Series) -> tuple[Ints, Ints]:
    """(lengths in bytes, matrix of the first twelve bytes, zero after the end); of longer strings only four are right."""
    view = views(text)
    return view[:, 0].astype(np.int64), np.ascontiguousarray(view).view(np.uint8).reshape(-1, 16)[:, 4:]


def _characters(text: pl.Series) -> Ints:
    view = views(text)
    first = view[:, 1]
    numbers = np.where((view[:, 0] == 1) & (first > NONE) & (first < ODD), first, ODD).astype(np.uint8)
    if text.null_count():
        numbers[text.is_null().to_numpy()] = NONE
    return numbers


def _tags(text: pl.Series) -> Ints:
    length, letters = short_bytes(text)
    digits = letters[:, :3].astype(np.int64) - 48
    fine = (length == 3) & ((digits >= 0) & (digits <= 9)).all(axis=1)
    return np.where(fine, digits @ np.array([100, 10, 1]), ODD_TAG).astype(np.int32)


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

    @cached_property
    def length(self) -> Ints:
        """Bytes of each value; 0 also where there is none."""
        value = self.subfields["value"]
        length = views(value)[:, 0].astype(np.int64)
        if value.null_count():
            length = np.where(value.is_null().to_numpy(), 0, length)
        return length

    @cached_property
    def _counts(self) -> tuple[Ints, Ints]:
        """(column by tag, -1 where no record has it; how often each tag occurs: a row a record, a column a tag)"""
        present = np.flatnonzero(np.bincount(self.tag, minlength=TAGS))
        column = np.full(TAGS, -1, dtype=np.int64)
        column[present] = np.arange(len(present))
        keys = self.of * len(present) + column[self.tag]
        counts = np.bincount(keys, minlength=self.records.height * len(present))
        return column, counts.reshape(self.records.height, len(present))

    def count(self, *tags: int) -> Ints:
        """How many fields with these tags each record has."""
        column, counts = self._counts
        chosen = column[list(tags)]
        return np.asarray(counts[:, chosen[chosen >= 0]].sum(axis=1))

    @cached_property
    def repeated(self) -> Mask:
        """By tag: does a record have it more than once?"""
        column, counts = self._counts
        return np.append((counts > 1).any(axis=0), False)[column] & (column >= 0)

    @cached_property
    def control(self) -> Mask:
        """Of each field: is it a control field?"""
        return self.ind1 == NONE

    @cached_property
    def languages(self) -> dict[int, str]:
        """Place of a record → 008/35-37 of MARC 21, where there is one."""
        places = self.rows_of(8)
        texts = self.values(places).to_list()
        of = self.of[self.field[places]].tolist()
        return {record: text[35:38] for record, text in zip(of, texts, strict=True) if text and len(text) >= 38}

    def occurrence(self, fields: Ints) -> Ints:
        """Which of its record's fields with its tag each of these fields is, from 1."""
        # `of` rises, so fields of one record and tag are neighbours after a stable sort by tag and record.
        keys = self.of * TAGS + self.tag
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        ranks = np.empty(len(keys), dtype=np.int64)
        ranks[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys)))) + 1
        return ranks[fields]

    @cached_property
    def key(self) -> Ints:
        """Of each subfield: tag * CHARACTERS + code, the tag being its field's `shape`."""
        return (self.shape * CHARACTERS)[self.field] + self.code

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

    def of_tag(self, *tags: int) -> Ints:
        """Places of the fields with these tags."""
        return np.flatnonzero(_table(tags)[self.tag])

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


def _table(tags: tuple[int, ...]) -> Mask:
    table = np.zeros(TAGS, dtype=bool)
    table[list(tags)] = True
    return table


def as_rows(records: pl.DataFrame, subfields: pl.DataFrame) -> Rows:
    """Subfields of these records (every record of `subfields` is one of `records`, which is ordered)."""
    number, place = subfields["record"].to_numpy(), subfields["field"].to_numpy()
    begins = np.ones(len(number), dtype=bool)
    begins[1:] = (number[1:] != number[:-1]) | (place[1:] != place[:-1])
    first = np.flatnonzero(begins)
    field = np.cumsum(begins, dtype=np.int32) - 1
    heads = subfields.select("tag", "ind1", "ind2")[first]
    tag = _tags(heads["tag"])
    return Rows(
        records=records,
        subfields=subfields,
        field=field,
        code=_characters(subfields["code"]),
        first=first,
        tag=tag,
        shape=tag,
        ind1=_characters(heads["ind1"]),
        ind2=_characters(heads["ind2"]),
        of=np.searchsorted(records["record"].to_numpy(), number[first]).astype(np.int64),
    )
