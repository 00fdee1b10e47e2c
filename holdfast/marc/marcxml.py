"""MARCXML as columns.

Expat says whether the document is well formed, and refuses entities and doctypes: no line of it is trusted before. Of
what is well formed, the tags of a block are found by array arithmetic, each different tag is taken apart once, and values
are views into the block. A record in another form than the usual one (comments, CDATA, an element that the schema
does not have) is looked at event by event, and so is everything in a file that is not in UTF-8.

A record is in the namespace of MARC 21 slim or MarcXchange (ISO 25577), or in none. What is around the records (an OAI-PMH
envelope, a SRU response) is passed over.

Sources: loc.gov/standards/marcxml (MARC21slim.xsd); ISO 25577:2013; XML 1.0; Namespaces in XML 1.0.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from xml.parsers import expat

import polars as pl

from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.marcxml_columns import Plain, columns_of, plain_block, records_before, rows_frame
from holdfast.marc.marcxml_events import NAMESPACES, Events, RefusedError, strict_parser
from holdfast.marc.opening import Content
from holdfast.marc.parts import Found, Part, found_in, part_of, records_frame, skip_rest

FORMAT = "marcxml"
# What has not come to its end by then is no record: a hundred times what ISO 2709 holds.
LONGEST_RECORD = 10_000_000

_BINDING = re.compile(rb"""xmlns(?::([^\s=]+))?\s*=\s*("[^"]*"|'[^']*')""")
_LAST_END = re.compile(rb"</(?:[^\s/<>:]+:)?record\s*>")
# Declared encoding → verdict of encoding.FOUND; UTF-16 is Unicode, and is told as UTF-8.
_FOUND = {
    "iso-8859-1": "latin-1",
    "latin-1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
_DOCTYPE = "a document type declaration, which may hold entities"


def read_marcxml(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    """Parts of a MARCXML file. Never raises for what is in it."""
    return _File(content, block_bytes, first_record).parts()


class _File:
    def __init__(self, content: Content, block_bytes: int, first_record: int) -> None:
        self._content, self._block_bytes, self._next = content, block_bytes, first_record
        head = content.peek(4096)
        self._encoding = _encoding_of(head)
        self._parser = strict_parser(None, aware=True)
        self._held, self._offset = b"", 0  # what is not in a part yet, and its place in the file
        self._fed = 0  # bytes of the file that the parser has
        self._prefixes: dict[str, set[str]] = {}
        self._events: Events | None = None

    def parts(self) -> Iterator[Part]:
        if not _can_decode(self._encoding):
            detail = f"the declared encoding {self._encoding!r} is not known"
            yield from self._give_up("marc.xml_not_well_formed", detail, 0)
            return
        while True:
            read = self._content.read(self._block_bytes)
            self._held += read
            last = not read
            try:
                yield from self._take(last)
            except (expat.ExpatError, RefusedError) as error:
                yield from self._stop(error)
                return
            if last:
                if self._held:
                    yield self._part(_nothing(), len(self._held))
                return
            if len(self._held) > max(LONGEST_RECORD, self._block_bytes):
                yield from self._give_up(
                    "marc.too_long", f"no end of a record in {len(self._held):,} bytes", self._offset
                )
                return

    def _part(self, frames: Frames, length: int) -> Part:
        part = part_of(frames, self._content.name, FORMAT, self._held[:length], self._offset)
        self._held, self._offset = self._held[length:], self._offset + length
        self._next += frames.records.height
        return part

    def _take(self, last: bool) -> Iterator[Part]:
        """A part of what is held, up to the end of its last record. Raises what expat finds, with the part before it given."""
        if self._events is None:
            cut = len(self._held) if last else _last_end(self._held)
            if cut == 0 and not last:
                return
            data = self._held[:cut]
            plain = self._look(data)
            if plain is not None:
                yield from self._columns(data, plain, last)
                return
            self._events = Events(namespace_aware=True)
            self._events.attach(self._parser)
        yield from self._by_events(self._events, last)

    def _look(self, data: bytes) -> Plain | None:
        """The block's tags, if it is in the plain form."""
        if self._encoding != "utf-8":
            return None
        for prefix, uri in _BINDING.findall(data):
            self._prefixes.setdefault(prefix.decode("utf-8", "replace"), set()).add(
                uri[1:-1].decode("utf-8", "replace")
            )
        ours = {prefix: {each in NAMESPACES for each in bound} for prefix, bound in self._prefixes.items()}
        if any(len(each) > 1 for each in ours.values()):
            return None
        if not data.isascii():
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                return None
        if self._offset == 0:
            # The declaration is no tag: blanks stand for it, so that places stay.
            start = 3 if data.startswith(codecs.BOM_UTF8) else 0
            behind = data.find(b"?>", start) + 2 if data.startswith(b"<?xml", start) else start
            data = b" " * behind + data[behind:]
        prefixes = frozenset(prefix for prefix, each in ours.items() if each == {True}) | (
            {""} if "" not in ours else frozenset()
        )
        return plain_block(data, prefixes)

    def _columns(self, data: bytes, plain: Plain, last: bool) -> Iterator[Part]:
        error: expat.ExpatError | RefusedError | None = None
        good = len(data)
        try:
            self._parser.Parse(data, last)
        except (expat.ExpatError, RefusedError) as found:
            error = found
            plain, good = records_before(plain, self._parser.ErrorByteIndex - self._offset)
        self._fed += len(data)
        if good:
            yield self._part(columns_of(data, self._offset, plain, self._next), good)
        if error is not None:
            raise error

    def _by_events(self, events: Events, last: bool) -> Iterator[Part]:
        """From here on the file is read by its events."""
        error: expat.ExpatError | RefusedError | None = None
        try:
            self._parser.Parse(self._held[self._fed - self._offset :], last)
        except (expat.ExpatError, RefusedError) as found:
            error = found
        self._fed = self._offset + len(self._held)
        if events.records:
            yield self._event_part(events)
        elif error is None and (passed := events.passed() - self._offset) > 0:
            yield self._part(_nothing(), passed)
        if error is not None:
            raise error

    def _event_part(self, events: Events) -> Part:
        found: list[Found] = []
        rows: list[pl.DataFrame] = []
        end = 0
        closer = b">" if not self._encoding.startswith("utf-16") else ">".encode(self._encoding)
        for start, at, record in events.records:
            first = start - self._offset
            end = self._held.index(closer, at - self._offset) + len(closer)
            fault = record.fault or (None, None, None)
            ascii_only = all(each.value is None or each.value.isascii() for each in record.rows)
            encoding = "ascii" if ascii_only else self._encoding
            data = self._held[first:end]
            verdict = found_in(data) if self._encoding == "utf-8" else _FOUND.get(self._encoding, "unknown")
            found.append(Found(start, data, record.leader, encoding, "ascii" if ascii_only else verdict, *fault))
            if record.fault is None:
                rows.append(rows_frame(record.rows, self._next + len(found) - 1))
        events.records.clear()
        subfields = pl.concat(rows) if rows else pl.DataFrame(schema=SUBFIELDS)
        return self._part(Frames(records_frame(found, self._next), subfields), end)

    def _stop(self, error: expat.ExpatError | RefusedError) -> Iterator[Part]:
        if isinstance(error, RefusedError):
            yield from self._give_up("marc.xml_doctype", _DOCTYPE, self._parser.CurrentByteIndex)
            return
        byte = max(self._parser.ErrorByteIndex, self._offset)
        detail = f"{expat.ErrorString(error.code)}, line {error.lineno}"
        yield from self._give_up("marc.xml_not_well_formed", detail, byte)

    def _give_up(self, fault: str, detail: str, byte: int) -> Iterator[Part]:
        rest = self._held.lstrip(b" \t\r\n")
        if len(rest) < len(self._held):
            yield self._part(_nothing(), len(self._held) - len(rest))
        yield from skip_rest(
            self._content, FORMAT, fault, detail, self._next, self._offset, rest, max(byte, self._offset)
        )


def _nothing() -> Frames:
    return Frames(pl.DataFrame(schema=RECORDS), pl.DataFrame(schema=SUBFIELDS))


def _last_end(data: bytes) -> int:
    """Place behind the last end tag of a record; 0: there is none."""
    place = len(data)
    while (place := data.rfind(b"</", 0, place)) >= 0:
        if match := _LAST_END.match(data, place):
            return match.end()
    return 0


def _can_decode(encoding: str) -> bool:
    """Does expat read it? Of an encoding that is none, or has several bytes a character, Python says so by other errors."""
    if encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be"):
        return True
    try:
        expat.ParserCreate(encoding).Parse(b"<x/>", True)
    except (expat.ExpatError, LookupError, ValueError):
        return False
    return True


def _encoding_of(head: bytes) -> str:
    """XML 1.0, appendix F: by the byte order mark, else by the declaration, else UTF-8."""
    if head.startswith((b"\xff\xfe", b"<\0")):
        return "utf-16-le"
    if head.startswith((b"\xfe\xff", b"\0<")):
        return "utf-16-be"
    if match := re.match(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""", head):
        name = match[1].decode("ascii").lower()
        return "utf-8" if name in ("utf-8", "utf8", "us-ascii", "ascii") else name
    return "utf-8"
