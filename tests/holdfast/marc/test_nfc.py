"""Form C beside the value: what Python's unicodedata says, and only where it differs."""

from __future__ import annotations

import unicodedata

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.marc.frames import NORMALIZED_SUBFIELDS, SUBFIELDS
from holdfast.marc.nfc import nfc_beside, with_nfc


def expected(value: str | None) -> str | None:
    return None if value is None or unicodedata.is_normalized("NFC", value) else unicodedata.normalize("NFC", value)


TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(
        alphabet="aeoqAK\u0301\u0300\u0323\u0327\u0328\u030a\u212b\u2126\u1100\u1161\u11a8가\u0958ไ\u0f71\u0f72",
        max_size=8,
    ),
)


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=8))
@example(["e\u0301", "é", None, "q\u0301\u0323", "\ufb1d", "\U0002f800", "\U0001d15e"])
def test_the_form_stands_beside_where_it_differs(values) -> None:
    assert nfc_beside(pl.Series(values, dtype=pl.String)).to_list() == [expected(each) for each in values]


def test_every_character_alone_and_behind_a_letter() -> None:
    characters = [chr(point) for point in range(0x20, 0x30000) if not 0xD800 <= point < 0xE000]
    values = characters + ["a" + each for each in characters]
    assert nfc_beside(pl.Series(values)).to_list() == [expected(each) for each in values]


def test_every_character_taken_apart_is_put_together() -> None:
    """Also those of later planes, and those whose letter stands for another one only loosely (\u00a8 before an acute)."""
    characters = [chr(point) for point in range(0x80, 0x30000) if not 0xAC10 <= point < 0xE000]
    pairs = [unicodedata.decomposition(each) for each in characters]
    pairs = ["".join(chr(int(code, 16)) for code in each.split()) for each in pairs if each and each[0] != "<"]
    values = [*pairs, *(unicodedata.normalize("NFD", each) for each in pairs), *(each + "\u0323" for each in pairs)]
    assert {"\u00a8\u0301", "\u017f\u0307", "\U00011099\U000110ba"} <= set(values)
    assert nfc_beside(pl.Series(values)).to_list() == [expected(each) for each in values]


def test_the_value_itself_stays() -> None:
    frame = pl.DataFrame(
        {
            "record": [1],
            "field": [0],
            "tag": ["245"],
            "ind1": ["0"],
            "ind2": ["0"],
            "code": ["a"],
            "value": ["e\u0301"],
        },
        schema=SUBFIELDS,
    )
    both = with_nfc(frame)
    assert both.schema == NORMALIZED_SUBFIELDS
    assert both.select("value", "nfc").row(0) == ("e\u0301", "é")
