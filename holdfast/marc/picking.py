"""The loops behind `normalize`: one pass over the subfields picks what facts come from, then a pass a kind of fact. Compiled, without
the GIL.

Texts come out as views (Arrow's variable-size binary view layout) into the values themselves, or into a buffer of what was written
anew. Identifiers have loops of their own (`identifiers`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.marc.identifiers import MANY
from holdfast.marc.kernel import compiled
from holdfast.marc.string_views import is_there, make_view
from holdfast.marc.text_spans import begin_of, characters, copied, source_of, stripped

# Places in `first`: of each record the first row of a field.
FIRST_001, FIRST_003, FIRST_005, FIRST_008, FIRST_AUTHOR, FIRST_264, FIRST_260 = range(7)
FIRSTS = 7
# Places in `rows`: all rows of a field.
(
    ALL_001,
    ALL_008,
    ALL_010,
    ALL_020,
    ALL_022,
    ALL_035,
    ALL_041,
    ALL_245,
    WORK_130,
    WORK_240,
    WORK_245,
    ALL_007,
    ALL_338,
) = range(13)
ALLS = 13


def tag_table() -> Any:
    """bool[1000]: the tags that facts come from."""
    table = np.zeros(1000, dtype=np.bool_)
    table[[1, 3, 5, 7, 8, 10, 20, 22, 35, 41, 100, 110, 111, 130, 240, 245, 260, 264, 338]] = True
    return table


_WANTED = tag_table()


@compiled
def pick(
    record: Any, field: Any, tags: Any, codes: Any, second: Any, values: Any, forms: Any, numbers: Any, first: Any, rows: Any,
    owners: Any, counts: Any, sizes: Any, fields: Any,
) -> None:  # fmt: skip
    """Pick the rows that facts come from.

    Args:
        record, field: of each row, rising. tags, codes, second, values, forms: columns tag, code, ind2, value, nfc (`Text`; no
            words where there is no such column).
        numbers: of the readable records, rising.
        first: int64[FIRSTS, records], -1 before. rows, owners: int32[ALLS, rows], the rows and the places of their records.
        counts, sizes: int64[ALLS], how many rows, and the bytes that their texts have at most with one between each two.
        fields: uint32[records], 0 before: how many fields each has.
    """
    place: Any = 0
    known = False
    for row in range(len(record)):
        new = row == 0 or record[row] != record[row - 1]
        if new:
            place = np.searchsorted(numbers, record[row])
            known = place < len(numbers) and numbers[place] == record[row]
        if not known:
            continue
        if new or field[row] != field[row - 1]:
            fields[place] += 1
        if tags.words[row, 0] != 3:
            continue
        word = np.int64(tags.words[row, 1])
        hundreds, tens, ones = (word & 255) - 48, ((word >> 8) & 255) - 48, ((word >> 16) & 255) - 48
        if not (0 <= hundreds <= 9 and 0 <= tens <= 9 and 0 <= ones <= 9):
            continue
        tag = hundreds * 100 + tens * 10 + ones
        if not _WANTED[tag] or not is_there(values.valid, values.offset, row):
            continue
        code: Any = 0
        if is_there(codes.valid, codes.offset, row) and codes.words[row, 0] > 0:
            code = np.int64(codes.words[row, 1]) & 255
        one, all_of, more = -1, -1, -1
        if tag == 1:
            one, all_of = FIRST_001, ALL_001
        elif tag == 3:
            one = FIRST_003
        elif tag == 5:
            one = FIRST_005
        elif tag == 7:
            all_of = ALL_007
        elif tag == 8:
            one, all_of = FIRST_008, ALL_008
        elif tag == 41:
            if code == 0x61 or code == 0x64:
                all_of = ALL_041
        elif tag == 264:
            there = code == 0x63 and is_there(second.valid, second.offset, row)
            if there and second.words[row, 0] == 1 and second.words[row, 1] == 0x31:
                one = FIRST_264
        elif tag == 260:
            if code == 0x63:
                one = FIRST_260
        elif tag == 338:
            if code == 0x62:
                all_of = ALL_338
        elif code == 0x61 and tag < 100:
            all_of = ALL_010 if tag == 10 else ALL_020 if tag == 20 else ALL_022 if tag == 22 else ALL_035
        elif tag == 100 or tag == 110 or tag == 111:
            if code == 0x61:
                one = FIRST_AUTHOR
        elif tag == 245:
            if code == 0x61 or code == 0x6E or code == 0x70:
                all_of, more = ALL_245, WORK_245
            elif code == 0x62:
                all_of = ALL_245
        elif code == 0x61 or code == 0x6E or code == 0x70:  # 130, 240
            all_of = WORK_130 if tag == 130 else WORK_240
        if one >= 0 and first[one, place] < 0:
            first[one, place] = row
        if all_of >= 0:
            size = np.int64(values.words[row, 0])
            if len(forms.words) and is_there(forms.valid, forms.offset, row):
                size = max(size, np.int64(forms.words[row, 0]))
            rows[all_of, counts[all_of]], owners[all_of, counts[all_of]] = row, place
            counts[all_of] += 1
            sizes[all_of] += size + 1
            if more >= 0:
                rows[more, counts[more]], owners[more, counts[more]] = row, place
                counts[more] += 1
                sizes[more] += size + 1


# ---- facts of one value a record


@compiled
def stripped_firsts(first: Any, values: Any, views: Any) -> None:
    """Views (uint32[n, 4]) of these values without blanks at their ends; of '' where there is none."""
    for k in range(len(first)):
        views[k, 0] = views[k, 1] = views[k, 2] = views[k, 3] = 0
        row = first[k]
        if row >= 0:
            source, begin = source_of(values, row), begin_of(values, row)
            start, end = stripped(source, begin, begin + np.int64(values.words[row, 0]))
            make_view(views, k, source, start, end, 0, start)


# Views that `fixed_parts` makes: 008/35-37, /15-17, /06, /07-10, /11-14.
PARTS = 5


@compiled
def fixed_parts(first: Any, values: Any, views: Any, years: Any, has_year: Any) -> None:
    """Parts of 008 (views uint32[PARTS, n, 4]) and its first date as a year."""
    for k in range(len(first)):
        row = first[k]
        has_year[k] = False
        years[k] = 0
        if row < 0:
            for part in range(PARTS):
                for slot in range(4):
                    views[part, k, slot] = 0
            continue
        source, begin = source_of(values, row), begin_of(values, row)
        end = begin + np.int64(values.words[row, 0])
        for part, (place, count) in enumerate(((35, 3), (15, 3), (6, 1), (7, 4), (11, 4))):
            start, behind = characters(source, begin, end, place, count)
            if part == 1:
                start, behind = stripped(source, start, behind)
            elif part == 3 and behind - start == 4:
                year: Any = 0
                for at in range(start, behind):
                    digit = np.int64(source[at]) - 48
                    year = year * 10 + digit if 0 <= digit <= 9 and year >= 0 else -1
                if year >= 0:
                    years[k], has_year[k] = year, True
            make_view(views[part], k, source, start, behind, 0, start)


@compiled
def _year_in(source: Any, start: int, end: int) -> int:
    """The first four digits that stand alone and are a year from 1400 to 2099; -1 for none."""
    at = start
    while at < end:
        if not 48 <= source[at] <= 57:
            at += 1
            continue
        begin = at
        year: Any = 0
        while at < end and 48 <= source[at] <= 57:
            if at - begin < 4:
                year = year * 10 + np.int64(source[at]) - 48
            at += 1
        if at - begin == 4 and 1400 <= year < 2100:
            return year
    return -1


@compiled
def imprint_years(published: Any, imprint: Any, values: Any, years: Any, has_year: Any) -> None:
    for k in range(len(published)):
        year = -1
        for row in (published[k], imprint[k]):
            if year < 0 and row >= 0:
                begin = begin_of(values, row)
                year = _year_in(source_of(values, row), begin, begin + np.int64(values.words[row, 0]))
        years[k], has_year[k] = max(year, 0), year >= 0


@compiled
def leader_parts(leaders: Any, materials: Any, serial: int, views: Any, material: Any) -> None:
    """Leader/05 as a view, and the number of the material by leader/06-07. materials: uint8[256], by leader/06; 0: any other."""
    for k in range(len(material)):
        source, begin = source_of(leaders, k), begin_of(leaders, k)
        end = begin + np.int64(leaders.words[k, 0])
        start, behind = characters(source, begin, end, 5, 1)
        make_view(views, k, source, start, behind, 0, start)
        kind, after = characters(source, begin, end, 6, 1)
        level, last = characters(source, begin, end, 7, 1)
        material[k] = materials[source[kind]] if after - kind == 1 else 0
        printed = after - kind == 1 and last - level == 1 and source[kind] == 0x61
        if printed and (source[level] == 0x62 or source[level] == 0x69 or source[level] == 0x73):  # b i s
            material[k] = serial


# ---- titles, authors


@compiled
def _is_punctuation(byte: int) -> bool:
    """' /:;,.='"""
    return byte == 0x20 or byte == 0x2F or byte == 0x3A or byte == 0x3B or byte == 0x2C or byte == 0x2E or byte == 0x3D


@compiled
def _append(values: Any, forms: Any, row: int, out: Any, at: int) -> int:
    """Write the text in normalization form C; the place behind it."""
    if len(forms.words) and is_there(forms.valid, forms.offset, row):
        begin = begin_of(forms, row)
        return copied(source_of(forms, row), begin, begin + np.int64(forms.words[row, 0]), out, at)
    begin = begin_of(values, row)
    return copied(source_of(values, row), begin, begin + np.int64(values.words[row, 0]), out, at)


@compiled
def joined(rows: Any, owners: Any, values: Any, forms: Any, out: Any, offsets: Any) -> None:
    """The texts of each record's rows in one, a blank between."""
    at, k = 0, 0
    for place in range(len(offsets) - 1):
        offsets[place] = at
        begins = True
        while k < len(rows) and owners[k] == place:
            if not begins:
                out[at] = 0x20
                at += 1
            at = _append(values, forms, rows[k], out, at)
            begins = False
            k += 1
    offsets[len(offsets) - 1] = at


@compiled
def trimmed(out: Any, offsets: Any, views: Any) -> None:
    """Views of these texts without the punctuation at their ends."""
    for k in range(len(offsets) - 1):
        start, end = offsets[k], offsets[k + 1]
        while start < end and _is_punctuation(out[start]):
            start += 1
        while end > start and _is_punctuation(out[end - 1]):
            end -= 1
        make_view(views, k, out, start, end, 0, start)


@compiled
def size_of_texts(rows: Any, values: Any, forms: Any) -> int:
    """Bytes of these rows' texts in normalization form C."""
    size: Any = 0
    for k in range(len(rows)):
        if len(forms.words) and is_there(forms.valid, forms.offset, rows[k]):
            size += np.int64(forms.words[rows[k], 0])
        else:
            size += np.int64(values.words[rows[k], 0])
    return size


@compiled
def work_keys(authors: Any, author_offsets: Any, works: Any, work_offsets: Any, out: Any, offsets: Any) -> int:
    """author ' / ' work, nothing where there is no work; the bytes that they have."""
    at = 0
    for k in range(len(offsets) - 1):
        offsets[k] = at
        if work_offsets[k + 1] > work_offsets[k]:
            at = copied(authors, author_offsets[k], author_offsets[k + 1], out, at)
            out[at], out[at + 1], out[at + 2] = 0x20, 0x2F, 0x20
            at = copied(works, work_offsets[k], work_offsets[k + 1], out, at + 3)
    offsets[len(offsets) - 1] = at
    return at


# ---- codes of languages


@compiled
def language_codes(
    rows: Any, owners: Any, fixed: Any, fixed_owners: Any, records: int, values: Any, views: Any, offsets: Any
) -> int:
    """The codes of three letters in 041, and then the one of 008/35-37, each once a record; how many, -1: a record has MANY."""
    found, one, two = 0, 0, 0
    for place in range(records):
        offsets[place] = found
        begin = found
        while one < len(rows) and owners[one] == place:
            source, at = source_of(values, rows[one]), begin_of(values, rows[one])
            end = at + np.int64(values.words[rows[one], 0])
            while at + 3 <= end:
                if 97 <= source[at] <= 122 and 97 <= source[at + 1] <= 122 and 97 <= source[at + 2] <= 122:
                    found = _add_code(views, begin, found, source, at)
                    at += 3
                    if found - begin > MANY:
                        return -1
                else:
                    at += 1
            one += 1
        while two < len(fixed) and fixed_owners[two] == place:
            source, at = source_of(values, fixed[two]), begin_of(values, fixed[two])
            start, end = characters(source, at, at + np.int64(values.words[fixed[two], 0]), 35, 3)
            fine = end - start == 3 and 97 <= source[start] <= 122
            if fine and 97 <= source[start + 1] <= 122 and 97 <= source[start + 2] <= 122:
                found = _add_code(views, begin, found, source, start)
            two += 1
    offsets[records] = found
    return found


@compiled
def _add_code(views: Any, begin: int, found: int, source: Any, at: int) -> int:
    word = (
        np.uint32(source[at]) | np.uint32(source[at + 1]) << np.uint32(8) | np.uint32(source[at + 2]) << np.uint32(16)
    )
    for k in range(begin, found):
        if views[k, 1] == word:
            return found
    views[found, 0], views[found, 1], views[found, 2], views[found, 3] = 3, word, 0, 0
    return found + 1
