"""Koha's side of feeds: patrons and items found by a key, and its libraries and item types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from holdfast.catalogue.entity_patch import value_at
from holdfast.feeds.elements import FeedKind
from resources.ils.client import Entity
from resources.ils.elements import KOHA, Table
from resources.ils.feeds import KINDS
from resources.ils.koha_lists import KohaLists

# path, id, when it was changed
_RECORDS: Mapping[FeedKind, tuple[str, str, str]] = {
    "patrons": ("/patrons", "patron_id", "updated_on"),
    "items": ("/items", "item_id", "timestamp"),
}
_LISTS = {
    "libraries": ("/libraries", "library_id", "name"),
    "item-types": ("/item_types", "item_type_id", "description"),
}


class KohaFeeds(KohaLists):
    """The part of the Koha client that feeds need; a `FeedIls` together with the rest. Koha has no holdings records."""

    elements: Mapping[FeedKind, Table] = KOHA
    new_records: Mapping[FeedKind, Mapping[str, Any]] = {"patrons": {}, "items": {}, "holdings": {}}

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

    def reference_list(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        path, id_name, shown = _LISTS[name]
        rows = chain.from_iterable(self._rows(path, id_name, {}, last=""))
        return [(each[id_name], (each[id_name], *([each[shown]] if each.get(shown) else []))) for each in rows]

    def numbered(self, name: str, *, numbers: Sequence[str] = (), ids: Sequence[str] = ()) -> dict[str, str]:
        """Koha's numbers are its ids."""
        return {each: each for each in (*numbers, *ids)}
