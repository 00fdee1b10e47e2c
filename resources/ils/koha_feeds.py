"""Koha's side of feeds: patrons and items found by a key, and its libraries and item types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

from holdfast.catalogue.entity_patch import value_at
from holdfast.feeds.elements import FeedKind
from resources.ils.client import AuditEntry, Entity, Kind
from resources.ils.elements import KOHA, KOHA_BRANCHES, KOHA_HIDDEN, At, Table
from resources.ils.feeds import KINDS, chunks
from resources.ils.koha_lists import KohaLists

_CLOCKS_DIFFER = dt.timedelta(minutes=5)
# path, id, when it was changed
_RECORDS: Mapping[FeedKind, tuple[str, str, str]] = {
    "patrons": ("/patrons", "patron_id", "updated_on"),
    "items": ("/items", "item_id", "timestamp"),
}
_LISTS = {
    "libraries": ("/libraries", "library_id", "name"),
    "item-types": ("/item_types", "item_type_id", "description"),
}


class _Logged(Protocol):
    """The client that this is a part of."""

    def audit(self, kind: Kind, targets: Sequence[str], since: str) -> Iterator[AuditEntry]: ...


class KohaFeeds(KohaLists):
    """The part of the Koha client that feeds need; a `FeedIls` together with the rest. Koha has no holdings records."""

    elements: Mapping[FeedKind, Table] = KOHA
    new_records: Mapping[FeedKind, Mapping[str, Any]] = {"patrons": {}, "items": {}, "holdings": {}}
    branches: Mapping[FeedKind, tuple[At, ...]] = KOHA_BRANCHES
    hidden: Mapping[FeedKind, tuple[str, Any]] = KOHA_HIDDEN

    def find_entities(
        self, kind: FeedKind, element: str, values: Sequence[str], correlation_ids: Sequence[str]
    ) -> dict[str, list[Entity]]:
        path, id_name, updated = _RECORDS[kind]
        at = KOHA[kind][element]
        asked = [int(each) for each in values if each.isdecimal()] if at.form == "number" else list(values)
        wanted, found = set(values), dict[str, list[Entity]]()
        pages = self._rows(path, id_name, {at.pointer[1:]: {"-in": asked}}, correlation_ids) if asked else ()
        for body in chain.from_iterable(pages):
            # MySQL makes no difference of case and accents; what is found is looked at.
            value = " ".join(str(value_at(body, at.pointer) or "").split())
            if value in wanted:
                entity = Entity(KINDS[kind], str(body[id_name]), 0, body, str(body.get(updated) or ""))
                found.setdefault(value, []).append(entity)
        return found

    def count_entities(self, kind: FeedKind) -> int:
        path, _, _ = _RECORDS[kind]
        return int(self._get(path, _page=1, _per_page=1).headers["X-Total-Count"])

    def in_use(self, kind: FeedKind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, str]:
        """What is lent. Koha itself refuses to delete these, and what else it keeps: debts, holds, guarantees."""
        name, counts = _RECORDS[kind][1], dict[str, int]()
        for chunk in chunks(ids):
            query = {name: {"-in": [int(each) for each in chunk]}}
            for row in chain.from_iterable(self._rows("/checkouts", "checkout_id", query, correlation_ids)):
                counts[str(row[name])] = counts.get(str(row[name]), 0) + 1
        return {number: f"{count:,} open loan{'s' if count > 1 else ''}" for number, count in counts.items()}

    def changed_since_made(
        self: _Logged, kind: FeedKind, made: Sequence[tuple[Entity, int]], since: str, correlation_ids: Sequence[str]
    ) -> dict[str, str]:
        """By the log of actions: Koha has no versions. Where it has nothing of the making it keeps no log, and nothing is sure."""
        said: dict[str, list[AuditEntry]] = {each.id: [] for each, _ in made}
        early = (dt.datetime.fromisoformat(since) - _CLOCKS_DIFFER).isoformat()
        for entry in self.audit(KINDS[kind], list(said), early):
            said[entry.target].append(entry)
        found: dict[str, str] = {}
        for number, entries in said.items():
            changes = [each for each in entries if each.action == "update"]
            if changes:
                found[number] = f"changed since, on {changes[-1].at} by {changes[-1].user}"
            elif not any(each.action == "create" for each in entries):
                found[number] = "Koha's log does not tell whether somebody changed it"
        return found

    def reference_list(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        path, id_name, shown = _LISTS[name]
        rows = chain.from_iterable(self._rows(path, id_name, {}, last=""))
        return [(each[id_name], (each[id_name], *([each[shown]] if each.get(shown) else []))) for each in rows]

    def numbered(self, name: str, *, numbers: Sequence[str] = (), ids: Sequence[str] = ()) -> dict[str, str]:
        """Koha's numbers are its ids."""
        return {each: each for each in (*numbers, *ids)}
