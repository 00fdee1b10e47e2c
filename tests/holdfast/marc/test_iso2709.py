"""The columnar reader against pymarc, against damaged files and against any bytes at all."""

from __future__ import annotations

import gzip
import io
import os
import re
import unicodedata
from pathlib import Path

import polars as pl
import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from holdfast.marc.blocks import Block

FILLER = b"\r\n \x00\x1a"


def read_all(data: bytes, block_bytes: int = 4_000_000) -> marc.Frames:
    records, subfields, first = [], [], 1
    for block in marc.read_blocks(io.BytesIO(data), block_bytes):
        frames = marc.read_columns(block, first)
        first += frames.records.height
        records.append(frames.records)
        subfields.append(frames.subfields)
    return marc.Frames(pl.concat(records), pl.concat(subfields))


def unaccounted(data: bytes, records: pl.DataFrame) -> bytes:
    """Bytes of the file that are in no row; filler between records is all there may be."""
    rest, position = bytearray(), 0
    for offset, length in records.select("offset", "length").iter_rows():
        assert offset >= position, "two rows share a byte"
        rest += data[position:offset]
        position = offset + length
    return bytes(rest + data[position:])


def sample_record(**leader: str) -> pymarc.Record:
    record = pymarc.Record(force_utf8=True)
    record.add_field(pymarc.Field("001", data="hf0001"))
    record.add_field(
        pymarc.Field("245", indicators=pymarc.Indicators("1", "0"), subfields=[pymarc.Subfield("a", "Bleak house /")])
    )
    record.add_field(
        pymarc.Field("650", subfields=[pymarc.Subfield("a", "Строка"), pymarc.Subfield("x", "été long enough")])
    )
    return record


def test_a_record_becomes_a_row_a_subfield_in_order() -> None:
    frames = read_all(sample_record().as_marc())
    assert frames.records.schema == marc.RECORDS
    assert frames.subfields.schema == marc.SUBFIELDS
    assert frames.records["fault"].to_list() == [None]
    assert frames.subfields.rows() == [
        (1, 0, "001", None, None, None, "hf0001"),
        (1, 1, "245", "1", "0", "a", "Bleak house /"),
        (1, 2, "650", " ", " ", "a", "Строка"),
        (1, 2, "650", " ", " ", "x", "été long enough"),
    ]


def damaged_length(data: bytes) -> bytes:
    return b"00099" + data[5:]


def damaged_directory(data: bytes) -> bytes:
    return data[:27] + b"9999" + data[31:]


def damaged_base(data: bytes) -> bytes:
    return data[:12] + b"00030" + data[17:]


def undeclared_latin1(data: bytes) -> bytes:
    return data.replace("été".encode(), b"\xe9t\xe9XX")


def all_latin1(data: bytes) -> bytes:
    return undeclared_latin1(data).replace("Строка".encode(), b"Stro\xeaka Stro")


def without_indicators(data: bytes) -> bytes:
    return data.replace(b"10\x1fa", b"1\x1faX")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (damaged_length, "marc.length"),
        (damaged_directory, "marc.directory"),
        (damaged_base, "marc.base_address"),
        (undeclared_latin1, "marc.encoding_mixed"),
        (all_latin1, "marc.encoding"),
        (without_indicators, "marc.indicators"),
    ],
)
def test_a_damaged_record_is_rejected_alone_with_its_place(damage, code) -> None:
    good = sample_record().as_marc()
    data = good + damage(good) + good
    frames = read_all(data)
    assert frames.records["fault"].to_list() == [None, code, None]
    bad = frames.records.row(1, named=True)
    assert len(good) <= bad["fault_byte"] < len(data) - len(good)
    assert bad["fault_detail"]
    assert frames.subfields["record"].unique().sort().to_list() == [1, 3]
    rejection = marc.rejection_of(bad, "vendor.mrc", damage(good))
    assert "vendor.mrc record 2 byte" in rejection.place
    assert rejection.rule and rejection.hint
    assert "Bleak" not in rejection.preview, "a preview shows no letters of the record"


def test_a_truncated_last_record_is_rejected_and_the_others_are_read() -> None:
    good = sample_record().as_marc()
    frames = read_all(good + good[:-20])
    assert frames.records["fault"].to_list() == [None, "marc.truncated"]


@pytest.mark.parametrize("data", [b"<?xml version='1.0'?><collection/>", b"PK\x03\x04 something", b"just text\n" * 50])
def test_a_file_that_is_not_marc_is_one_rejected_row(data) -> None:
    frames = read_all(data)
    assert frames.records["fault"].to_list() == ["marc.not_marc"]
    assert frames.subfields.height == 0


def test_an_empty_file_has_no_rows() -> None:
    assert read_all(b"").records.height == 0


def test_a_value_that_holds_a_record_terminator_stays_one_record() -> None:
    record = sample_record()
    record.add_field(pymarc.Field("500", subfields=[pymarc.Subfield("a", "one\x1dtwo")]))
    data = record.as_marc()
    frames = read_all(data + sample_record().as_marc())
    assert frames.records["fault"].to_list() == [None, None]
    assert "one\x1dtwo" in frames.subfields["value"].to_list()


def test_utf8_under_a_marc8_leader_is_read_as_the_utf8_that_it_is() -> None:
    data = sample_record().as_marc()
    data = data[:9] + b" " + data[10:]
    frames = read_all(data)
    assert frames.records.select("claims", "encoding", "fault").row(0) == ("marc-8", "utf-8", None)
    assert "Строка" in frames.subfields["value"].to_list()


def test_no_replacement_character_is_ever_produced() -> None:
    bad = undeclared_latin1(sample_record().as_marc())
    assert not read_all(bad + sample_record().as_marc()).subfields["value"].str.contains("\ufffd").any()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["100", "245", "500", "880"]),
            st.lists(
                st.tuples(
                    st.sampled_from("abcz09"),
                    st.text(st.characters(exclude_characters="\x1d\x1e\x1f", exclude_categories=["Cs"]), max_size=40),
                ),
                min_size=1,
                max_size=4,
            ),
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(min_value=1, max_value=4),
)
def test_what_pymarc_writes_is_read_back_equal(fields, copies) -> None:
    record = pymarc.Record(force_utf8=True)
    for tag, subfields in fields:
        record.add_field(pymarc.Field(tag, subfields=[pymarc.Subfield(*each) for each in subfields]))
    frames = read_all(record.as_marc() * copies, block_bytes=200)
    assert frames.records["fault"].null_count() == copies
    expected = [(tag, code, value) for tag, subfields in fields for code, value in subfields] * copies
    assert frames.subfields.select("tag", "code", "value").rows() == expected


@given(st.binary(max_size=400), st.integers(min_value=1, max_value=100))
def test_any_bytes_are_accounted_for_and_nothing_is_raised(data, block_bytes) -> None:
    frames = read_all(data, block_bytes)
    assert not unaccounted(data, frames.records).strip(FILLER)


@given(st.data())
def test_any_damage_to_a_good_file_loses_no_byte(data) -> None:
    good = sample_record().as_marc()
    damaged = bytearray(good * 3)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    frames = read_all(bytes(damaged))
    assert not unaccounted(bytes(damaged), frames.records).strip(FILLER)
    readable = frames.records.filter(pl.col("fault").is_null())["record"].to_list()
    assert set(frames.subfields["record"].to_list()) <= set(readable)


@given(st.lists(st.integers(min_value=0, max_value=300), max_size=30), st.integers(min_value=1, max_value=500))
def test_blocks_are_the_file_byte_for_byte(lengths, block_bytes) -> None:
    data = b"\x1d".join(b"x" * length for length in lengths)
    blocks = list(marc.read_blocks(io.BytesIO(data), block_bytes))
    assert b"".join(block.data for block in blocks) == data
    assert [block.offset for block in blocks] == [sum(len(b.data) for b in blocks[:k]) for k in range(len(blocks))]
    assert all(block.data.endswith(b"\x1d") for block in blocks[:-1])


# ---- the public test data -------------------------------------------------------------------------------------------

DATA = Path(os.environ.get("HOLDFAST_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the public test data is not at {DATA} (HOLDFAST_TEST_DATA)")


def load(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def fields_of(record: pymarc.Record) -> list[tuple[str, str | None, str | None, str]]:
    """pymarc's view of a record as rows. Text is compared in NFC: pymarc normalizes what it converts."""
    rows: list[tuple[str, str | None, str | None, str]] = []
    for field in record.fields:
        if field.control_field:
            rows.append((field.tag, None, None, unicodedata.normalize("NFC", field.data)))
        for each in field.subfields:
            value = unicodedata.normalize("NFC", each.value)
            rows.append((field.tag, "".join(field.indicators), each.code, value))
    return rows


def columns_of(frames: marc.Frames, record: int) -> list[tuple[str, str | None, str | None, str]]:
    rows = frames.subfields.filter(pl.col("record") == record).select("tag", "ind1", "ind2", "code", "value").rows()
    return [
        (tag, None if ind1 is None else ind1 + ind2, code, unicodedata.normalize("NFC", value))
        for tag, ind1, ind2, code, value in rows
        if code or (code is None and ind1 is None)  # pymarc drops fields without subfields and empty delimiters
    ]


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "aco/aco-latest.mrc.gz",
        "uva-marc8/uva_001_2000.mrc",
        "folio/61PRINT160129.mrc",
        "authority-lcsh-5000/5000.mrc.gz",
    ],
)
@pytest.mark.filterwarnings("ignore::pymarc.exceptions.BadSubfieldCodeWarning")
def test_columns_equal_pymarc_on_real_records(name) -> None:
    data = load(DATA / "marc" / name)[:2_500_000]
    data = data[: data.rfind(b"\x1d") + 1]
    frames = read_all(data)
    by_record = frames.subfields.partition_by("record", as_dict=True)
    compared = 0
    for row in frames.records.filter(pl.col("fault").is_null()).iter_rows(named=True):
        raw = data[row["offset"] : row["offset"] + row["length"]]
        record = pymarc.Record(raw, to_unicode=True, hide_utf8_warnings=True)
        if row["claims"] == "marc-8" and row["encoding"] == "utf-8":
            continue  # pymarc decodes UTF-8 under a MARC-8 leader as MARC-8
        one = marc.Frames(frames.records, by_record[(row["record"],)])
        ours, theirs = columns_of(one, row["record"]), fields_of(record)
        if row["encoding"] == "marc-8":
            # pymarc decodes control fields of MARC-8 records as Latin-1.
            ours = [each for each in ours if each[1] is not None]
            theirs = [each for each in theirs if each[1] is not None]
        assert ours == theirs, f"{name} record {row['record']}"
        compared += 1
    assert compared > 200


@needs_data
def test_every_byte_of_the_malformed_files_is_accounted_for() -> None:
    files = [each for each in sorted((DATA / "marc" / "malformed").rglob("*")) if each.is_file()]
    assert len(files) >= 28
    readable = rejected = 0
    for path in files:
        data = load(path)
        frames = read_all(data)
        assert not unaccounted(data, frames.records).strip(FILLER), path.name
        rejected += frames.records["fault"].count()
        readable += frames.records["fault"].null_count()
    # pymarc reads 358 and rejects 99; it reads records whose directory does not fit their fields.
    assert readable > 200
    assert rejected > 50


def test_a_block_in_the_middle_of_a_file_has_offsets_of_the_file() -> None:
    good = sample_record().as_marc()
    frames = marc.read_columns(Block(good, 1000, True), first_record=7)
    assert frames.records.select("record", "offset").row(0) == (7, 1000)


def test_what_cannot_be_read_shows_no_letter_of_what_people_wrote() -> None:
    bare = b"Ward, Ellen"  # a 852 that lost its indicators, and a card index that is no MARC
    directory = b"852" + b"%04d" % (len(bare) + 1) + b"00000"
    record = b"00000nam a2200037 i 4500" + directory + b"\x1e" + bare + b"\x1e\x1d"
    record = b"%05d" % len(record) + record[5:]
    for data in (record, b"Ward, Ellen; card 21234000987654\x1d"):
        (row,) = read_all(data).records.to_dicts()
        assert row["fault"]
        assert not {"Ward", "Wa", "War", "Elle"} & set(re.findall(r"\w+", row["fault_detail"]))
        assert "aaa" in row["fault_detail"]
