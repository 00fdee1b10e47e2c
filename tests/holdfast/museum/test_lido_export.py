from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from holdfast.museum.lido_export import LidoRecord, read_lido_file
from holdfast.outcomes import Rejection
from tests.holdfast.museum.lido_samples import record, wrap

LIMIT = 1_000_000


def read(tmp_path: Path, data: bytes, limit: int = LIMIT) -> tuple[list[LidoRecord], list[Rejection]]:
    path = tmp_path / "export.xml"
    path.write_bytes(data)
    found = list(read_lido_file(path, record_bytes=limit))
    records = [each for each in found if isinstance(each, LidoRecord)]
    return records, [each for each in found if isinstance(each, Rejection)]


def test_records_come_in_their_order_with_xpath_and_line(tmp_path: Path) -> None:
    records, rejections = read(tmp_path, wrap(record(1), record(2)))
    assert [(each.number, each.xpath) for each in records] == [
        (1, "/lido:lidoWrap/lido:lido[1]"),
        (2, "/lido:lidoWrap/lido:lido[2]"),
    ]
    assert records[1].line > records[0].line
    assert rejections == []


@pytest.mark.parametrize(
    ("data", "xpath"),
    [
        (
            wrap(record(1)).replace(b"<lido:lidoWrap", b"<oai:x").replace(b"</lido:lidoWrap", b"</oai:x"),
            "(//lido:lido)[1]",
        ),
        (record(1).strip().replace(">", ' xmlns:lido="http://www.lido-schema.org">', 1).encode(), "/lido:lido"),
    ],
)
def test_a_record_may_stand_alone_or_in_another_wrapping(tmp_path: Path, data: bytes, xpath: str) -> None:
    (found,), _ = read(tmp_path, data)
    assert found.xpath == xpath


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1"])
def test_the_file_says_its_encoding(tmp_path: Path, encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    text = wrap(record(1, "Müller"), before=f'<?xml version="1.0" encoding="{name}"?>').decode()
    (found,), _ = read(tmp_path, text.encode(encoding))
    assert found.lido.descriptive[0].identification.titles[0].values[0].value == "Müller"


def test_text_has_the_language_of_what_is_around_it(tmp_path: Path) -> None:
    (found,), _ = read(tmp_path, wrap(record(1)))
    assert found.lido.descriptive[0].identification.titles[0].values[0].lang == "en"


def test_comments_are_no_text(tmp_path: Path) -> None:
    (found,), _ = read(tmp_path, wrap(record(1, "A <!-- secret -->title")))
    assert found.lido.descriptive[0].identification.titles[0].values[0].value == "A title"


@pytest.mark.parametrize(
    ("data", "below"),
    [
        (record(""), "/lido:lidoRecID"),
        (record(1, " "), "/lido:descriptiveMetadata[1]/lido:objectIdentificationWrap/lido:titleWrap/lido:titleSet[1]"),
        (record(1).replace(' xml:lang="en"', "", 1), "/lido:descriptiveMetadata[1]/@xml:lang"),
        (
            record(1, more="<lido:eventWrap><lido:eventSet><lido:event/></lido:eventSet></lido:eventWrap>"),
            "/lido:descriptiveMetadata[1]/lido:eventWrap/lido:eventSet[1]/lido:event/lido:eventType",
        ),
    ],
)
def test_a_record_without_a_required_element_is_rejected_alone_with_its_xpath(
    tmp_path: Path, data: str, below: str
) -> None:
    records, (rejection,) = read(tmp_path, wrap(record(1), data, record(3)))
    assert [each.number for each in records] == [1, 3]
    assert rejection.code == "lido.missing"
    assert "record 2 line" in rejection.place
    assert f"/lido:lidoWrap/lido:lido[2]{below}" in rejection.place
    assert rejection.sha256


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]>"
)


@pytest.mark.parametrize(
    "before",
    [
        BOMB,
        '<!DOCTYPE lido SYSTEM "http://127.0.0.1:1/lido.dtd">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!-- <a/> --><?x ?>\n<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
        f"<!--{'x' * 40_000}--><!DOCTYPE x [<!ENTITY e 'v'>]>",
    ],
)
def test_a_doctype_is_refused_before_anything_is_read(tmp_path: Path, before: str) -> None:
    for data in (wrap(record(1, "&e;"), before=before), wrap(record(1), before=before).decode().encode("utf-16")):
        records, rejections = read(tmp_path, data)
        assert records == []
        assert [(each.code, each.unit) for each in rejections] == [("xml.doctype", "file")]


def test_a_file_that_is_not_well_formed_keeps_the_records_before_the_fault(tmp_path: Path) -> None:
    data = wrap(record(1), record(2), record(3).replace("</lido:titleSet>", ""), record(4))
    records, (rejection,) = read(tmp_path, data)
    assert [each.number for each in records] == [1, 2]
    assert (rejection.code, rejection.unit) == ("xml.not_well_formed", "file")
    line = data[: data.index(b"</lido:titleWrap>", data.index(b">r3<") - 900)].count(b"\n") + 1
    assert f"line {line} column " in rejection.place
    assert "after record 2" in rejection.place


def test_an_entity_that_nobody_declared_is_a_fault_with_its_line(tmp_path: Path) -> None:
    records, (rejection,) = read(tmp_path, wrap(record(1), record(2, "&nbsp;"), record(3)))
    assert len(records) == 1
    assert "nbsp" in rejection.rule
    assert "line 0" not in rejection.place


@pytest.mark.parametrize("cut", [200, 5000, -3])
def test_a_file_that_was_cut_is_said_to_be(tmp_path: Path, cut: int) -> None:
    _, rejections = read(tmp_path, wrap(*(record(n) for n in range(9)))[:cut])
    assert [each.code for each in rejections] == ["xml.not_well_formed"]


def test_a_record_that_is_too_large_is_rejected_alone_and_never_held(tmp_path: Path) -> None:
    huge = record(2, more="<lido:x>" + "<y>z</y>" * 1_000_000 + "</lido:x>")
    path = tmp_path / "export.xml"
    path.write_bytes(wrap(record(1), huge, record(3)))
    del huge
    tracemalloc.start()
    found = list(read_lido_file(path, record_bytes=100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [type(each).__name__ for each in found] == ["LidoRecord", "Rejection", "LidoRecord"]
    assert isinstance(found[1], Rejection)
    assert found[1].code == "lido.too_large"
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "lido.empty"),
        (b"<a/>", "lido.no_record"),
        (b"<lidoWrap><lido/></lidoWrap>", "lido.no_record"),
        (b"id,title\n1,a\n", "xml.not_well_formed"),
        (gzip.compress(wrap(record(1)))[:-9], "file.gzip"),
        (b"<a>" + b"<b>c</b>" * 200_000 + b"</a>", "lido.no_record"),
    ],
)
def test_what_is_no_lido_file_is_one_rejection_of_the_file(tmp_path: Path, data: bytes, code: str) -> None:
    _, rejections = read(tmp_path, data)
    assert [(each.code, each.unit) for each in rejections] == [(code, "file")]


def test_wrong_encoding_stops_the_file_there(tmp_path: Path) -> None:
    records, (rejection,) = read(tmp_path, wrap(record(1), record(2, "MARK")).replace(b"MARK", b"\xe9\xe8"))
    assert len(records) == 1
    assert rejection.code == "xml.not_well_formed"


GOOD = wrap(*(record(n, "Ünïcode") for n in range(4)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=6), st.integers(0, 40)), max_size=4),
    st.booleans(),
)
def test_mutated_bytes_never_raise(tmp_path: Path, changes: list[tuple[int, bytes, int]], is_gzip: bool) -> None:
    data = bytearray(gzip.compress(GOOD) if is_gzip else GOOD)
    for at, new, length in changes:
        data[at : at + length] = new
    read(tmp_path, bytes(data))


def test_the_real_export_is_read_whole_and_is_valid_lido(data: Path) -> None:
    path = data / "lido/inp-clasate-istoria-stiintei-si-tehnicii-2014-02-02.xml.gz"
    found = list(read_lido_file(path, record_bytes=LIMIT))
    assert [type(each) for each in found] == [LidoRecord] * 486
    schema = etree.XMLSchema(file=str(data / "lido/schema/lido-v1.1.xsd"))
    with gzip.open(path) as file:
        assert schema.validate(etree.parse(file))
