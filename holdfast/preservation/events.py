"""PREMIS events as a hash chain, a chain a batch.

Each event holds the SHA-256 of the one before it and its own, over canonical JSON (sorted keys, no white space, UTF-8;
only strings and whole numbers, so that any language writes the same bytes). `verify_chain` needs the events and
nothing else; with the head's hash from elsewhere (Dagster's event log, an archival package) it also sees a cut tail.

Source: PREMIS 3.0, section "Events"; terms of https://id.loc.gov/vocabulary/preservation/eventType.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from holdfast.identity import named_parts
from holdfast.preservation.naming import shown

VOCABULARY = "http://id.loc.gov/vocabulary/preservation/eventType/"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:holdfast:preservation-event")

#: What the first event of a chain has for the hash of the one before it.
NO_HASH = "0" * 64


class EventType(StrEnum):
    """Labels of the vocabulary; `uri` has its code."""

    CAPTURE = "capture"
    INGESTION = "ingestion"
    MESSAGE_DIGEST_CALCULATION = "message digest calculation"
    FIXITY_CHECK = "fixity check"
    VALIDATION = "validation"
    FORMAT_IDENTIFICATION = "format identification"
    METADATA_EXTRACTION = "metadata extraction"
    QUARANTINE = "quarantine"

    @property
    def uri(self) -> str:
        return VOCABULARY + _CODES[self.value]


_CODES = {
    "capture": "cap",
    "ingestion": "ing",
    "message digest calculation": "mes",
    "fixity check": "fix",
    "validation": "val",
    "format identification": "for",
    "metadata extraction": "mee",
    "quarantine": "qua",
}


class EventOutcome(StrEnum):
    """Labels of https://id.loc.gov/vocabulary/preservation/eventOutcome."""

    SUCCESS = "success"
    FAIL = "fail"
    WARNING = "warning"


@dataclass(frozen=True)
class NewEvent:
    """What happened to an object, before it has a place in the chain.

    Attributes:
        object: path of the page in its batch; '' for the batch.
        object_sha256: of the bytes that it happened to; '' where there are none.
        detail: a sentence; part of the identity, so it names no time and no duration.
        agent: the program that did it, with its version.
        occasion: tells repeated events of one kind apart, as the day of an audit; the same occasion is the same event.
    """

    type: EventType
    object: str
    object_sha256: str
    outcome: EventOutcome
    detail: str
    agent: str
    occasion: str = ""

    def identifier(self, batch: str) -> str:
        """UUIDv5 that the same event gets in every run, so that none is appended twice."""
        parts = named_parts(
            batch=batch,
            type=self.type,
            object=shown(self.object),
            sha256=self.object_sha256,
            outcome=self.outcome,
            detail=shown(self.detail),
            occasion=self.occasion,
        )
        return str(uuid.uuid5(_NAMESPACE, parts.decode()))


@dataclass(frozen=True)
class Event:
    """One link of the chain; `at` is UTC, ISO 8601 with microseconds and 'Z'."""

    batch: str
    sequence: int
    event_id: str
    type: str
    at: str
    object: str
    object_sha256: str
    outcome: str
    detail: str
    agent: str
    previous_hash: str
    hash: str = ""

    def sealed(self) -> Event:
        return Event(**{**asdict(self), "hash": event_hash(asdict(self))})


FIELDS = tuple(Event.__dataclass_fields__)


def canonical_json(table: Mapping[str, Any]) -> bytes:
    """The one way to write `table` (strings and whole numbers only).

    Raises:
        TypeError: a value is neither.
    """
    for key, value in table.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise TypeError(f"{key}: {type(value).__name__}; an event holds strings and whole numbers only")
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def event_hash(event: Mapping[str, Any]) -> str:
    """SHA-256 of all fields but `hash` itself."""
    return hashlib.sha256(canonical_json({key: value for key, value in event.items() if key != "hash"})).hexdigest()


def link(batch: str, events: Iterable[NewEvent], *, held: set[str], sequence: int, head: str, at: str) -> list[Event]:
    """The events that are not in `held` yet (event identifiers), linked after `head`, whose number is `sequence`."""
    chained: list[Event] = []
    for new in events:
        identifier = new.identifier(batch)
        if identifier in held:
            continue
        held.add(identifier)
        sequence += 1
        event = Event(
            batch=batch,
            sequence=sequence,
            event_id=identifier,
            type=str(new.type),
            at=at,
            object=shown(new.object),
            object_sha256=new.object_sha256,
            outcome=str(new.outcome),
            detail=shown(new.detail),
            agent=new.agent,
            previous_hash=head,
        ).sealed()
        head = event.hash
        chained.append(event)
    return chained


def verify_chain(events: Sequence[Mapping[str, Any]], *, head: str | None = None) -> list[str]:
    """What is wrong with a batch's chain, a sentence a fault; empty where it is whole.

    Args:
        events: in their order, with the fields of `Event`.
        head: hash of the last event as it is known from elsewhere; without it a cut tail can't be seen.
    """
    faults: list[str] = []
    previous = NO_HASH
    seen: set[str] = set()
    for number, event in enumerate(events, start=1):
        where = f"event {number}"
        if set(event) != set(FIELDS):
            faults.append(f"{where}: its fields are not {', '.join(FIELDS)}")
            continue
        if event["sequence"] != number:
            faults.append(f"{where}: has the number {event['sequence']}; one is missing, added or moved")
        if event["batch"] != events[0].get("batch"):
            faults.append(f"{where}: belongs to batch {event['batch']}")
        if event["event_id"] in seen:
            faults.append(f"{where}: its identifier {event['event_id']} stands twice")
        seen.add(event["event_id"])
        if event["previous_hash"] != previous:
            faults.append(f"{where}: does not follow the event before it")
        try:
            right = event_hash(event)
        except TypeError as error:
            right = f"none ({error})"
        if event["hash"] != right:
            faults.append(f"{where}: was changed: its hash is {event['hash']}, its content has {right}")
        previous = str(event["hash"])
    if head is not None and previous != head:
        faults.append(f"the chain ends at {previous}, not at the known head {head}")
    return faults
