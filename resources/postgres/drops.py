"""Register of what was received: which file belongs to which window, and from which number its records count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from resources.postgres.client import Postgres


@dataclass(frozen=True)
class Drop:
    name: str
    sha256: str
    bytes: int
    first_record: int


class Drops:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    @contextmanager
    def window(self, source: str, day: dt.date) -> Iterator[None]:
        """Hold the window: who comes second waits. Freed when the block, or the process, ends."""
        with self._postgres.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 815))", [f"{source}|{day}"])
            yield

    def of(self, source: str, day: dt.date) -> list[Drop]:
        """Drops of the window, in the order of their registration."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT name, sha256, bytes, first_record FROM drops WHERE source = %s AND day = %s ORDER BY first_record, arrived_at",
                [source, day],
            )
            return [Drop(**row) for row in rows]

    def register(self, source: str, day: dt.date, name: str, sha256: str, length: int) -> Drop:
        """Enter a sealed file; the same content twice in a window is one drop. Its records follow those registered before.

        The caller holds the `window`, and the drop before is `counted`: numbers are given once and never move.
        """
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT coalesce(max(first_record + coalesce(records, 0)), 1) AS next FROM drops WHERE source = %s AND day = %s",
                [source, day],
            ).fetchone()
            connection.execute(
                "INSERT INTO drops (source, day, sha256, name, bytes, first_record) VALUES (%s, %s, %s, %s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                [source, day, sha256, name, length, row["next"] if row else 1],
            )
            found = connection.execute(
                "SELECT name, sha256, bytes, first_record FROM drops WHERE source = %s AND day = %s AND sha256 = %s",
                [source, day, sha256],
            ).fetchone()
            if found is None:  # the row was inserted two statements ago, in this transaction
                raise LookupError(f"drop {name} of {source} {day} vanished while it was registered")
            return Drop(**found)

    def counted(self, source: str, day: dt.date, sha256: str, records: int) -> None:
        with self._postgres.transaction() as connection:
            connection.execute(
                "UPDATE drops SET records = %s WHERE source = %s AND day = %s AND sha256 = %s",
                [records, source, day, sha256],
            )

    def was_fetched(self, source: str, day: dt.date, name: str, state: str) -> bool:
        """Whether the file of a vendor's server was fetched as it is now."""
        return (name, state) in self.fetched_of(source, day)

    def fetched_of(self, source: str, day: dt.date) -> set[tuple[str, str]]:
        """(name, state) of the files fetched for the window."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT name, state FROM fetched_files WHERE source = %s AND day = %s", [source, day]
            )
            return {(row["name"], row["state"]) for row in rows}

    def fetched(self, source: str, day: dt.date, name: str, state: str, sha256: str, length: int) -> None:
        with self._postgres.transaction() as connection:
            connection.execute(
                "INSERT INTO fetched_files (source, day, name, state, sha256, bytes) VALUES (%s, %s, %s, %s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                [source, day, name, state, sha256, length],
            )

    def days(self, source: str) -> set[dt.date]:
        """Days of which a drop came."""
        with self._postgres.transaction() as connection:
            return {
                row["day"] for row in connection.execute("SELECT DISTINCT day FROM drops WHERE source = %s", [source])
            }
