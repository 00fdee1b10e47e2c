"""What Holdfast wants of a library system, whichever it is."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from holdfast.identity import NAMESPACE
from resources.ils.errors import IlsDownError, InDoubtError, RefusedError

__all__ = [
    "AuditEntry",
    "Capabilities",
    "CirculationEvent",
    "Entity",
    "EntityIls",
    "EntityUnit",
    "Fields",
    "Ils",
    "IlsDownError",
    "InDoubtError",
    "Kind",
    "LiveRecord",
    "RefusedError",
    "Unit",
    "Written",
    "source_record_id",
]

Fields = list[tuple[str, str]]  # (tag, text) as in holdfast.catalogue.fields


Kind = Literal["bib", "holdings", "item", "patron"]


@dataclass(frozen=True)
class Capabilities:
    """What an API has; the planner and the writer make do with that.

    Attributes:
        reads: kinds that can be listed and read.
        writes: kinds that can be written.
        versioned: kinds of which the system refuses a stale write by itself. Of the others, a write is read, compared and
            written under Holdfast's own lock.
        compares: kinds of which the adapter reads, compares, writes and reads back within `write` itself.
        chosen_ids: kinds of which the client chooses the id of a new record: creating twice creates once.
        batches: most records in one write request, by kind; 1 where it is not named.
        write_requests, read_requests: requests that a changed record, or a batch of them, costs, by kind.
        own_reads: reads that each changed record needs beside these, however many are in a batch.
        shows_deletions: the change feed shows what was deleted outright.
        audit: who changed a record can be asked for, by kind.
        suppresses: a record can be hidden from the public.
        deletes: kinds that can be deleted outright.
        circulation: loans can be asked for by when they changed.
        own_fields: tags that the system keeps for itself; they take part in no patch.
    """

    reads: frozenset[Kind]
    writes: frozenset[Kind]
    versioned: frozenset[Kind] = frozenset()
    compares: frozenset[Kind] = frozenset()
    chosen_ids: frozenset[Kind] = frozenset()
    batches: Mapping[Kind, int] = field(default_factory=dict)
    write_requests: Mapping[Kind, int] = field(default_factory=dict)
    read_requests: Mapping[Kind, int] = field(default_factory=dict)
    own_reads: Mapping[Kind, int] = field(default_factory=dict)
    shows_deletions: bool = False
    audit: frozenset[Kind] = frozenset()
    suppresses: bool = True
    deletes: frozenset[Kind] = frozenset()
    circulation: bool = False
    own_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class LiveRecord:
    """A record of the catalogue as it is now."""

    target: str  # instance id
    hrid: str
    version: int
    instance: dict[str, Any]
    source_id: str  # of the MARC record's present version; '' where there is none
    fields: Fields
    updated: str  # ISO 8601, by the system's clock
    suppressed: bool = False  # hidden from the public
    created: str = ""  # the id that a plan gave to it when it was new, where the system gives ids itself and keeps this


@dataclass(frozen=True)
class Unit:
    """One change of one record, as planned."""

    idempotency_key: str
    correlation_id: str
    record: int
    action: str  # 'create', 'update' or 'suppress'; of an undo 'unsuppress' or 'delete', too
    target: str
    version: int  # that the plan saw; 0 for a new record
    source_id: str = ""  # the MARC record's version that the plan saw; '' for a new record
    deletes: Fields = field(default_factory=list)
    adds: Fields = field(default_factory=list)
    round: int = 0  # how often the change was set back and written anew


@dataclass(frozen=True)
class Written:
    """What became of a unit: 'acknowledged', 'conflicted' or 'failed'."""

    idempotency_key: str
    state: str
    version: int = 0
    answer: str = ""
    target: str = ""  # the id that the system gave to a new record; '' where the unit's target is it


def source_record_id(idempotency_key: str, round_: int = 0) -> str:
    """Id of the MARC record's version that this change writes: the same in every attempt, another one once the change was
    taken back and is written anew (`round_`)."""
    return str(uuid.uuid5(NAMESPACE, f"source-record:{idempotency_key}{f':{round_}' if round_ else ''}"))


@dataclass(frozen=True)
class Entity:
    """A holdings record, an item or a patron as it is now. `body` is the system's own JSON, unmasked: for memory only."""

    kind: Kind
    id: str
    version: int  # 0 where the system has none
    body: dict[str, Any]
    updated: str  # ISO 8601, by the system's clock


@dataclass(frozen=True)
class EntityUnit:
    """One change of one entity, as planned.

    Attributes:
        changes: JSON pointer (RFC 6901) → (before, after); None: not there. The befores of masked values are their tokens,
            the afters are the values themselves: a unit lives in memory only.
        shown: element → (before, after), masked: what the ledger may keep.
    """

    idempotency_key: str
    correlation_id: str
    record: int
    kind: Kind
    action: str  # 'create', 'update' or 'delete'
    target: str  # '' for a new one whose id the system gives
    version: int
    changes: Mapping[str, tuple[Any, Any]]
    round: int = 0  # as of `Unit`
    shown: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class CirculationEvent:
    """A loan as it stood after a change. Moments are ISO 8601 with a time zone. `patron` is the system's id, unmasked: for memory only."""

    loan: str
    item: str
    item_barcode: str
    patron: str
    action: str  # 'checkout', 'renewal', 'checkin' or the system's own word
    at: str  # when it happened, ISO 8601
    due: str
    library: str
    updated: str  # when the system wrote it down
    id: str = ""  # of the event, by the system; '' where events have none
    began: str = ""  # when the loan began: a later loan stands over an earlier one, whenever it was written down
    ended: bool = False  # the loan is over


@dataclass(frozen=True)
class AuditEntry:
    """What the system itself says that was done to a record."""

    kind: Kind
    target: str
    action: str  # 'create', 'update' or 'delete'
    at: str
    user: str
    correlation_id: str = ""  # '' where the system does not keep it


class EntityIls(Protocol):
    """What a library system has beside bibliographic records."""

    name: str
    capabilities: Capabilities

    def entities(self, kind: Kind, since: str | None = None, until: str | None = None) -> Iterator[list[Entity]]:
        """All of a kind, in pages; with moments of the system's clock, those changed in [since, until)."""

    def fetch_entities(self, kind: Kind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, Entity]:
        """The live ones with these ids; those that do not exist are left out."""

    def write_entities(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]:
        """As `Ils.write`."""

    def circulation(self, since: str, until: str) -> Iterator[list[CirculationEvent]]:
        """What was lent, renewed and returned in [since, until) by the clock of `updated`, in pages, in no certain order."""

    def clock(self) -> dt.datetime:
        """The system's clock as of now, to the second, in UTC: windows end by it and not by ours."""


class Ils(Protocol):
    """A library system. Every request carries the correlation ids of the records that it is about."""

    name: str
    capabilities: Capabilities

    def audit(self, kind: Kind, targets: Sequence[str], since: str) -> Iterator[AuditEntry]:
        """What was done to these records at or after a moment, as far as the system keeps it."""

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        """All records with MARC, in pages; with `since`, those changed at or after that moment of the system's clock. Each
        once; none counts as changed (`updated`) later than the reading began, so the next one can begin with the latest."""

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        """The live records with these ids; those that do not exist are left out."""

    def find_created(self, units: Sequence[Unit]) -> dict[str, LiveRecord]:
        """Of new records that may have been made by an attempt whose answer was lost, those that the system has, by
        idempotency key: by what is in them where the client does not choose ids (`Capabilities.chosen_ids`). `write` gets
        them as the live record of the unit's target, and answers with their id."""

    def write(self, units: Sequence[Unit], live: dict[str, LiveRecord]) -> list[Written]:
        """Do what is still to be done of each unit, given the live records as just read.

        Raises:
            InDoubtError: it may have been done; fetch and write again.
            IlsDownError: surely nothing more was done than fetch will show.
        """
