"""ISO 5426 to Unicode, strictly: the extended Latin set that UNIMARC records are in where they are not in Unicode.

Marks stand before their letter, as in MARC-8. A byte without a character is an error, never replaced. The set has one code
for the diaeresis (C8) and one for the umlaut (C9): Unicode writes both U+0308, so the former gets the combining grapheme
joiner before it, as the Unicode Standard (section 23.2, "Combining Grapheme Joiner") says, and can be told apart.

Marks on which published tables disagree (CB, CC, D1, D2, D4, D5, D7 and above), and A4, a second dollar sign, are refused:
a record with one waits for a person rather than being read wrongly.

Source: ISO 5426:1983, coded character set for bibliographic use; UNIMARC Manual, appendix J.
"""

from __future__ import annotations

_LETTERS = {
    0xA1: "¡", 0xA2: "„", 0xA3: "£", 0xA5: "¥", 0xA6: "†", 0xA7: "§", 0xA8: "′", 0xA9: "‘", 0xAA: "“",
    0xAB: "«", 0xAC: "♭", 0xAD: "©", 0xAE: "℗", 0xAF: "®", 0xB0: "ʻ", 0xB1: "ʼ", 0xB2: "‚", 0xB6: "‡", 0xB7: "·",
    0xB8: "″", 0xB9: "’", 0xBA: "”", 0xBB: "»", 0xBC: "♯", 0xBD: "ʹ", 0xBE: "ʺ", 0xBF: "¿", 0xE1: "Æ", 0xE2: "Đ",
    0xE6: "Ĳ", 0xE8: "Ł", 0xE9: "Ø", 0xEA: "Œ", 0xEC: "Þ", 0xF1: "æ", 0xF2: "đ", 0xF3: "ð", 0xF5: "ı", 0xF6: "ĳ",
    0xF8: "ł", 0xF9: "ø", 0xFA: "œ", 0xFB: "ß", 0xFC: "þ",
}  # fmt: skip
_MARKS = {
    0xC0: "\u0309", 0xC1: "\u0300", 0xC2: "\u0301", 0xC3: "\u0302", 0xC4: "\u0303", 0xC5: "\u0304", 0xC6: "\u0306",
    0xC7: "\u0307", 0xC8: "\u034f\u0308", 0xC9: "\u0308", 0xCA: "\u030a", 0xCD: "\u030b", 0xCE: "\u031b",
    0xCF: "\u030c", 0xD0: "\u0327", 0xD3: "\u0328", 0xD6: "\u0323",
}  # fmt: skip


class Iso5426Error(ValueError):
    """`offset` is the byte in the value at which decoding stopped."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def decode_iso5426(data: bytes) -> str:
    """Text of a value in ISO 5426 (G0 is ASCII); the marks behind their letter, not normalized.

    Raises:
        Iso5426Error: a byte that the set does not have, an escape sequence, a mark without a letter.
    """
    text: list[str] = []
    waiting: list[str] = []
    for position, byte in enumerate(data):
        if byte == 0x1B:
            raise Iso5426Error("an escape sequence to another set", position)
        if byte in _MARKS:
            waiting.append(_MARKS[byte])
            continue
        if byte >= 0x80 and byte not in _LETTERS:
            raise Iso5426Error(f"no character {byte:02X}", position)
        text.append(_LETTERS[byte] if byte >= 0x80 else chr(byte))
        text += waiting
        waiting.clear()
    if waiting:
        raise Iso5426Error("a combining mark without a letter", len(data) - 1)
    return "".join(text)
