"""Simple Dublin Core as OAI-PMH gives it (oai_dc), object by object; and as the Dublin Core of the public search.

http://www.openarchives.org/OAI/2.0/oai_dc.xsd: fifteen elements, each may repeat, none is required. The parser gets the
file in chunks and the tree is cut behind each object, so memory holds one object and a chunk. No DTD is taken, no entity is
resolved, nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lxml import etree

from holdfast.museum.dublin_core import DublinCore, clean
from holdfast.museum.elements import DUBLIN_CORE
from holdfast.museum.export_file import DAMAGED, open_export
from holdfast.outcomes import Rejection

OAI = "http://www.openarchives.org/OAI/2.0/"
OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DC = "http://purl.org/dc/elements/1.1/"
CHUNK_BYTES = 32_768
_OBJECT = f"{{{OAI_DC}}}dc"
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True)
class OaiDcObject:
    """number: in the file, from 1. oai_identifier: of the OAI header around it, '' where there is none.

    values: element → values as they stand, in their order.
    """

    number: int
    line: int
    oai_identifier: str
    values: dict[str, list[str]]


def read_oai_dc_file(path: Path, *, record_bytes: int, name: str = "") -> Iterator[OaiDcObject | Rejection]:
    """Every object of `path` in its order, or why it can't be read.

    Rejections are of the whole file: `xml.doctype`, `xml.not_well_formed`, `oai_dc.no_record`, `oai_dc.too_large` (an
    object above `record_bytes`, to a chunk's exactness), `file.gzip`. What comes before the fault is read.
    """
    name = name or path.name
    number, since = 0, 0
    parser = etree.XMLPullParser(
        events=("end",), tag=_OBJECT, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        with open_export(path) as file:
            while True:
                chunk = file.read(CHUNK_BYTES)
                fault = _fed(parser, chunk)
                since += len(chunk)
                for _, element in parser.read_events():
                    found = cast("etree._Element", element)
                    if found.getroottree().docinfo.internalDTD is not None:
                        yield _file("xml.doctype", name, number, "the file declares a DOCTYPE", "export without one")
                        return
                    number, since = number + 1, 0
                    yield _object(found, number)
                    _cut(found)
                if fault is not None:
                    line, column = fault.position
                    rule = f"not well formed at line {line} column {column}: {fault.msg}"
                    yield _file("xml.not_well_formed", name, number, rule, "export or harvest it again")
                    return
                if not chunk:
                    break
                if since > record_bytes:
                    rule = f"{since:,} bytes without the end of an object; {record_bytes:,} are allowed"
                    yield _file(
                        "oai_dc.too_large", name, number, rule, "raise limits.xml_record_bytes in holdfast.toml"
                    )
                    return
    except DAMAGED as error:
        yield _file("file.gzip", name, number, f"the gzip stream is cut or damaged ({error})", "copy it again")
        return
    if not number:
        rule = f"no element dc in the namespace {OAI_DC}"
        yield _file("oai_dc.no_record", name, 0, rule, "export oai_dc; other XML is not an export of objects")


def _fed(parser: etree.XMLPullParser, chunk: bytes) -> etree.XMLSyntaxError | None:
    try:
        if chunk:
            parser.feed(chunk)
        else:
            parser.close()
    except etree.XMLSyntaxError as error:
        return error
    return None


def _file(code: str, name: str, after: int, rule: str, hint: str) -> Rejection:
    return Rejection(code=code, place=f"{name} after object {after}", rule=rule, hint=hint, unit="file")


def _object(element: etree._Element, number: int) -> OaiDcObject:
    values: dict[str, list[str]] = {}
    for child in element:
        if isinstance(child.tag, str) and etree.QName(child).namespace == DC:
            values.setdefault(etree.QName(child).localname, []).append("".join(str(t) for t in child.itertext()))
    metadata = element.getparent()
    record = metadata.getparent() if metadata is not None else None
    identifier = record.findtext(f"{{{OAI}}}header/{{{OAI}}}identifier") if record is not None else None
    return OaiDcObject(number, cast("int | None", element.sourceline) or 0, (identifier or "").strip(), values)


def _cut(element: etree._Element) -> None:
    """Forget the object, and on each level above it what came before."""
    element.clear()
    node: etree._Element | None = element
    while node is not None and (parent := node.getparent()) is not None:
        while (before := node.getprevious()) is not None:
            parent.remove(before)
        node = parent


def oai_dc_to_dublin_core(found: OaiDcObject) -> DublinCore:
    """The object's fifteen elements. Its key is the identifier in the OAI header, which stays, before those of its own;
    its page is the first of these that is a link.

    Raises:
        pydantic.ValidationError: an element is missing or wrong; `loc` starts with its name.
    """
    values: dict[str, object] = {name: clean(found.values.get(name, ())) for name in DUBLIN_CORE}
    own = clean(found.values.get("identifier", ()))
    values["identifier"] = clean((found.oai_identifier, *own))
    links = [each for each in own if _LINK.fullmatch(each)]
    return DublinCore.model_validate({**values, "page_url": links[0] if links else ""})
