"""Unicode to MARC-8, the way back of `marc8.decode_marc8`.

What MARC-8 has no character for is an error. Character sets are called in by the escape sequences that MARC 21 names first
(ESC ( for the sets of single bytes, ESC $ 1 for East Asian), and ASCII is called back before the value ends.

Source: MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media: Character Sets, part 2 (MARC-8).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from holdfast.marc.marc8 import DECODE, ENCODE

_ASCII, _ANSEL, _EACC = 0x42, 0x45, 0x31
# Basic before extended, and what is one byte before what is three.
_SETS = (0x32, 0x4E, 0x51, 0x33, 0x34, 0x53, 0x62, 0x70, 0x67, _EACC)
_ESCAPES = {
    _ASCII: b"\x1b(B",
    _EACC: b"\x1b$1",
    0x62: b"\x1bb",
    0x70: b"\x1bp",
    0x67: b"\x1bg",
}
_LOCKING = (0x62, 0x70, 0x67)  # subscript, superscript, Greek symbols: left by ESC s


class NotInMarc8Error(ValueError):
    """`character` is what MARC-8 does not have."""

    def __init__(self, character: str) -> None:
        name = unicodedata.name(character[:1], "without a name") if character else ""
        super().__init__(f"MARC-8 has no {character!r} (U+{ord(character[:1] or chr(0)):04X} {name})")
        self.character = character


def _combining(charset: int, character: str) -> bool:
    return DECODE[charset][ENCODE[charset][character]][1]


@lru_cache(maxsize=65536)
def encode_marc8(text: str) -> bytes:
    """Bytes of a value in MARC-8.

    Raises:
        NotInMarc8Error: a character that MARC-8 does not have.
    """
    if text.isascii():
        return text.encode("ascii")
    out = bytearray()
    current = _ASCII
    for letter, marks in _clusters(text):
        for character in [*marks, letter]:
            charset, code = _code_of(character, current)
            if charset == _ANSEL:
                out.append(code)
                continue
            if charset is not None and charset != current:
                out += _switch(current, charset)
                current = charset
            if charset == _EACC and code != 0x20:
                out += code.to_bytes(3, "big")
            else:
                out.append(code & 0x7F if charset not in (None, _ASCII) else code)
    if current != _ASCII:
        out += _switch(current, _ASCII)
    return bytes(out)


def _clusters(text: str) -> list[tuple[str, list[str]]]:
    """Letters, each with the marks that stand behind it, taken apart as far as MARC-8 needs it."""
    clusters: list[tuple[str, list[str]]] = []
    for whole in text:
        for character in _apart(whole):
            if clusters and _is_mark(character):
                clusters[-1][1].append(character)
            else:
                clusters.append((character, []))
    return clusters


def _apart(character: str) -> list[str]:
    """A character as MARC-8 has it: itself, or the parts of its decomposition, taken step by step (ở is ơ and a hook)."""
    parts = unicodedata.decomposition(character).split()
    if _known(character) or not parts or parts[0].startswith("<"):
        return [character]
    return [each for part in parts for each in _apart(chr(int(part, 16)))]


def _known(character: str) -> bool:
    return character < "\x80" or any(character in ENCODE[charset] for charset in (_ANSEL, *_SETS))


def _is_mark(character: str) -> bool:
    return any(character in ENCODE[each] and _combining(each, character) for each in (_ANSEL, *_SETS))


def _code_of(character: str, current: int) -> tuple[int | None, int]:
    """Character set and code; None: a control character, which is in each."""
    if character < " ":
        return None, ord(character)
    if character == " ":
        return None, 0x20
    if current in ENCODE and character in ENCODE[current] and current != _ASCII and current not in _LOCKING:
        return current, ENCODE[current][character]
    if character in ENCODE[_ASCII]:
        return _ASCII, ENCODE[_ASCII][character]
    for charset in (_ANSEL, *_SETS):
        if character in ENCODE[charset]:
            return charset, ENCODE[charset][character]
    raise NotInMarc8Error(character)


def _switch(current: int, wanted: int) -> bytes:
    if current in _LOCKING:
        return b"\x1bs" + (b"" if wanted == _ASCII else _ESCAPES.get(wanted) or b"\x1b(" + bytes([wanted]))
    return _ESCAPES.get(wanted) or b"\x1b(" + bytes([wanted])
