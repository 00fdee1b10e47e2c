"""Masking before the first byte is stored."""

from __future__ import annotations

import io

import polars as pl
import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.marc.harvest import columns_of, index_drop
from holdfast.privacy.masking import MaskingRules, mask_record, token
from holdfast.settings import Masking
from tests.records import book

RULES = MaskingRules(Masking().fields, Masking().notes_when_private)
SALT = b"a salt of sixteen"
PRIVATE = (("541", "h", "€ 120,00"), ("852", "x", "ask Mrs Sauer"), ("500", "a", "a public note"))


def harvested(*records: bytes) -> pl.DataFrame:
    (part,) = index_drop(io.BytesIO(b"".join(records)), "drop.mrc", RULES, SALT)
    return part.frame


def test_masked_values_are_in_no_stored_byte_and_public_ones_stay() -> None:
    frame = harvested(book(fields=PRIVATE))
    raw = frame["raw"][0]
    assert b"120,00" not in raw and b"Sauer" not in raw
    assert b"a public note" in raw
    assert frame["masked_values"].to_list() == [2]


def test_a_masked_record_is_still_a_record_for_pymarc() -> None:
    record = pymarc.Record(harvested(book(fields=PRIVATE))["raw"][0])
    assert record["541"]["h"] == token("€ 120,00", SALT)
    assert record["245"]["a"] == "Bleak house"


def test_a_field_that_is_private_by_its_indicator_is_masked_whole() -> None:
    private = harvested(book(fields=(("561", "a", "bought from Anna"),), ind1="0"))
    public = harvested(book(fields=(("561", "a", "bought from Anna"),), ind1="1"))
    assert b"Anna" not in private["raw"][0]
    assert b"Anna" in public["raw"][0]


def test_a_record_without_private_fields_keeps_its_bytes() -> None:
    data = book(fields=(("500", "a", "note"),))
    assert harvested(data)["raw"].to_list() == [data]


def test_the_same_value_is_the_same_token_and_another_salt_gives_another() -> None:
    assert token("Müller", SALT) == token("Mu\u0308ller", SALT)
    assert token("Müller", SALT) != token("Müller", b"another salt, sixteen")


def test_preview_of_an_unreadable_record_shows_no_private_letter() -> None:
    damaged = b"00099" + book(fields=PRIVATE)[5:]
    (part,) = index_drop(io.BytesIO(damaged), "drop.mrc", RULES, SALT)
    assert part.frame["raw"].to_list() == [None]
    assert "Sauer" not in repr(part.rejections) and "120" not in part.rejections[0].preview


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["541", "583", "852", "500"]),
            st.sampled_from("ahxz"),
            st.text(st.characters(exclude_characters="\x1d\x1e\x1f", exclude_categories=["Cs"]), max_size=30),
        ),
        max_size=6,
    )
)
def test_what_is_masked_by_bytes_is_what_the_rules_say_of_the_columns(fields) -> None:
    data = book(fields=tuple(fields))
    frame = harvested(data)
    rows = columns_of(frame)
    assert mask_record(data, RULES, SALT) == frame["raw"][0] or not frame["masked_values"][0]
    for tag, ind1, code, value in (
        rows.filter(pl.col("code").is_not_null()).select("tag", "ind1", "code", "value").iter_rows()
    ):
        assert value.startswith("pii:") == RULES.masks(tag, ind1, code) or value.startswith("pii:")


@pytest.mark.parametrize(
    ("spec", "tag", "code", "masked"),
    [("541$h", "541", "h", True), ("541$h", "541", "a", False), ("59X", "591", "z", True), ("583", "583", "q", True)],
)
def test_rules_name_fields_subfields_and_ranges(spec, tag, code, masked) -> None:
    assert MaskingRules((spec,)).masks(tag, " ", code) is masked


@pytest.mark.parametrize("rows", [0, 1, 50_000])
def test_without_rules_nothing_is_masked_however_many_rows_there_are(rows: int) -> None:
    columns = {name: ["852" if name == "tag" else "0"] * rows for name in ("tag", "ind1", "code")}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    assert frame.filter(MaskingRules(()).expression()).height == 0
