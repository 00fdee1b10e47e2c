"""What an SRU server answers: 1.1 and 1.2 (http://www.loc.gov/standards/sru/), and 2.0 (OASIS searchRetrieve)."""

from __future__ import annotations

from typing import NamedTuple

from lxml import etree

from holdfast.harvest.answers import AnswerUnreadable, child, children, local, parse_answer, text_of

_DIAGNOSTICS = "diagnostics"


class SruError(ValueError):
    """The server refuses the request: its diagnostics, as 'info:srw/diagnostic/1/10: Query syntax error (x)'."""


class SruRecord(NamedTuple):
    """identifier: recordIdentifier, '' where the server gives none. data: container of the record; None: `fault` says why."""

    position: int
    identifier: str
    data: etree._Element | None
    fault: str


class SruPage(NamedTuple):
    """total: numberOfRecords. following: nextRecordPosition; None on the last page."""

    total: int
    records: list[SruRecord]
    following: int | None


def _diagnostic(element: etree._Element) -> str:
    uri, message = text_of(child(element, "uri")), text_of(child(element, "message"))
    details = text_of(child(element, "details"))
    return f"{uri}: {message or 'no message'}" + (f" ({details})" if details else "")


def _number(element: etree._Element, name: str) -> int | None:
    found = text_of(child(element, name))
    return int(found) if found.isdecimal() else None


def parse_search(data: bytes, start: int) -> SruPage:
    """An answer to searchRetrieve from record `start`.

    Raises:
        SruError: the server answers with diagnostics and no records.
        AnswerUnreadable: not SRU, or cut.
    """
    root = parse_answer(data)
    if local(root) != "searchRetrieveResponse":
        raise AnswerUnreadable(f"the root element is {local(root)}, not searchRetrieveResponse: is the address right?")
    holder = child(root, "records")
    records = [
        _record(each, start + number)
        for number, each in enumerate(children(holder, "record") if holder is not None else [])
    ]
    diagnostics = child(root, _DIAGNOSTICS)
    if diagnostics is not None and not records:
        raise SruError("; ".join(_diagnostic(each) for each in children(diagnostics, "diagnostic")) or "diagnostics")
    total = _number(root, "numberOfRecords")
    if total is None:
        raise AnswerUnreadable("it has no numberOfRecords")
    return SruPage(total, records, _number(root, "nextRecordPosition"))


def _record(element: etree._Element, expected: int) -> SruRecord:
    position = _number(element, "recordPosition") or expected
    identifier = text_of(child(element, "recordIdentifier"))
    data = child(element, "recordData")
    if data is None:
        return SruRecord(position, identifier, None, "it has no recordData")
    packing = text_of(child(element, "recordPacking")) or text_of(child(element, "recordXMLEscaping"))
    if packing == "string":
        try:
            inner = parse_answer(text_of(data).encode())
        except AnswerUnreadable as error:
            return SruRecord(position, identifier, None, f"its escaped record is unreadable: {error}")
        data = etree.Element("recordData")
        data.append(inner)
    # A record that the server can't give stands there as a surrogate diagnostic.
    surrogate = child(data, "diagnostic")
    if surrogate is not None:
        return SruRecord(position, identifier, None, _diagnostic(surrogate))
    return SruRecord(position, identifier, data, "")
