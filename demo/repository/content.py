"""The demo repository's content: the e-book vendor's records as MARCXML and oai_dc, the museum's objects as LIDO and oai_dc."""

from __future__ import annotations

import datetime as dt
from xml.sax.saxutils import escape

from lxml import etree
from pymarc import Record, record_to_xml

from demo.repository.store import Item, Store
from demo.samples.books import books
from demo.samples.museum import LIDO, objects
from demo.samples.records import vendor_record

_PREFIX = "oai:repository.example.org:"


def marcxml(record: Record) -> str:
    return bytes(record_to_xml(record, namespace=True)).decode()


def oai_dc(**elements: str) -> str:
    fields = "".join(f"<dc:{name}>{escape(value)}</dc:{name}>" for name, value in elements.items() if value)
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{fields}</oai_dc:dc>'
    )


def fill(store: Store, today: dt.date, days: int = 10) -> int:
    """The samples, changed over the last `days` days before today; every twentieth book is deleted. How many items."""
    start = dt.datetime.combine(today - dt.timedelta(days=days), dt.time(8), dt.UTC)
    for number, book in enumerate(books()):
        at = start + dt.timedelta(days=number % days, minutes=number // days)
        identifier = f"{_PREFIX}{book.vendor_number}"
        dc = oai_dc(identifier=book.vendor_number, title=book.title, creator=book.author, date=str(book.year))
        sets = ("books:ebooks",) if book.in_ebooks else ("books",)
        store.put(Item(identifier, at, sets, {"marc21": marcxml(vendor_record(book)), "oai_dc": dc}))
        if number % 20 == 19:
            store.delete(identifier, at)
    for number, lido in enumerate(etree.fromstring(objects()).iterfind(f"{{{LIDO}}}lido")):
        found = lido.find(f"{{{LIDO}}}lidoRecID")
        if found is not None and found.text:
            title = lido.findtext(f".//{{{LIDO}}}titleSet/{{{LIDO}}}appellationValue") or ""
            xml = etree.tostring(lido, encoding="unicode", with_tail=False)
            at = start + dt.timedelta(days=number % days)
            dc = oai_dc(identifier=found.text, title=title)
            store.put(Item(f"{_PREFIX}{found.text}", at, ("objects",), {"lido": xml, "oai_dc": dc}))
    return len(store.items)
