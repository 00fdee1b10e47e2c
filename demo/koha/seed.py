"""The sample catalogue of `demo.samples` as a Koha has it: item type in 942, one item a book, no FOLIO ids; and its patrons."""

from __future__ import annotations

from pathlib import Path

from demo.ils.audit import Origin
from demo.ils.patrons import GROUPS, sample_user
from demo.ils.store import Store
from demo.koha.catalogue import Biblios, Items
from demo.koha.people import Patrons
from demo.koha.reference import furnish
from demo.koha.store import open_store
from demo.samples.records import as_content
from demo.samples.seed import PATRONS, Live, catalogue, live_record


def _content(live: Live) -> dict[str, object]:
    content = as_content(live_record(live))
    fields = [field for field in content["fields"] if not {"001", "003", "005", "999"} & set(field)]
    kind = "EB" if live.electronic else "BK"
    content["fields"] = [*fields, {"942": {"ind1": " ", "ind2": " ", "subfields": [{"c": kind}]}}]
    return content


def _patron(number: int) -> dict[str, object]:
    user = sample_user(number)
    person = user["personal"]
    return {
        "cardnumber": user["barcode"],
        "userid": user["username"],
        "surname": person["lastName"],
        "firstname": person["firstName"],
        "email": person["email"],
        "statistics_1": user["externalSystemId"],
        "category_id": GROUPS[user["patronGroup"]],
        "library_id": "MAIN",
        "expiry_date": user["expirationDate"][:10],
    }


def seed(store: Store) -> int:
    """Put books with their items, and patrons, into a Koha that has none; returns how many records that were."""
    furnish(store)
    with store.reading() as connection:
        if connection.execute("SELECT 1 FROM biblio").fetchone():
            return 0
    origin = Origin(user="seed", request_id="seed")
    biblios, items, patrons = Biblios(store, 1, control_number=True), Items(store, 1), Patrons(store, 1)
    books = catalogue()
    for live in books:
        number = biblios.add(_content(live), "", True, origin)
        kind = "EB" if live.electronic else "BK"
        barcode = f"390000{live.book.number:08d}"
        items.add(number, {"external_id": barcode, "home_library_id": "MAIN", "item_type_id": kind}, origin)
    for number in range(1, PATRONS + 1):
        patrons.add(_patron(number), origin)
    return len(books)


def seed_store(path: Path) -> int:
    """`seed` of the Koha's file at `path`. A new file is there whole or not at all."""
    part = path if path.exists() else path.with_name(f".{path.name}.part")
    if part != path:
        for left in path.parent.glob(f"{part.name}*"):  # by a start that was killed; SQLite's own files beside it, too
            left.unlink()
    store = open_store(part)
    try:
        count = seed(store)
    finally:
        store.close()
    part.replace(path)
    return count
