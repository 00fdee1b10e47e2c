"""The elements that a column of a feed may be mapped to: words of the field, whichever library system has them.

An adapter says where its system keeps each (resources/ils). Masked elements are stored as tokens only; their values live in
the sealed original and in the request that writes them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal, NamedTuple

FeedKind = Literal["patrons", "items", "holdings"]
Shape = Literal["text", "date", "flag"]


TRUE, FALSE = ("true", "yes", "y", "1", "active", "x"), ("false", "no", "n", "0", "inactive", "-")


class Element(NamedTuple):
    about: str
    shape: Shape = "text"
    masked: bool = False


PATRONS: Mapping[str, Element] = {
    "external_id": Element("number in the system that sends the feed (matriculation, staff number)", masked=True),
    "barcode": Element("of the library card", masked=True),
    "username": Element("for signing in", masked=True),
    "last_name": Element("family name", masked=True),
    "first_name": Element("given name", masked=True),
    "middle_name": Element("further given names", masked=True),
    "email": Element("address for notices", masked=True),
    "phone": Element("telephone", masked=True),
    "mobile": Element("mobile telephone", masked=True),
    "address": Element("street and house", masked=True),
    "city": Element("town", masked=True),
    "postal_code": Element("postal code", masked=True),
    "date_of_birth": Element("date of birth", "date", masked=True),
    "note": Element("of staff, about the patron", masked=True),
    "group": Element("patron group or category, by its name or code in the library system"),
    "library": Element("home library, by its code in the library system"),
    "active": Element("may use the account", "flag"),
    "enrolled": Element("first day of the account", "date"),
    "expires": Element("last day of the account", "date"),
}

ITEMS: Mapping[str, Element] = {
    "barcode": Element("of the item"),
    "number": Element("the item's number in the library system (hrid, item number)"),
    "holdings": Element("number of the holdings record in the library system"),
    "bib": Element("number of the bibliographic record in the library system"),
    "location": Element("by its code in the library system"),
    "library": Element("home library, by its code in the library system"),
    "material_type": Element("by its name or code in the library system"),
    "loan_type": Element("by its name or code in the library system"),
    "status": Element("as the library system names it"),
    "call_number": Element("call number"),
    "volume": Element("designation of the volume"),
    "enumeration": Element("volume and number: v.12 no.3"),
    "chronology": Element("date of the issue: 2026 Mar"),
    "copy_number": Element("copy number"),
    "public_note": Element("shown to everybody"),
    "staff_note": Element("shown to staff only", masked=True),
    "price": Element("what was paid", masked=True),
    "suppressed": Element("hidden from the public", "flag"),
}

HOLDINGS: Mapping[str, Element] = {
    "number": Element("the holdings record's number in the library system (hrid)"),
    "source_number": Element("001 of the holdings record that was sent"),
    "bib": Element("number of the bibliographic record in the library system; in MARC 004"),
    "location": Element("by its code in the library system; in MARC 852 $b or $c"),
    "call_number": Element("in MARC 852 $h $i"),
    "copy_number": Element("in MARC 852 $t"),
    "statement": Element("what is held, in words; in MARC 866 $a, else made from 853 and 863"),
    "public_note": Element("shown to everybody; in MARC 852 $z"),
    "staff_note": Element("shown to staff only; in MARC 852 $x", masked=True),
    "suppressed": Element("hidden from the public", "flag"),
}

ELEMENTS: Mapping[FeedKind, Mapping[str, Element]] = {"patrons": PATRONS, "items": ITEMS, "holdings": HOLDINGS}

# By which a row can be told from every other.
KEYS: Mapping[FeedKind, tuple[str, ...]] = {
    "patrons": ("external_id", "barcode", "username"),
    "items": ("barcode", "number"),
    "holdings": ("number", "source_number"),
}


def masked_elements(kind: FeedKind) -> tuple[str, ...]:
    return tuple(name for name, element in ELEMENTS[kind].items() if element.masked)


def in_form(value: str, shape: Shape, date_format: str) -> str:
    """The value as all elements of this shape are written: dates ISO 8601, flags 'true', 'false'.

    Raises:
        ValueError: it is none; the text says what it should be, and does not repeat the value.
    """
    if shape == "date":
        try:
            return dt.datetime.strptime(value, date_format).date().isoformat()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            raise ValueError(f"is no date of the form {date_format!r}") from None
    if shape == "flag":
        word = value.lower()
        if word not in TRUE + FALSE:
            raise ValueError(f"is neither yes nor no (allowed: {', '.join(TRUE + FALSE)})")
        return "true" if word in TRUE else "false"
    return value
