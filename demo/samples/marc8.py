"""MARC-8 written: the inverse of pymarc's tables (MARC 21 Specifications, Character Sets, Part 2).

Each text starts in ASCII with ANSEL and ends in ASCII; another set is called by its escape sequence where it is needed,
and diacritics stand before their letter. Extended Cyrillic and Arabic are called to where ANSEL was (G1), the others to
where ASCII was (G0).
"""

from __future__ import annotations

import unicodedata
from functools import cache

from pymarc import marc8_mapping

ASCII, ANSEL, EACC = 0x42, 0x45, 0x31
# In the order in which they are tried; 0x31 is EACC (Chinese, Japanese, Korean), three bytes a character.
SETS = (0x42, 0x45, 0x53, 0x4E, 0x51, 0x32, 0x33, 0x34, 0x31, 0x62, 0x70)
UPPER = (0x45, 0x51, 0x34)
ESCAPES = {
    0x42: b"\x1b(B",
    0x53: b"\x1b(S",
    0x4E: b"\x1b(N",
    0x45: b"\x1b)!E",
    0x51: b"\x1b)Q",
    0x32: b"\x1b(2",
    0x33: b"\x1b(3",
    0x34: b"\x1b)4",
    0x31: b"\x1b$1",
    0x62: b"\x1bb",
    0x70: b"\x1bp",
}


class Unencodable(ValueError):
    """A character that no set of MARC-8 has. The message names it."""


@cache
def _codes(charset: int) -> dict[str, tuple[bytes, bool]]:
    """Character to (bytes, is it a combining mark) of one set."""
    out: dict[str, tuple[bytes, bool]] = {}
    size = 3 if charset == 0x31 else 1
    for code, (point, combining) in sorted(marc8_mapping.CODESETS[charset].items()):
        out.setdefault(chr(point), (code.to_bytes(size, "big"), bool(combining)))
    return out


def _find(char: str, current: int) -> tuple[int, bytes, bool] | None:
    for charset in (current, *SETS):
        found = _codes(charset).get(char)
        if found is not None:
            return charset, *found
    return None


def encode(text: str) -> bytes:
    """Raises Unencodable. `pymarc.marc8_to_unicode` gives the text back in NFC."""
    out = bytearray()
    current, upper = ASCII, ANSEL

    def put(charset: int, code: bytes) -> None:
        nonlocal current, upper
        if charset in UPPER and current == EACC:  # three bytes a character, whatever stands in G1
            out.extend(ESCAPES[ASCII])
            current = ASCII
        if charset not in (current, upper):
            out.extend(ESCAPES[charset])
            if charset in UPPER:
                upper = charset
            else:
                current = charset
        out.extend(code)

    for cluster in _clusters(text):
        whole = _find(cluster, current) if len(cluster) == 1 else None
        if whole is not None and not whole[2]:
            put(whole[0], whole[1])
            continue
        parts = unicodedata.normalize("NFD", cluster)
        base, marks = parts[0], parts[1:]
        letter = _find(base, current)
        if letter is None or letter[2]:
            raise Unencodable(f"U+{ord(base):04X} {unicodedata.name(base, '?')} is in no set of MARC-8")
        for mark in marks:
            found = _find(mark, letter[0])
            if found is None or not found[2]:
                raise Unencodable(f"U+{ord(mark):04X} {unicodedata.name(mark, '?')} is no mark of MARC-8")
            put(found[0], found[1])
        put(letter[0], letter[1])
    if current != ASCII:
        out.extend(ESCAPES[ASCII])
    return bytes(out)


def _clusters(text: str) -> list[str]:
    """Letters with the marks that follow them, composed as far as Unicode can."""
    out: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if out and unicodedata.combining(char):
            out[-1] += char
        else:
            out.append(char)
    return out


def sets_of(text: str) -> set[str]:
    """The alternate sets that a text needs, as they stand in 066 $c."""
    data = encode(text)
    names = {"(S": b"\x1b(S", "(N": b"\x1b(N", "(Q": b"\x1b)Q", "(2": b"\x1b(2", "(3": b"\x1b(3", "$1": b"\x1b$1"}
    return {name for name, escape in names.items() if escape in data}
