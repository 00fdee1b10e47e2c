"""Drops in every format: each byte accounted for, nothing private stored, and the frames the same again."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from holdfast.marc.harvest import INDEX, Indexed, columns_of, index_drop
from holdfast.privacy.masking import MaskingRules, token
from holdfast.settings import Masking
from tests.records import book

RULES = MaskingRules(Masking().fields, Masking().notes_when_private)
SALT = b"a salt of sixteen"
PRIVATE = (("541", "h", "€ 120,00"), ("852", "x", "ask Mrs Sauer"), ("500", "a", "a public note"))
RECORDS = [book("1"), book("2", "Été", fields=PRIVATE), book("3", fields=(("561", "a", "bought from Anna"),), ind1="0")]


def as_format(format: str, records: list[bytes] = RECORDS) -> bytes:
    out = io.BytesIO()
    marc.write(marc.read(io.BytesIO(b"".join(records))), out, format=format)
    return out.getvalue()


def drop(data: bytes, block_bytes: int = 4_000_000) -> tuple[pl.DataFrame, list[Indexed]]:
    parts = list(index_drop(io.BytesIO(data), "drop", RULES, SALT, block_bytes=block_bytes))
    assert sum(part.unaccounted for part in parts) == 0
    return pl.concat([part.frame for part in parts]), parts


@pytest.mark.parametrize("format", ["iso2709", "marcxml", "marc-json"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("block_bytes", [50, 4_000_000])
def test_the_same_records_come_to_the_same_columns_in_every_format(format, pack, block_bytes) -> None:
    index, _ = drop(pack(as_format(format)), block_bytes)
    assert index.schema == INDEX
    assert index["format"].unique().to_list() == [format]
    assert index["record"].to_list() == [1, 2, 3]
    wanted, _ = drop(b"".join(RECORDS))
    assert columns_of(index).equals(columns_of(wanted))
    assert index["masked_values"].to_list() == wanted["masked_values"].to_list() == [0, 2, 1]


@pytest.mark.parametrize("format", ["iso2709", "marcxml", "marc-json"])
def test_no_private_value_is_in_what_is_stored(format: str) -> None:
    index, parts = drop(as_format(format))
    stored = b"".join(index["raw"]) + repr(parts).encode()
    for word in ("120,00", "Sauer", "Anna"):
        assert word.encode() not in stored
    assert b"a public note" in stored
    values = columns_of(index).filter(marc.query("852$x"))["value"].to_list()
    assert values == [token("ask Mrs Sauer", SALT)]


def test_a_record_that_iso_2709_would_have_no_room_for_is_stored() -> None:
    private = (("583", "a", "note"),) * 1_500
    xml = (
        b"<record><leader>"
        + b"0" * 24
        + b"</leader>"
        + b"".join(
            b'<datafield tag="583" ind1=" " ind2=" "><subfield code="x">%d</subfield></datafield>' % n
            for n in range(len(private))
        )
        + b"</record>"
    )
    index, _ = drop(xml)
    assert index["fault"].to_list() == [None] and len(index["raw"][0]) > 99_999
    assert columns_of(index)["value"].str.starts_with("pii:").all()


def test_bibframe_is_indexed_with_its_masked_values(data: Path) -> None:
    path = data / "bibframe" / "exemplars" / "id.stillimage-monograph-subjects-pnp-008q.rdf"
    index, _ = drop(path.read_bytes())
    assert index["format"].unique().to_list() == ["bibframe-xml"]
    assert columns_of(index).select("record").n_unique() == index.height
    assert columns_of(index).drop("value").equals(marc.read_all(path).subfields.drop("value"))


def test_files_of_an_archive_are_named_and_mixed_formats_keep_their_order() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.xml", as_format("marcxml", RECORDS[:1]))
        archive.writestr("b.mrc", RECORDS[1])
        archive.writestr("c.json", as_format("marc-json", RECORDS[2:]))
        archive.writestr("empty.mrc", b"")
    index, parts = drop(out.getvalue())
    assert index["file"].to_list() == ["drop/a.xml", "drop/b.mrc", "drop/c.json", "drop/empty.mrc"]
    assert index["fault"].to_list() == [None, None, None, "marc.empty_file"]
    rows = columns_of(index)
    assert rows["record"].is_sorted()
    assert rows.filter(pl.col("tag") == "001")["value"].to_list() == ["1", "2", "3"]
    assert [each.place.split(" ")[0] for part in parts for each in part.rejections] == ["drop/empty.mrc"]


def test_an_index_of_before_there_were_formats_is_still_read() -> None:
    index, _ = drop(b"".join(RECORDS))
    assert columns_of(index.drop("format")).equals(columns_of(index))


def test_every_malformed_file_is_accounted_for(data: Path) -> None:
    for folder in ("marc/malformed", "marcxml/malformed", "bibframe/jsonld"):
        for path in sorted((data / folder).rglob("*")):
            if path.is_file():
                index, parts = drop(path.read_bytes(), 3_000)
                assert index["fault"].count() == sum(len(part.rejections) for part in parts), path


@given(st.sampled_from(["marcxml", "marc-json"]), st.data())
def test_no_damage_to_a_drop_loses_a_byte_or_raises(format: str, data: st.DataObject) -> None:
    damaged = bytearray(as_format(format))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    index, _ = drop(bytes(damaged), data.draw(st.integers(30, 4000)))
    assert index.height
    columns_of(index)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_drop(data: bytes) -> None:
    index, _ = drop(data)
    assert index.height
