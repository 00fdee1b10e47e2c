"""FOLIO's side of feeds: users, items and holdings found by a key, and its reference data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from holdfast.catalogue.entity_patch import value_at
from holdfast.feeds.elements import FeedKind
from resources.ils.client import Entity
from resources.ils.elements import FOLIO, FOLIO_BRANCHES, FOLIO_HIDDEN, FOLIO_NEW, At, Table
from resources.ils.feeds import KINDS, chunks
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
    "branches": _List("/locations", "locations", ("libraryId",)),
}
_RECORDS: Mapping[str, tuple[str, str]] = {
    "patrons": ("/users", "users"),
    "items": ("/item-storage/items", "items"),
    "holdings": ("/holdings-storage/holdings", "holdingsRecords"),
    "instances": ("/instance-storage/instances", "instances"),
    "loans": ("/loan-storage/loans", "loans"),
}
# What hangs on a record: list, index of the record's id in it, more of the query, in words.
_HANGING: Mapping[FeedKind, tuple[str, str, str, str]] = {
    "items": ("loans", "itemId", ' and status.name=="Open"', "open loan"),
    "patrons": ("loans", "userId", ' and status.name=="Open"', "open loan"),
    "holdings": ("items", "holdingsRecordId", "", "item"),
}


class FolioFeeds:
    """The part of the FOLIO client that feeds need; a `FeedIls` together with the rest."""

    elements: Mapping[FeedKind, Table] = FOLIO
    new_records: Mapping[FeedKind, Mapping[str, Any]] = FOLIO_NEW
    branches: Mapping[FeedKind, tuple[At, ...]] = FOLIO_BRANCHES
    hidden: Mapping[FeedKind, tuple[str, Any]] = FOLIO_HIDDEN
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

    def count_entities(self, kind: FeedKind) -> int:
        path, _ = _RECORDS[kind]
        # Unless it is asked to count, FOLIO guesses (raml-module-builder, "Estimated totalRecords").
        params = {"query": "cql.allRecords=1", "limit": 0, "totalRecords": "exact"}
        return int(orjson.loads(self._session.send(Call("GET", path, params=params)).content)["totalRecords"])

    def in_use(self, kind: FeedKind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, str]:
        """Storage deletes an item that is on loan, and a user with loans, without a word."""
        what, index, more, word = _HANGING[kind]
        counts: dict[str, int] = {}
        for chunk in chunks(ids):
            query = f"{index}=={quoted(chunk)}{more}"
            for body in self._found(what, query, correlation_ids):
                counts[body[index]] = counts.get(body[index], 0) + 1
        return {number: f"{count:,} {word}{'s' if count > 1 else ''}" for number, count in counts.items()}

    def changed_since_made(
        self, kind: FeedKind, made: Sequence[tuple[Entity, int]], since: str, correlation_ids: Sequence[str]
    ) -> dict[str, str]:
        """By `_version`, which a loan raises, too; users have none, but the moments of their making and last change."""
        found: dict[str, str] = {}
        for each, version in made:
            dates = each.body.get("metadata") or {}
            if kind != "patrons" and each.version != version:
                found[each.id] = f"changed since: it has version {each.version} and was made as {version}"
            elif kind == "patrons" and (not dates or dates.get("createdDate") != dates.get("updatedDate")):
                found[each.id] = f"changed since, on {dates.get('updatedDate') or 'a day that is not known'}"
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
