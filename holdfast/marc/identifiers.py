"""The loops that take identifiers out of values, and put those of a record in a list: of each row of a field what it says, as views into
`extra` (buffer 0). Compiled, without the GIL.

A value that a loop can't be sure of (not ASCII where a rule knows other blanks, digits or letters) it marks `ASK`: the rules
for all of Unicode are `normalize`'s, and what is decided here is what they say.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.marc.kernel import compiled
from holdfast.marc.string_views import make_view
from holdfast.marc.text_spans import begin_of, copied, is_ascii, is_blank, source_of, stripped

# What became of a value.
NOTHING, MADE, ASK = 0, 1, 2
MANY = 64  # values of one record; where there are more the lists are made in another way

_INLINE = 12  # bytes of a text that a view holds itself


@compiled
def system_numbers(rows: Any, values: Any, views: Any, states: Any, extra: Any) -> None:
    """Values without blanks at their ends."""
    used = 0
    for k in range(len(rows)):
        row = rows[k]
        source, begin = source_of(values, row), begin_of(values, row)
        start, end = stripped(source, begin, begin + np.int64(values.words[row, 0]))
        behind = copied(source, start, end, extra, used)
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
        source, begin = source_of(values, row), begin_of(values, row)
        end = begin + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not is_ascii(source, begin, end):
            states[k] = ASK
            continue
        at, end = stripped(source, begin, end)
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
        while at < end and is_blank(source[at]):
            at += 1
        at = _ocn_prefix(source, at, end)
        while at < end and is_blank(source[at]):
            at += 1
        at = _digits_only(source, at, end)
        if at >= 0:
            behind = copied(source, at, end, extra, used)
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
        source, begin = source_of(values, row), begin_of(values, row)
        end = begin + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not is_ascii(source, begin, end):
            states[k] = ASK
            continue
        at, end = stripped(source, begin, end)
        digits = _ocn_prefix(source, at, end)
        of_oclc = digits > at
        other = organizations[owners[k]]
        if not of_oclc and other >= 0:
            text, start = source_of(values, other), begin_of(values, other)
            start, behind = stripped(text, start, start + np.int64(values.words[other, 0]))
            of_oclc = (
                behind - start == 5 and text[start] == 0x4F and text[start + 1] == 0x43 and text[start + 2] == 0x6F
                and text[start + 3] == 0x4C and text[start + 4] == 0x43
            )  # fmt: skip
        if of_oclc:
            digits = _digits_only(source, digits, end)
            if digits >= 0:
                behind = copied(source, digits, end, extra, used)
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
        source, at = source_of(values, row), begin_of(values, row)
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
        source, at = source_of(values, row), begin_of(values, row)
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
        source, begin = source_of(values, row), begin_of(values, row)
        end = begin + np.int64(values.words[row, 0])
        states[k] = NOTHING
        if not is_ascii(source, begin, end):
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
