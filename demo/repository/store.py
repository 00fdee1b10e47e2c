"""What the repository has: items with their forms, each change with the repository's own clock."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Item:
    """forms: metadataPrefix → the XML of the record. datestamp: UTC, to the second."""

    identifier: str
    datestamp: dt.datetime
    sets: tuple[str, ...] = ()
    forms: dict[str, str] = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True)
class Listed:
    """A list that a client pages through: as it was when it was asked for."""

    items: list[Item]
    position: int
    prefix: str
    verb: str


class Store:
    """Items by identifier. `tokens`: resumption token → where the list goes on."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.tokens: dict[str, Listed] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        with self._lock:
            self.items[item.identifier] = replace(item, datestamp=item.datestamp.replace(microsecond=0))

    def delete(self, identifier: str, at: dt.datetime) -> None:
        """As OAI-PMH wants it: the header stays, with a new datestamp."""
        self.put(replace(self.items[identifier], datestamp=at, deleted=True, forms={}))

    def forget(self, identifier: str) -> None:
        """In silence: as if it had never been."""
        with self._lock:
            del self.items[identifier]

    def clear(self) -> None:
        with self._lock:
            self.items.clear()
            self.tokens.clear()

    def between(self, first: dt.datetime | None, last: dt.datetime | None, set_spec: str = "") -> list[Item]:
        """Items whose datestamp lies between, both ends included, by datestamp and identifier."""
        with self._lock:
            found = list(self.items.values())
        return sorted(
            (
                each
                for each in found
                if (first is None or each.datestamp >= first)
                and (last is None or each.datestamp <= last)
                and (not set_spec or any(name == set_spec or name.startswith(set_spec + ":") for name in each.sets))
            ),
            key=lambda each: (each.datestamp, each.identifier),
        )

    def keep(self, listed: Listed) -> str:
        with self._lock:
            token = f"token-{next(self._numbers)}"
            self.tokens[token] = listed
        return token

    def expire_tokens(self) -> None:
        with self._lock:
            self.tokens.clear()
