"""The sample catalogue of `demo.samples` as a Koha has it: item type in 942, one item a book, no FOLIO ids."""

from __future__ import annotations

from pathlib import Path

from demo.ils.audit import Origin
from demo.koha.catalogue import Biblios, Items
from demo.koha.reference import furnish
from demo.koha.store import open_store
from demo.samples.records import as_content
from demo.samples.seed import Live, catalogue, live_record


def _content(live: Live) -> dict[str, object]:
    content = as_content(live_record(live))
    fields = [field for field in content["fields"] if not {"001", "003", "005", "999"} & set(field)]
    kind = "EB" if live.electronic else "BK"
    content["fields"] = [*fields, {"942": {"ind1": " ", "ind2": " ", "subfields": [{"c": kind}]}}]
    return content


def seed_store(path: Path) -> int:
    """Put the catalogue into the file at `path` if there is no biblio in it; returns how many records that were."""
    store = open_store(path)
    try:
        furnish(store)
        with store.reading() as connection:
            if connection.execute("SELECT 1 FROM biblio").fetchone():
                return 0
        origin = Origin(user="seed", request_id="seed")
        biblios, items = Biblios(store, 1, control_number=True), Items(store, 1)
        books = catalogue()
        for live in books:
            number = biblios.add(_content(live), "", True, origin)
            item = {"external_id": f"390000{live.book.number:08d}", "home_library_id": "MAIN", "item_type_id": "BK"}
            items.add(number, item, origin)
        return len(books)
    finally:
        store.close()
