"""Triage: what a person decides about what waits in quarantine. Each decision is recorded, entry by entry.

A mend is what the next run of the partition takes into account: it is about a record by its correlation id. The sealed original
stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from holdfast.outcomes import Rejection
from resources.postgres.client import Postgres

Decision = Literal["release", "mend and replay", "discard"]
_STATES: dict[Decision, str] = {"release": "released", "mend and replay": "replayed", "discard": "discarded"}


@dataclass(frozen=True)
class Mend:
    """mend: 'accept', 'accept_as_new' or 'choose_target'; value: the target."""

    subject: str
    mend: str
    value: str
    who: str
    why: str


class Triage:
    """Of one flow: 'catalogue', 'museum' or 'preservation'."""

    def __init__(self, postgres: Postgres, flow: str) -> None:
        self._postgres, self._flow = postgres, flow

    def clusters(self, partition: str = "") -> list[dict[str, Any]]:
        """What waits, a row a cause: cluster, asset, code, rule, hint, entries, partitions, one place. The largest first."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT cluster, asset, code, rule, min(hint) AS hint, count(*) AS entries, "
                "count(DISTINCT partition) AS partitions, min(place) AS place FROM quarantine "
                "WHERE flow = %s AND state = 'waiting' AND (%s = '' OR partition = %s) "
                "GROUP BY cluster, asset, code, rule ORDER BY entries DESC, cluster",
                [self._flow, partition, partition],
            ).fetchall()

    def waiting(self, cluster: str, partition: str = "", ids: Sequence[int] = ()) -> list[dict[str, Any]]:
        """Entries of a cluster; with `partition` or `ids` only these of it."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT * FROM quarantine WHERE flow = %s AND state = 'waiting' AND cluster = %s "
                "AND (%s = '' OR partition = %s) AND (%s OR id = ANY(%s)) ORDER BY id",
                [self._flow, cluster, partition, partition, not ids, list(ids)],
            ).fetchall()

    def decide(
        self,
        entries: Sequence[Mapping[str, Any]],
        decision: Decision,
        who: str,
        why: str,
        run_id: str,
        *,
        mend: str = "",
        mends: Iterable[Mend] = (),
        again: bool = False,
    ) -> int:
        """Record the decision about each entry that waits still, with the mends; how many.

        Args:
            again: another run tries it; what it rejects again waits again.
        """
        with self._postgres.transaction() as connection, connection.cursor() as cursor:
            changed = cursor.execute(
                "UPDATE quarantine SET state = %s, again = %s WHERE id = ANY(%s) AND state = 'waiting' RETURNING id",
                [_STATES[decision], again, [each["id"] for each in entries]],
            ).fetchall()
            done = {row["id"] for row in changed}
            cursor.executemany(
                "INSERT INTO triage (quarantine_id, cluster, flow, asset, partition, code, place, decision, mend, who, why, run_id) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    [each[name] for name in ("id", "cluster", "flow", "asset", "partition", "code", "place")]
                    + [decision, mend, who, why, run_id]
                    for each in entries
                    if each["id"] in done
                ],
            )
            partition_of = {each["correlation_id"]: each["partition"] for each in entries if each["id"] in done}
            cursor.executemany(
                "INSERT INTO mends (flow, partition, subject, mend, value, who, why) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    [self._flow, partition_of[each.subject], each.subject, each.mend, each.value, each.who, each.why]
                    for each in mends
                    if each.subject in partition_of
                ],
            )
        return len(done)

    def decisions(self, limit: int = 1000) -> list[dict[str, Any]]:
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT * FROM triage WHERE flow = %s ORDER BY id DESC LIMIT %s", [self._flow, limit]
            ).fetchall()

    def mends(self, partition: str) -> dict[str, Mend]:
        """Correlation id → the mend that was ordered last."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT DISTINCT ON (subject) subject, mend, value, who, why FROM mends WHERE flow = %s AND partition = %s "
                "ORDER BY subject, id DESC",
                [self._flow, partition],
            ).fetchall()
        return {row["subject"]: Mend(**row) for row in rows}

    def still_stopped(self, partition: str, rejections: Sequence[Rejection]) -> list[Rejection]:
        """Rejections without those of records that a person released."""
        released = self.mends(partition)
        return [each for each in rejections if each.correlation_id not in released] if released else list(rejections)
