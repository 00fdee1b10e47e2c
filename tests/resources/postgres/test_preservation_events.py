"""The event chains in a real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from holdfast.preservation.events import NO_HASH, EventOutcome, EventType, NewEvent, verify_chain
from resources.postgres.client import Postgres
from resources.postgres.preservation_events import PreservationEvents

pytestmark = pytest.mark.services


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Postgres]:
    client = Postgres(postgres_url, connections=8)
    client.migrate()
    yield client
    client.close()


@pytest.fixture
def batch() -> str:
    return f"b-{uuid.uuid4().hex[:8]}"


def event(detail: str, occasion: str = "") -> NewEvent:
    return NewEvent(EventType.FIXITY_CHECK, "a.tif", "a" * 64, EventOutcome.SUCCESS, detail, "test 1", occasion)


def test_events_come_back_as_a_whole_chain(postgres: Postgres, batch: str) -> None:
    events = PreservationEvents(postgres)
    assert events.append(batch, []) == NO_HASH

    events.append(batch, [event("one"), event("two")])
    head = events.append(batch, [event("two"), event("three: ü\0\ud800")])

    chain = events.chain(batch)
    assert [each["detail"][:5] for each in chain] == ["one", "two", "three"]
    assert verify_chain(chain, head=head) == []


def test_a_repeated_audit_is_another_event(postgres: Postgres, batch: str) -> None:
    events = PreservationEvents(postgres)
    events.append(batch, [event("audit", "2026-11-21"), event("audit", "2026-11-22"), event("audit", "2026-11-21")])

    assert len(events.chain(batch)) == 2


def test_many_writers_make_one_chain_without_forks_or_repetitions(postgres: Postgres, batch: str) -> None:
    events = PreservationEvents(postgres)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: events.append(batch, [event(str(n)), event(str(n // 2)), event("all")]), range(30)))

    chain = events.chain(batch)
    assert verify_chain(chain, head=events.append(batch, [])) == []
    assert len(chain) == 31


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE preservation_events SET detail = 'x' WHERE batch = %s",
        "DELETE FROM preservation_events WHERE batch = %s",
        "TRUNCATE preservation_events",
    ],
)
def test_the_database_refuses_to_change_an_event(postgres: Postgres, batch: str, statement: str) -> None:
    events = PreservationEvents(postgres)
    events.append(batch, [event("one")])

    with pytest.raises(psycopg.errors.RaiseException, match="append-only"), postgres.transaction() as connection:
        connection.execute(statement, [batch] if "%s" in statement else None)

    assert len(events.chain(batch)) == 1


def test_a_fork_is_refused(postgres: Postgres, batch: str) -> None:
    events = PreservationEvents(postgres)
    events.append(batch, [event("one")])
    with pytest.raises(psycopg.errors.UniqueViolation), postgres.transaction() as connection:
        connection.execute(
            "INSERT INTO preservation_events SELECT batch, 2, gen_random_uuid(), type, at, object, object_sha256, outcome, "
            "detail, agent, previous_hash, hash FROM preservation_events WHERE batch = %s",
            [batch],
        )
