"""The pass over all subfields, compiled, without the GIL: by the tables of a schema and by the bytes of each value it picks the
few rows that somebody must look at.

What it leaves out is beyond doubt; what it picks is judged by the code that knows the rule and says the words (structure,
content). So the loops here have no rules of their own that are not there too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from holdfast.marc.kernel import compiled
from holdfast.marc.validation.columns import Text, is_there
from holdfast.marc.validation.memory import UNKNOWN, Memory, recall

Ints = npt.NDArray[Any]

NONE, ODD, CHARACTERS, ODD_TAG = 0, 127, 128, 1000
SHORT = 12  # bytes that a view holds itself
# What a subfield's table says, and what the pass says of a row.
IS_UNDEFINED, IS_OBSOLETE, IS_SINGLE = 1, 2, 4
UNDEFINED, OBSOLETE, REPEATED, NO_CODE, EMPTY, BEHIND, CONTROL, REPLACEMENT, BLANK, ASKED = (
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512,
)  # fmt: skip
# What the pass over the fields says; an indicator's bits are two further left for the second.
HAS_ODD_TAG, IS_REPEATED, IS_BARE, INDICATOR_UNDEFINED, INDICATOR_OBSOLETE = 4, 8, 16, 32, 64
# Forms that clear a value without its check being asked; `values` has the checks.
NO_FORM, NUMBER_FORM, OCN_FORM, PARENTHESIS_FORM, LCCN_FORM, URL_FORM, BOTH_FORM = 0, 1, 2, 3, 4, 5, 6


@compiled
def _character(words: Any, valid: Any, offset: int, row: int) -> Any:
    if not is_there(valid, offset, row):
        return NONE
    first = words[row, 1]
    if words[row, 0] == 1 and NONE < first < ODD:
        return np.int64(first)
    return ODD


@compiled
def number_rows(
    record: Any, place: Any, known: Any, tags: Any, one: Any, one_valid: Any, one_offset: int, two: Any, two_valid: Any,
    two_offset: int, codes: Any, codes_valid: Any, codes_offset: int, field: Any, code: Any, first: Any, tag: Any,
    ind1: Any, ind2: Any, of: Any,
) -> int:  # fmt: skip
    """Fill the arrays that `rows.Rows` is made of; how many fields there are. `known`: the records' numbers, rising."""
    fields = -1
    at = 0
    for row in range(len(record)):
        if row == 0 or record[row] != record[row - 1] or place[row] != place[row - 1]:
            fields += 1
            first[fields] = row
            digits = tags[row, 1]
            hundreds, tens, ones = (digits & 255) - 48, ((digits >> 8) & 255) - 48, ((digits >> 16) & 255) - 48
            fine = tags[row, 0] == 3 and 0 <= hundreds <= 9 and 0 <= tens <= 9 and 0 <= ones <= 9
            tag[fields] = hundreds * 100 + tens * 10 + ones if fine else ODD_TAG
            ind1[fields] = _character(one, one_valid, one_offset, row)
            ind2[fields] = _character(two, two_valid, two_offset, row)
            while at < len(known) - 1 and known[at] < record[row]:
                at += 1
            of[fields] = at
        field[row] = fields
        code[row] = _character(codes, codes_valid, codes_offset, row)
    return fields + 1


@compiled
def count_occurrences(of: Any, tag: Any, last: Any, counts: Any, ranks: Any) -> None:
    """Which of its record's fields with its tag each field is, from 1. last: -1 by tag."""
    for k in range(len(tag)):
        if last[tag[k]] != of[k]:
            last[tag[k]] = of[k]
            counts[tag[k]] = 0
        counts[tag[k]] += 1
        ranks[k] = counts[tag[k]]


@compiled
def order_by_tag(tag: Any, begins: Any, order: Any) -> None:
    """Fill the places of the fields, by tag, and where each tag begins in them. begins: zeros, one more than there are tags."""
    for k in range(len(tag)):
        begins[tag[k] + 1] += 1
    for number in range(1, len(begins)):
        begins[number] += begins[number - 1]
    behind = begins.copy()
    for k in range(len(tag)):
        order[behind[tag[k]]] = k
        behind[tag[k]] += 1


@compiled
def _pick_fields(
    tag: Any, shape: Any, ind1: Any, ind2: Any, first: Any, ranks: Any, code: Any, words: Any, valid: Any, offset: int,
    standing: Any, single: Any, of_ind1: Any, of_ind2: Any, places: Any, flags: Any,
) -> int:  # fmt: skip
    """Fill the arrays of `PickedFields`; how many fields there are in them. standing, single: by tag; of_ind1, of_ind2: by shape *
    CHARACTERS + value: 1 for undefined, 2 for obsolete."""
    picked = 0
    for k in range(len(tag)):
        number = tag[k]
        key = np.int64(shape[k]) * CHARACTERS
        flag = np.int64(standing[number])
        flag |= np.int64(of_ind1[key + ind1[k]]) * INDICATOR_UNDEFINED
        flag |= np.int64(of_ind2[key + ind2[k]]) * (4 * INDICATOR_UNDEFINED)
        if number == ODD_TAG:
            flag |= HAS_ODD_TAG
        if ranks[k] > 1 and single[number]:
            flag |= IS_REPEATED
        # A field without a subfield has one row, with a value that is null or empty.
        row = first[k]
        alone = (first[k + 1] if k + 1 < len(tag) else len(code)) == row + 1
        if alone and code[row] == NONE and (words[row, 0] == 0 or not is_there(valid, offset, row)):
            flag |= IS_BARE
        if flag:
            places[picked], flags[picked] = k, flag
            picked += 1
    return picked


class PickedFields(NamedTuple):
    """Fields that something is to be said of: their places, rising, and what it is."""

    places: Ints
    flags: Ints

    def of(self, flag: int) -> Ints:
        return self.places[(self.flags & flag) != 0]


def scan_fields(
    tag: Ints, shape: Ints, ind1: Ints, ind2: Ints, first: Ints, ranks: Ints, code: Ints, values: Text, standing: Ints,
    single: Ints, indicators: tuple[Ints, Ints],
) -> PickedFields:  # fmt: skip
    places, flags = np.empty(len(tag), dtype=np.int64), np.empty(len(tag), dtype=np.int64)
    picked = _pick_fields(
        tag, shape, ind1, ind2, first, ranks, code, values.words, values.valid, values.offset, standing, single, *indicators,
        places, flags,
    )  # fmt: skip
    return PickedFields(places[:picked], flags[:picked])


@compiled
def _digits(source: Any, start: int, end: int) -> int:
    """The place behind the ASCII digits that begin here."""
    while start < end and 48 <= source[start] <= 57:
        start += 1
    return start


@compiled
def _is_ocn(source: Any, start: int, end: int) -> bool:
    """'(OCoLC)', a prefix and digits, or something that has neither blank nor parenthesis first."""
    if source[start] != 0x28:
        return 0x20 < source[start] < 0x80
    prefix = end - start > 7 and source[start + 1] == 0x4F and source[start + 2] == 0x43 and source[start + 3] == 0x6F
    if prefix and source[start + 4] == 0x4C and source[start + 5] == 0x43 and source[start + 6] == 0x29:
        at = start + 7
        if end - at > 2 and source[at] == 0x6F:  # ocm ocn on
            third = source[at + 2]
            if source[at + 1] == 0x63 and (third == 0x6D or third == 0x6E):
                at += 3
            elif source[at + 1] == 0x6E:
                at += 2
        return at < end and _digits(source, at, end) == end
    # Another organization: not "(o…" in either case.
    return end - start > 1 and source[start + 1] < 0x80 and (source[start + 1] | 32) != 0x6F


@compiled
def _is_number(source: Any, start: int, end: int) -> bool:
    """'(' code ')' number: of ASCII, without parentheses in the code."""
    if end - start < 4 or source[start] != 0x28:
        return False
    at = start + 1
    while at < end and 0x20 <= source[at] < 0x7F and source[at] != 0x28 and source[at] != 0x29:
        at += 1
    if at == start + 1 or at == end or source[at] != 0x29:
        return False
    at += 1
    while at < end and source[at] == 0x20:
        at += 1
    return at < end and 0x20 < source[at] < 0x7F


@compiled
def _is_parenthesis(source: Any, start: int, end: int) -> bool:
    """`values.NUMBER_PATTERN`, of ASCII without control characters, and not longer than it allows in all."""
    if not _is_number(source, start, end) or end - start > 100:
        return False
    odd = 0
    for at in range(start, end):
        odd += source[at] < 0x20 or source[at] >= 0x7F
    return odd == 0


@compiled
def _is_lccn(source: Any, start: int, end: int) -> bool:
    """Blanks, at most three letters, blanks, eight or ten digits, blanks."""
    at = start
    while at < end and source[at] == 0x20:
        at += 1
    letters = 0
    while at < end and 97 <= source[at] <= 122 and letters < 3:
        at += 1
        letters += 1
    while at < end and source[at] == 0x20:
        at += 1
    behind = _digits(source, at, end)
    if behind - at != 8 and behind - at != 10:
        return False
    while behind < end and source[behind] == 0x20:
        behind += 1
    return behind == end


@compiled
def _is_url(source: Any, start: int, end: int) -> bool:
    """'http://' or 'https://', a host of letters, digits, dots and hyphens, and then anything that is neither bracket nor blank.

    A byte C2, E1, E2 or E3 may begin one of Unicode's blanks."""
    while end > start and (source[end - 1] == 0x20 or 0x09 <= source[end - 1] <= 0x0D):
        end -= 1
    if end - start < 12 or source[start] != 0x68 or source[start + 1] != 0x74 or source[start + 2] != 0x74:
        return False
    if source[start + 3] != 0x70:
        return False
    at = start + 4
    if source[at] == 0x73:
        at += 1
    if source[at] != 0x3A or source[at + 1] != 0x2F or source[at + 2] != 0x2F:
        return False
    at += 3
    host = at
    while at < end:
        byte = source[at]
        if not (97 <= (byte | 32) <= 122 or 48 <= byte <= 57 or byte == 0x2E or byte == 0x2D):
            break
        at += 1
    if at == host or (at < end and source[at] != 0x2F):
        return False
    for k in range(at, end):
        byte = source[k]
        if byte <= 0x20 or byte == 0x5B or byte == 0x5D or byte == 0xC2 or 0xE1 <= byte <= 0xE3:
            return False
    return True


@compiled
def _is_clear(form: int, source: Any, start: int, end: int) -> bool:
    if form == NUMBER_FORM:
        return _is_number(source, start, end)
    if form == OCN_FORM:
        return _is_ocn(source, start, end)
    if form == PARENTHESIS_FORM:
        return _is_parenthesis(source, start, end)
    if form == LCCN_FORM:
        return _is_lccn(source, start, end)
    if form == URL_FORM:
        return _is_url(source, start, end)
    if form == BOTH_FORM:
        return _is_parenthesis(source, start, end) and _is_ocn(source, start, end)
    return False


@compiled
def _is_odd(source: Any, start: int, end: int) -> bool:
    """Is there a byte that a control character or U+FFFD has?"""
    odd = np.uint8(0)
    # Without a sign there is no counting from the end, and the loop runs over many bytes at once.
    for k in range(np.uint64(start), np.uint64(end)):
        byte = source[k]
        odd |= np.uint8(byte < 0x20) | np.uint8(byte == 0x7F) | np.uint8(byte == 0xC2) | np.uint8(byte == 0xEF)
    return odd != 0


@compiled
def _odd_places(source: Any, start: int, end: int) -> Any:
    """(character of the first control character, of the first U+FFFD), -1 for none."""
    control, replacement, count = -1, -1, 0
    for k in range(start, end):
        byte = source[k]
        if (byte & 0xC0) == 0x80:
            continue
        if control < 0 and (byte < 0x20 or byte == 0x7F):
            control = count
        elif control < 0 and byte == 0xC2 and k + 1 < end:
            # U+0098 and U+009C are MARC's non-sorting marks.
            second = source[k + 1]
            if second <= 0x9F and second != 0x98 and second != 0x9C:
                control = count
        elif replacement < 0 and byte == 0xEF and k + 2 < end and source[k + 1] == 0xBF and source[k + 2] == 0xBD:
            replacement = count
        count += 1
    return control, replacement


@compiled
def scan_rows(
    field: Any, code: Any, tag: Any, shape: Any, ind2: Any, standing: Any, check: Any, forms: Any, marc21: bool,
    words: Any, inline: Any, data: Any, starts: Any, valid: Any, offset: int, texts: Any, subjects: Any, answers: Any,
    seeds: Any, places: Any, flags: Any, control_at: Any, replacement_at: Any, answer: Any,
) -> int:  # fmt: skip
    """Fill the arrays of `Picked`; how many rows there are in them.

    standing, check: by shape * CHARACTERS + code. forms: of each bundle.
    """
    picked = 0
    now: Any = -1
    seen_low, seen_high = np.uint64(0), np.uint64(0)
    for row in range(len(field)):
        own: Any = np.int64(field[row])
        begins = own != now
        if begins:
            now = own
            seen_low, seen_high = np.uint64(0), np.uint64(0)
        letter = np.int64(code[row])
        key = np.int64(shape[own]) * CHARACTERS + letter
        of_table = standing[key]
        flag = 0
        if of_table & IS_UNDEFINED:
            flag |= UNDEFINED
        if of_table & IS_OBSOLETE:
            flag |= OBSOLETE
        if of_table & IS_SINGLE:
            if letter < 64:
                bit = np.uint64(1) << np.uint64(letter)
                if seen_low & bit:
                    flag |= REPEATED
                seen_low |= bit
            else:
                bit = np.uint64(1) << np.uint64(letter - 64)
                if seen_high & bit:
                    flag |= REPEATED
                seen_high |= bit
        if letter == ODD:
            flag |= NO_CODE
        elif letter == 0x36 and not begins and code[row - 1] != 0x36 and marc21:
            flag |= BEHIND
        size: Any = np.int64(words[row, 0]) if is_there(valid, offset, row) else 0
        control, replacement, found = -1, -1, UNKNOWN
        if size == 0:
            if letter != NONE and letter != ODD:
                flag |= EMPTY
        else:
            short = size <= 12
            start = row * 16 + 4 if short else starts[words[row, 2]] + np.int64(words[row, 3])
            end = start + size
            if short:
                odd, head, tail = _is_odd(inline, start, end), inline[start], inline[end - 1]
            else:
                odd, head, tail = _is_odd(data, start, end), data[start], data[end - 1]
            if odd:
                control, replacement = _odd_places(inline, start, end) if short else _odd_places(data, start, end)
                if control >= 0:
                    flag |= CONTROL
                if replacement >= 0:
                    flag |= REPLACEMENT
            if head == 0x20 or tail == 0x20:
                # Blanks are positions in control fields and in an LCCN.
                number = tag[own]
                lccn = number == 10 and (letter == 0x61 or letter == 0x62 or letter == 0x7A)
                if letter != NONE and number >= 10 and not lccn:
                    flag |= BLANK
            bundle = np.int64(check[key])
            # 041 with second indicator 7: codes of another list, which $2 names.
            if bundle and not (marc21 and shape[own] == 41 and ind2[own] == 0x37 and letter != 0x32):
                form = forms[bundle]
                clear = _is_clear(form, inline, start, end) if short else _is_clear(form, data, start, end)
                if not clear and short:
                    low = np.uint64(words[row, 0]) | (np.uint64(words[row, 1]) << np.uint64(32))
                    high = np.uint64(words[row, 2]) | (np.uint64(words[row, 3]) << np.uint64(32))
                    found = recall(texts, subjects, answers, seeds, bundle, low, high)
                    clear = found == 0
                if not clear:
                    flag |= ASKED
        if flag:
            places[picked], flags[picked] = row, flag
            control_at[picked], replacement_at[picked], answer[picked] = control, replacement, found
            picked += 1
    return picked


class Picked(NamedTuple):
    """Rows that something is to be said of.

    Attributes:
        places: of the rows, rising. flags: what it is.
        control_at, replacement_at: character of the first one, -1 for none.
        answer: number of what is known of the value (`values`), UNKNOWN where it must be asked.
    """

    places: Ints
    flags: Ints
    control_at: Ints
    replacement_at: Ints
    answer: Ints

    def of(self, flag: int) -> Ints:
        return self.places[(self.flags & flag) != 0]


def scan(
    field: Ints, code: Ints, tag: Ints, shape: Ints, ind2: Ints, standing: Ints, check: Ints, forms: Ints,
    values: Text, memory: Memory, *, marc21: bool,
) -> Picked:  # fmt: skip
    count = len(field)
    places = np.empty(count, dtype=np.int64)
    flags, control, replacement, answer = (np.empty(count, dtype=np.int32) for _ in range(4))
    arrays = (places, flags, control, replacement, answer)
    picked = scan_rows(field, code, tag, shape, ind2, standing, check, forms, marc21, *values, *memory.slots, *arrays)
    return Picked(*(each[:picked].copy() for each in arrays))
