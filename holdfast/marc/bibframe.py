"""BIBFRAME 2 as RDF/XML and JSON-LD, read into the same frames as MARC: one record an Instance, its Work and Items merged in.

A graph is read whole, so it has a bound; a file of JSON-LD with a document a line is read line by line. Nothing is fetched: a
context or entity that lies elsewhere is a fault. Records of one graph share its bytes: the first row has them, and the hash of
all of them is the graph's. What has no place in MARC is in `Part.unmapped`.

Sources: id.loc.gov/ontologies/bibframe; RDF 1.1 XML Syntax; JSON-LD 1.1.
"""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

import orjson
import polars as pl

from holdfast.marc.bibframe_crosswalk import Record, records_of
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.marc_json import read_objects
from holdfast.marc.opening import Content
from holdfast.marc.parts import UNMAPPED, Part, claims_of, fault_part, part_of, skip_rest

# rdflib takes about fifteen times as much memory as the file has bytes.
LARGEST_GRAPH = 16_000_000
_LOG = logging.getLogger("rdflib.term")


class _RefusedError(Exception):
    def __init__(self, code: str, byte: int, detail: str) -> None:
        super().__init__(detail)
        self.code, self.byte = code, byte


def read_bibframe_xml(content: Content, first_record: int) -> Iterator[Part]:
    """Parts of a file of RDF/XML. Never raises for what is in it."""
    data = content.read(LARGEST_GRAPH + 1)
    if len(data) > LARGEST_GRAPH:
        yield from _too_large(content, "bibframe-xml", first_record, data)
        return
    yield _graph_part(content.name, "bibframe-xml", data, 0, first_record, xml=True)


def read_bibframe_jsonld(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    """Parts of a file of JSON-LD: one document, or a document a line. Never raises for what is in it."""
    head = content.peek(LARGEST_GRAPH + 1)
    line, newline, rest = head.lstrip(b" \t\r\n").partition(b"\n")
    if newline and rest.strip() and _is_document(line):
        yield from _lines(content, block_bytes, first_record)
        return
    data = content.read(LARGEST_GRAPH + 1)
    if len(data) > LARGEST_GRAPH:
        yield from _too_large(content, "bibframe-jsonld", first_record, data)
        return
    yield _graph_part(content.name, "bibframe-jsonld", data, 0, first_record, xml=False)


def _lines(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    for block in read_objects(content, block_bytes):
        reached = 0
        for start, end in block.spans:
            # What is between two lines goes with the second one.
            part = _graph_part(
                content.name, "bibframe-jsonld", block.data[start:end], block.offset + start, first_record, xml=False
            )
            part.data, part.offset = block.data[reached:end], block.offset + reached
            reached = end
            first_record += part.records.height
            yield part
        if block.data[reached:]:
            yield _part(content.name, "bibframe-jsonld", block.data[reached:], block.offset + reached, [], [])


def _is_document(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict | list)
    except orjson.JSONDecodeError:
        return False


def _too_large(content: Content, format: str, first_record: int, data: bytes) -> Iterator[Part]:
    detail = f"more than {LARGEST_GRAPH:,} bytes"
    yield from skip_rest(content, format, "bibframe.too_large", detail, first_record, 0, data, 0)


def _graph_part(file: str, format: str, data: bytes, offset: int, first_record: int, *, xml: bool) -> Part:
    try:
        graph = _xml_graph(data) if xml else _jsonld_graph(data)
        records = list(records_of(graph))
    except _RefusedError as error:
        return fault_part(file, format, error.code, str(error), first_record, offset, data, offset + error.byte)
    if not records:
        detail = f"{len(graph):,} statements, none of an Instance"
        return fault_part(file, format, "bibframe.no_instance", detail, first_record, offset, data)
    rows = [(first_record + n, *row) for n, record in enumerate(records) for row in record.rows()]
    part = _part(file, format, data, offset, _rows(records, data, offset, first_record), rows)
    lost = [(first_record + n, *each) for n, record in enumerate(records) for each in record.unmapped]
    part.unmapped = pl.DataFrame(lost, schema=UNMAPPED, orient="row")
    return part


def _rows(records: list[Record], data: bytes, offset: int, first_record: int) -> list[dict[str, Any]]:
    digest = hashlib.sha256(data).hexdigest()
    rows = []
    for n, record in enumerate(records):
        wide = any(value is not None and not value.isascii() for *_, value in record.rows())
        rows.append(
            {
                "record": first_record + n,
                "offset": offset if n == 0 else offset + len(data),
                "length": len(data) if n == 0 else 0,
                "sha256": digest,
                "leader": record.leader,
                "claims": claims_of(record.leader),
                "found": "utf-8" if wide else "ascii",
                "encoding": "utf-8" if wide else "ascii",
            }
        )
    return rows


def _part(
    file: str, format: str, data: bytes, offset: int, records: list[dict[str, Any]], rows: list[tuple[Any, ...]]
) -> Part:
    frames = Frames(pl.DataFrame(records, schema=RECORDS), pl.DataFrame(rows, schema=SUBFIELDS, orient="row"))
    return part_of(frames, file, format, data, offset)


def _parse(data: bytes, format: str) -> list[Any]:
    """Statements in the order in which they stand in the document."""
    import rdflib
    from rdflib.plugins.stores.memory import Memory

    class InOrder(Memory):
        """A store that knows in which order its statements came: subjects and notes are in the cataloguer's."""

        def __init__(self) -> None:
            super().__init__()
            self.order: dict[Any, None] = {}

        def add(self, triple: Any, context: Any, quoted: bool = False) -> None:
            self.order[triple] = None
            super().add(triple, context, quoted)

    store = InOrder()
    graph = rdflib.Graph(store, bind_namespaces="none")
    before, _LOG.disabled = _LOG.disabled, True  # a literal that is not of its datatype is text to us
    try:
        with warnings.catch_warnings():
            # rdflib's own parser of JSON-LD uses a class that rdflib calls outdated.
            warnings.simplefilter("ignore", DeprecationWarning)
            graph.parse(data=data, format=format, publicID="urn:holdfast:graph")
    finally:
        _LOG.disabled = before
    return list(store.order)


def _xml_graph(data: bytes) -> list[Any]:
    _check_xml(data)
    try:
        return _parse(data, "xml")
    except Exception as error:
        # Well-formed XML that is no RDF: rdflib tells it in various ways, some of them by accident.
        place = re.search(r":(\d+):\d+:", str(error))
        raise _RefusedError("bibframe.rdf", 0, f"line {place[1]}" if place else type(error).__name__) from error


def _check_xml(data: bytes) -> None:
    """Well formed, and without a document type: so there are no entities for rdflib's parser to follow."""
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise _RefusedError(
            "marc.xml_doctype", parser.CurrentByteIndex, "a document type declaration, which may hold entities"
        )

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        detail = f"{expat.ErrorString(error.code)}, line {error.lineno}"
        raise _RefusedError("marc.xml_not_well_formed", parser.ErrorByteIndex, detail) from error
    except (LookupError, ValueError) as error:
        raise _RefusedError("marc.xml_not_well_formed", 0, f"the declared encoding is not known: {error}") from error


def _jsonld_graph(data: bytes) -> list[Any]:
    try:
        whole = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise _RefusedError("marc.json", min(error.pos, len(data)), error.msg) from error
    _refuse_remote(whole)
    try:
        return _parse(orjson.dumps(whole), "json-ld")
    except Exception as error:
        # Likewise.
        raise _RefusedError("bibframe.rdf", 0, f"no JSON-LD that can be read: {type(error).__name__}") from error


def _refuse_remote(whole: Any) -> None:
    """A context that is an address would be fetched: it is refused, wherever it stands."""
    waiting = [whole]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            contexts = each.get("@context")
            for context in contexts if isinstance(contexts, list) else [contexts]:
                if isinstance(context, str) or (isinstance(context, dict) and "@import" in context):
                    address = context if isinstance(context, str) else context["@import"]
                    raise _RefusedError(
                        "bibframe.remote_context", 0, f"the context {str(address)[:200]!r} lies elsewhere"
                    )
            waiting += each.values()
