"""Runs that failed, with the message that says where to look."""

from __future__ import annotations

from typing import Any

from resources.postgres.client import Postgres


class Failures:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def keep(self, run_id: str, job: str, partition: str, step: str, message: str) -> None:
        with self._postgres.transaction() as connection:
            connection.execute(
                "INSERT INTO failures (run_id, job, partition, step, message) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [run_id, job, partition, step, message],
            )

    def latest(self, limit: int = 20) -> list[dict[str, Any]]:
        with self._postgres.transaction() as connection:
            return connection.execute("SELECT * FROM failures ORDER BY failed_at DESC LIMIT %s", [limit]).fetchall()
