"""The loops behind `normalize`: one pass over the subfields picks what facts come from, then a pass a kind of fact. Compiled, without
the GIL.

Texts come out as views (Arrow's variable-size binary view layout) into the values themselves, or into a buffer of what was written
anew. A value that a loop can't be sure of (not ASCII where a rule knows other blanks, digits or letters) it marks `ASK`: the rules
for all of Unicode are `normalize`'s, and what is decided here is what they say.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.marc.kernel import character_at, compiled
from holdfast.marc.string_views import is_there, make_view

# Places in `first`: of each record the first row of a field.
FIRST_001, FIRST_003, FIRST_005, FIRST_008, FIRST_AUTHOR, FIRST_264, FIRST_260 = range(7)
FIRSTS = 7
# Places in `rows`: all rows of a field.
ALL_001, ALL_008, ALL_010, ALL_020, ALL_022, ALL_035, ALL_041, ALL_245, WORK_130, WORK_240, WORK_245 = range(11)
ALLS = 11
# What became of a value.
NOTHING, MADE, ASK = 0, 1, 2
MANY = 64  # values of one record; where there are more the lists are made in another way

_WORDS = 16  # bytes of a view
_INLINE = 12


def tag_table() -> Any:
    """bool[1000]: the tags that facts come from."""
    table = np.zeros(1000, dtype=np.bool_)
    table[[1, 3, 5, 8, 10, 20, 22, 35, 41, 100, 110, 111, 130, 240, 245, 260, 264]] = True
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


# ---- bytes of a text, and views


@compiled
def _begin(column: Any, row: int) -> int:
    """Where the text begins, in `inline` or in `data`."""
    if column.words[row, 0] <= _INLINE:
        return row * _WORDS + 4
    return column.starts[column.words[row, 2]] + np.int64(column.words[row, 3])


@compiled
def _source(column: Any, row: int) -> Any:
    if column.words[row, 0] <= _INLINE:
        return column.inline
    return column.data


@compiled
def _is_blank(point: int) -> bool:
    """Unicode's White_Space, which is what Polars strips."""
    if point < 0x80:
        return point == 0x20 or 9 <= point <= 13
    return (
        point == 0x85 or point == 0xA0 or point == 0x1680 or 0x2000 <= point <= 0x200A or point == 0x2028 or point == 0x2029
        or point == 0x202F or point == 0x205F or point == 0x3000
    )  # fmt: skip


@compiled
def _stripped(source: Any, start: int, end: int) -> Any:
    """(start, end) without the blanks at both ends."""
    while start < end:
        point, length = character_at(source, start)
        if not _is_blank(point):
            break
        start += length
    while end > start:
        at = end - 1
        while at > start and (source[at] & 0xC0) == 0x80:
            at -= 1
        point, _ = character_at(source, at)
        if not _is_blank(point):
            break
        end = at
    return start, end


@compiled
def _is_ascii(source: Any, start: int, end: int) -> bool:
    for k in range(start, end):  # noqa: SIM110  (numba)
        if source[k] >= 0x80:
            return False
    return True


@compiled
def _characters(source: Any, start: int, end: int, begin: int, count: int) -> Any:
    """(start, end) of `count` characters from character `begin` on, as many as there are."""
    for _ in range(begin):
        if start >= end:
            return end, end
        start += character_at(source, start)[1]
    behind = start
    for _ in range(count):
        if behind >= end:
            break
        behind += character_at(source, behind)[1]
    return start, behind


@compiled
def _copied(source: Any, start: int, end: int, out: Any, at: int) -> int:
    for k in range(start, end):
        out[at] = source[k]
        at += 1
    return at


# ---- facts of one value a record


@compiled
def stripped_firsts(first: Any, values: Any, views: Any) -> None:
    """Views (uint32[n, 4]) of these values without blanks at their ends; of '' where there is none."""
    for k in range(len(first)):
        views[k, 0] = views[k, 1] = views[k, 2] = views[k, 3] = 0
        row = first[k]
        if row >= 0:
            source, begin = _source(values, row), _begin(values, row)
            start, end = _stripped(source, begin, begin + np.int64(values.words[row, 0]))
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
        source, begin = _source(values, row), _begin(values, row)
        end = begin + np.int64(values.words[row, 0])
        for part, (place, count) in enumerate(((35, 3), (15, 3), (6, 1), (7, 4), (11, 4))):
            start, behind = _characters(source, begin, end, place, count)
            if part == 1:
                start, behind = _stripped(source, start, behind)
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
                begin = _begin(values, row)
                year = _year_in(_source(values, row), begin, begin + np.int64(values.words[row, 0]))
        years[k], has_year[k] = max(year, 0), year >= 0


@compiled
def leader_parts(leaders: Any, materials: Any, serial: int, views: Any, material: Any) -> None:
    """Leader/05 as a view, and the number of the material by leader/06-07. materials: uint8[256], by leader/06; 0: any other."""
    for k in range(len(material)):
        source, begin = _source(leaders, k), _begin(leaders, k)
        end = begin + np.int64(leaders.words[k, 0])
        start, behind = _characters(source, begin, end, 5, 1)
        make_view(views, k, source, start, behind, 0, start)
        kind, after = _characters(source, begin, end, 6, 1)
        level, last = _characters(source, begin, end, 7, 1)
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
        begin = _begin(forms, row)
        return _copied(_source(forms, row), begin, begin + np.int64(forms.words[row, 0]), out, at)
    begin = _begin(values, row)
    return _copied(_source(values, row), begin, begin + np.int64(values.words[row, 0]), out, at)


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
            at = _copied(authors, author_offsets[k], author_offsets[k + 1], out, at)
            out[at], out[at + 1], out[at + 2] = 0x20, 0x2F, 0x20
            at = _copied(works, work_offsets[k], work_offsets[k + 1], out, at + 3)
    offsets[len(offsets) - 1] = at
    return at


# ---- identifiers and codes: of each row of a field what it says, as views into `extra` (buffer 0)


@compiled
def system_numbers(rows: Any, values: Any, views: Any, states: Any, extra: Any) -> None:
    """Values without blanks at their ends."""
    used = 0
    for k in range(len(rows)):
        row = rows[k]
        source, begin = _source(values, row), _begin(values, row)
        start, end = _stripped(source, begin, begin + np.int64(values.words[row, 0]))
        behind = _copied(source, start, end, extra, used)
        make_view(views, k, extra, used, behind, 0, used)
        states[k] = MADE
        used = behind


@compiled
def _ocn_prefix(source: Any, at: int, end: int) -> int:
    """The place behind ocm, ocn or on; `at` where none of them is."""
    if end - at >= 2 and source[at] == 0x6F:
        if source[at + 1] == 0x6E:
            return at + 2
        if end - at >= 3 and source[at + 1] == 0x63 and (source[at + 2] == 0x6D or source[at + 2] == 0x6E):
            return at + 3
    return at


@compiled
def _digits_only(source: Any, at: int, end: int) -> int:
    """Where the digits begin that the text has from here to its end, without zeros before them; -1: not digits only."""
    if at >= end:
        return -1
    for k in range(at, end):
        if not 48 <= source[k] <= 57:
            return -1
    while at < end - 1 and source[at] == 48:
        at += 1
    return at


@compiled
def oclc_numbers(rows: Any, values: Any, views: Any, states: Any, extra: Any) -> int:
    """The digits of 035 $a '(OCoLC)ocm00012345'; the bytes of `extra` that they take."""
    used = 0
    for k in range(len(rows)):
        row = rows[k]
        source, begin = _source(values, row), _begin(values, row)
        end = begin + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not _is_ascii(source, begin, end):
            states[k] = ASK
            continue
        at, end = _stripped(source, begin, end)
        if (
            end - at < 8
            or source[at] != 0x28
            or source[at + 1] != 0x4F
            or source[at + 2] != 0x43
            or source[at + 3] != 0x6F
        ):
            continue
        if source[at + 4] != 0x4C or source[at + 5] != 0x43 or source[at + 6] != 0x29:
            continue
        at += 7
        while at < end and _is_blank(source[at]):
            at += 1
        at = _ocn_prefix(source, at, end)
        while at < end and _is_blank(source[at]):
            at += 1
        at = _digits_only(source, at, end)
        if at >= 0:
            behind = _copied(source, at, end, extra, used)
            make_view(views, k, extra, used, behind, 0, used)
            states[k], used = MADE, behind
    return used


@compiled
def oclc_control_numbers(
    rows: Any, owners: Any, organizations: Any, values: Any, views: Any, states: Any, extra: Any, used: int
) -> None:
    """001 is an OCN where it has OCLC's prefix, or where 003 (its first rows are given) says that it is OCLC's. used: bytes of
    `extra` that others have."""
    for k in range(len(rows)):
        row = rows[k]
        source, begin = _source(values, row), _begin(values, row)
        end = begin + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not _is_ascii(source, begin, end):
            states[k] = ASK
            continue
        at, end = _stripped(source, begin, end)
        digits = _ocn_prefix(source, at, end)
        of_oclc = digits > at
        other = organizations[owners[k]]
        if not of_oclc and other >= 0:
            text, start = _source(values, other), _begin(values, other)
            start, behind = _stripped(text, start, start + np.int64(values.words[other, 0]))
            of_oclc = (
                behind - start == 5 and text[start] == 0x4F and text[start + 1] == 0x43 and text[start + 2] == 0x6F
                and text[start + 3] == 0x4C and text[start + 4] == 0x43
            )  # fmt: skip
        if of_oclc:
            digits = _digits_only(source, digits, end)
            if digits >= 0:
                behind = _copied(source, digits, end, extra, used)
                make_view(views, k, extra, used, behind, 0, used)
                states[k], used = MADE, behind


@compiled
def _is_plain(source: Any, start: int, end: int) -> bool:
    """Only ASCII that prints, and blanks?"""
    for k in range(start, end):  # noqa: SIM110  (numba)
        if source[k] < 0x20 or source[k] >= 0x7F:
            return False
    return True


@compiled
def _upper(byte: int) -> int:
    return byte - 32 if 97 <= byte <= 122 else byte


@compiled
def isbns(rows: Any, values: Any, views: Any, states: Any, extra: Any) -> None:
    """ISBN-13 of what has a right check digit."""
    used = 0
    digits = np.zeros(13, dtype=np.int64)
    for k in range(len(rows)):
        row = rows[k]
        source, at = _source(values, row), _begin(values, row)
        end = at + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not _is_plain(source, at, end):
            states[k] = ASK
            continue
        while at < end and source[at] == 0x20:
            at += 1
        count, fine = 0, True
        while at < end and source[at] != 0x20 and source[at] != 0x28:
            byte = _upper(np.int64(source[at]))
            at += 1
            if byte == 0x2D:
                continue
            fine = fine and count < 13 and (48 <= byte <= 57 or byte == 0x58)
            if fine:
                digits[count] = byte - 48  # X: 40
                count += 1
        if not fine:
            continue
        if count == 9:  # one from before 1970, without its zero
            for place in range(9, 0, -1):
                digits[place] = digits[place - 1]
            digits[0] = 0
            count = 10
        only = count - 1 if count == 10 else count
        for place in range(only):
            fine = fine and digits[place] <= 9
        if not fine or (count != 10 and count != 13):
            continue
        if count == 10:
            total = 0
            for place in range(10):
                total += (10 - place) * (10 if digits[place] == 40 else digits[place])
            if total % 11:
                continue
            for place in range(8, -1, -1):
                digits[place + 3] = digits[place]
            digits[0], digits[1], digits[2] = 9, 7, 8
        elif digits[0] != 9 or digits[1] != 7 or digits[2] < 8:
            continue
        total = 0
        for place in range(12):
            total += digits[place] * (3 if place % 2 else 1)
        check = (10 - total % 10) % 10
        if count == 13 and digits[12] != check:
            continue
        digits[12] = check
        for place in range(13):
            extra[used + place] = digits[place] + 48
        make_view(views, k, extra, used, used + 13, 0, used)
        states[k] = MADE
        used += 13


@compiled
def issns(rows: Any, values: Any, views: Any, states: Any, extra: Any) -> None:
    """Eight characters whose last is the right check digit."""
    for k in range(len(rows)):
        row = rows[k]
        source, at = _source(values, row), _begin(values, row)
        end = at + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not _is_plain(source, at, end):
            states[k] = ASK
            continue
        while at < end and source[at] == 0x20:
            at += 1
        count, total, fine = 0, 0, True
        while at < end and source[at] != 0x20:
            byte = _upper(np.int64(source[at]))
            at += 1
            if byte == 0x2D:
                continue
            fine = fine and (48 <= byte <= 57 or (count == 7 and byte == 0x58)) and count < 8
            if fine:
                extra[count] = byte
                total += (8 - count) * (10 if byte == 0x58 else byte - 48)
                count += 1
        if fine and count == 8 and total % 11 == 0:
            make_view(views, k, extra, 0, 8, 0, 0)
            states[k] = MADE


@compiled
def lccns(rows: Any, values: Any, views: Any, states: Any, extra: Any) -> None:
    """Without blanks and suffix, the serial of six digits, in lower case."""
    used = 0
    for k in range(len(rows)):
        row = rows[k]
        source, begin = _source(values, row), _begin(values, row)
        end = begin + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not _is_ascii(source, begin, end):
            states[k] = ASK
            continue
        at, serial = used, -1
        for place in range(begin, end):
            byte = source[place]
            if byte == 0x2F:
                break
            if byte == 0x20:
                continue
            if byte == 0x2D and serial < 0:
                serial = at
                continue
            extra[at] = byte + 32 if 65 <= byte <= 90 else byte
            at += 1
        if serial >= 0 and at - serial < 6:
            missing = 6 - (at - serial)
            for place in range(at - 1, serial - 1, -1):
                extra[place + missing] = extra[place]
            for place in range(serial, serial + missing):
                extra[place] = 0x30
            at += missing
        if at > used:
            make_view(views, k, extra, used, at, 0, used)
            states[k], used = MADE, at


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
            source, at = _source(values, rows[one]), _begin(values, rows[one])
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
            source, at = _source(values, fixed[two]), _begin(values, fixed[two])
            start, end = _characters(source, at, at + np.int64(values.words[fixed[two], 0]), 35, 3)
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


@compiled
def _same(one: Any, k: int, other: Any, m: int, buffer: Any) -> bool:
    """Are the texts of two views into `buffer` the same?"""
    if one[k, 0] != other[m, 0] or one[k, 1] != other[m, 1]:
        return False
    if one[k, 0] <= _INLINE:
        return one[k, 2] == other[m, 2] and one[k, 3] == other[m, 3]
    for at in range(np.int64(one[k, 0])):
        if buffer[np.int64(one[k, 3]) + at] != buffer[np.int64(other[m, 3]) + at]:
            return False
    return True


@compiled
def put_views(rows: Any, extra: Any, offsets: Any, views: Any, states: Any) -> None:
    """The texts from offsets[k] to offsets[k + 1] of `extra` as the values of these rows."""
    for k in range(len(rows)):
        make_view(views, rows[k], extra, offsets[k], offsets[k + 1], 0, offsets[k])
        states[rows[k]] = MADE


@compiled
def as_lists(views: Any, owners: Any, states: Any, extra: Any, records: int, out: Any, offsets: Any) -> int:
    """Of each record the values that were made, each once, as views (rows rise by record); how many, -1: a record has MANY."""
    found, k = 0, 0
    for place in range(records):
        offsets[place] = found
        begin = found
        while k < len(owners) and owners[k] == place:
            if states[k] == MADE:
                known = False
                for before in range(begin, found):
                    known = known or _same(views, k, out, before, extra)
                if not known:
                    for slot in range(4):
                        out[found, slot] = views[k, slot]
                    found += 1
                    if found - begin > MANY:
                        return -1
            k += 1
    offsets[records] = found
    return found
