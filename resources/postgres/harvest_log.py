"""The harvest log: every fetch of a window from a repository, whole or failed."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.harvest.windows import Fetched
from resources.postgres.client import Postgres


@dataclass(frozen=True)
class WindowFetch:
    """A row of the log; see migrations/0013_harvest.sql."""

    source: str
    day: dt.date
    window_from: str
    window_until: str
    began_at: dt.datetime
    records: int = 0
    deleted: int = 0
    new_records: int = 0
    complete_list_size: int | None = None
    identifiers_sha256: str = ""
    drop_sha256: str = ""
    requests: int = 0
    restarts: int = 0
    error: str = ""
    run_id: str = ""
    state: str = "whole"


class HarvestLog:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def enter(self, fetch: WindowFetch) -> None:
        row = asdict(fetch)
        with self._postgres.transaction() as connection:
            connection.execute(
                "INSERT INTO harvest_log (source, day, window_from, window_until, began_at, records, deleted, new_records, "
                "complete_list_size, identifiers_sha256, drop_sha256, requests, restarts, error, run_id, state) VALUES "
                "(%(source)s, %(day)s, %(window_from)s, %(window_until)s, %(began_at)s, %(records)s, %(deleted)s, "
                "%(new_records)s, %(complete_list_size)s, %(identifiers_sha256)s, %(drop_sha256)s, %(requests)s, "
                "%(restarts)s, %(error)s, %(run_id)s, %(state)s)",
                row,
            )

    def failed(
        self, source: str, day: dt.date, began_at: dt.datetime, error: str, *, requests: int, restarts: int, run_id: str
    ) -> None:
        text = error.replace("\0", "␀")[:2000]
        self.enter(
            WindowFetch(
                source,
                day,
                "",
                "",
                began_at,
                requests=requests,
                restarts=restarts,
                error=text,
                run_id=run_id,
                state="failed",
            )
        )

    def fetched(self, source: str) -> list[Fetched]:
        """The windows that were fetched whole, each as of its last fetch, by day."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT day, max(began_at) AS at FROM harvest_log WHERE source = %s AND state = 'whole' GROUP BY day ORDER BY day",
                [source],
            )
            return [Fetched(row["day"], row["at"]) for row in rows]

    def of(self, source: str, day: dt.date) -> list[dict[str, Any]]:
        """The log of a window, oldest first."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT * FROM harvest_log WHERE source = %s AND day = %s ORDER BY id", [source, day]
            ).fetchall()
