"""Plans, decisions on them and their writing, in PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from holdfast.catalogue.budget import Measures
from holdfast.catalogue.surprises import Kind
from resources.ledger.applying import Applied
from resources.ledger.client import Load
from resources.ledger.replaying import Order, Recoveries
from resources.ledger.stopping import StoppedWrites
from resources.postgres.client import Postgres

_PLANS_LOOKED_AT = 50  # of a source, the latest that were written: what is usual may change with the years


@dataclass(frozen=True)
class Decision:
    """number: grows with each decision. decision: 'approve' or 'reject'."""

    number: int
    partition: str
    plan_sha256: str
    decision: str
    who: str
    why: str
    at: str

    @property
    def sentence(self) -> str:
        verb = "approved" if self.decision == "approve" else "rejected"
        return f"{verb} by {self.who} on {self.at}: {self.why}"


class History(NamedTuple):
    """Plans of a source that were written before, the latest first.

    Attributes:
        measures: one a plan.
        kinds: changes of subfields of live records by (tag, code, kind), over all of them.
        seconds_a_record: of the last one; None where it says nothing.
    """

    measures: list[Measures]
    kinds: dict[Kind, int]
    seconds_a_record: float | None

    @property
    def changes(self) -> int:
        return sum(self.kinds.values())


class Plans:
    """Of one library system."""

    def __init__(self, postgres: Postgres, ils: str) -> None:
        self._postgres, self.ils = postgres, ils

    def keep(
        self,
        source: str,
        document: dict[str, Any],
        counts: pl.DataFrame,
        *,
        run_id: str = "",
    ) -> None:
        """Remember a plan; document: a row of the shape plan_document.DOCUMENT, counts: shape plan_document.COUNTS."""
        live = counts.filter(pl.col("action") != "create").select("tag", "code", "kind", "subfields")
        with self._postgres.transaction() as connection:
            connection.execute(
                "INSERT INTO plans (ils, source, partition, plan_sha256, signature, measures, counts, waiting_for, run_id) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (ils, partition, plan_sha256) DO UPDATE SET "
                "signature = excluded.signature, measures = excluded.measures, waiting_for = excluded.waiting_for, "
                "run_id = excluded.run_id",
                [self.ils, source, document["partition"], document["plan_sha256"], document["signature"]]
                + [document["measures"], json.dumps(live.rows()), document["waiting_for"], run_id],
            )

    def decide(
        self,
        source: str,
        document: dict[str, Any],
        decision: str,
        who: str,
        why: str,
        *,
        run_id: str = "",
    ) -> None:
        with self._postgres.transaction() as connection:
            # In the order of their numbers: `approved_after` asks for those after the last one that was seen.
            connection.execute("LOCK TABLE plan_decisions IN SHARE ROW EXCLUSIVE MODE")
            connection.execute(
                "INSERT INTO plan_decisions (ils, source, partition, plan_sha256, decision, who, why, measures, run_id) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [self.ils, source, document["partition"], document["plan_sha256"], decision, who, why]
                + [document["measures"], run_id],
            )

    def decision(self, partition: str, plan_sha256: str) -> Decision | None:
        """The last word on this very plan."""
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT id AS number, partition, plan_sha256, decision, who, why, "
                "to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI UTC') AS at "
                "FROM plan_decisions WHERE ils = %s AND partition = %s AND plan_sha256 = %s "
                "ORDER BY id DESC LIMIT 1",
                [self.ils, partition, plan_sha256],
            ).fetchone()
            return Decision(**row) if row else None

    def approved_after(self, number: int) -> list[Decision]:
        """Approvals since that decision, in their order, of plans on which they are the last word."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT id AS number, partition, plan_sha256, decision, who, why, "
                "to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI UTC') AS at "
                "FROM plan_decisions d WHERE ils = %s AND id > %s AND decision = 'approve' "
                "AND NOT EXISTS (SELECT 1 FROM plan_decisions l WHERE l.ils = d.ils AND l.partition = d.partition "
                "AND l.plan_sha256 = d.plan_sha256 AND l.id > d.id) ORDER BY id",
                [self.ils, number],
            ).fetchall()
            return [Decision(**row) for row in rows]

    def wrote(self, source: str, partition: str, plan_sha256: str, written: int, seconds: float, run_id: str) -> None:
        with self._postgres.transaction() as connection:
            connection.execute(
                "INSERT INTO plan_writings (ils, source, partition, plan_sha256, written, seconds, run_id) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [self.ils, source, partition, plan_sha256, written, seconds, run_id],
            )

    def ended(
        self, job: str, load: Load, applied: Applied, plan_sha256: str, seconds: float, halted: Callable[[], str]
    ) -> None:
        """Write down how the writing of a plan ended: what it wrote, whether a halt stopped it, and when `job` tries it again."""
        if applied.now:
            self.wrote(load.source, load.partition, plan_sha256, applied.now, seconds, load.run_id)
        stopped = StoppedWrites(self._postgres)
        if applied.halted:
            stop = stopped.keep(job, load, plan_sha256, applied.waiting)
            if not halted():  # lifted while this run came to its end: whoever lifted it can't have seen this
                order = Order("Holdfast", "the halt was lifted since", load.run_id)
                Recoveries(self._postgres).ask(job, load.source, load.partition, stop.run_key, order)
        else:
            stopped.end(job, load, plan_sha256)
        self._try_again(job, load, applied, plan_sha256)

    def _try_again(self, job: str, load: Load, applied: Applied, plan_sha256: str) -> None:
        """Ask for a run of the job once the moment has come for which the plan waits; `applied` says so."""
        if applied.until is None:
            return
        order = Order("Holdfast", applied.waiting, load.run_id)
        recoveries = Recoveries(self._postgres)
        if recoveries.ask_later(job, load.source, load.partition, plan_sha256, applied.until, order):
            moment = applied.until.astimezone(dt.UTC)
            applied.waiting += f". A run of {job} is asked for at {moment:%Y-%m-%d %H:%M} UTC"

    def has_written(self, source: str) -> bool:
        """Whether the source ever sent anything to this library system."""
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM ledger WHERE ils = %s AND source = %s AND state NOT IN ('prepared', 'failed')) "
                "AS any",
                [self.ils, source],
            ).fetchone()
            return bool(row and row["any"])

    def history(self, source: str, without: Sequence[str] = ()) -> History:
        """Of the source's plans that were written, but those of the partitions `without`."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT p.measures, p.counts, w.written, w.seconds FROM plans p JOIN LATERAL ("
                "SELECT sum(written) AS written, sum(seconds) AS seconds, max(written_at) AS at FROM plan_writings w "
                "WHERE w.ils = p.ils AND w.partition = p.partition AND w.plan_sha256 = p.plan_sha256) w ON w.written > 0 "
                "WHERE p.ils = %s AND p.source = %s AND p.partition <> ALL(%s) ORDER BY w.at DESC LIMIT %s",
                [self.ils, source, list(without), _PLANS_LOOKED_AT],
            ).fetchall()
        kinds: dict[Kind, int] = {}
        for row in rows:
            for tag, code, kind, subfields in row["counts"]:
                kinds[(tag, code, kind)] = kinds.get((tag, code, kind), 0) + subfields
        last = next((row for row in rows if row["seconds"]), None)
        seconds = float(last["seconds"]) / int(last["written"]) if last else None
        return History([Measures(**row["measures"]) for row in rows], kinds, seconds)

    def written_plans(self, partition: str) -> list[dict[str, Any]]:
        """plan_sha256, written, at of the plans of a window that were written, in their order."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT plan_sha256, sum(written)::bigint AS written, to_char(max(written_at) AT TIME ZONE 'UTC', "
                "'YYYY-MM-DD HH24:MI') AS at FROM plan_writings WHERE ils = %s AND partition = %s "
                "GROUP BY plan_sha256 HAVING sum(written) > 0 ORDER BY max(written_at)",
                [self.ils, partition],
            ).fetchall()
