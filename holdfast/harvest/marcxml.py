"""Records of a window as one MARCXML document, and a deletion as a record of it.

MARCXML: http://www.loc.gov/standards/marcxml/ (MARC21 slim 1.1).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.sax.saxutils import escape

from lxml import etree

from holdfast.harvest.answers import child, children, local, text_of

NAMESPACE = "http://www.loc.gov/MARC21/slim"
OPENING = f'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="{NAMESPACE}">\n'.encode()
CLOSING = b"</collection>\n"


class MarcXml(NamedTuple):
    """xml: one `record` element as received. number: 001. changed: 005. stub: the fields by which the record is found
    again, see `stub_of`."""

    xml: bytes
    number: str
    changed: str
    stub: str


def marc_record(container: etree._Element) -> MarcXml:
    """The MARCXML record in a container (OAI-PMH `metadata`, SRU `recordData`), a collection around it or not.

    A record without namespace gets MARCXML's. Beyond that nothing is changed, blanks least of all.

    Raises:
        ValueError: there is none, or more than one.
    """
    found = [each for each in container.iter() if local(each) == "record"]
    if len(found) != 1:
        inside = ", ".join(sorted({local(each) for each in container if local(each)})) or "nothing"
        raise ValueError(f"{len(found)} MARCXML records where one is due (found: {inside})")
    (record,) = found
    if not etree.QName(record).namespace:
        for element in record.iter():
            if isinstance(element.tag, str):
                element.tag = f"{{{NAMESPACE}}}{local(element)}"
    xml = etree.tostring(record, encoding="utf-8", with_tail=False)
    return MarcXml(xml, text_of(_control(record, "001")), text_of(_control(record, "005")), stub_of(record))


def _control(record: etree._Element, tag: str) -> etree._Element | None:
    return next((each for each in children(record, "controlfield") if each.get("tag") == tag), None)


def stub_of(record: etree._Element) -> str:
    """001 and 003 as MARCXML; where 003 is missing also 245, without which a number is no identity (see matching)."""
    number, org = text_of(_control(record, "001")), text_of(_control(record, "003"))
    if not number:
        return ""
    stub = _numbers(number, org)
    title = next((each for each in children(record, "datafield") if each.get("tag") == "245"), None)
    if not org and title is not None and child(title, "subfield") is not None:
        subfields = "".join(
            f'<subfield code="{_attribute(each.get("code", ""))}">{escape(text_of(each))}</subfield>'
            for each in children(title, "subfield")
        )
        indicators = " ".join(f'ind{n}="{_attribute(title.get(f"ind{n}", " "))}"' for n in (1, 2))
        stub += f'<datafield tag="245" {indicators}>{subfields}</datafield>'
    return stub


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _numbers(number: str, org: str) -> str:
    stub = f'<controlfield tag="001">{escape(number)}</controlfield>'
    return stub + (f'<controlfield tag="003">{escape(org)}</controlfield>' if org else "")


def stub_from_identifier(identifier: str, pattern: str, org: str) -> str:
    """The stub of a record that was never here: control number by the setting `number_pattern`, else the identifier."""
    found = re.search(pattern, identifier)
    return _numbers((found["number"] if found else None) or identifier, org)


def deletion(stub: str, datestamp: str) -> bytes:
    """A MARCXML record with leader/05 d for a record that the source has deleted; `datestamp` becomes its 005.

    005 goes behind the numbers and before 245, as tags are ordered.
    """
    digits = re.sub(r"\D", "", datestamp)[:14].ljust(14, "0")
    numbers, data, title = stub.partition("<datafield")
    return (
        f'<record xmlns="{NAMESPACE}"><leader>00000dam a2200000 a 4500</leader>{numbers}'
        f'<controlfield tag="005">{digits}.0</controlfield>{data}{title}</record>'
    ).encode()
