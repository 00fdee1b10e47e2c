"""Where a library system keeps the elements of feeds (holdfast/feeds/elements.py): reading them from its JSON, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from holdfast.catalogue.entity_patch import value_at
from holdfast.feeds.elements import ELEMENTS, FeedKind

Form = Literal["text", "date", "moment", "flag", "number", "statement", "first"]


class References(Protocol):
    """Reference data: lists by their names, as `locations`; `instances` and `holdings` are lists too, of what was learnt."""

    def ids(self, name: str) -> Mapping[str, str]:
        """Code or name → the system's id."""

    def names(self, name: str) -> Mapping[str, str]:
        """The system's id → the one code or name that stands for it here."""


class At(NamedTuple):
    """Where one element is.

    Attributes:
        pointer: in the body, RFC 6901.
        form: of the value there; `moment` is a date with a time, `statement` FOLIO's list of statements, `first` a list of
            which the element is the first entry.
        reference: list of reference data of which the body holds the id and the element the code or name.
        writable: False where the system sets it.
        required: a new record must have it.
    """

    pointer: str
    form: Form = "text"
    reference: str = ""
    writable: bool = True
    required: bool = False


Table = Mapping[str, At]
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?\Z")
NUMBERED = ("instances", "holdings")
"""References to records by their number: no list that is read whole."""


class NotInThisSystem(ValueError):
    """A feed maps a column to an element that the library system has no place for."""


class UnknownReference(ValueError):
    """A value is no code or name of the library system's own list."""

    def __init__(self, element: str, value: str, allowed: list[str]) -> None:
        shown = f" (it has: {', '.join(sorted(allowed)[:40])})" if allowed else ""
        super().__init__(f"{element}: the library system has no {value!r}{shown}")
        self.element = element


class NoNumberError(ValueError):
    """A value that has to be a number is none; it is not repeated here."""

    def __init__(self, element: str) -> None:
        super().__init__(f"{element}: must be a number")
        self.element = element


def check_elements(kind: FeedKind, names: list[str], table: Table, system: str) -> None:
    """
    Raises:
        NotInThisSystem: naming the first that is missing, and those that are there.
    """
    for name in names:
        if name not in table:
            allowed = ", ".join(each for each in ELEMENTS[kind] if each in table)
            raise NotInThisSystem(f"{name}: {system} has no place for it in {kind} (it has: {allowed})")
        if not table[name].writable and name not in ("number",):
            raise NotInThisSystem(f"{name}: {system} sets it by itself")


def elements_of(body: Mapping[str, Any], table: Table, references: References) -> dict[str, str]:
    """The elements that a live record has; those without a value are left out."""
    found: dict[str, str] = {}
    for element, at in table.items():
        value = value_at(body, at.pointer)
        if value is None or value in ("", []):
            continue
        found[element] = text_of(value, at, references)
    return found


def text_of(value: Any, at: At, references: References) -> str:
    """A value of the system's as the element says it."""
    if at.reference:
        text = references.names(at.reference).get(str(value), str(value))
    else:
        text = _read(value, at.form)
    return " ".join(text.split())


def _read(value: Any, form: Form) -> str:
    if form in ("date", "moment"):
        return str(value)[:10]
    if form == "flag":
        return "true" if value else "false"
    if form == "first":
        return str(value[0])
    if form == "statement":
        return " ; ".join(str(each.get("statement", "")) for each in value if isinstance(each, Mapping))
    return str(value)


def _number(element: str, value: str) -> int | float:
    if not _NUMBER.match(value):
        raise NoNumberError(element)
    return float(value) if "." in value else int(value)


def written(element: str, value: str, table: Table, references: References) -> tuple[str, Any]:
    """(JSON pointer, value) that says the element in the system's body.

    Raises:
        UnknownReference: the value is no code or name of its list.
        NoNumberError: the system wants a number.
    """
    at = table[element]
    if at.reference:
        known = references.ids(at.reference)
        if value not in known:
            raise UnknownReference(element, value, [] if at.reference in NUMBERED else list(known))
        return at.pointer, known[value]
    if at.form == "moment":
        return at.pointer, f"{value}T00:00:00.000+00:00"
    if at.form == "flag":
        return at.pointer, value == "true"
    if at.form == "number":
        return at.pointer, _number(element, value)
    if at.form == "first":
        return at.pointer, [value]
    if at.form == "statement":
        return at.pointer, [{"statement": each} for each in value.split(" ; ")]
    return at.pointer, value


# FOLIO: mod-users userdata.json, mod-inventory-storage item.json and holdingsrecord.json.
FOLIO: Mapping[FeedKind, Table] = {
    "patrons": {
        "external_id": At("/externalSystemId"),
        "barcode": At("/barcode"),
        "username": At("/username"),
        "last_name": At("/personal/lastName", required=True),
        "first_name": At("/personal/firstName"),
        "middle_name": At("/personal/middleName"),
        "email": At("/personal/email"),
        "phone": At("/personal/phone"),
        "mobile": At("/personal/mobilePhone"),
        "date_of_birth": At("/personal/dateOfBirth", "moment"),
        "group": At("/patronGroup", reference="groups"),
        "active": At("/active", "flag"),
        "enrolled": At("/enrollmentDate", "moment"),
        "expires": At("/expirationDate", "moment"),
    },
    "items": {
        "barcode": At("/barcode"),
        "number": At("/hrid", writable=False),
        "holdings": At("/holdingsRecordId", reference="holdings", required=True),
        "location": At("/permanentLocationId", reference="locations"),
        "material_type": At("/materialTypeId", reference="material-types", required=True),
        "loan_type": At("/permanentLoanTypeId", reference="loan-types", required=True),
        "status": At("/status/name"),
        "call_number": At("/itemLevelCallNumber"),
        "volume": At("/volume"),
        "enumeration": At("/enumeration"),
        "chronology": At("/chronology"),
        "copy_number": At("/copyNumber"),
        "suppressed": At("/discoverySuppress", "flag"),
    },
    "holdings": {
        "number": At("/hrid", writable=False),
        "source_number": At("/formerIds", "first"),
        "bib": At("/instanceId", reference="instances", required=True),
        "location": At("/permanentLocationId", reference="locations", required=True),
        "call_number": At("/callNumber"),
        "copy_number": At("/copyNumber"),
        "statement": At("/holdingsStatements", "statement"),
        "suppressed": At("/discoverySuppress", "flag"),
    },
}

# What a new record has where the feed says nothing of it: kind → JSON pointer → value.
FOLIO_NEW: Mapping[FeedKind, Mapping[str, Any]] = {
    "patrons": {"/active": True, "/type": "patron"},
    "items": {"/status": {"name": "Available"}},
    "holdings": {"/sourceId": "f32d531e-df79-46b3-8932-cdd35f7a2264"},  # the source named FOLIO, of its reference data
}

# Koha: patron.yaml and item.yaml of its REST API; it has no holdings records.
KOHA: Mapping[FeedKind, Table] = {
    "patrons": {
        "external_id": At("/statistics_1"),
        "barcode": At("/cardnumber"),
        "username": At("/userid"),
        "last_name": At("/surname", required=True),
        "first_name": At("/firstname"),
        "middle_name": At("/middle_name"),
        "email": At("/email"),
        "phone": At("/phone"),
        "mobile": At("/mobile"),
        "address": At("/address"),
        "city": At("/city"),
        "postal_code": At("/postal_code"),
        "date_of_birth": At("/date_of_birth", "date"),
        "note": At("/staff_notes"),
        "group": At("/category_id", required=True),
        "library": At("/library_id", reference="libraries", required=True),
        "enrolled": At("/date_enrolled", "date"),
        "expires": At("/expiry_date", "date"),
    },
    "items": {
        "barcode": At("/external_id"),
        "number": At("/item_id", "number", writable=False),
        "bib": At("/biblio_id", "number", required=True),
        "location": At("/location"),
        "library": At("/home_library_id", reference="libraries"),
        "material_type": At("/item_type_id", reference="item-types"),
        "call_number": At("/callnumber"),
        "enumeration": At("/serial_issue_number"),
        "copy_number": At("/copy_number"),
        "public_note": At("/public_notes"),
        "staff_note": At("/internal_notes"),
        "price": At("/purchase_price", "number"),
    },
    "holdings": {},
}

# The branch that a record belongs to: kind → where the body says it. FOLIO's locations name their library.
FOLIO_BRANCHES: Mapping[FeedKind, tuple[At, ...]] = {
    "items": (At("/permanentLocationId", reference="branches"), At("/effectiveLocationId", reference="branches")),
    "holdings": (At("/permanentLocationId", reference="branches"),),
}
KOHA_BRANCHES: Mapping[FeedKind, tuple[At, ...]] = {"items": (At("/home_library_id"),)}

# What hides a record from the public: kind → (JSON pointer, value). A patron's account ends instead.
FOLIO_HIDDEN: Mapping[FeedKind, tuple[str, Any]] = {
    "items": ("/discoverySuppress", True),
    "holdings": ("/discoverySuppress", True),
}
KOHA_HIDDEN: Mapping[FeedKind, tuple[str, Any]] = {"items": ("/withdrawn", 1)}


def branches_of(body: Mapping[str, Any], places: tuple[At, ...], references: References) -> set[str]:
    """Of one record; empty where its body names none. An item without a location of its own may have one by its holdings record,
    which is not asked."""
    values = {at: value_at(body, at.pointer) for at in places}
    return {text_of(value, at, references) for at, value in values.items() if value not in (None, "")}
