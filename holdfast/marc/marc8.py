"""MARC-8 to Unicode, strictly: an unmapped byte is an error, and so is a code that its character does not encode back to.

Within a character set a code and its character then stand for each other one to one, a mark and its letter keep their
order, and escape sequences are structure: so the text can be taken back to the very same bytes.

Source: MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media: Character Sets, part 2 (MARC-8);
the code tables are pymarc's, which are the Library of Congress's. pymarc's own decoder replaces what it does not know by
a space; this one never does.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pymarc.marc8_mapping import CODESETS, ODD_MAP

_ASCII, _ANSEL, _EACC = 0x42, 0x45, 0x31
_ESCAPE = 0x1B
_PLAIN = re.compile(rb"[\x20-\x7E]+")  # a run in the set ASCII, where each code is its character's

# (character, combining?) by code; code by (character, combining?). EACC has codes that share a character: the lowest one
# is what the character encodes back to, so text with another one can't be undone.
DECODE: dict[int, dict[int, tuple[str, bool]]] = {
    charset: {code: (chr(point), bool(combining)) for code, (point, combining) in table.items()}
    for charset, table in CODESETS.items()
}
DECODE[_EACC].update({code: (chr(point), False) for code, point in ODD_MAP.items() if code not in CODESETS[_EACC]})
ENCODE: dict[int, dict[str, int]] = {}
for _charset, _table in DECODE.items():
    _codes: dict[str, int] = {}
    for _code in sorted(_table):
        _codes.setdefault(_table[_code][0], _code)
    ENCODE[_charset] = _codes


class Marc8Error(ValueError):
    """`offset` is the byte in the value at which decoding stopped."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class NotReversibleError(Marc8Error):
    """The text can be decoded but would not encode back to the same bytes."""


def _escape_at(data: bytes, position: int) -> tuple[int, int, int]:
    """Escape sequence at `position`: (0 for G0 or 1 for G1, character set, length in bytes)."""
    rest = data[position + 1 : position + 5]
    if not rest:
        raise Marc8Error("an escape at the very end", position)
    first = rest[0:1]
    if first in b"gbp" and rest:
        return 0, rest[0], 2
    if first == b"s":
        return 0, _ASCII, 2
    skip, target = 1, 0
    if first == b"$":
        multibyte = rest[1:2]
        if multibyte in (b")", b"-"):
            skip, target = 2, 1
        elif multibyte == b",":
            skip = 2
    elif first in b"(,":
        target = 0
    elif first in b")-":
        target = 1
    else:
        raise Marc8Error(f"unknown escape sequence 1B {rest[:2].hex(' ').upper()}", position)
    if rest[skip : skip + 1] == b"!":  # Extended ANSEL has an intermediate character
        skip += 1
    if len(rest) <= skip:
        raise Marc8Error("an escape sequence that is cut", position)
    charset = rest[skip]
    if charset not in DECODE:
        raise Marc8Error(f"unknown character set {charset:02X}", position)
    return target, charset, skip + 2


def decode_marc8(data: bytes) -> str:
    """Text of a MARC-8 value: its characters one by one, each mark behind its letter, not normalized.

    Raises:
        Marc8Error: a byte, escape sequence or character set that MARC-8 does not have.
        NotReversibleError: the text would not encode back to `data`.
    """
    graphic = [_ASCII, _ANSEL]
    text: list[str] = []
    waiting: list[str] = []  # combining marks come before their letter in MARC-8, after it in Unicode
    position, end = 0, len(data)
    while position < end:
        byte = data[position]
        if byte == _ESCAPE:
            target, charset, length = _escape_at(data, position)
            graphic[target] = charset
            position += length
            continue
        run = _PLAIN.match(data, position) if graphic[0] == _ASCII else None
        if run:
            plain = run[0].decode("ascii")
            text += [plain[0], *waiting, plain[1:]]
            waiting.clear()
            position = run.end()
            continue
        if byte < 0x20:
            text.append(chr(byte))
            position += 1
            continue
        charset = graphic[1] if byte >= 0x80 else graphic[0]
        if byte == 0x20:  # a blank in every set
            character, combining, length, code = " ", False, 1, 0x20
        elif charset == _EACC:
            length = 3
            if position + 3 > end:
                raise Marc8Error("an East Asian character that is cut", position)
            code = int.from_bytes(bytes(each & 0x7F for each in data[position : position + 3]), "big")
            if code not in DECODE[_EACC]:
                raise Marc8Error(f"no East Asian character {data[position : position + 3].hex().upper()}", position)
            character, combining = DECODE[_EACC][code]
        else:
            length = 1
            table = DECODE[charset]
            # The tables hold some sets by their G0 codes and some by their G1 codes; either place may be used.
            code = byte if byte in table else byte ^ 0x80
            if code not in table:
                raise Marc8Error(f"no character {byte:02X} in set {charset:02X}", position)
            character, combining = table[code]
        if code != 0x20 and ENCODE[charset][character] != code:
            raise NotReversibleError(f"{code:X} and {ENCODE[charset][character]:X} are one character", position)
        position += length
        if combining:
            waiting.append(character)
        else:
            text.append(character)
            text.extend(waiting)
            waiting.clear()
    if waiting:
        raise Marc8Error("a combining mark without a letter", end - 1)
    return "".join(text)


class Tables(NamedTuple):
    """The code tables for `kernel.marc8_run`, which says what they are."""

    points: npt.NDArray[np.int32]
    marks: npt.NDArray[np.bool_]
    wide_codes: npt.NDArray[np.int64]
    wide_points: npt.NDArray[np.int64]


@cache
def code_tables() -> Tables:
    points, marks = np.zeros((128, 256), dtype=np.int32), np.zeros((128, 256), dtype=np.bool_)
    for charset, table in DECODE.items():
        points[charset, 0] = -1  # there is such a set
        for byte in range(0x21, 0x100) if charset != _EACC else ():
            code = byte if byte in table else byte ^ 0x80
            if code in table and ENCODE[charset][table[code][0]] == code:
                points[charset, byte], marks[charset, byte] = ord(table[code][0]), table[code][1]
    wide = sorted(code for code, (character, _) in DECODE[_EACC].items() if ENCODE[_EACC][character] == code)
    signed = [(-1 if DECODE[_EACC][code][1] else 1) * ord(DECODE[_EACC][code][0]) for code in wide]
    return Tables(points, marks, np.array(wide, dtype=np.int64), np.array(signed, dtype=np.int64))
