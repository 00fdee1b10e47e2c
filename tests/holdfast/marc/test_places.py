"""The language of places: what it means, and what it says of a mistake."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from holdfast.marc.places import QueryError, parse

ROWS = [
    (1, 0, "001", None, None, None, "n1"),
    (1, 1, "245", "1", "0", "a", "Title /"),
    (1, 1, "245", "1", "0", "b", "one"),
    (1, 1, "245", "1", "0", "b", "two"),
    (1, 2, "650", " ", "0", "a", "Ships"),
    (1, 2, "650", " ", "0", "x", "History"),
    (1, 3, "650", " ", "7", "a", "Boats"),
    (1, 4, "655", " ", "7", "a", "Novels"),
    (1, 5, "500", " ", " ", None, None),
    (2, 0, "6A0", "1", " ", "a", "odd"),
]
FRAMES = marc.Frames(pl.DataFrame(schema=marc.RECORDS), pl.DataFrame(ROWS, schema=marc.SUBFIELDS, orient="row"))

FOUND = {
    "245": ["Title /", "one", "two"],
    "245$a": ["Title /"],
    "245$ab": ["Title /", "one", "two"],
    "245$a$b": ["Title /", "one", "two"],
    "245$c": [],
    "001": ["n1"],
    "6XX$a": ["Ships", "Boats", "Novels", "odd"],
    "65X": ["Ships", "History", "Boats", "Novels"],
    "6XX_0$a": ["Ships"],
    "650#7$a": ["Boats"],
    "650?7$a": ["Boats"],
    "6XX*7": ["Boats", "Novels"],
    "24510$a": ["Title /"],
    "6XX1_": ["odd"],
    "500": [None],
    "245$a, 650_0$x": ["Title /", "History"],
}


@pytest.mark.parametrize("text", FOUND)
def test_a_place_finds_its_rows_in_their_order(text: str) -> None:
    assert FRAMES.subfields.filter(marc.query(text))["value"].to_list() == FOUND[text]
    assert FRAMES.subfields.lazy().filter(marc.query(text)).collect()["value"].to_list() == FOUND[text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write a tag"),
        ("24", "not a tag of three characters"),
        ("245a", "'a' are not two indicators"),
        ("245$", "not a tag of three characters"),
        ("245_$a", "'_' are not two indicators"),
        ("245[]$a", "each is a digit"),
        ("245$é", "one graphic ASCII character"),
        ("001$a", "a control field"),
        ("008_0", "a control field"),
        ("LDR/06", "frames.records['leader']"),
        ("245$a,,650", "an empty place|write a tag"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said.replace("[", "\\[").replace("]", "\\]")) as found:
        marc.query(text)
    assert repr(text) in str(found.value)


@given(st.text(st.sampled_from("0245X_#?*$a, é"), max_size=10))
def test_any_text_is_a_place_or_a_named_mistake(text: str) -> None:
    try:
        expression = marc.query(text)
    except QueryError as error:
        assert repr(text) in str(error)
    else:
        assert FRAMES.subfields.filter(expression).height <= len(ROWS)
        assert parse(text)


def test_fields_are_a_row_each_with_a_column_a_code() -> None:
    assert marc.fields(FRAMES, "245", "abc").rows() == [(1, 1, "245", "1", "0", "Title /", "one two", None)]
    assert marc.fields(FRAMES.subfields, "245", "b", joined_by="|")["b"].to_list() == ["one|two"]
    assert marc.fields(FRAMES, "6XX_0", "ax").select("a", "x").rows() == [("Ships", "History")]
    assert marc.fields(FRAMES, "001")["value"].to_list() == ["n1"]
    assert marc.fields(FRAMES, "65X")["value"].to_list() == ["Ships History", "Boats", "Novels"]
    assert marc.fields(FRAMES, "999", "a").height == 0
    with pytest.raises(QueryError):
        marc.fields(FRAMES, "24", "a")


def test_parquet_holds_what_was_read_and_is_asked_lazily(tmp_path: Path) -> None:
    data = b"".join(
        b"<record><leader>%s</leader><controlfield tag='001'>%d</controlfield></record>" % (b"0" * 24, n)
        for n in range(50)
    )
    document = b"<collection>" + data + b"</collection>"
    counts = marc.to_parquet(marc.read(io.BytesIO(document), block_bytes=500), tmp_path)
    assert counts == (50, 50)
    assert len(list(tmp_path.glob("subfields-*.parquet"))) > 3
    whole = marc.read_all(io.BytesIO(document))
    assert marc.scan(tmp_path).collect().equals(whole.subfields)
    assert marc.scan(tmp_path, "records").collect().equals(whole.records)
    with pl.SQLContext(subfields=marc.scan(tmp_path), eager=True) as sql:
        assert sql.execute("SELECT COUNT(*) FROM subfields WHERE tag = '001'").item() == 50


def test_nothing_read_is_two_empty_tables(tmp_path: Path) -> None:
    assert marc.to_parquet(iter(()), tmp_path) == (0, 0)
    assert marc.scan(tmp_path).collect_schema() == marc.SUBFIELDS
