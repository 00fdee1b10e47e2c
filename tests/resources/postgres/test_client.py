"""The schema: brought up to date once, however often and by however many it is asked for."""

from __future__ import annotations

import threading

import psycopg
import pytest

from resources.postgres.client import Postgres

pytestmark = pytest.mark.services


@pytest.fixture
def empty_url(database_url: str) -> str:
    """Address of this test's database without Holdfast's schema in it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA holdfast CASCADE")
    return database_url


def test_migrations_are_applied_once_and_in_order(empty_url: str) -> None:
    client = Postgres(empty_url)
    try:
        applied = client.migrate()
        assert applied == sorted(applied) and applied[0] == "0001_quarantine_and_outcomes.sql"
        assert client.migrate() == []
        with client.transaction() as connection:
            rows = connection.execute("SELECT name FROM migrations ORDER BY name").fetchall()
        assert [row["name"] for row in rows] == applied
    finally:
        client.close()


def test_two_that_migrate_at_once_apply_each_migration_once(empty_url: str) -> None:
    clients = [Postgres(empty_url) for _ in range(4)]
    applied: list[list[str]] = []
    errors: list[BaseException] = []
    together = threading.Barrier(len(clients))

    def migrate(client: Postgres) -> None:
        together.wait()
        try:
            applied.append(client.migrate())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=migrate, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert errors == []
    assert sorted(len(names) for names in applied)[:-1] == [0, 0, 0]


def test_a_transaction_that_fails_leaves_nothing_behind(postgres: Postgres) -> None:
    with pytest.raises(RuntimeError), postgres.transaction() as connection:
        connection.execute("CREATE TABLE half (x int)")
        raise RuntimeError
    with postgres.transaction() as connection:
        row = connection.execute("SELECT to_regclass('holdfast.half') AS found").fetchone()
    assert row == {"found": None}


def test_holdfast_keeps_its_tables_out_of_dagsters_schema(postgres: Postgres) -> None:
    with postgres.transaction() as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert rows == []


def test_every_test_has_a_database_of_its_own(postgres: Postgres, database_url: str) -> None:
    with postgres.transaction() as connection:
        row = connection.execute("SELECT current_database() AS name, count(*) AS rows FROM quarantine").fetchone()
    assert row is not None and row["rows"] == 0 and f"/{row['name']}?" in f"{database_url}?"
