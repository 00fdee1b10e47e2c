"""A LIDO export, record by record: models of what can be read, rejections for what can't.

The parser gets the file in chunks and the tree is cut behind each record, so memory holds one record and a chunk. No
DTD is taken, no entity is resolved, nothing is fetched. A file that is not well formed gives all records before the
fault; what comes after it can't be known and is one rejection with line and column.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from lxml import etree
from pydantic import ValidationError

from holdfast.museum.export_file import DAMAGED, open_export
from holdfast.museum.lido import NAMESPACE, Lido
from holdfast.museum.lido_record import read_lido, xpath_of
from holdfast.outcomes import Rejection, scrub, sha256_hex

CHUNK_BYTES = 32_768
_RECORD = f"{{{NAMESPACE}}}lido"
_BEFORE_ROOT = re.compile(r"<!--.*?-->|<\?.*?\?>|<!DOCTYPE|<[^!?]", re.DOTALL)


@dataclass(frozen=True)
class LidoRecord:
    """A record that was read.

    Attributes:
        number: in the file, counted from 1, of all records whether they could be read or not.
        xpath: of the record in its file.
        line: physical line of its start tag.
    """

    number: int
    xpath: str
    line: int
    lido: Lido


def read_lido_file(path: Path, *, record_bytes: int, name: str = "") -> Iterator[LidoRecord | Rejection]:
    """Every record of `path` in its order, or why it can't be read.

    `record_bytes` bounds one record as it stands in the file (see settings.limits.xml_record_bytes), to a chunk's
    exactness. Rejections have `unit` 'record' (`lido.missing`, `lido.too_large`) or 'file' (`xml.doctype`,
    `xml.not_well_formed`, `lido.empty`, `lido.no_record`, `file.gzip`). Nothing is raised for what stands in the file.
    """
    name = name or path.name
    with open_export(path) as file:
        yield from _Reader(file, name, record_bytes).read()


def _file(code: str, place: str, rule: str, hint: str) -> Rejection:
    return Rejection(code=code, place=place, rule=rule, hint=hint, unit="file")


class _Reader:
    def __init__(self, file: IO[bytes], name: str, record_bytes: int) -> None:
        self._file = file
        self._name = name
        self._limit = record_bytes
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=_RECORD,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        self._fed = 0
        self._root: etree._Element | None = None
        self._open: etree._Element | None = None
        self._open_bytes = 0
        self._number = 0

    def read(self) -> Iterator[LidoRecord | Rejection]:
        try:
            chunk = self._file.read(CHUNK_BYTES)
            if not chunk.strip():
                yield _file("lido.empty", f"{self._name} byte 0", "the file is empty", "export it again")
                return
            if _declares_doctype(chunk):
                yield self._doctype()
                return
            while chunk and (self._root is not None or self._fed <= self._limit):
                yield from self._take(chunk)
                chunk = self._file.read(CHUNK_BYTES)
            if not chunk:
                yield from self._take(b"")
        except _DoctypeDeclared:
            yield self._doctype()
            return
        except etree.XMLSyntaxError as error:
            yield self._not_well_formed(error)
            return
        except DAMAGED as error:
            rule = f"the gzip stream is cut or damaged ({error}); {self._number} records before it were read"
            yield _file("file.gzip", f"{self._name} after record {self._number}", rule, "export or copy it again")
            return
        if not self._number:
            rule = f"no element lido:lido in the namespace {NAMESPACE}"
            hint = "export LIDO 1.0 or 1.1; other XML is not an export of objects"
            yield _file("lido.no_record", self._name, rule, hint)

    def _take(self, chunk: bytes) -> Iterator[LidoRecord | Rejection]:
        """Feed `chunk` (empty: the end) and give what it completes, also where it ends in a fault."""
        fault: etree.XMLSyntaxError | None = None
        try:
            if chunk:
                self._parser.feed(chunk)
            else:
                self._parser.close()
        except etree.XMLSyntaxError as error:
            fault = error
        self._fed += len(chunk)
        if self._open is not None:
            self._open_bytes += len(chunk)
        for event, element in self._parser.read_events():
            yield from self._on(event, cast("etree._Element", element))
        if fault is not None:
            raise fault
        if self._open is not None and self._open_bytes > self._limit:
            _cut(self._open, None)  # too large: forget its inside as it comes
        if self._root is not None:
            _cut(self._root, self._open)

    def _on(self, event: str, element: etree._Element) -> Iterator[LidoRecord | Rejection]:
        if event == "start":
            tree = element.getroottree()
            if tree.docinfo.internalDTD is not None:
                raise _DoctypeDeclared
            if self._open is None:
                self._root = tree.getroot()  # it may have no event of its own
                self._open, self._open_bytes = element, 0
            return
        if element is not self._open:
            return  # a record in a record is a part of it
        self._number += 1
        xpath = self._xpath(element)
        size, self._open = self._open_bytes, None
        yield self._rejected_as_too_large(xpath, size) if size > self._limit else self._record(element, xpath)

    def _xpath(self, element: etree._Element) -> str:
        parent = element.getparent()
        if parent is None:
            return "/lido:lido"
        # What else records may be wrapped in, as an OAI-PMH answer, has names that are not ours to repeat.
        is_wrap = parent.getparent() is None and parent.tag == f"{{{NAMESPACE}}}lidoWrap"
        return f"/lido:lidoWrap/lido:lido[{self._number}]" if is_wrap else f"(//lido:lido)[{self._number}]"

    def _record(self, element: etree._Element, xpath: str) -> LidoRecord | Rejection:
        line = cast("int | None", element.sourceline) or 0
        try:
            return LidoRecord(self._number, xpath, line, read_lido(element))
        except ValidationError as error:
            below, what = xpath_of(error)
            data = etree.tostring(element, with_tail=False)
            return Rejection(
                code="lido.missing" if "missing" in what else "lido.value",
                place=f"{self._name} record {self._number} line {line} {xpath}{below}",
                rule=f"{below.rsplit('/', 1)[-1]} {what} (LIDO 1.1)",
                hint="fill the field in the collection management system, or map it in the LIDO export",
                sha256=sha256_hex(data),
                preview=scrub(data),
            )

    def _rejected_as_too_large(self, xpath: str, size: int) -> Rejection:
        return Rejection(
            code="lido.too_large",
            place=f"{self._name} record {self._number} {xpath}",
            rule=f"the record has about {size:,} bytes; {self._limit:,} are allowed",
            hint="export it without embedded files, or raise limits.xml_record_bytes in holdfast.toml",
        )

    def _doctype(self) -> Rejection:
        return _file(
            "xml.doctype",
            f"{self._name} before the root element",
            "the file declares a DOCTYPE; LIDO is defined by a schema, and entities are refused",
            "export without a DOCTYPE, with the characters themselves in place of entities",
        )

    def _not_well_formed(self, error: etree.XMLSyntaxError) -> Rejection:
        # The first fatal entry is the fault; what is raised at the end of the file may be its consequence.
        fatal = next((each for each in self._parser.feed_error_log if each.level_name == "FATAL"), None)
        line, column = (fatal.line, fatal.column) if fatal else error.position
        reason = (fatal.message if fatal else error.msg or "not XML").encode("utf-8", "replace").decode()[:300]
        return _file(
            "xml.not_well_formed",
            f"{self._name} line {line} column {column} after record {self._number}",
            f"not well formed: {reason}; records before it: {self._number}, all read; what follows can't be",
            "export the file again; if it was cut on the way, copy it again",
        )


class _DoctypeDeclared(Exception):
    pass


def _declares_doctype(start: bytes) -> bool:
    """Does a DOCTYPE stand before the root element? Seen before the parser reads a byte of it."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if start.startswith(mark):
            text = start.decode(encoding, "replace")
            break
    else:
        # Without a mark, UTF-16 shows as NUL bytes between ASCII ones.
        text = start.replace(b"\0", b"").decode("latin-1")
    for match in _BEFORE_ROOT.finditer(text):
        if match.group() == "<!DOCTYPE":
            return True
        if not match.group().startswith(("<!--", "<?")):
            return False
    return False


def _cut(node: etree._Element, keep: etree._Element | None) -> None:
    """Remove all that is finished below `node`: on each level everything but the last child, which may still be open."""
    while len(node) and node is not keep:
        for child in list(node)[:-1]:
            node.remove(child)
        node = node[-1]
