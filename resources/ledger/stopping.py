"""Writes that a halt stopped between two chunks: which windows they are of, and whether somebody went on with them since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from resources.ledger.client import Load
from resources.postgres.client import Postgres

PREFIX = "halted:"  # of the run keys of what goes on with them


class Stopped(NamedTuple):
    """job: that writes the window's plan as it is. number: grows with each stop."""

    number: int
    job: str
    source: str
    partition: str

    @property
    def run_key(self) -> str:
        return f"{PREFIX}{self.partition}:{self.number}"


class StoppedWrites:
    """Append-only."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def keep(self, job: str, load: Load, plan_sha256: str, why: str) -> Stopped:
        """A halt stopped the writing of this plan."""
        with self._postgres.transaction() as connection:
            kept = connection.execute(
                "INSERT INTO stopped_writes (action, job, source, partition, plan_sha256, why, run_id) "
                "VALUES ('stopped', %s, %s, %s, %s, %s, %s) RETURNING id, job, source, partition",
                [job, load.source, load.partition, plan_sha256, why, load.run_id],
            ).fetchall()
        return next(_stopped(row) for row in kept)

    def end(self, job: str, load: Load, plan_sha256: str) -> None:
        """The window was written to another end than a halt; nothing is written down where none stopped it before."""
        with self._postgres.transaction() as connection:
            connection.execute(
                "INSERT INTO stopped_writes (action, job, source, partition, plan_sha256, run_id) "
                "SELECT 'ended', %(job)s, %(source)s, %(partition)s, %(plan)s, %(run)s FROM ("
                "SELECT action FROM stopped_writes WHERE job = %(job)s AND partition = %(partition)s ORDER BY id DESC LIMIT 1"
                ") AS last WHERE action = 'stopped'",
                {"job": job, "source": load.source, "partition": load.partition}
                | {"plan": plan_sha256, "run": load.run_id},
            )

    def standing(self, since: dt.datetime | None = None) -> list[Stopped]:
        """Those with which nobody went on, the oldest first; `since`: only those that were stopped at or after it.

        Nobody is to go on with a window that was rolled back since, nor with one of which a whole load was asked for since.
        """
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT id, job, source, partition FROM ("
                "SELECT DISTINCT ON (job, partition) * FROM stopped_writes ORDER BY job, partition, id DESC) AS last "
                "WHERE action = 'stopped' AND (%(since)s::timestamptz IS NULL OR at >= %(since)s) "
                "AND NOT EXISTS (SELECT FROM recoveries AS other "
                "WHERE other.kind = 'rollback' AND other.partition = last.partition AND other.at > last.at) "
                "AND NOT EXISTS (SELECT FROM asked_runs AS other WHERE other.partition = last.partition "
                "AND other.job IN ('catalogue_load', 'feed_load') AND other.at > last.at) ORDER BY id",
                {"since": since},
            ).fetchall()
        return [_stopped(row) for row in found]


def _stopped(row: Mapping[str, Any]) -> Stopped:
    return Stopped(row["id"], row["job"], row["source"], row["partition"])
