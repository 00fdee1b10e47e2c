"""The chains of preservation events, a chain a batch, appended under a lock and never changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

from holdfast.preservation.events import FIELDS, NO_HASH, NewEvent, link
from resources.postgres.client import Postgres

_COLUMNS = ", ".join(FIELDS)


class PreservationEvents:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def append(self, batch: str, events: Iterable[NewEvent]) -> str:
        """Link the events that the batch's chain does not have yet; the hash of its head.

        Two runs may append to one batch: an advisory lock, held to the end of the transaction, puts one after the other.
        """
        at = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        with self._postgres.transaction() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 4))", [f"preservation_events {batch}"])
            rows = cursor.execute(
                "SELECT sequence, event_id::text, hash FROM preservation_events WHERE batch = %s ORDER BY sequence",
                [batch],
            ).fetchall()
            chained = link(
                batch,
                events,
                held={row["event_id"] for row in rows},
                sequence=rows[-1]["sequence"] if rows else 0,
                head=rows[-1]["hash"] if rows else NO_HASH,
                at=at,
            )
            if chained:
                cursor.executemany(
                    f"INSERT INTO preservation_events ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(FIELDS))})",  # noqa: S608
                    [astuple(event) for event in chained],
                )
                return chained[-1].hash
            return str(rows[-1]["hash"]) if rows else NO_HASH

    def chain(self, batch: str) -> list[dict[str, Any]]:
        """The batch's events in their order, with the fields of `holdfast.preservation.events.Event`."""
        columns = _COLUMNS.replace("event_id", "event_id::text")
        with self._postgres.transaction() as connection:
            return connection.execute(
                f"SELECT {columns} FROM preservation_events WHERE batch = %s ORDER BY sequence",  # noqa: S608
                [batch],
            ).fetchall()
