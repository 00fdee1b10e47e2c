"""Writers: byte for byte what was read, whatever the way round; and what a format has no place for."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path

import orjson
import polars as pl
import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from holdfast.marc.marc8 import Marc8Error, decode_marc8
from holdfast.marc.marc8_writer import NotInMarc8Error, encode_marc8
from tests.holdfast.marc.corpora import files, load, parts, readable
from tests.records import book


def written(frames: object, **options: object) -> bytes:
    out = io.BytesIO()
    result = marc.write(frames, out, **options)
    assert result.bytes == len(out.getvalue())
    return out.getvalue()


def again(data: bytes) -> list[marc.Frames]:
    return list(marc.read(io.BytesIO(data)))


def record_with(*fields: tuple[str, str], leader9: str = "a") -> bytes:
    record = pymarc.Record(force_utf8=True)
    for tag, value in fields:
        record.add_field(pymarc.Field(tag, subfields=[pymarc.Subfield("a", value)]))
    data = bytes(record.as_marc())
    return data[:9] + leader9.encode() + data[10:]


# ---- there and back over all readable records of the data -----------------------------------------------------------


def originals(path: Path) -> list[bytes]:
    data = load(path)
    found = [readable(part).select("offset", "length").rows() for part in parts(path)]
    return [data[offset : offset + length] for rows in found for offset, length in rows]


def test_iso_2709_is_written_as_it_was_read(data: Path) -> None:
    count = 0
    for path in files(data / "marc", "iso2709"):
        wanted = originals(path)
        assert written(marc.read(path)) == b"".join(wanted), path
        count += len(wanted)
    assert count > 35_000


# Records whose bytes MARCXML has no place for: MARC-8 with other escape sequences than ours, another order of fields, UTF-8 under
# a leader that says MARC-8, a control character in the leader.
NOT_BY_MARCXML = 19


def test_iso_2709_by_way_of_marcxml_is_the_same(data: Path) -> None:
    same = different = 0
    for path in files(data / "marc", "iso2709"):
        wanted = originals(path)
        out = io.BytesIO()
        marc.write(marc.read(path), out, format="marcxml", strict=False)
        back = io.BytesIO()
        if wanted:
            marc.write(marc.read(io.BytesIO(out.getvalue()), format="marcxml"), back, strict=False)
        if back.getvalue() == b"".join(wanted):
            same += len(wanted)
            continue
        missing = set(wanted) - {each + b"\x1d" for each in back.getvalue().split(b"\x1d")}
        different += sum(each in missing for each in wanted)
        same += sum(each not in missing for each in wanted)
    assert (different, same > 35_000) == (NOT_BY_MARCXML, True)


def test_marcxml_in_our_layout_and_marc_in_json_are_written_as_they_were_read(data: Path) -> None:
    for name in ("aco/aco-orig.mrc.gz", "uva-marc8/uva_001_2000.mrc", "authority-lcsh-5000/5000.mrc.gz"):
        frames = list(marc.read(data / "marc" / name))
        for format in ("marcxml", "marc-json"):
            once = written(iter(frames), format=format)
            assert written(marc.read(io.BytesIO(once)), format=format) == once
    # And by all of them together.
    wanted = written(marc.read(data / "marc" / "aco" / "aco-orig.mrc.gz"))
    round_trip = written(again(written(again(written(again(wanted), format="marcxml")), format="marc-json")))
    assert round_trip == wanted


TEXT = st.text(
    st.characters(exclude_characters="\x1d\x1e\x1f", exclude_categories=["Cs"]).filter(
        lambda each: each >= " " and each not in "\ufffe\uffff"
    ),
    max_size=30,
)
FIELDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["001", "005", "008"]), TEXT),
        st.tuples(
            st.sampled_from(["100", "245", "500", "880", "9XX"]),
            st.lists(st.tuples(st.sampled_from("abcz09&<\"'"), TEXT), min_size=1, max_size=4),
        ),
    ),
    max_size=6,
)
INDICATORS = st.sampled_from([" ", "0", "1", "&", "<", '"'])


@given(st.lists(FIELDS, min_size=1, max_size=3), INDICATORS, INDICATORS)
def test_what_pymarc_writes_comes_back_byte_for_byte_by_every_format(records, ind1, ind2) -> None:
    data = b""
    for fields in records:
        record = pymarc.Record(force_utf8=True)
        for tag, content in fields:
            if isinstance(content, str):
                record.add_field(pymarc.Field(tag, data=content))
            else:
                subfields = [pymarc.Subfield(*each) for each in content]
                record.add_field(pymarc.Field(tag, indicators=pymarc.Indicators(ind1, ind2), subfields=subfields))
        data += record.as_marc()
    frames = again(data)
    assert written(frames) == data
    for format in ("marcxml", "marc-json"):
        assert written(again(written(frames, format=format))) == data
    if all("9XX" not in [tag for tag, _ in fields] for fields in records):
        xml = written(frames, format="marcxml")
        assert len(pymarc.parse_xml_to_array(io.BytesIO(xml))) == len(records)


def test_pymarc_reads_what_we_write(data: Path) -> None:
    frames = marc.read_all(data / "marcxml" / "marc2bibframe2" / "princeton.xml.gz")
    ours = written(frames, encoding="utf-8")
    found = list(pymarc.MARCReader(ours, to_unicode=True))
    assert len(found) == 99 and None not in found
    assert all(str(each.leader)[9] == "a" for each in found)


# ---- what was changed ----------------------------------------------------------------------------------------------


def test_a_record_in_other_bytes_than_ours_is_kept_until_it_is_changed() -> None:
    """Fields behind each other in another order than the directory's."""
    directory = b"001000200002" + b"005000200000" + b"\x1e"
    raw = b"00000nam a22000000 i 4500"[:24] + directory + b"B\x1e" + b"A\x1e" + b"\x1d"
    raw = b"%05d" % len(raw) + raw[5:12] + b"%05d" % (24 + len(directory)) + raw[17:]
    (part,) = (each for each in parts(io.BytesIO(raw)) if each.records.height)
    assert part.subfields["value"].to_list() == ["A", "B"]
    assert written(part) == raw
    changed = part._replace(subfields=part.subfields.with_columns(pl.col("value").str.replace("A", "C")))
    data = written(marc.Frames(*changed))
    assert data != raw and again(data)[0].subfields["value"].to_list() == ["C", "B"]


def test_a_conversion_to_utf8_sets_the_leader_and_one_to_marc8_clears_it() -> None:
    utf8 = record_with(("245", "Été à Łódź"))
    marc8 = written(again(utf8), encoding="marc-8")
    assert marc8[9:10] == b" " and b"\xe2Et\xe2e \xe1a \xa1\xe2od\xe2z" in marc8
    (frames,) = (each for each in again(marc8) if each.records.height)
    # Letters and marks are apart in MARC-8, and stay so.
    assert frames.subfields["value"].str.normalize("NFC").to_list() == ["Été à Łódź"]
    assert frames.records["encoding"].to_list() == ["marc-8"]
    assert written(frames) == marc8
    converted = written(frames, encoding="utf-8")
    assert converted[9:10] == b"a" and unicodedata.normalize("NFD", "Été à Łódź").encode() in converted
    assert written(again(converted), encoding="marc-8") == marc8


# ---- what a format has no place for --------------------------------------------------------------------------------


def test_a_field_and_a_record_that_are_too_long_are_named_and_can_be_marcxml(tmp_path: Path) -> None:
    long_field = [
        {
            "leader": "0" * 9 + "a" + "0" * 14,
            "fields": [{"500": {"ind1": " ", "ind2": " ", "subfields": [{"a": "x" * 10_000}]}}],
        }
    ]
    fields = [{"500": {"ind1": " ", "ind2": " ", "subfields": [{"a": "x" * 9_000}]}}] * 12
    frames = marc.read_all(
        io.BytesIO(orjson.dumps([*long_field, {"leader": long_field[0]["leader"], "fields": fields}]))
    )
    with pytest.raises(marc.CannotWriteError, match=r"record 1, field 500 has 10005 bytes.*9,999") as refused:
        marc.write(frames, tmp_path / "x.mrc")
    assert "MARCXML" in str(refused.value)
    assert refused.value.refused.select("record", "field", "tag").rows() == [(1, 0, "500"), (2, None, None)]
    assert not list(tmp_path.iterdir())
    assert marc.write(frames, tmp_path / "x.xml", format="marcxml").records == 2
    assert marc.read_all(tmp_path / "x.xml").subfields.equals(frames.subfields)


def test_what_is_refused_leaves_the_others_when_that_is_asked_for() -> None:
    frames = marc.read_all(io.BytesIO(record_with(("245", "plain")) + record_with(("245", "ein 𝄞"))))
    out = io.BytesIO()
    result = marc.write(frames, out, encoding="marc-8", strict=False)
    assert (result.records, result.refused["record"].to_list()) == (1, [2])
    assert "U+1D11E MUSICAL SYMBOL G CLEF" in result.refused["detail"][0]
    assert result.refused["tag"].to_list() == ["245"]


def test_a_control_character_has_no_place_in_xml() -> None:
    frames = marc.read_all(io.BytesIO(record_with(("245", "a\x02b"))))
    with pytest.raises(marc.CannotWriteError, match="in field 245"):
        written(frames, format="marcxml")
    assert again(written(frames))[0].subfields["value"].to_list() == ["a\x02b"]


def test_a_control_field_of_another_system_has_no_place_in_iso_2709() -> None:
    xml = b'<record><leader>00000nam a2200000 i 4500</leader><controlfield tag="FMT">BK</controlfield></record>'
    frames = marc.read_all(io.BytesIO(xml))
    assert frames.subfields["tag"].to_list() == ["FMT"]
    with pytest.raises(marc.CannotWriteError, match="the tag FMT"):
        written(frames)


def test_rows_with_a_fault_are_passed_over() -> None:
    good = book("1")
    assert written(again(good + b"00099" + good[5:] + good)) == good * 2


@pytest.mark.parametrize(("name", "value"), [("format", "mods"), ("encoding", "latin-1")])
def test_a_wrong_argument_is_refused_with_those_that_are_right(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        written(again(book()), **{name: value})


def test_an_empty_list_of_frames_is_a_file_of_no_record() -> None:
    assert written(iter(())) == b""
    assert pymarc.parse_xml_to_array(io.BytesIO(written(iter(()), format="marcxml"))) == []


# ---- MARC-8 --------------------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("aZ .éÉšŁłæøßþ©♭ở漢字가Ωмос ﻻשل²₂αβ¡¿"), max_size=20))
def test_marc8_is_read_back_as_the_text_that_was_written(text: str) -> None:
    try:
        data = encode_marc8(text)
    except NotInMarc8Error as error:
        assert error.character in text or len(error.character) == 1
        return
    try:
        assert unicodedata.normalize("NFC", decode_marc8(data)) == unicodedata.normalize("NFC", text)
    except Marc8Error:
        pytest.fail(f"{text!r} became {data!r}")
