"""The inner loop of the ISO 2709 reader: one pass over a block's bytes, compiled by numba, without the GIL.

It takes only what is beyond doubt: a record whose leader, directory and fields agree to the byte, in the order of the
directory, in ASCII, UTF-8 or reversible MARC-8. Everything else is left as a span to `iso2709.read_strictly`, which finds
out what is wrong with it, or that it is merely unusual. So the loop has no rules of its own: what it takes, the strict
reader takes too, with the same rows (tests/holdfast/marc/test_kernel.py holds them against each other on any bytes).

docs/decisions/0014 has the measurement that asked for it.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from holdfast.marc.loop_cache import keep_apart

keep_apart()
compiled: Any = numba.njit(nogil=True, cache=True)

SUSPECT, ASCII, UTF8, MARC8, TWICE = 0, 1, 2, 3, 4  # state of a span; TWICE: UTF-8 that looks encoded twice

_RT, _FT, _DELIMITER, _ESCAPE = 0x1D, 0x1E, 0x1F, 0x1B
_MARKS = 32  # more combining marks before one letter than this is left to the strict reader


@compiled
def _number(buffer: Any, at: int, width: int) -> int:
    """The digits at a place as a number, -1 where one is none."""
    value: Any = 0
    for k in range(at, at + width):
        digit = np.int64(buffer[k]) - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@compiled
def utf8_run(buffer: Any, start: int, end: int) -> Any:
    """(valid?, any beyond ASCII?, looks encoded twice?) of a span, as strict as Python's decoder."""
    position = start
    beyond, twice, before = False, False, 0
    while position < end:
        byte = np.int64(buffer[position])
        if byte < 0x80:
            position += 1
            before = 0
            continue
        beyond = True
        if byte < 0xC2 or byte > 0xF4:
            return False, beyond, False
        length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        if position + length > end:
            return False, beyond, False
        second = np.int64(buffer[position + 1])
        low, high = 0x80, 0xBF
        if byte == 0xE0:
            low = 0xA0
        elif byte == 0xED:
            high = 0x9F
        elif byte == 0xF0:
            low = 0x90
        elif byte == 0xF4:
            high = 0x8F
        if second < low or second > high:
            return False, beyond, False
        for k in range(2, length):
            if (np.int64(buffer[position + k]) & 0xC0) != 0x80:
                return False, beyond, False
        # A lead byte (C2-F4) as a letter of Latin-1 (U+00C2-U+00F4), and behind it what a trailing byte was.
        if before != 0 and (byte == 0xC2 or byte > 0xC4):
            twice = True
        before = 0
        if byte == 0xC3 and 0x82 <= second <= 0xB4:
            before = 1
        position += length
    return True, beyond, twice


@compiled
def character_at(data: Any, position: int) -> Any:
    """(character, length in bytes) at a place of valid UTF-8."""
    byte = np.int64(data[position])
    if byte < 0x80:
        return byte, 1
    if byte < 0xE0:
        return ((byte & 0x1F) << 6) | (np.int64(data[position + 1]) & 0x3F), 2
    point = byte & 0x0F if byte < 0xF0 else byte & 0x07
    length = 3 if byte < 0xF0 else 4
    for k in range(1, length):
        point = (point << 6) | (np.int64(data[position + k]) & 0x3F)
    return point, length


@compiled
def put(extra: Any, at: int, point: int) -> int:
    """Write a character as UTF-8; the place behind it."""
    if point < 0x80:
        extra[at] = point
        return at + 1
    if point < 0x800:
        extra[at] = 0xC0 | (point >> 6)
        extra[at + 1] = 0x80 | (point & 0x3F)
        return at + 2
    if point < 0x10000:
        extra[at] = 0xE0 | (point >> 12)
        extra[at + 1] = 0x80 | ((point >> 6) & 0x3F)
        extra[at + 2] = 0x80 | (point & 0x3F)
        return at + 3
    extra[at] = 0xF0 | (point >> 18)
    extra[at + 1] = 0x80 | ((point >> 12) & 0x3F)
    extra[at + 2] = 0x80 | ((point >> 6) & 0x3F)
    extra[at + 3] = 0x80 | (point & 0x3F)
    return at + 4


@compiled
def marc8_run(
    buffer: Any, start: int, end: int, points: Any, marks: Any, wide_codes: Any, wide_points: Any, extra: Any, at: int
) -> int:
    """Decode a MARC-8 value into `extra` from place `at`; the place behind it, or -1 where it is not reversible MARC-8.

    Args:
        points: int32[128, 256], character by set and byte; 0 where there is none that encodes back to the byte.
        marks: bool[128, 256], whether it is a combining one.
        wide_codes, wide_points: sorted codes of the East Asian set, and their characters (negative: combining).
    """
    g0: Any = 0x42
    g1: Any = 0x45
    waiting = np.empty(_MARKS, dtype=np.int64)
    marks_waiting = 0
    position = start
    while position < end:
        byte = np.int64(buffer[position])
        if byte == _ESCAPE:
            if position + 1 >= end:
                return -1
            first = np.int64(buffer[position + 1])
            if first == 0x67 or first == 0x62 or first == 0x70:  # g b p: Greek symbols, subscripts, superscripts
                g0 = first
                position += 2
                continue
            if first == 0x73:  # s: back to ASCII
                g0 = 0x42
                position += 2
                continue
            skip, target = 2, 0
            if first == 0x24:  # $: a set of several bytes
                if position + 2 < end:
                    after = np.int64(buffer[position + 2])
                    if after == 0x29 or after == 0x2D:
                        skip, target = 3, 1
                    elif after == 0x2C:
                        skip = 3
            elif first == 0x29 or first == 0x2D:
                target = 1
            elif first != 0x28 and first != 0x2C:
                return -1
            if position + skip < end and buffer[position + skip] == 0x21:
                skip += 1
            if position + skip >= end or skip > 4:
                return -1
            charset = np.int64(buffer[position + skip])
            if charset >= 128 or (points[charset, 0] == 0):
                return -1
            if target == 0:
                g0 = charset
            else:
                g1 = charset
            position += skip + 1
            continue
        if byte < 0x20:
            at = put(extra, at, byte)
            position += 1
            continue
        charset = g1 if byte >= 0x80 else g0
        length: Any = 1
        point: Any = 0
        combining: Any = False
        if byte == 0x20:
            point = 0x20
        elif charset == 0x31:
            length = 3
            if position + 3 > end:
                return -1
            code: Any = np.int64(0)
            for k in range(3):
                code = code * 256 + (np.int64(buffer[position + k]) & 0x7F)
            found = np.searchsorted(wide_codes, code)
            if found >= len(wide_codes) or wide_codes[found] != code:
                return -1
            point = np.int64(wide_points[found])
            if point < 0:
                point, combining = -point, True
            if point == 0:
                return -1
        else:
            point = np.int64(points[charset, byte])
            if point <= 0:
                return -1
            combining = marks[charset, byte]
        position += length
        if combining:
            if marks_waiting == _MARKS:
                return -1
            waiting[marks_waiting] = point
            marks_waiting += 1
        else:
            at = put(extra, at, point)
            for k in range(marks_waiting):
                at = put(extra, at, waiting[k])
            marks_waiting = 0
    return -1 if marks_waiting else at


@compiled
def _short(views: Any, row: int, length: int, first: int, second: int, third: int) -> None:
    """A string of three bytes at most as a view that holds it."""
    views[row, 0] = length
    views[row, 1] = first | (second << 8) | (third << 16)
    views[row, 2] = 0
    views[row, 3] = 0


@compiled
def _view(views: Any, row: int, source: Any, start: int, length: int, which: int) -> None:
    """A string of any length as a view into `source`, which is buffer number `which`; 12 bytes at most are held."""
    views[row, 0] = length
    if length > 12:
        word = np.int64(0)
        for k in range(4):
            word |= np.int64(source[start + k]) << (8 * k)
        views[row, 1] = np.int32(np.uint32(word))
        views[row, 2] = which
        views[row, 3] = start
        return
    for slot in range(3):
        word = np.int64(0)
        for k in range(4):
            if slot * 4 + k < length:
                word |= np.int64(source[start + slot * 4 + k]) << (8 * k)
        views[row, 1 + slot] = np.int32(np.uint32(word))


@compiled
def count_bytes(data: Any) -> Any:
    """(record terminators, field terminators and delimiters, bytes above 0x7F and escapes)"""
    records, pieces, legacy = 0, 0, 0
    for k in range(len(data)):
        byte = data[k]
        records += byte == _RT
        pieces += (byte == _FT) | (byte == _DELIMITER)
        legacy += (byte >= 0x80) | (byte == _ESCAPE)
    return records, pieces, legacy


@compiled
def read_block(
    buffer: Any,
    size: int,
    filler: Any,
    points: Any,
    marks: Any,
    wide_codes: Any,
    wide_points: Any,
    span_start: Any,
    span_end: Any,
    span_state: Any,
    span_fields: Any,
    row_span: Any,
    row_field: Any,
    tags: Any,
    ind1: Any,
    ind2: Any,
    codes: Any,
    values: Any,
    has_ind: Any,
    has_code: Any,
    has_value: Any,
    extra: Any,
) -> Any:
    """Fill the arrays; (spans, rows, bytes of extra).

    A span is what the strict reader takes for one too: a whole record, or bytes up to the next record terminator or the end.
    Rows are those of the spans that are not SUSPECT. The `tags … values` are string views (int32[n, 4]).
    """
    spans, rows = 0, 0
    used: Any = 0
    position = 0
    while position < size:
        if filler[buffer[position]]:
            position += 1
            continue
        start = position
        first_row, first_used = rows, used
        length = _number(buffer, start, 5) if start + 26 <= size else -1
        sound = length >= 26 and start + length <= size and buffer[start + length - 1] == _RT
        structure = False
        base, count = 0, 0
        special = False
        if sound:
            for k in range(start + 5, start + 24):
                if buffer[k] >= 0x80 or buffer[k] == _ESCAPE:
                    sound = False
            base = _number(buffer, start + 12, 5)
            sound = sound and 24 < base < length and (base - 25) % 12 == 0 and buffer[start + base - 1] == _FT
        if sound:
            count = (base - 25) // 12
            place = start + base
            for entry in range(count):
                at = start + 24 + 12 * entry
                tag1, tag2, tag3 = np.int64(buffer[at]), np.int64(buffer[at + 1]), np.int64(buffer[at + 2])
                if not (0x20 < tag1 < 0x7F and 0x20 < tag2 < 0x7F and 0x20 < tag3 < 0x7F):
                    sound = False
                    break
                width = _number(buffer, at + 3, 4)
                behind = place + width
                if (
                    width < 1
                    or start + base + _number(buffer, at + 7, 5) != place
                    or behind > start + length - 1
                    or buffer[behind - 1] != _FT
                ):
                    sound = False
                    break
                end = behind - 1
                if tag1 == 0x30 and tag2 == 0x30 and 0x30 <= tag3 <= 0x39:
                    own = False
                    for k in range(place, end):
                        byte = buffer[k]
                        if byte == _FT:
                            sound = False
                        own = own or byte >= 0x80 or byte == _ESCAPE
                    special = special or own
                    row_span[rows] = spans
                    row_field[rows] = entry
                    _short(tags, rows, 3, tag1, tag2, tag3)
                    _short(ind1, rows, 0, 0, 0, 0)
                    _short(ind2, rows, 0, 0, 0, 0)
                    _short(codes, rows, 0, 0, 0, 0)
                    has_ind[rows], has_code[rows], has_value[rows] = False, False, True
                    values[rows, 0], values[rows, 1], values[rows, 2] = end - place, place, 1 if own else 0
                    rows += 1
                else:
                    if end - place < 2:
                        sound = False
                        break
                    one, two = np.int64(buffer[place]), np.int64(buffer[place + 1])
                    if not (0x20 <= one < 0x7F and 0x20 <= two < 0x7F):
                        sound = False
                        break
                    if end - place == 2:
                        row_span[rows] = spans
                        row_field[rows] = entry
                        _short(tags, rows, 3, tag1, tag2, tag3)
                        _short(ind1, rows, 1, one, 0, 0)
                        _short(ind2, rows, 1, two, 0, 0)
                        _short(codes, rows, 0, 0, 0, 0)
                        has_ind[rows], has_code[rows], has_value[rows] = True, False, False
                        values[rows, 0], values[rows, 1], values[rows, 2] = 0, end, 0
                        rows += 1
                    elif buffer[place + 2] != _DELIMITER:
                        sound = False
                        break
                    k = place + 2
                    while k < end:
                        # k is at a delimiter
                        k += 1
                        row_span[rows] = spans
                        row_field[rows] = entry
                        _short(tags, rows, 3, tag1, tag2, tag3)
                        _short(ind1, rows, 1, one, 0, 0)
                        _short(ind2, rows, 1, two, 0, 0)
                        has_ind[rows], has_code[rows], has_value[rows] = True, True, True
                        if k >= end or buffer[k] == _DELIMITER:
                            _short(codes, rows, 0, 0, 0, 0)
                            values[rows, 0], values[rows, 1], values[rows, 2] = 0, k, 0
                            rows += 1
                            continue
                        code = np.int64(buffer[k])
                        if code < 0x20 or code >= 0x7F:
                            sound = False
                            break
                        _short(codes, rows, 1, code, 0, 0)
                        k += 1
                        value = k
                        own = False
                        while k < end:
                            byte = buffer[k]
                            if byte >= 0x80:
                                own = True
                            elif byte < 0x20:
                                if byte == _DELIMITER:
                                    break
                                if byte == _FT:
                                    sound = False
                                    break
                                if byte == _ESCAPE:
                                    own = True
                            k += 1
                        special = special or own
                        values[rows, 0], values[rows, 1], values[rows, 2] = k - value, value, 1 if own else 0
                        rows += 1
                        if not sound:
                            break
                if not sound:
                    break
                place = behind
            structure = sound and place == start + length - 1
        state = SUSPECT
        if structure:
            state = ASCII
            if special:
                # Delimiters are ASCII, so no character reaches from one value into the next.
                valid, beyond, twice = True, False, False
                for row in range(first_row, rows):
                    if values[row, 2] == 1:
                        begin: Any = np.int64(values[row, 1])
                        own_valid, own_beyond, own_twice = utf8_run(buffer, begin, begin + np.int64(values[row, 0]))
                        valid, beyond, twice = valid and own_valid, beyond or own_beyond, twice or own_twice
                        if not valid:
                            break
                if valid and beyond:
                    state = TWICE if twice else UTF8
                elif valid and buffer[start + 9] == 0x61:
                    state = ASCII  # with escape sequences, which are no encoding there
                elif buffer[start + 9] == 0x61:
                    state = SUSPECT
                else:
                    state = MARC8
        if state != SUSPECT:
            for row in range(first_row, rows):
                long: Any = np.int64(values[row, 0])
                here: Any = np.int64(values[row, 1])
                if state == MARC8 and values[row, 2] == 1:
                    valid, beyond, twice = utf8_run(buffer, here, here + long)
                    if valid and beyond:
                        state = SUSPECT  # UTF-8 inside a MARC-8 record: a mixture, or a strange coincidence
                        break
                    behind = marc8_run(buffer, here, here + long, points, marks, wide_codes, wide_points, extra, used)
                    if behind < 0:
                        state = SUSPECT
                        break
                    _view(values, row, extra, used, behind - used, 1)
                    used = behind
                else:
                    _view(values, row, buffer, here, long, 0)
        if structure:
            end = start + length
        else:
            end = start
            while end < size and buffer[end] != _RT:
                end += 1
            end = min(end + 1, size)
        if state == SUSPECT:
            rows, used = first_row, first_used
        span_start[spans], span_end[spans], span_state[spans] = start, end, state
        span_fields[spans] = count
        spans += 1
        position = end
    return spans, rows, used
