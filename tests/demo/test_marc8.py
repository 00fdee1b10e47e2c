"""MARC-8 written here is read back by pymarc."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymarc import marc8_mapping, marc8_to_unicode

from demo.samples import marc8
from demo.samples.books import books


def read_back(text: str) -> str:
    return marc8_to_unicode(marc8.encode(text), hide_utf8_warnings=True)


@pytest.mark.parametrize(
    ("text", "escapes"),
    [
        ("Plain ASCII", b""),
        ("Brontë, Łódź, Dvořák, Ångström, ʻayn, İstanbul ı", b""),
        ("Преступление и наказание", b"\x1b(N"),
        ("Тіні забутих предків", b"\x1b)Q"),
        ("Βίος και πολιτεία του Αλέξη Ζορμπά", b"\x1b(S"),
        ("סיפור על אהבה וחושך", b"\x1b(2"),
        ("موسم الهجرة إلى الشمال", b"\x1b(3"),
        ("紅樓夢", b"\x1b$1"),
        ("吾輩は猫である", b"\x1b$1"),
        ("하늘과 바람과 별과 시", b"\x1b$1"),
        ("mixed Пушкин with עגנון and 魯迅 (1881-1936).", b"\x1b(N"),
    ],
)
def test_every_script_comes_back(text: str, escapes: bytes) -> None:
    data = marc8.encode(text)
    assert escapes in data and (escapes or b"\x1b" not in data)
    assert read_back(text) == unicodedata.normalize("NFC", text)


def test_a_diacritic_stands_before_its_letter() -> None:
    assert marc8.encode("é") == b"\xe2e"


def test_what_marc8_does_not_have_is_refused_and_named() -> None:
    with pytest.raises(marc8.Unencodable, match="U\\+1F4D6"):
        marc8.encode("a 📖")


def test_every_text_of_the_consortiums_books_comes_back() -> None:
    for book in books():
        if book.in_consortium:
            for text in (book.title, book.author, book.publisher, book.vernacular_title, book.vernacular_author):
                assert read_back(text) == unicodedata.normalize("NFC", text), text


LETTERS = sorted(
    {
        chr(point)
        for name in (0x42, 0x45, 0x4E, 0x32, 0x33, 0x31)
        for code, (point, combining) in marc8_mapping.CODESETS[name].items()
        if not combining
        and unicodedata.category(chr(point))[0] in "LN"
        and unicodedata.is_normalized("NFC", chr(point))
    }
)
MARKS = ["\u0301", "\u0308", "\u0327", "\u030c"]


@given(st.lists(st.tuples(st.sampled_from(LETTERS), st.sampled_from(["", *MARKS]))))
def test_any_text_of_marc8s_letters_comes_back(parts: list[tuple[str, str]]) -> None:
    text = "".join(letter + (mark if letter.isascii() and letter.isalpha() else "") for letter, mark in parts)
    assert read_back(text) == unicodedata.normalize("NFC", text)
