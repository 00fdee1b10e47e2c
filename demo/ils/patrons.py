"""Users and their groups: FOLIO mod-users. No `_version`; username, barcode and externalSystemId are unique."""

from __future__ import annotations

import uuid
from typing import Any

from demo.ils.audit import USERS, Origin
from demo.ils.documents import Body, DocumentKind, Documents
from demo.ils.errors import invalid
from demo.ils.shapes import UUID

_TEXT, _LIST, _OBJECT, _FLAG = (str,), (list,), (dict,), (bool,)
USER_TYPES: dict[str, tuple[type, ...]] = {
    "username": _TEXT,
    "id": _TEXT,
    "externalSystemId": _TEXT,
    "barcode": _TEXT,
    "active": _FLAG,
    "type": _TEXT,
    "patronGroup": _TEXT,
    "departments": _LIST,
    "meta": _OBJECT,
    "proxyFor": _LIST,
    "personal": _OBJECT,
    "enrollmentDate": _TEXT,
    "expirationDate": _TEXT,
    "createdDate": _TEXT,
    "updatedDate": _TEXT,
    "metadata": _OBJECT,
    "tags": _OBJECT,
    "customFields": _OBJECT,
    "preferredEmailCommunication": _LIST,
}
PERSONAL = frozenset(
    "pronouns lastName firstName middleName preferredFirstName email phone mobilePhone dateOfBirth addresses"
    " preferredContactTypeId preferredContactTypeIds profilePictureLink".split()
)
USER = DocumentKind("user", "users", USER_TYPES, unique=("username", "barcode", "externalSystemId"))
GROUP = DocumentKind(
    "usergroup",
    "usergroups",
    dict.fromkeys(("group", "desc", "id", "source"), _TEXT) | {"metadata": _OBJECT, "expirationOffsetInDays": (int,)},
    required=("group",),
    unique=("group",),
)
# mod-users' own four, and the one that its sample data adds.
GROUPS = {
    "503a81cd-6c26-400f-b620-14c08943697c": "faculty",
    "ad0bc554-d5bc-463c-85d1-5562127ae91b": "graduate",
    "3684a786-6671-4268-8ed0-9db82ebca60b": "staff",
    "bdc2b6d4-5ceb-4a12-ab46-249b9a68473e": "undergrad",
}


class Users(Documents):
    """`Documents` that know what is nested in a user."""

    def create(self, body: Any, origin: Origin) -> bytes:
        return super().create(_checked(body), origin)

    def replace(self, record_id: str, body: Any, origin: Origin) -> None:
        super().replace(record_id, _checked(body), origin)


def _checked(body: Any) -> Any:
    """Raises Refused (422) that names the property of `personal`, or a group that is no UUID."""
    if not isinstance(body, dict):
        return body  # DocumentKind.check refuses it
    personal = body.get("personal")
    if isinstance(personal, dict):
        for name in personal:
            if name not in PERSONAL:
                raise invalid(f"Unrecognized field '{name}'", f"personal.{name}", "")
        if not isinstance(personal.get("lastName"), str):
            raise invalid("must not be null", "personal.lastName", "null")
        for address in personal.get("addresses") or ():
            if not isinstance(address, dict) or not UUID.match(str(address.get("addressTypeId"))):
                raise invalid("must match the pattern of a UUID", "personal.addresses.addressTypeId", "")
    if body.get("patronGroup") is not None and body["patronGroup"] not in GROUPS:
        raise invalid("No such patronGroup", "patronGroup", body["patronGroup"])
    return body


def account_user(name: str) -> Body:
    """The account that Holdfast logs in with is a user too: by its id the audit names it."""
    return {"id": str(uuid.uuid5(USERS, name)), "username": name, "active": True, "type": "system"}


def sample_user(number: int) -> Body:
    """A patron of the demo: an invented name, and a card number that `mod 10` has nothing to do with."""
    first = ("Ada", "Bela", "Chiara", "Daniel", "Emine", "Farid", "Greta", "Hugo")[number % 8]
    last = ("Winter", "Okafor", "Lindqvist", "Marsh", "Petrov", "Yilmaz", "Zeller")[number % 7]
    return {
        "id": str(uuid.uuid5(USERS, f"patron {number}")),
        "username": f"{first.lower()}.{last.lower()}{number}",
        "externalSystemId": f"p{number:06d}@library.example",
        "barcode": f"2123400{number:07d}",
        "active": True,
        "type": "patron",
        "patronGroup": list(GROUPS)[number % 4],
        "personal": {
            "lastName": last,
            "firstName": first,
            "email": f"{first.lower()}.{last.lower()}{number}@mail.example",
            "preferredContactTypeId": "002",
        },
        "expirationDate": "2030-12-31T23:59:59.000+00:00",
    }
