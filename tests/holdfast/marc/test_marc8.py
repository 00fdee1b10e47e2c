"""MARC-8 against pymarc, and what pymarc lets pass."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymarc import marc8_to_unicode

from holdfast.marc.marc8 import DECODE, ENCODE, Marc8Error, NotReversibleError, decode_marc8

ANSEL_LETTERS = [code for code, (_, combining) in DECODE[0x45].items() if not combining and code > 0xA0]
ANSEL_MARKS = [code for code, (_, combining) in DECODE[0x45].items() if combining]
SETS = {b"\x1b(N": 0x4E, b"\x1b(S": 0x53, b"\x1b(2": 0x32, b"\x1b(3": 0x33}


@given(
    st.lists(
        st.one_of(
            st.integers(0x20, 0x7E).map(lambda code: bytes([code])),
            st.sampled_from(ANSEL_LETTERS).map(lambda code: bytes([code])),
            st.tuples(st.lists(st.sampled_from(ANSEL_MARKS), min_size=1, max_size=2), st.integers(0x41, 0x5A)).map(
                lambda pair: bytes([*pair[0], pair[1]])
            ),
        ),
        max_size=30,
    ).map(b"".join)
)
def test_ansel_is_decoded_as_pymarc_does(data) -> None:
    # The marks stay behind their letters; pymarc composes them.
    assert unicodedata.normalize("NFC", decode_marc8(data)) == marc8_to_unicode(data)


@pytest.mark.parametrize(("escape", "charset"), SETS.items())
def test_each_set_is_decoded_as_pymarc_does(escape, charset) -> None:
    letters = bytes(code for code, (_, combining) in sorted(DECODE[charset].items()) if not combining and code < 0x80)
    data = escape + letters + b"\x1b(B after"
    # pymarc normalizes the Greek question mark and ano teleia into other characters; here they stay what they were.
    assert unicodedata.normalize("NFC", decode_marc8(data)) == marc8_to_unicode(data)


def test_east_asian_characters_take_three_bytes() -> None:
    data = b"\x1b$1" + bytes.fromhex("213021") + b"\x1b(B."
    assert decode_marc8(data) == marc8_to_unicode(data) == "一."


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"abc\xff", 3),  # no such letter; pymarc makes it a blank
        (b"ab\xe2", 2),  # a mark without its letter; pymarc drops it
        (b"x\x1b$1!0", 4),  # an East Asian character that is cut
        (b"x\x1b", 1),
        (b"x\x1bZ", 1),
    ],
)
def test_what_marc8_does_not_have_is_an_error_at_its_byte(data, offset) -> None:
    with pytest.raises(Marc8Error) as caught:
        decode_marc8(data)
    assert caught.value.offset == offset


def test_a_code_that_its_character_does_not_encode_back_to_is_refused() -> None:
    several = {}
    for code, (character, _) in sorted(DECODE[0x31].items()):
        several.setdefault(character, []).append(code)
    character, codes = next((c, codes) for c, codes in several.items() if len(codes) > 1)
    assert decode_marc8(b"\x1b$1" + codes[0].to_bytes(3, "big")) in (character, unicodedata.normalize("NFC", character))
    with pytest.raises(NotReversibleError):
        decode_marc8(b"\x1b$1" + codes[1].to_bytes(3, "big"))
    assert ENCODE[0x31][character] == codes[0]


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_a_marc8_error(data) -> None:
    try:
        assert "\ufffd" not in decode_marc8(data)
    except Marc8Error as error:
        assert 0 <= error.offset <= len(data)
