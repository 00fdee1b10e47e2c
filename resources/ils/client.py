"""What Holdfast wants of a library system, whichever it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from holdfast.identity import NAMESPACE

Fields = list[tuple[str, str]]  # (tag, text) as in holdfast.catalogue.fields


class IlsDownError(RuntimeError):
    """The system does not answer, or answers errors, also after the retries. Nothing is lost: materialize again later."""


class InDoubtError(RuntimeError):
    """The connection ended, or an error came, after the request was sent: the write may have happened or not."""


class RefusedError(RuntimeError):
    """The system said no, for good: `status` and what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


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


@dataclass(frozen=True)
class Unit:
    """One change of one record, as planned."""

    idempotency_key: str
    correlation_id: str
    record: int
    action: str  # 'create', 'update' or 'suppress'
    target: str
    version: int  # that the plan saw; 0 for a new record
    source_id: str = ""  # the MARC record's version that the plan saw; '' for a new record
    deletes: Fields = field(default_factory=list)
    adds: Fields = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    """What became of a unit: 'acknowledged', 'conflicted' or 'failed'."""

    idempotency_key: str
    state: str
    version: int = 0
    answer: str = ""


def source_record_id(idempotency_key: str) -> str:
    """Id of the MARC record's version that this change writes: the same in every attempt."""
    return str(uuid.uuid5(NAMESPACE, f"source-record:{idempotency_key}"))


class Ils(Protocol):
    """A library system. Every request carries the correlation ids of the records that it is about."""

    name: str

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        """All records with MARC, in pages; with `since`, those changed at or after that moment of the system's clock."""

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        """The live records with these ids; those that do not exist are left out."""

    def write(self, units: Sequence[Unit], live: dict[str, LiveRecord]) -> list[Written]:
        """Do what is still to be done of each unit, given the live records as just read.

        Raises:
            InDoubtError: it may have been done; fetch and write again.
            IlsDownError: surely nothing more was done than fetch will show.
        """
