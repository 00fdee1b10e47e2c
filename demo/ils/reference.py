"""FOLIO's reference data that holdings, items and loans point to: service points, locations, loan and material types.

The ids of service points, loan types and material types are those of mod-inventory-storage, the same in every
installation; the locations are the demo library's own.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from demo.ils.audit import Origin
from demo.ils.documents import DocumentKind, Documents
from demo.ils.store import Store

PLACES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:holdfast:demo:catalogue")
DESK_1, DESK_2 = "3a40852d-49fd-4df2-a1f9-6e2641a6e91f", "c4c90014-c8c9-4ade-8f24-b5e313319f4b"
ONLINE = "7c5abc9f-f3d7-4856-b8d7-6712462ca007"
_SHELVES = {"Main stacks": ("ML/STACKS", DESK_1), "Online": ("E", ONLINE), "Reading room": ("ML/RR", DESK_2)}


@dataclass(frozen=True)
class Reference:
    path: str
    kind: DocumentKind
    entries: tuple[dict[str, Any], ...]


def _kind(name: str, list_name: str, entries: tuple[dict[str, Any], ...]) -> DocumentKind:
    types: dict[str, tuple[type, ...]] = {key: (object,) for entry in entries for key in entry}
    return DocumentKind(name, list_name, types | {"metadata": (dict,)}, required=("name",))


def _reference(path: str, name: str, list_name: str, *entries: dict[str, Any]) -> Reference:
    return Reference(path, _kind(name, list_name, entries), entries)


_DESKS = ((DESK_1, "Circ Desk 1", "cd1", "Circulation Desk -- Hallway", True), (DESK_2, "Circ Desk 2", "cd2", "Circulation Desk -- Back Entrance", True), (ONLINE, "Online", "Online", "Online", False))  # fmt: skip
REFERENCES = (
    _reference(
        "/service-points",
        "servicepoint",
        "servicepoints",
        *(
            {"id": id_, "name": name, "code": code, "discoveryDisplayName": shown, "pickupLocation": pickup}
            | ({"holdShelfExpiryPeriod": {"duration": 3, "intervalId": "Weeks"}} if pickup else {})
            for id_, name, code, shown, pickup in _DESKS
        ),
    ),
    _reference(
        "/locations",
        "location",
        "locations",
        *(
            {
                "id": str(uuid.uuid5(PLACES, name)),
                "name": name,
                "code": code,
                "isActive": True,
                "institutionId": str(uuid.uuid5(PLACES, "institution")),
                "campusId": str(uuid.uuid5(PLACES, "campus")),
                "libraryId": str(uuid.uuid5(PLACES, "library")),
                "primaryServicePoint": desk,
                "servicePointIds": [desk],
            }
            for name, (code, desk) in _SHELVES.items()
        ),
    ),
    _reference(
        "/loan-types",
        "loantype",
        "loantypes",
        {"id": "2b94c631-fca9-4892-a730-03ee529ffe27", "name": "Can circulate", "source": "folio"},
        {"id": "2e48e713-17f3-4c13-a9f8-23845bb210a4", "name": "Reading room", "source": "folio"},
    ),
    _reference(
        "/material-types",
        "mtype",
        "mtypes",
        {"id": "1a54b431-2e4f-452d-9cae-9cee66c9a892", "name": "book", "source": "folio"},
        {"id": "615b8413-82d5-4203-aa6e-e37984cb5ac3", "name": "electronic resource", "source": "folio"},
    ),
)


def fill(store: Store) -> None:
    """Put in what is missing: reference data is there before anything else is, and after a reset."""
    origin = Origin(user="seed", request_id="reference")
    with store.writing() as (connection, now):
        for reference in REFERENCES:
            documents = Documents(store, reference.kind)
            for entry in reference.entries:
                if documents.stored(connection, entry["id"]) is None:
                    documents.put(connection, now, origin, dict(entry))
