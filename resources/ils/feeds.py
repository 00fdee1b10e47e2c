"""What a library system has to offer for feeds: records found by a key, reference data, and where it keeps each element."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import polars as pl

from holdfast.feeds.elements import FeedKind, masked_elements
from holdfast.feeds.plan import live_schema
from holdfast.privacy.masking import token
from holdfast.settings import Settings, SettingsError
from resources.ils.client import AuditEntry, Capabilities, Entity, EntityUnit, Kind, Written
from resources.ils.elements import FOLIO, KOHA, NUMBERED, At, NotInThisSystem, Table, check_elements, elements_of

KINDS: Mapping[FeedKind, Kind] = {"patrons": "patron", "items": "item", "holdings": "holdings"}
TABLES: Mapping[str, Mapping[FeedKind, Table]] = {"folio": FOLIO, "koha": KOHA}
_LONGEST_QUERY = 2_000  # characters: values are asked for in the address, of which a gateway takes 4,000 or 8,000


class FeedIls(Protocol):
    """A library system that feeds are written to. Reads and writes are those of `EntityIls`."""

    name: str

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def elements(self) -> Mapping[FeedKind, Table]:
        """Where each element is."""

    @property
    def new_records(self) -> Mapping[FeedKind, Mapping[str, Any]]:
        """What a new record has by itself: JSON pointer → value."""

    @property
    def branches(self) -> Mapping[FeedKind, tuple[At, ...]]:
        """Where a record says which branch it belongs to; kinds that belong to none are left out."""

    @property
    def hidden(self) -> Mapping[FeedKind, tuple[str, Any]]:
        """What hides a record from the public: JSON pointer, value."""

    def in_use(self, kind: FeedKind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, str]:
        """Of these, those on which something hangs, and what: they must not be deleted."""

    def changed_since_made(
        self, kind: FeedKind, made: Sequence[tuple[Entity, int]], since: str, correlation_ids: Sequence[str]
    ) -> dict[str, str]:
        """Of records that were created at or after `since`, with the version that they had then: id → why it is not sure that
        nobody changed them."""

    def audit(self, kind: Kind, targets: Sequence[str], since: str) -> Iterator[AuditEntry]: ...

    def entities(self, kind: Kind, since: str | None = None, until: str | None = None) -> Iterator[list[Entity]]: ...

    def fetch_entities(self, kind: Kind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, Entity]: ...

    def write_entities(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]: ...

    def find_entities(
        self, kind: FeedKind, element: str, values: Sequence[str], correlation_ids: Sequence[str]
    ) -> dict[str, list[Entity]]:
        """value → the live ones that have exactly it; values that nothing has are left out. One request."""

    def count_entities(self, kind: FeedKind) -> int:
        """How many there are. One request."""

    def reference_list(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        """(id, its codes and names, first the one that stands for it here) of a whole list."""

    def numbered(self, name: str, *, numbers: Sequence[str] = (), ids: Sequence[str] = ()) -> dict[str, str]:
        """number → id, of `instances` or `holdings` with these numbers or ids. One request."""


def check_feeds(settings: Settings) -> None:
    """
    Raises:
        SettingsError: a feed is of records, or maps an element, that the library system has no place for.
    """
    adapter, faults = settings.ils.adapter, []
    tables = TABLES[adapter]
    for name, feed in settings.feeds.items():
        if not tables[feed.kind]:
            kinds = ", ".join(kind for kind, table in tables.items() if table)
            faults.append(f"feeds.{name}.kind: {adapter} has no {feed.kind} records (it has: {kinds})")
            continue
        try:
            check_elements(feed.kind, [*feed.columns, *feed.constants], tables[feed.kind], adapter)
        except NotInThisSystem as error:
            faults.append(f"feeds.{name}.columns: {error}")
    if faults:
        raise SettingsError("\n".join(faults))


class ReferenceData:
    """A `References` that asks the library system for each list once. Numbered records are learnt before they are asked for."""

    def __init__(self, ils: FeedIls) -> None:
        self._ils = ils
        self._ids: dict[str, dict[str, str]] = {name: {} for name in NUMBERED}
        self._names: dict[str, dict[str, str]] = {name: {} for name in NUMBERED}

    def _load(self, name: str) -> None:
        if name in self._ids:
            return
        entries = self._ils.reference_list(name)
        self._names[name] = {number: names[0] for number, names in entries}
        # Where the name of one is the code of another, what stands for it here counts.
        self._ids[name] = {each: number for number, names in entries for each in names[1:]}
        self._ids[name] |= {names[0]: number for number, names in entries}

    def ids(self, name: str) -> Mapping[str, str]:
        self._load(name)
        return self._ids[name]

    def names(self, name: str) -> Mapping[str, str]:
        self._load(name)
        return self._names[name]

    def learn(self, table: Table, rows: pl.DataFrame, bodies: Iterable[Mapping[str, Any]] = ()) -> None:
        """Ask for the numbers that rows have, and for the ids that live records have, of what is not known yet."""
        for element, at in table.items():
            if at.reference not in NUMBERED:
                continue
            known, names = self._ids[at.reference], self._names[at.reference]
            wanted = rows[element].drop_nulls().unique(maintain_order=True).to_list() if element in rows.columns else []
            ids = {str(body.get(at.pointer[1:]) or "") for body in bodies} - {"", *names}
            found: dict[str, str] = {}
            for chunk in chunks([each for each in wanted if each not in known]):
                found |= self._ils.numbered(at.reference, numbers=chunk)
            for chunk in chunks(sorted(ids)):
                found |= self._ils.numbered(at.reference, ids=chunk)
            known |= found
            names |= {number: name for name, number in found.items()}


def chunks(values: Sequence[str], most: int = 50) -> Iterator[list[str]]:
    """In parts that fit into an address."""
    part: list[str] = []
    length = 0
    for value in values:
        if part and (len(part) == most or length + len(value) + 8 > _LONGEST_QUERY):
            yield part
            part, length = [], 0
        part.append(value)
        length += len(value) + 8
    if part:
        yield part


def masked_live(
    kind: FeedKind, entities: Sequence[Entity], table: Table, references: ReferenceData, salt: bytes
) -> pl.DataFrame:
    """Live records in the shape `plan.live_schema`, masked."""
    references.learn(table, pl.DataFrame(), [each.body for each in entities])
    masked = set(masked_elements(kind))
    rows = []
    for each in entities:
        found = elements_of(each.body, table, references)
        tokens = {name: token(value, salt) if name in masked else value for name, value in found.items()}
        rows.append({"target": each.id, "version": each.version, **tokens})
    return pl.DataFrame(rows, schema=live_schema(kind))
