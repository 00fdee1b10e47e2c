"""The ledger's rows and their states, in PostgreSQL.

prepared → sent → acknowledged, or conflicted, failed, rolled_back. A row that stays `sent` is in doubt: whoever finds it
reads the live record before anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from resources.ils.client import Unit, Written
from resources.postgres.client import Connection, Postgres


@dataclass(frozen=True)
class Load:
    """Whose changes these are."""

    ils: str
    source: str
    partition: str
    run_id: str


class Prepared(NamedTuple):
    """A key as it stands. `doubtful`: an attempt was made, so the library system may have it, or a part of it."""

    state: str
    doubtful: bool
    round: int = 0


class WriterBusyError(RuntimeError):
    """Another run is writing to this library system."""


class WriterLostError(RuntimeError):
    """The connection that holds the writer's lock is gone, so another run may be writing by now."""


class Ledger:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._lock: Connection | None = None

    @contextmanager
    def writing(self, ils: str) -> Iterator[None]:
        """One writer an ILS at a time, across processes and machines; a dead one's lock is free at once.

        Raises:
            WriterBusyError: another run writes; nothing was done.
        """
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 4711)) AS mine", [ils]
            ).fetchone()
            if not row or not row["mine"]:
                raise WriterBusyError(f"another run is writing to {ils}; materialize ils_commits again when it is done")
            self._lock = connection
            try:
                yield
            finally:
                self._lock = None

    def _still_writing(self) -> None:
        try:
            if self._lock is not None:
                self._lock.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise WriterLostError(
                "the connection to PostgreSQL that holds the writer's lock is gone, so nothing more was written; "
                "materialize ils_commits again"
            ) from error

    def prepare(self, load: Load, units: Sequence[Unit], contents: dict[str, str]) -> dict[str, Prepared]:
        """How each key stands, new ones `prepared`; what was refused before is prepared once more, what is settled stays."""
        rows = [
            [each.idempotency_key, load.ils, load.source, load.partition, each.record, each.correlation_id]
            + [contents[each.idempotency_key], each.action, each.target, each.version, load.run_id]
            + [json.dumps({"deletes": each.deletes, "adds": each.adds})]
            for each in units
        ]
        with self._postgres.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ledger (idempotency_key, ils, source, partition, record, correlation_id, content_sha256, action, "
                "target, version_before, run_id, patch, state) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::json, 'prepared') "
                "ON CONFLICT (ils, idempotency_key) DO UPDATE SET state = 'prepared', version_before = excluded.version_before, "
                "run_id = excluded.run_id, patch = excluded.patch, answer = '' WHERE ledger.state IN ('prepared', 'conflicted', 'failed')",
                rows,
            )
            found = connection.execute(
                "SELECT idempotency_key, state, attempts, round FROM ledger WHERE ils = %s AND idempotency_key = ANY(%s)",
                [load.ils, [each.idempotency_key for each in units]],
            )
            return {row["idempotency_key"]: Prepared(row["state"], row["attempts"] > 0, row["round"]) for row in found}

    def hidden_before(self, ils: str, keys: Sequence[str]) -> None:
        """The live records of these keys were suppressed before anything was sent: an undo must not show them."""
        if keys:
            with self._postgres.transaction() as connection:
                connection.execute(
                    "UPDATE ledger SET suppressed_before = true WHERE ils = %s AND idempotency_key = ANY(%s) AND attempts = 0",
                    [ils, list(keys)],
                )

    def send(self, ils: str, images: dict[str, list[tuple[str, str]] | None]) -> None:
        """From now on these keys may be written; `images` are the (masked) fields before, None for new records.

        Raises:
            WriterLostError: the lock of `writing` was lost meanwhile; none of them may be written.
        """
        self._still_writing()
        rows = [[json.dumps(image) if image is not None else None, ils, key] for key, image in images.items()]
        with self._postgres.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE ledger SET state = 'sent', sent_at = now(), attempts = attempts + 1, "
                "image_before = coalesce(image_before, %s::json) "
                "WHERE ils = %s AND idempotency_key = %s AND state IN ('prepared', 'sent')",
                rows,
            )

    def settle(self, ils: str, written: Iterable[Written]) -> None:
        rows = [
            [each.state, each.version or None, each.answer[:1000].replace("\0", "␀"), ils, each.idempotency_key]
            for each in written
        ]
        with self._postgres.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE ledger SET state = %s, version_after = %s, answer = %s, settled_at = now() "
                "WHERE ils = %s AND idempotency_key = %s AND state <> 'acknowledged'",
                rows,
            )

    def rows(self, ils: str, source: str, partition: str) -> list[dict[str, Any]]:
        """The window's rows with all that is in them, images too."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT * FROM ledger WHERE ils = %s AND source = %s AND partition = %s ORDER BY record",
                [ils, source, partition],
            ).fetchall()

    def written(self, ils: str, source: str, partition: str) -> list[tuple[str, str]]:
        """(correlation id, content) of all that the window has written."""
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT correlation_id, content_sha256 FROM ledger "
                "WHERE ils = %s AND source = %s AND partition = %s AND state = 'acknowledged'",
                [ils, source, partition],
            )
            return [(row["correlation_id"], row["content_sha256"]) for row in found]

    def in_doubt(self, ils: str, source: str, partition: str) -> list[str]:
        """Keys of the window that were sent and never settled: whoever sent them died."""
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT idempotency_key FROM ledger "
                "WHERE ils = %s AND source = %s AND partition = %s AND state = 'sent'",
                [ils, source, partition],
            )
            return [row["idempotency_key"] for row in found]

    def rounds(self, ils: str, keys: Sequence[str]) -> dict[str, int]:
        """How often each was set back: by it and its round its MARC is known."""
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT idempotency_key, round FROM ledger WHERE ils = %s AND idempotency_key = ANY(%s)",
                [ils, list(keys)],
            )
            return {row["idempotency_key"]: row["round"] for row in found}

    def conflicted_since(self, ils: str, since: str) -> list[str]:
        """Live records that were not as planned when they were to be written, or whose rows somebody set back, at or after that
        moment."""
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT DISTINCT target FROM ledger "
                "WHERE ils = %s AND state = 'conflicted' AND settled_at >= %s::timestamptz "
                "UNION SELECT row_before ->> 'target' FROM ledger_history WHERE ils = %s AND at >= %s::timestamptz ORDER BY target",
                [ils, since, ils, since],
            )
            return [row["target"] for row in found]

    def acknowledged(self, ils: str, correlation_ids: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
        """(correlation id, content) → row, of those that are written."""
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT correlation_id, content_sha256, action, target FROM ledger "
                "WHERE ils = %s AND correlation_id = ANY(%s) AND state = 'acknowledged'",
                [ils, list(correlation_ids)],
            )
            return {(row["correlation_id"], row["content_sha256"]): row for row in found}

    def count(self, ils: str, source: str, partition: str) -> int:
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT count(*) AS n FROM ledger "
                "WHERE ils = %s AND source = %s AND partition = %s AND state = 'acknowledged'",
                [ils, source, partition],
            ).fetchone()
            return int(row["n"]) if row else 0
