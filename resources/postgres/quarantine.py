"""Where the rejected wait: `quarantine` and the outcome counts of each partition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.outcomes import Conservation, Rejection
from resources.postgres.client import Postgres


class Quarantine:
    """Rejections of one flow: 'catalogue', 'museum' or 'preservation'."""

    def __init__(self, postgres: Postgres, flow: str) -> None:
        self._postgres = postgres
        self._flow = flow

    def replace(self, asset: str, partition: str, rejections: Iterable[Rejection], *, run_id: str = "") -> int:
        """Make `rejections` the ones that wait for this asset and partition; how many there are.

        What a person has already released, replayed or discarded stays as it is: materializing again must not bring
        it back. What was to be tried again (resources/postgres/triage.py) and is rejected again, waits again.
        """
        count = 0
        with self._postgres.transaction() as connection, connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM quarantine WHERE flow = %s AND asset = %s AND partition = %s AND state = 'waiting'",
                [self._flow, asset, partition],
            )
            rows = []
            for each in rejections:
                count += 1
                values = [self._flow, asset, partition, each.unit, each.code, each.place, each.rule, each.hint]
                values += [each.correlation_id, each.sha256, each.preview, run_id]
                # A place may have a title in it, and a title whatever the record has; PostgreSQL takes no NUL.
                rows.append([value.replace("\0", "␀") for value in values])
                if len(rows) == 1000:
                    self._insert(cursor, rows)
                    rows = []
            self._insert(cursor, rows)
        return count

    @staticmethod
    def _insert(cursor: Any, rows: list[list[Any]]) -> None:
        if rows:
            cursor.executemany(
                "INSERT INTO quarantine (flow, asset, partition, unit, code, place, rule, hint, correlation_id, sha256, "
                "preview, run_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (flow, asset, partition, unit, code, place, sha256) DO UPDATE "
                "SET state = 'waiting', again = false, run_id = excluded.run_id WHERE quarantine.again",
                rows,
            )

    def waiting(self, partition: str | None = None, *, limit: int = 1000) -> list[dict[str, Any]]:
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT * FROM quarantine WHERE flow = %s AND state = 'waiting' AND (%s::text IS NULL OR partition = %s) "
                "ORDER BY id LIMIT %s",
                [self._flow, partition, partition, limit],
            ).fetchall()

    def count_outcomes(self, asset: str, partition: str, conservation: Conservation, *, run_id: str = "") -> None:
        """Keep the counts of a partition (the row `in` holds what came in), in place of the last ones."""
        counts = {"in": conservation.came_in, **conservation.outcomes}
        with self._postgres.transaction() as connection, connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM outcomes WHERE flow = %s AND asset = %s AND partition = %s", [self._flow, asset, partition]
            )
            cursor.executemany(
                "INSERT INTO outcomes (flow, asset, partition, outcome, count, run_id) VALUES (%s, %s, %s, %s, %s, %s)",
                [[self._flow, asset, partition, str(name), count, run_id] for name, count in counts.items()],
            )

    def outcomes(self, asset: str) -> dict[str, dict[str, int]]:
        """partition → outcome → count, with `in`."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT partition, outcome, count FROM outcomes WHERE flow = %s AND asset = %s ORDER BY partition",
                [self._flow, asset],
            ).fetchall()
        counts: dict[str, dict[str, int]] = {}
        for row in rows:
            counts.setdefault(row["partition"], {})[row["outcome"]] = row["count"]
        return counts
