"""The NACO comparison form, character by character of the published table."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.authority.naco import naco, naco_values


def form(text: str | None, first_comma: bool = False) -> str | None:
    return (
        pl.DataFrame({"v": [text]}, schema={"v": pl.String}).select(naco(pl.col("v"), first_comma=first_comma)).item()
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # diacritics off, precomposed or not
        ("Češkoslovensko", "CESKOSLOVENSKO"),
        ("Ce\u030cske\u0301", "CESKE"),
        ("Ku, Ch\u02bbün", "KU CHUN"),
        ("Åsa Ängström", "ASA ANGSTROM"),
        # special letters
        ("Łódź", "LODZ"),
        ("łł", "LL"),
        ("Đỗ đ Ð ð", "DO D D D"),
        ("Þórðarson þ", "THORDARSON TH"),
        ("Ærø æ Œuvres œ", "AERO AE OEUVRES OE"),
        ("Strauß", "STRAUSS"),
        ("ı İ", "I I"),
        ("ơ Ơ ư Ư", "O O U U"),
        ("ℓ", "L"),
        ("ﬁn", "FIN"),
        # superscripts, subscripts, digits of other scripts
        ("H₂O²", "H2O2"),
        ("٣٤ ३", "34 3"),
        # Greek keeps its letters
        ("α β γ-rays", "Α Β Γ RAYS"),
        # deleted
        ("O'Neill [and] others", "ONEILL AND OTHERS"),
        ("O’Neill", "ONEILL"),
        ("ʼAlī ʻAbd Maltʹsev tʺ", "ALI ABD MALTSEV T"),
        ("zero\u200dwidth", "ZEROWIDTH"),
        ("\u0098The \u009cTempest", "TEMPEST"),
        # blanked
        ("Large-Scale (1st : 2nd) <a> {b} c/d \\ e*f|g%h=i", "LARGE SCALE 1ST 2ND A B C D E F G H I"),
        ("¿Qué? ¡Sí! «x» “y” „z‟", "QUE SI X Y Z"),
        ("± ® ℗ © ° ^ _ ` ~ · §", ""),
        ("U.S.  --  Canada…", "U S CANADA"),
        # kept
        ("Johnson & Johnson", "JOHNSON & JOHNSON"),
        ("C++ C# C♯ B♭ @home", "C++ C# C♯ B♭ @HOME"),
        ("$100 £5", "$100 £5"),
        ("Дом 図書館 ספר", "ДОМ 図書館 ספר"),
        ("", ""),
        (None, None),
    ],
)
def test_each_character_as_the_table_says(text: str | None, expected: str | None) -> None:
    assert form(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dickens, Charles, 1812-1870.", "DICKENS, CHARLES 1812 1870"),
        ("Plato,", "PLATO"),
        ("Plato, ", "PLATO"),
        ("Chung , Hui", "CHUNG, HUI"),
        ("a,b,c", "A, B C"),
        (", x", "X"),
        ("x,.", "X"),
    ],
)
def test_the_first_comma_of_a_is_kept_unless_it_ends_the_value(text: str, expected: str) -> None:
    assert form(text, first_comma=True) == expected
    assert "," not in (form(text) or "")


def test_only_a_keeps_its_comma() -> None:
    values = pl.DataFrame({"code": ["a", "b", "a"], "value": ["Smith, J", "Smith, J", "Smith, J"]})
    assert naco_values(values)["naco"].to_list() == ["SMITH, J", "SMITH J", "SMITH, J"]


@given(st.text(max_size=40), st.booleans())
def test_the_form_is_stable_and_plain(text: str, first_comma: bool) -> None:
    once = form(text, first_comma)
    assert once is not None
    assert form(once, first_comma) == once
    assert once == once.strip() and "  " not in once
    for each in once:
        # What is left is a letter, a number, or one of the few that are kept.
        category = unicodedata.category(each)
        # Characters newer than this Python's Unicode tables are Cn here.
        assert category[0] in "LN" or each in " ,#&+@♭♯" or category in ("Sc", "Cn"), (each, category)


@given(st.text(st.characters(max_codepoint=0x24F), max_size=20))
def test_composed_and_decomposed_are_one(text: str) -> None:
    assert form(unicodedata.normalize("NFC", text)) == form(unicodedata.normalize("NFD", text))
