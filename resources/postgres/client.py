"""A small pool of PostgreSQL connections and the schema that Holdfast keeps in it.

The tables are in the schema `holdfast`, beside Dagster's own storage in `public`. `migrations/*.sql` are applied in
the order of their names, once each, under an advisory lock, so that two code locations may start at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources as package_files
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

_MIGRATION_LOCK = 0x484F4C44  # 'HOLD'

Connection = psycopg.Connection[dict[str, Any]]


class Postgres:
    """Connections to the database at `url`; rows come as dictionaries, the search path is `holdfast`."""

    def __init__(self, url: str, *, connections: int = 4) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            connection_class=Connection,
            kwargs={
                "row_factory": dict_row,
                "options": "-c search_path=holdfast,public",
                "application_name": "holdfast",
            },
            min_size=0,
            max_size=connections,
            open=True,
            timeout=30,
        )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose transaction commits when the block ends and rolls back when it raises."""
        with self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        self._pool.close()

    def migrate(self) -> list[str]:
        """Bring the schema up to date; names of the migrations applied now."""
        applied: list[str] = []
        folder = package_files.files("resources.postgres") / "migrations"
        with self.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
            connection.execute("CREATE SCHEMA IF NOT EXISTS holdfast")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            done = {row["name"] for row in connection.execute("SELECT name FROM migrations")}
            for file in sorted(folder.iterdir(), key=lambda each: each.name):
                if file.name.endswith(".sql") and file.name not in done:
                    connection.execute(file.read_text().encode())
                    connection.execute("INSERT INTO migrations (name) VALUES (%s)", [file.name])
                    applied.append(file.name)
        return applied
