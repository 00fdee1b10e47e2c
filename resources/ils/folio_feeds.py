"""FOLIO's side of feeds: users, items and holdings found by a key, and its reference data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from holdfast.catalogue.entity_patch import value_at
from holdfast.feeds.elements import FeedKind
from resources.ils.client import Entity
from resources.ils.elements import FOLIO, FOLIO_NEW, Table
from resources.ils.feeds import KINDS
from resources.ils.folio_inventory import quoted
from resources.ils.session import Call, Session

_PAGE = 1000


class _List(NamedTuple):
    """path, key of the list in the answer, properties: first the one that stands for an entry here."""

    path: str
    key: str
    names: tuple[str, ...]


# mod-users /groups; mod-inventory-storage /locations, /material-types, /loan-types.
_LISTS = {
    "groups": _List("/groups", "usergroups", ("group",)),
    "locations": _List("/locations", "locations", ("code", "name")),
    "material-types": _List("/material-types", "mtypes", ("name",)),
    "loan-types": _List("/loan-types", "loantypes", ("name",)),
}
_RECORDS: Mapping[str, tuple[str, str]] = {
    "patrons": ("/users", "users"),
    "items": ("/item-storage/items", "items"),
    "holdings": ("/holdings-storage/holdings", "holdingsRecords"),
    "instances": ("/instance-storage/instances", "instances"),
}


class FolioFeeds:
    """The part of the FOLIO client that feeds need; a `FeedIls` together with the rest."""

    elements: Mapping[FeedKind, Table] = FOLIO
    new_records: Mapping[FeedKind, Mapping[str, Any]] = FOLIO_NEW
    _session: Session

    def find_entities(
        self, kind: FeedKind, element: str, values: Sequence[str], correlation_ids: Sequence[str]
    ) -> dict[str, list[Entity]]:
        at = FOLIO[kind][element]
        index = ".".join(at.pointer.split("/")[1:])
        # Of a list FOLIO finds words, not whole values; and it makes no difference of case. What is found is looked at.
        relation = "=" if at.form == "first" else "=="
        query = f"{index}{relation}{quoted(values)}"
        wanted, found = set(values), dict[str, list[Entity]]()
        for body in self._found(kind, query, correlation_ids):
            there = value_at(body, at.pointer) or ""
            value = " ".join(str(there[0] if isinstance(there, list) else there).split())
            if value in wanted:
                updated = str(body.get("metadata", {}).get("updatedDate", ""))
                entity = Entity(KINDS[kind], body["id"], int(body.get("_version", 0)), body, updated)
                found.setdefault(value, []).append(entity)
        return found

    def reference_list(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        path, key, names = _LISTS[name]
        entries: list[tuple[str, tuple[str, ...]]] = []
        while True:
            params = {"query": "cql.allRecords=1 sortBy id", "limit": _PAGE, "offset": len(entries)}
            page = orjson.loads(self._session.send(Call("GET", path, params=params)).content)[key]
            entries += [(each["id"], tuple(str(each[name]) for name in names if each.get(name))) for each in page]
            if len(page) < _PAGE:
                return [each for each in entries if each[1]]

    def numbered(self, name: str, *, numbers: Sequence[str] = (), ids: Sequence[str] = ()) -> dict[str, str]:
        index, values = ("hrid", numbers) if numbers else ("id", ids)
        query = f"{index}=={quoted(values)}"
        wanted = set(values)
        return {each["hrid"]: each["id"] for each in self._found(name, query, ()) if each.get(index) in wanted}

    def _found(self, what: str, query: str, correlation_ids: Sequence[str]) -> list[dict[str, Any]]:
        path, key = _RECORDS[what]
        found: list[dict[str, Any]] = []
        while True:
            params = {"query": f"{query} sortBy id", "limit": _PAGE, "offset": len(found)}
            page = orjson.loads(self._session.send(Call("GET", path, correlation_ids, params=params)).content)[key]
            found += page
            if len(page) < _PAGE:
                return found
