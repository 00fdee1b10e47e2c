"""The catalogue that the demo ILS begins with: about two hundred of the books, with holdings and items.

Half of them are as the drops have them (so a load leaves them unchanged), the others older (so it updates them). All
have 001 of the library, the supplier's number in 035, and 999 ff with FOLIO's ids; some a local note that has to stay.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymarc import Field, Record

from demo.ils.audit import Origin
from demo.ils.documents import Documents
from demo.ils.inventory import HOLDINGS, INSTANCE, ITEM, Inventory
from demo.ils.patrons import GROUP, GROUPS, USER, Users, account_user, sample_user
from demo.ils.reference import fill
from demo.ils.source_records import SourceRecords
from demo.ils.store import Store
from demo.samples.books import Book, books
from demo.samples.drops import DAMAGED
from demo.samples.records import (
    LIBRARY,
    NEW,
    OLDER,
    UNION,
    VENDOR,
    as_content,
    assembled,
    data_field,
    described,
    numbered,
)

NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:holdfast:demo:catalogue")
SNAPSHOT = str(uuid.uuid5(NAMES, "snapshot"))
# FOLIO's reference data.
TEXT = "6312d172-f0cf-40f6-b27d-9fa8feaf332f"
SINGLE_UNIT = "9d18a02f-5897-4c31-9106-c9abb5c7ae8b"
CATALOGED = "9634a5ab-9228-4703-baf2-4d12ebc77d56"
SYSTEM_NUMBER, ISBN = "7e591197-f335-4afb-bc6d-a6d76ca3bace", "8261054f-be78-422d-bd51-4ed9f33c3422"
PERSONAL_NAME = "2b94c631-fca9-4892-a730-03ee529ffe2a"
HOLDINGS_SOURCE = "f32d531e-df79-46b3-8932-cdd35f7a2264"
ELECTRONIC, PRINTED = "615b8413-82d5-4203-aa6e-e37984cb5ac3", "1a54b431-2e4f-452d-9cae-9cee66c9a892"
CAN_CIRCULATE = "2b94c631-fca9-4892-a730-03ee529ffe27"
NOTE_FOR_STAFF = "Check out"
PATRONS = 60


@dataclass(frozen=True)
class Live:
    """A book as it is in the catalogue. `same`: the drops have it exactly so."""

    book: Book
    electronic: bool
    same: bool

    @property
    def hrid(self) -> str:
        return f"in{self.book.number:011d}"

    def uuid(self, what: str) -> str:
        return str(uuid.uuid5(NAMES, f"{what} {self.book.number}"))


def catalogue() -> list[Live]:
    """Of the e-books every third; of the books that only the consortium has, every second."""
    out = []
    for entry in books():
        if entry in DAMAGED.values():
            continue
        if entry.in_ebooks and entry.number % 3 == 0:
            out.append(Live(entry, electronic=True, same=entry.number % 6 == 0))
        elif not entry.in_ebooks and entry.number % 2:
            out.append(Live(entry, electronic=False, same=entry.number % 4 == 1))
    return out


def live_record(live: Live) -> Record:
    entry = live.book
    fields = described(entry, live.electronic)
    if not live.same:
        fields = [_as_it_was(field) for field in fields if field.tag not in ("650", "338")]
    agency, number = (VENDOR, entry.vendor_number) if live.electronic else (UNION, entry.union_number)
    fields.append(data_field("035", "  ", "a", f"({agency}){number}"))
    if entry.number % 5 == 0:
        fields.append(data_field("590", "  ", "a", "Shown in the exhibition of the reading society."))
    fields.append(data_field("999", "ff", "i", live.uuid("instance"), "s", live.uuid("record")))
    return assembled([*numbered(live.hrid, LIBRARY, NEW if live.same else OLDER), *fields])


def _as_it_was(field: Field) -> Field:
    """The older description: no year of publication, no statement of responsibility."""
    if field.tag in ("264", "245"):
        field.subfields = [subfield for subfield in field.subfields if subfield.code != "c"]
    return field


def instance(live: Live) -> dict[str, Any]:
    entry = live.book
    agency, number = (VENDOR, entry.vendor_number) if live.electronic else (UNION, entry.union_number)
    identifiers = [{"value": f"({agency}){number}", "identifierTypeId": SYSTEM_NUMBER}]
    if entry.isbn and not live.electronic:
        identifiers.append({"value": entry.isbn, "identifierTypeId": ISBN})
    return {
        "id": live.uuid("instance"),
        "hrid": live.hrid,
        "source": "MARC",
        "title": entry.title,
        "instanceTypeId": TEXT,
        "modeOfIssuanceId": SINGLE_UNIT,
        "statusId": CATALOGED,
        "identifiers": identifiers,
        "contributors": [{"name": entry.author, "contributorNameTypeId": PERSONAL_NAME, "primary": True}],
        "publication": [{"publisher": entry.publisher, "place": entry.place, "dateOfPublication": entry.year}],
        "languages": [entry.language],
        "subjects": [{"value": entry.subject}] if live.same else [],
    }


def holdings(live: Live) -> dict[str, Any]:
    location = "Online" if live.electronic else "Main stacks"
    return {
        "id": live.uuid("holdings"),
        "hrid": f"ho{live.book.number:011d}",
        "sourceId": HOLDINGS_SOURCE,
        "instanceId": live.uuid("instance"),
        "permanentLocationId": str(uuid.uuid5(NAMES, location)),
        "callNumber": f"{live.book.language.upper()} {live.book.author[:3].upper()} {live.book.year}",
    }


def item(live: Live) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": live.uuid("item"),
        "hrid": f"it{live.book.number:011d}",
        "holdingsRecordId": live.uuid("holdings"),
        "barcode": f"390000{live.book.number:08d}",
        "materialTypeId": ELECTRONIC if live.electronic else PRINTED,
        "permanentLoanTypeId": CAN_CIRCULATE,
        "status": {"name": "Available"},
    }
    if live.book.number % 50 == 3:
        note = {"noteType": NOTE_FOR_STAFF, "note": "Owed by card 21234000123456; ask for it.", "staffOnly": True}
        body["circulationNotes"] = [note | {"id": live.uuid("note")}]
    return body


def source_record(live: Live) -> dict[str, Any]:
    record = live_record(live)
    return {
        "id": live.uuid("record"),
        "matchedId": live.uuid("record"),
        "generation": 0,
        "snapshotId": SNAPSHOT,
        "recordType": "MARC_BIB",
        "rawRecord": {"content": record.as_marc().decode()},
        "parsedRecord": {"content": as_content(record)},
        "externalIdsHolder": {"instanceId": live.uuid("instance"), "instanceHrid": live.hrid},
    }


def seed(store: Store) -> int:
    """Put into the ILS what is not there yet; returns how many MARC records that were. What is there stays as it is.

    Each table is looked at by itself, so that a start that was killed half-way is gone on with.
    """
    origin = Origin(user="seed", request_id="seed")
    records = SourceRecords(store)
    if SNAPSHOT not in _known(store, "snapshot"):
        records.create_snapshot({"jobExecutionId": SNAPSHOT, "status": "PARSING_IN_PROGRESS"}, origin)
    known = _known(store, "source_record")
    missing = [live for live in catalogue() if live.uuid("record") not in known]
    records.create_batch({"records": [source_record(live) for live in missing]}, origin)
    for kind, make, what in ((INSTANCE, instance, "instance"), (HOLDINGS, holdings, "holdings"), (ITEM, item, "item")):
        known = _known(store, kind.table)
        bodies = [make(live) for live in catalogue() if live.uuid(what) not in known]
        Inventory(store, kind).batch(bodies, False, origin)
    _seed_patrons(store, origin)
    return len(missing)


def _seed_patrons(store: Store, origin: Origin) -> None:
    fill(store)
    with store.writing() as (connection, now):
        for group, name in GROUPS.items():
            Documents(store, GROUP).put(connection, now, origin, {"id": group, "group": name, "source": "System"})
        users = Users(store, USER)
        for user in [account_user("demo"), *(sample_user(number) for number in range(1, PATRONS + 1))]:
            if users.stored(connection, user["id"]) is None:
                users.put(connection, now, origin, user)


def _known(store: Store, table: str) -> set[str]:
    with store.reading() as connection:
        return {row[0] for row in connection.execute(f"SELECT id FROM {table}")}  # noqa: S608  names from above


def seed_store(path: Path) -> int:
    """`seed` of the ILS's file at `path`, which is made if there is none."""
    store = Store(path)
    try:
        return seed(store)
    finally:
        store.close()
