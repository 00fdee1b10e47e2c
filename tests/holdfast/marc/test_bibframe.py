"""BIBFRAME 2 to frames and back: the Library of Congress's own examples, and what must not be fetched or followed."""

from __future__ import annotations

import io
import socket
from pathlib import Path

import orjson
import polars as pl
import pytest
import rdflib

from holdfast import marc
from holdfast.marc import bibframe
from tests.holdfast.marc.corpora import accounted, load, parts, readable

EXEMPLARS = "bibframe/exemplars"
BF = "http://id.loc.gov/ontologies/bibframe/"
DOCUMENT = {
    "@context": {"bf": BF, "rdfs": "http://www.w3.org/2000/01/rdf-schema#"},
    "@id": "http://example.org/1#Instance",
    "@type": "bf:Instance",
    "bf:title": {
        "@type": "bf:Title",
        "bf:mainTitle": [{"@value": "Voina i mir"}, {"@value": "Война и мир", "@language": "ru-cyrl"}],
    },
    "bf:note": {"@type": "bf:Note", "rdfs:label": "A note"},
    "bf:uglyProperty": "no place in MARC",
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("something was looked up in the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def fields_of(part: marc.Frames, tag: str, record: int = 1) -> list[str]:
    rows = part.subfields.filter((pl.col("tag") == tag) & (pl.col("record") == record))
    shown = rows.group_by("field", maintain_order=True).agg(
        pl.col("ind1").first(), pl.col("ind2").first(), pl.format("${} {}", "code", "value").str.join(" ")
    )
    return [f"{ind1}{ind2} {text}" for _, ind1, ind2, text in shown.iter_rows()]


def test_every_file_of_the_data_is_read_without_a_fault(data: Path) -> None:
    records = 0
    for path in sorted((data / "bibframe").rglob("*.*")):
        found = parts(path)
        accounted(found, len(load(path)))
        for part in found:
            assert part.records["fault"].to_list() == [None] * part.records.height, path
            titles = part.subfields.filter(marc.query("245$a,264,300"))
            assert titles["record"].n_unique() >= 1, path
            records += part.records.height
    assert records >= 54


def test_an_exemplar_becomes_the_record_that_the_specifications_say(data: Path) -> None:
    (part,) = parts(data / EXEMPLARS / "id.text-monograph-880s-and-100-245-246-247-264-700-cyrllic.rdf")
    assert part.records["leader"].to_list() == ["00000cam a2200000 i 4500"]
    assert fields_of(part, "020") == ["   $a 9785753906823", "   $a 5753906826"]
    assert fields_of(part, "050") == [" 0 $a PL429.4 $b .T63 2009"]
    assert fields_of(part, "041") == ["0  $a rus $a xal"]
    (heading,) = fields_of(part, "100")
    assert heading.startswith("1  $6 880-01 $a Todaeva, B. Kh. $q (Buli︠a︡sh Khoĭchievna) $4 aut")
    assert "1  $6 100-01/(N $a Тодаева, Б. Х. $q (Буляш Хойчиевна)" in fields_of(part, "880")
    assert fields_of(part, "264") == [' 1 $6 880-04 $a Ėlista $b GU "Izdatel\'skiĭ dom "Gerel" $c 2009']
    assert fields_of(part, "300") == ["   $a 394 pages $c 21 cm"]
    assert fields_of(part, "650") == [" 0 $a Kalmyk language $v Dictionaries $x Russian"]
    assert fields_of(part, "655")[0].endswith("$2 lcgft")
    fixed = part.subfields.filter(pl.col("tag") == "008")["value"][0]
    assert (len(fixed), fixed[:15], fixed[15:18], fixed[35:38]) == (40, "230103s2009    ", "ru ", "rus")


def test_reading_again_gives_the_same(data: Path) -> None:
    path = data / EXEMPLARS / "text-monograph-series-germansubjects.rdf"
    one, other = marc.read_all(path), marc.read_all(path)
    assert one.subfields.equals(other.subfields) and one.records.equals(other.records)


def test_json_ld_is_read_and_what_has_no_place_is_told() -> None:
    (part,) = parts(io.BytesIO(orjson.dumps(DOCUMENT)))
    assert fields_of(part, "245") == ["00 $6 880-01 $a Voina i mir"]
    assert fields_of(part, "880") == ["00 $6 245-01/(N $a Война и мир"]
    assert fields_of(part, "500") == ["   $a A note"]
    assert part.unmapped.rows() == [(1, "bf:Instance bf:uglyProperty", 1)]


def test_a_document_a_line_is_read_line_by_line() -> None:
    lines = b"\n".join(orjson.dumps(DOCUMENT | {"@id": f"http://example.org/{n}#Instance"}) for n in range(3))
    found = parts(io.BytesIO(lines), block_bytes=100)
    accounted(found, len(lines))
    records = pl.concat([part.records for part in found])
    assert records["fault"].to_list() == [None] * 3
    assert [lines[a : a + b].count(b"@context") for a, b in records.select("offset", "length").iter_rows()] == [1, 1, 1]


BROKEN = {
    "a remote context": (
        orjson.dumps(DOCUMENT | {"@context": "http://127.0.0.1:9/context.jsonld"}),
        "bibframe.remote_context",
    ),
    "one among others": (
        orjson.dumps(DOCUMENT | {"@context": [DOCUMENT["@context"], "http://127.0.0.1:9/c"]}),
        "bibframe.remote_context",
    ),
    "an imported one": (
        orjson.dumps(DOCUMENT | {"@context": {"@import": "http://127.0.0.1:9/c"}}),
        "bibframe.remote_context",
    ),
    "one deep inside": (
        orjson.dumps(DOCUMENT | {"bf:note": {"@context": "file:///etc/passwd"}}),
        "bibframe.remote_context",
    ),
    "no JSON": (b'{"@context": {}', "marc.json"),
    "no Instance": (orjson.dumps(DOCUMENT | {"@type": "bf:Work"}), "bibframe.no_instance"),
    "an entity": (
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">&e;</rdf:RDF>',
        "marc.xml_doctype",
    ),
    "not well formed": (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><a></rdf:RDF>',
        "marc.xml_not_well_formed",
    ),
    "no RDF": (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:li rdf:ID="1 2" rdf:about="x" rdf:nodeID="y"/></rdf:RDF>',
        "bibframe.rdf",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_graph_or_asks_for_more_is_a_fault_and_nothing_is_fetched(kind: str) -> None:
    data, code = BROKEN[kind]
    found = parts(io.BytesIO(data))
    assert [part.records["fault"].to_list() for part in found] == [[code]]
    accounted(found, len(data))


def test_a_graph_that_is_too_large_is_a_fault_and_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bibframe, "LARGEST_GRAPH", 100)
    data = orjson.dumps(DOCUMENT)
    found = parts(io.BytesIO(data))
    assert [part.records["fault"].to_list() for part in found] == [["bibframe.too_large"]]
    accounted(found, len(data))


# What becomes one text with its other subfields.
JOINED = ("250$a", "504$a", "520$a")

# ---- written -------------------------------------------------------------------------------------------------------

CORE = "020$a 022$a 050$ab 100$abcdq 245$abnpc 246$abnp 264$abc 300$ac 336$ab 490$av 500$a 600$abcdx 650$axvyz 651$axvyz 655$axvyz 700$abcdq 852$ab"


def test_the_core_of_marc_comes_back_from_what_is_written(data: Path) -> None:
    compared = 0
    for path in sorted((data / "marcxml" / "marc2bibframe2").iterdir()):
        before = marc.read_all(path)
        out = io.BytesIO()
        result = marc.write(before, out, format="bibframe-jsonld")
        documents = orjson.loads(out.getvalue())
        assert result.records == len(documents) == readable(before).height
        assert not set(result.left_out["tag"]) & {each[:3] for each in CORE.split()}
        after = marc.read_all(
            io.BytesIO(b"\n".join(orjson.dumps(each) for each in documents)), format="bibframe-jsonld"
        )
        assert after.records["fault"].null_count() == len(documents)
        for place in CORE.split():
            ours, theirs = (
                set(
                    each.subfields.filter(marc.query(place))
                    .select("record", "code", pl.col("value").str.strip_chars())
                    .rows()
                )
                for each in (before, after)
            )
            assert ours <= theirs, (path.name, place, sorted(ours - theirs)[:3])
            compared += len(ours)
        for place in JOINED:
            texts = after.subfields.filter(marc.query(place[:3])).select("record", "value").rows()
            for record, value in before.subfields.filter(marc.query(place)).select("record", "value").iter_rows():
                assert any(value.strip() in text for number, text in texts if number == record), (
                    path.name,
                    place,
                    value,
                )
    assert compared > 5_000


def test_what_is_written_is_bibframe(data: Path) -> None:
    out = io.BytesIO()
    marc.write(marc.read(data / "marcxml" / "marc2bibframe2-880" / "650a-651a.xml"), out, format="bibframe-jsonld")
    graph = rdflib.Graph()
    for statement in bibframe._jsonld_graph(out.getvalue()):
        graph.add(statement)
    (instance,) = graph.subjects(rdflib.RDF.type, rdflib.URIRef(BF + "Instance"))
    (work,) = graph.objects(instance, rdflib.URIRef(BF + "instanceOf"))
    assert (work, rdflib.RDF.type, rdflib.URIRef(BF + "Text")) in graph
    assert str(work).endswith("#Work") and str(instance).endswith("#Instance")
    (title,) = (
        each
        for each in graph.objects(instance, rdflib.URIRef(BF + "title"))
        if (each, rdflib.RDF.type, rdflib.URIRef(BF + "Title")) in graph
    )
    languages = {each.language for each in graph.objects(title, rdflib.URIRef(BF + "mainTitle"))}
    assert languages == {None, "und-hani"}
    primary = rdflib.URIRef(BF + "PrimaryContribution")
    assert len(list(graph.subjects(rdflib.RDF.type, primary))) <= 1


def test_other_scripts_go_there_and_back(data: Path) -> None:
    path = data / "marcxml" / "marc2bibframe2-880" / "650a-651a.xml"
    out = io.BytesIO()
    marc.write(marc.read(path), out, format="bibframe-jsonld")
    (part,) = parts(io.BytesIO(out.getvalue()))
    before = marc.read_all(path)
    title = before.subfields.filter(
        (pl.col("tag") == "880") & (pl.col("code") == "6") & pl.col("value").str.starts_with("245")
    )
    number = title["field"][0]
    wanted = before.subfields.filter((pl.col("field") == number) & (pl.col("code") == "a"))["value"][0]
    assert wanted in part.subfields.filter(pl.col("tag") == "880")["value"].to_list()
