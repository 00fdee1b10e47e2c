"""What an instance, a holdings record and an item may and must have (FOLIO inventory-storage, JSON schemas v11/v8/v11).

Top-level properties and their JSON types, and the required ones of the nested lists that Holdfast writes. The tests
hold these tables against the published schemas, which are not shipped.
"""

from __future__ import annotations

import re
from typing import Any

from demo.ils.errors import invalid

UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\Z")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _shape(**names: str) -> dict[str, str]:
    return {name: kind for kind, listed in names.items() for name in listed.split()}


INSTANCE = _shape(
    string="id hrid matchKey sourceUri source title indexTitle instanceTypeId modeOfIssuanceId catalogedDate"
    " sourceRecordFormat statusId statusUpdatedDate",
    integer="_version",
    array="alternativeTitles editions series identifiers contributors subjects classifications publication"
    " publicationFrequency publicationRange electronicAccess instanceFormatIds instanceFormats physicalDescriptions"
    " languages notes administrativeNotes statisticalCodeIds holdingsRecords2 natureOfContentTermIds",
    object="dates tags metadata",
    boolean="previouslyHeld staffSuppress discoverySuppress deleted",
)
HOLDINGS = _shape(
    string="id sourceId hrid holdingsTypeId instanceId permanentLocationId temporaryLocationId effectiveLocationId"
    " callNumberTypeId callNumberPrefix callNumber callNumberSuffix shelvingTitle acquisitionFormat acquisitionMethod"
    " receiptStatus illPolicyId retentionPolicy digitizationPolicy copyNumber numberOfItems",
    integer="_version",
    array="formerIds electronicAccess additionalCallNumbers administrativeNotes notes holdingsStatements"
    " holdingsStatementsForIndexes holdingsStatementsForSupplements statisticalCodeIds",
    boolean="discoverySuppress",
    object="receivingHistory tags metadata",
)
ITEM = _shape(
    string="id hrid holdingsRecordId displaySummary accessionNumber barcode effectiveShelvingOrder itemLevelCallNumber"
    " itemLevelCallNumberPrefix itemLevelCallNumberSuffix itemLevelCallNumberTypeId volume enumeration chronology"
    " itemIdentifier copyNumber numberOfPieces descriptionOfPieces numberOfMissingPieces missingPieces"
    " missingPiecesDate itemDamagedStatusId itemDamagedStatusDate materialTypeId permanentLoanTypeId"
    " temporaryLoanTypeId permanentLocationId temporaryLocationId effectiveLocationId"
    " inTransitDestinationServicePointId purchaseOrderLineIdentifier",
    integer="_version order",
    array="formerIds additionalCallNumbers yearCaption administrativeNotes notes circulationNotes electronicAccess"
    " statisticalCodeIds",
    boolean="discoverySuppress",
    object="effectiveCallNumberComponents status materialType permanentLocation temporaryLocation tags metadata"
    " holdingsRecord2 lastCheckIn",
)
REQUIRED = {
    "instance": ("source", "title", "instanceTypeId"),
    "holdings_record": ("sourceId", "instanceId", "permanentLocationId"),
    "item": ("materialTypeId", "permanentLoanTypeId", "holdingsRecordId", "status"),
}
NESTED = {
    "identifiers": ("value", "identifierTypeId"),
    "contributors": ("name", "contributorNameTypeId"),
    "subjects": ("value",),
    "series": ("value",),
    "classifications": ("classificationNumber", "classificationTypeId"),
}
SHAPES = {"instance": INSTANCE, "holdings_record": HOLDINGS, "item": ITEM}
ITEM_STATUSES = frozenset(
    [
        "Aged to lost",
        "Available",
        "Awaiting pickup",
        "Awaiting delivery",
        "Checked out",
        "Claimed returned",
        "Declared lost",
        "In process",
        "In process (non-requestable)",
        "In transit",
        "Intellectual item",
        "Long missing",
        "Lost and paid",
        "Missing",
        "On order",
        "Paged",
        "Restricted",
        "Order closed",
        "Unavailable",
        "Unknown",
        "Withdrawn",
    ]
)


def check(table: str, body: Any, required: bool = True) -> None:
    """Raises Refused (422, or 400 where it is no object) that names the property."""
    if not isinstance(body, dict):
        raise invalid("a JSON object was expected", table, type(body).__name__)
    shape = SHAPES[table]
    for name, value in body.items():
        kind = shape.get(name)
        if kind is None:
            raise invalid(f"Unrecognized field '{name}'", name, "")
        if value is None:
            continue
        if not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
            raise invalid(f"{name} must be of type {kind}", name, value)
    if required:
        for name in REQUIRED[table]:
            if body.get(name) is None:
                raise invalid("must not be null", name, "null")
    if body.get("id") is not None and not UUID.match(body["id"]):
        raise invalid("must match the pattern of a UUID", "id", body["id"])
    for name, wanted in NESTED.items():
        for entry in body.get(name) or () if name in shape else ():
            if not isinstance(entry, dict) or any(not isinstance(entry.get(key), str) for key in wanted):
                raise invalid(f"each of {name} needs {' and '.join(wanted)}", name, entry)
    if table == "item" and body.get("status") is not None and body["status"].get("name") not in ITEM_STATUSES:
        raise invalid("no such item status", "status.name", body["status"].get("name"))
