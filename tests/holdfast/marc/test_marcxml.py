"""MARCXML as columns: against pymarc, against broken records and documents, against any bytes at all."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path

import polars as pl
import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from holdfast import marc
from tests.holdfast.marc.corpora import accounted, files, load, parts, plain_bytes, readable

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="http://www.loc.gov/MARC21/slim">\n'
TAIL = b"</collection>\n"
LEADER = "00000nam a2200000 i 4500"
GOOD = (
    f'<record><leader>{LEADER}</leader><controlfield tag="001">1</controlfield><datafield tag="245" ind1="1" ind2="0">'
    '<subfield code="a">Été &amp; hiver</subfield><subfield code="c">x</subfield></datafield></record>'
).encode()
ROWS = [(0, "001", None, None, None, "1"), (1, "245", "1", "0", "a", "Été & hiver"), (1, "245", "1", "0", "c", "x")]


def read(data: bytes, **options: object) -> marc.Frames:
    found = parts(io.BytesIO(data), **options)
    accounted(found, len(data))
    return marc.Frames(pl.concat([p.records for p in found]), pl.concat([p.subfields for p in found]))


def rows(frames: marc.Frames, record: int = 1) -> list[tuple[object, ...]]:
    return frames.subfields.filter(pl.col("record") == record).drop("record").rows()


def faults(frames: marc.Frames) -> list[str | None]:
    return frames.records["fault"].to_list()


def test_a_record_becomes_rows_and_its_place_is_that_of_its_element() -> None:
    data = HEAD + b"  " + GOOD + b"\n" + GOOD + TAIL
    frames = read(data)
    assert frames.records.schema == marc.RECORDS and frames.subfields.schema == marc.SUBFIELDS
    assert rows(frames) == rows(frames, 2) == ROWS
    for offset, length in frames.records.select("offset", "length").iter_rows():
        assert data[offset : offset + length] == GOOD
    assert frames.records.select("leader", "claims", "encoding").row(0) == (LEADER, "utf-8", "utf-8")


WRAPPED = {
    "prefix": HEAD.replace(b"<collection xmlns=", b"<m:collection xmlns:m=")
    + GOOD.replace(b"</", b"</m:").replace(b"<", b"<m:").replace(b"<m:/m:", b"</m:")
    + b"</m:collection>",
    "no namespace": b"<collection>" + GOOD + b"</collection>",
    "the record is the document": GOOD,
    "namespace on the record": b"<collection>"
    + GOOD.replace(b"<record", b'<record xmlns="http://www.loc.gov/MARC21/slim"', 1)
    + b"</collection>",
    "OAI-PMH envelope": b'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><record><header><identifier>1</identifier></header><metadata>'
    + GOOD.replace(b"<record", b'<record xmlns="http://www.loc.gov/MARC21/slim"', 1)
    + b"</metadata></record></OAI-PMH>",
    "MarcXchange": b'<collection xmlns="info:lc/xmlns/marcxchange-v2">'
    + GOOD.replace(b"<record", b'<record format="UNIMARC" type="Bibliographic"', 1)
    + TAIL,
    "a comment that looks like a record": HEAD + b"<!-- <record></record> -->" + GOOD + TAIL,
    "CDATA": HEAD + GOOD.replace("Été &amp; hiver".encode(), "<![CDATA[Été & hiver]]>".encode()) + TAIL,
    "a processing instruction": HEAD + GOOD.replace(b"<datafield", b"<?x y?><datafield", 1) + TAIL,
    "references": HEAD + GOOD.replace("Été &amp;".encode(), b"&#201;t&#xE9; &#38;") + TAIL,
    "other quotes and order": HEAD
    + GOOD.replace(b'tag="245" ind1="1" ind2="0"', b"ind2 = '0'\n ind1='1' tag='245' ")
    + TAIL,
    "byte order mark": b"\xef\xbb\xbf" + HEAD + GOOD + TAIL,
    "a greater-than sign in an attribute": HEAD + GOOD.replace(b"<record", b'<record id="a>b"', 1) + TAIL,
    "Latin-1": (HEAD + GOOD + TAIL).decode().replace("UTF-8", "ISO-8859-1").encode("latin-1"),
    "UTF-16": (HEAD + GOOD + TAIL).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "UTF-16, the other way round": b"\xfe\xff"
    + (HEAD + GOOD + TAIL).decode().replace("UTF-8", "UTF-16").encode("utf-16-be"),
}


@pytest.mark.parametrize("case", WRAPPED)
@pytest.mark.parametrize("block_bytes", [7, 300, 4_000_000])
def test_what_is_around_a_record_and_how_it_is_written_makes_no_difference(case: str, block_bytes: int) -> None:
    frames = read(WRAPPED[case], block_bytes=block_bytes)
    assert faults(frames) == [None]
    assert rows(frames) == ROWS


BROKEN = {
    "no tag": (b'<datafield tag="245"', b"<datafield", "marc.tag", b"<datafield"),
    "no leader": (f"<leader>{LEADER}</leader>".encode(), b"", "marc.leader", b"</record>"),
    "short leader": (b" 4500</leader>", b"</leader>", "marc.leader", b"</leader>"),
    "no indicator": (b' ind2="0"', b"", "marc.indicators", b"<datafield"),
    "long indicator": (b'ind2="0"', b'ind2="00"', "marc.indicators", b"<datafield"),
    "no code": (b'<subfield code="a"', b"<subfield", "marc.subfield_code", b"<subfield>"),
    "empty code": (b'<subfield code="a"', b'<subfield code=""', "marc.subfield_code", b"</subfield>"),
    "another element": (b'<subfield code="c">x</subfield>', b"<note>Mrs Sauer</note>", "marc.xml_structure", b"<note>"),
    "text where there is none": (
        b'<datafield tag="245"',
        b'Mrs Sauer<datafield tag="245"',
        "marc.xml_structure",
        b"<datafield",
    ),
    "a datafield named as a control field": (b'tag="245"', b'tag="005"', "marc.tag", b"<datafield"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_record_is_rejected_alone_with_its_place_and_without_its_words(case: str) -> None:
    before, after, code, where = BROKEN[case]
    bad = GOOD.replace(before, after, 1)
    assert bad != GOOD
    data = HEAD + GOOD + bad + GOOD + TAIL
    frames = read(data)
    assert faults(frames) == [None, code, None]
    row = frames.records.row(1, named=True)
    assert data[row["fault_byte"] :].startswith(where)
    assert "Sauer" not in row["fault_detail"]
    assert rows(frames, 1) == rows(frames, 3) == ROWS
    assert marc.rejection_of(row, "x.xml", bad).hint


@pytest.mark.parametrize("block_bytes", [50, 4_000_000])
def test_what_stands_before_the_first_error_of_a_document_stays(block_bytes: int) -> None:
    data = HEAD + GOOD + GOOD + GOOD.replace(b"&amp;", b"&") + GOOD + TAIL
    frames = read(data, block_bytes=block_bytes)
    assert faults(frames) == [None, None, "marc.xml_not_well_formed"]
    row = frames.records.row(2, named=True)
    assert (
        data[row["fault_byte"] - 2 : row["fault_byte"] + 2].strip().startswith(b"&")
        or b"&" in data[row["fault_byte"] - 4 : row["fault_byte"] + 1]
    )
    assert row["offset"] + row["length"] == len(data)


def test_a_document_that_is_cut_behind_a_record_is_told() -> None:
    frames = read(HEAD + GOOD)
    assert faults(frames) == [None, "marc.xml_not_well_formed"]


@pytest.mark.parametrize(
    "declaration",
    [
        b'<!DOCTYPE collection [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE collection [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>',
        b'<!DOCTYPE collection SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_a_document_type_is_refused_and_no_entity_is_followed(declaration: bytes) -> None:
    data = b'<?xml version="1.0"?>' + declaration + b"<collection>" + GOOD.replace(b"&amp;", b"&x;") + b"</collection>"
    frames = read(data)
    assert faults(frames) == ["marc.xml_doctype"]
    assert frames.subfields.height == 0


@pytest.mark.parametrize(
    "data", [b"<html><body>503</body></html>", HEAD + TAIL, b"<OAI-PMH><error code='noRecordsMatch'/></OAI-PMH>"]
)
def test_a_document_without_a_record_is_told(data: bytes) -> None:
    assert faults(read(data)) == ["marc.no_record"]


@pytest.mark.parametrize("encoding", [b"EBCDIC-of-ours", b"Shift_JIS", b"utf-99"])
def test_an_encoding_that_is_not_known_is_told(encoding: bytes) -> None:
    assert faults(read((HEAD + GOOD + TAIL).replace(b"UTF-8", encoding))) == ["marc.xml_not_well_formed"]


def test_text_that_was_encoded_twice_is_told_in_a_block_and_by_events() -> None:
    twice = GOOD.replace("Été &amp;".encode(), "Été".encode().decode("cp1252").encode())
    data = HEAD + GOOD + twice + GOOD.replace("Été".encode(), b"x") + TAIL
    for document in (data, data.replace(b"<record", b"<!-- --><record", 1)):
        frames = read(document)
        assert frames.records["found"].to_list() == ["utf-8", "utf-8-twice", "ascii"]
        assert frames.records["fault"].to_list() == [None] * 3


def test_unimarc_is_read_as_such_and_keeps_its_own_leader_and_fields() -> None:
    leader = "00000nam0 2200000   450 "
    record = (
        f'<record format="UNIMARC" type="Bibliographic"><leader>{leader}</leader>'
        '<controlfield tag="001">FRBNF1</controlfield><datafield tag="100" ind1=" " ind2=" "><subfield code="a">'
        '20010101d2001    m  y0frey50      ba</subfield></datafield><datafield tag="200" ind1="1" ind2=" ">'
        '<subfield code="a">Élégies</subfield></datafield></record>'
    )
    frames = read(f'<collection xmlns="info:lc/xmlns/marcxchange-v2">{record}</collection>'.encode())
    assert frames.records["leader"].to_list() == [leader]
    assert frames.subfields.filter(marc.query("200$a"))["value"].to_list() == ["Élégies"]
    out = io.BytesIO()
    marc.write(frames, out)  # in UTF-8: leader/09 of UNIMARC says nothing of the character set
    assert "Élégies".encode() in out.getvalue()
    assert marc.read_all(io.BytesIO(out.getvalue())).subfields.equals(frames.subfields)


def test_an_endless_record_stops_the_reading_and_not_the_memory() -> None:
    data = HEAD + GOOD + b"<record><leader>" + b"x" * 12_000_000
    frames = read(data, block_bytes=1_000_000)
    assert faults(frames) == [None, "marc.too_long"]


def test_ends_of_lines_are_as_xml_has_them() -> None:
    record = GOOD.replace("Été &amp; hiver".encode(), b"a\r\nb\rc&#13;d&amp;#38;")
    assert read(HEAD + record + TAIL).subfields["value"][1] == "a\nb\nc\rd&#38;"


def test_a_field_without_a_subfield_and_an_empty_one_are_kept() -> None:
    record = GOOD.replace(b'<subfield code="c">x</subfield>', b'<subfield code="c"/>').replace(
        b"</record>",
        b'<datafield tag="500" ind1=" " ind2=" "/><datafield tag="501" ind1=" " ind2=" "></datafield></record>',
    )
    assert rows(read(HEAD + record + TAIL))[2:] == [
        (1, "245", "1", "0", "c", ""),
        (2, "500", " ", " ", None, None),
        (3, "501", " ", " ", None, None),
    ]


@given(plain_bytes(300), st.integers(1, 80))
def test_any_bytes_are_accounted_for_and_nothing_is_raised(data: bytes, block_bytes: int) -> None:
    found = parts(io.BytesIO(data), format="marcxml", block_bytes=block_bytes)
    accounted(found, len(data))


@given(st.data())
def test_any_damage_to_a_good_document_loses_no_byte(data: st.DataObject) -> None:
    document = bytearray(HEAD + GOOD * 3 + TAIL)
    for _ in range(data.draw(st.integers(1, 4))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    found = parts(io.BytesIO(bytes(document)), format="marcxml", block_bytes=data.draw(st.integers(20, 2000)))
    accounted(found, len(document))


@given(st.data())
def test_the_plain_form_and_the_events_give_the_same(data: st.DataObject) -> None:
    """A comment in the document turns the whole of it over to the events."""
    good = bytearray(HEAD + GOOD * 2 + TAIL)
    place = data.draw(st.integers(len(HEAD), len(good) - 1))
    good[place] = data.draw(st.sampled_from(b'<>/"& a\xc3\n0='))
    plain, events = bytes(good), bytes(good[: len(HEAD)]) + b"<!---->" + bytes(good[len(HEAD) :])
    one, other = (marc.read_all(io.BytesIO(each), format="marcxml") for each in (plain, events))
    assert one.subfields.equals(other.subfields)
    assert one.records.select("leader", "fault", "fault_detail", "encoding").equals(
        other.records.select("leader", "fault", "fault_detail", "encoding")
    )


# ---- the public test data ------------------------------------------------------------------------------------------


def theirs(path: Path) -> list[list[tuple[str, str | None, str | None, str]]]:
    """pymarc's records as rows."""
    found = []
    for record in pymarc.parse_xml_to_array(io.BytesIO(load(path)), strict=False):
        fields: list[tuple[str, str | None, str | None, str]] = []
        for field in record.fields:
            if field.control_field:
                fields.append((field.tag, None, None, field.data))
            fields += [(field.tag, "".join(field.indicators), each.code, each.value) for each in field.subfields]
        found.append(fields)
    return found


def test_columns_equal_pymarc_on_every_readable_record(data: Path) -> None:
    compared = 0
    for path in files(data / "marcxml", "marcxml"):
        frames = marc.read_all(path)
        if path.parent.name == "malformed" and frames.records["fault"].count():
            continue  # pymarc raises KeyError
        pymarcs = theirs(path)
        by_record = frames.subfields.partition_by("record", as_dict=True)
        assert frames.records.height == len(pymarcs), path
        for row, fields in zip(frames.records.iter_rows(named=True), pymarcs, strict=True):
            if row["fault"] is not None:
                continue
            ours = [
                (tag, None if ind1 is None else ind1 + ind2, code, unicodedata.normalize("NFC", value))
                for tag, ind1, ind2, code, value in by_record[row["record"],]
                .select("tag", "ind1", "ind2", "code", "value")
                .iter_rows()
                if value is not None
            ]
            # pymarc strips the text of a control field that is blank; it has no other difference.
            assert ours == [(*rest, unicodedata.normalize("NFC", value or "")) for *rest, value in fields], (
                path,
                row["record"],
            )
            compared += 1
    assert compared > 500


def test_every_file_of_the_data_is_accounted_for(data: Path) -> None:
    for path in files(data / "marcxml", "marcxml"):
        accounted(parts(path, block_bytes=50_000), len(load(path)))


def test_the_malformed_files_say_what_is_wrong(data: Path) -> None:
    said = {
        path.name: sorted({each for part in parts(path) for each in part.records["fault"].drop_nulls()})
        for path in files(data / "marcxml" / "malformed", "marcxml")
    }
    assert said["chabon-missing-controlfield-tag.xml"] == ["marc.tag"]
    assert said["chabon-missing-subfield-code.xml"] == ["marc.subfield_code"]
    assert said["chabon-bad-subfields-element.xml"] == ["marc.xml_structure"]
    assert said["cruel-cruel-indicatorless-summerland.xml"] == ["marc.indicators"]
    assert said["invalidUChicago_SampleBibs.xml"] == ["marc.xml_not_well_formed"]
    assert said["chabon.xml"] == said["summerland-record-with-type.xml"] == []


def test_marcxml_written_again_is_the_same_canonical_document(data: Path) -> None:
    compared = 0
    for path in files(data / "marcxml", "marcxml"):
        found = parts(path)
        if not sum(readable(part).height for part in found):
            continue
        out = io.BytesIO()
        marc.write(iter(found), out, format="marcxml")
        before = [each for part in found for each in canonical(load(path), readable(part)["record"].to_list())]
        after = canonical(out.getvalue(), None)
        assert before == after, path
        compared += len(after)
    assert compared > 500


def canonical(document: bytes, numbers: list[int] | None) -> list[bytes]:
    """C14N of each record: prefixes and white space between elements apart, and the attributes of the record element."""
    slim = "{http://www.loc.gov/MARC21/slim}"
    found = []
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    records = [each for each in root.iter() if isinstance(each.tag, str) and etree.QName(each).localname == "record"]
    for number, record in enumerate(records, 1):
        if numbers is not None and number not in numbers:
            continue
        copy = etree.Element(f"{slim}record", nsmap={None: slim[1:-1]})
        for field in record.iterchildren(tag=etree.Element):
            new = etree.SubElement(copy, slim + etree.QName(field).localname, dict(field.attrib))
            children = list(field.iterchildren(tag=etree.Element))
            new.text = None if children or etree.QName(field).localname == "datafield" else field.text
            for sub in children:
                etree.SubElement(new, slim + etree.QName(sub).localname, dict(sub.attrib)).text = sub.text
        found.append(etree.tostring(copy, method="c14n2"))
    return found
