"""The log of windows that were read, in PostgreSQL; what the log has not, is a gap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from holdfast.deltas.windows import Reading
from resources.postgres.client import Postgres


@dataclass(frozen=True)
class WindowReading:
    """A row of the log; see migrations/0016_deltas.sql."""

    asset: str
    ils: str
    day: dt.date
    asked_from: dt.datetime
    ends: dt.datetime
    read_at: dt.datetime
    lacks: str
    watermark: str = ""
    rows: int = 0
    changes: int = 0
    whole: bool = False
    run_id: str = ""
    masking: str = ""

    @property
    def complete(self) -> bool:
        return not self.lacks


def last_read_ils(postgres: Postgres, asset: str) -> str | None:
    """The library system that the asset was read from last; None: it never was."""
    with postgres.transaction() as connection:
        row = connection.execute(
            "SELECT ils FROM delta_windows WHERE asset = %s ORDER BY id DESC LIMIT 1", [asset]
        ).fetchone()
    return str(row["ils"]) if row else None


class DeltaLog:
    def __init__(self, postgres: Postgres, asset: str, ils: str) -> None:
        self._postgres = postgres
        self._asset = asset
        self._ils = ils

    def enter(self, reading: WindowReading) -> None:
        row = asdict(reading) | {"complete": reading.complete}
        names = ", ".join(row)
        values = ", ".join(f"%({name})s" for name in row)
        with self._postgres.transaction() as connection:
            connection.execute(f"INSERT INTO delta_windows ({names}) VALUES ({values})".encode(), row)  # noqa: S608

    def readings(self) -> list[Reading]:
        """The days that were read, each as of its last reading, by day."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT DISTINCT ON (day) day, lacks FROM delta_windows WHERE asset = %s AND ils = %s ORDER BY day, id DESC",
                [self._asset, self._ils],
            )
            return [Reading(row["day"], row["lacks"]) for row in rows]

    def doubt(self, day: dt.date, why: str) -> None:
        """The last reading of a day turned out not to be complete: it is to be read again."""
        with self._postgres.transaction() as connection:
            connection.execute(
                "UPDATE delta_windows SET complete = false, lacks = %s WHERE id = (SELECT max(id) FROM delta_windows "
                "WHERE asset = %s AND ils = %s AND day = %s)",
                [why, self._asset, self._ils, day],
            )

    def compared_whole_at(self, masking: str) -> dt.datetime | None:
        """When everything was read last and masked by these rules, by the library system's clock."""
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT max(read_at) AS at FROM delta_windows WHERE asset = %s AND ils = %s AND whole AND masking = %s",
                [self._asset, self._ils, masking],
            ).fetchone()
        return row["at"] if row else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One reading of this asset and library system at a time: two would find the same change as against one state."""
        with self._postgres.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 16))", [f"{self._asset} {self._ils}"])
            yield
