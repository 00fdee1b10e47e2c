"""Set rows of the ledger back, for a window that is to be written anew; what they were stays in `ledger_history`.

Keys and correlation ids stay. What is acknowledged and in the library system stays as it is: no replay writes it twice.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from resources.postgres.client import Connection, Postgres

What = Literal["reconciled", "replayed", "rolled_back"]
# The sensor asks for rows after the last one that it saw: none with a smaller number may come to be seen later. Readers go on.
_IN_ORDER = "LOCK TABLE asked_runs IN SHARE ROW EXCLUSIVE MODE"
TRIES = 5  # runs that are asked for one plan that waits; after them a person looks at it
Kind = Literal["reconcile", "replay", "rollback", "triage"]


@dataclass(frozen=True)
class Order:
    """Who ordered a recovery, and why."""

    who: str
    why: str
    run_id: str = ""


class Recoveries:
    """What was recovered, by whom and why; the rows of the ledger that it set back; the runs that it asked for."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def keep(self, kind: Kind, ils: str, source: str, partition: str, order: Order, counts: Mapping[str, int]) -> None:
        with self._postgres.transaction() as connection:
            connection.execute(
                "INSERT INTO recoveries (kind, ils, source, partition, who, why, run_id, counts) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [kind, ils, source, partition, order.who, order.why, order.run_id, json.dumps(dict(counts))],
            )

    def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        with self._postgres.transaction() as connection:
            return connection.execute("SELECT * FROM recoveries ORDER BY id DESC LIMIT %s", [limit]).fetchall()

    def settle(
        self, ils: str, what: What, states: Mapping[str, tuple[str, str]], order: Order, *, only: Sequence[str]
    ) -> int:
        """Give rows (by idempotency key) another state and answer, in one transaction with their history; how many.

        Args:
            only: states that a row may be in; another one was settled meanwhile and stays.
        """
        with self._postgres.transaction() as connection:
            self._remember(connection, ils, what, list(states), order, only)
            changed = connection.execute(
                "UPDATE ledger SET state = given.state, answer = given.answer, settled_at = now(), "
                # It may have been written and overwritten since: an attempt on a new plan takes another id.
                "round = round + CASE WHEN given.state = 'conflicted' THEN 1 ELSE 0 END "
                "FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (key, state, answer) "
                "WHERE ils = %s AND idempotency_key = given.key AND ledger.state = ANY(%s)",
                [
                    list(states),
                    [state for state, _ in states.values()],
                    [answer[:1000].replace("\0", "␀") for _, answer in states.values()],
                    ils,
                    list(only),
                ],
            )
            return changed.rowcount

    def set_back(
        self, ils: str, keys: Sequence[str], order: Order, *, only: Sequence[str], what: What = "replayed"
    ) -> int:
        """Make rows `prepared`, as if they had never been sent; how many. The next attempt is another round: its MARC gets an id
        of its own, for the one before may be taken, and it has an image before of its own."""
        with self._postgres.transaction() as connection:
            self._remember(connection, ils, what, keys, order, only)
            changed = connection.execute(
                "UPDATE ledger SET state = 'prepared', answer = '', settled_at = NULL, image_before = NULL, sealed = NULL, "
                "suppressed_before = NULL, version_after = NULL, round = round + 1 "
                "WHERE ils = %s AND idempotency_key = ANY(%s) AND state = ANY(%s)",
                [ils, list(keys), list(only)],
            )
            return changed.rowcount

    @staticmethod
    def _remember(
        connection: Connection, ils: str, what: What, keys: Sequence[str], order: Order, only: Sequence[str]
    ) -> None:
        connection.execute(
            "INSERT INTO ledger_history (ils, idempotency_key, what, who, why, run_id, row_before) "
            "SELECT ils, idempotency_key, %s, %s, %s, %s, row_to_json(ledger) FROM ledger "
            "WHERE ils = %s AND idempotency_key = ANY(%s) AND state = ANY(%s)",
            [what, order.who, order.why, order.run_id, ils, list(keys), list(only)],
        )

    def history(self, ils: str, key: str) -> list[dict[str, Any]]:
        """What the row of a key was before each time that it was set back, the oldest first."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT * FROM ledger_history WHERE ils = %s AND idempotency_key = %s ORDER BY id", [ils, key]
            ).fetchall()

    # ---- runs that are to be launched ---------------------------------------------------------------------------------

    def ask(self, job: str, source: str, partition: str, run_key: str, order: Order) -> None:
        """A run of the job for the partition, launched by `asked_runs_sensor` once for each run key."""
        with self._postgres.transaction() as connection:
            connection.execute(_IN_ORDER)
            connection.execute(
                "INSERT INTO asked_runs (job, source, partition, run_key, who, why) VALUES (%s, %s, %s, %s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                [job, source, partition, run_key, order.who, order.why],
            )

    def ask_later(self, job: str, source: str, partition: str, plan: str, moment: dt.datetime, order: Order) -> bool:
        """As `ask`, for a plan that waits until `moment`; False where a run for it is on its way, or TRIES were asked for already."""
        key = f"waited:{job}:{partition}:{plan[:12]}:"
        with self._postgres.transaction() as connection:
            connection.execute(_IN_ORDER)
            asked = connection.execute(
                "INSERT INTO asked_runs (job, source, partition, run_key, who, why, not_before) "
                "SELECT %(job)s, %(source)s, %(partition)s, %(key)s || count(*), %(who)s, %(why)s, %(moment)s FROM asked_runs "
                "WHERE job = %(job)s AND partition = %(partition)s AND starts_with(run_key, %(key)s) "
                "HAVING count(*) < %(tries)s AND count(*) FILTER (WHERE not_before > now()) = 0",
                {"job": job, "source": source, "partition": partition, "key": key, "moment": moment, "tries": TRIES}
                | {"who": order.who, "why": order.why},
            )
            return asked.rowcount == 1

    def asked(self, after: int = 0, waiting: Sequence[int] = ()) -> list[dict[str, Any]]:
        """Rows after that one, and those whose ids are `waiting`; `due`: whether the moment has come."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT *, not_before IS NULL OR not_before <= now() AS due FROM asked_runs "
                "WHERE id = ANY(%s) OR id IN (SELECT id FROM asked_runs WHERE id > %s ORDER BY id LIMIT 500) ORDER BY id",
                [list(waiting), after],
            ).fetchall()


# ---- what was rolled back does not come back by itself ---------------------------------------------------------------------


def mark_rolled_back(
    matched: pl.DataFrame, records: pl.DataFrame, postgres: Postgres, ils: str, source: str, partition: str
) -> pl.DataFrame:
    """`matched` with the verdict 'rolled back' where this very record of this window was written and taken back: it is not
    planned again. A record of another window whose target or content was taken back is planned, and its detail says so."""
    with postgres.transaction() as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (idempotency_key) row.correlation_id, row.content_sha256, row.target, row.source, row.partition, "
            "row.settled_at, told.who, told.why FROM ledger AS row LEFT JOIN ledger_history AS told "
            "USING (ils, idempotency_key) WHERE row.ils = %s AND row.state = 'rolled_back' "
            "AND ((row.source = %s AND row.partition = %s) OR row.target = ANY(%s) OR row.content_sha256 = ANY(%s)) "
            "ORDER BY idempotency_key, told.id DESC",
            [
                ils,
                source,
                partition,
                matched["target"].drop_nulls().unique().to_list(),
                records["content_sha256"].unique().to_list(),
            ],
        ).fetchall()
    if not rows:
        return matched
    own = {(each["correlation_id"], each["content_sha256"]) for each in rows if _is_of(each, source, partition)}
    told: dict[str, str] = {}
    for each in sorted(rows, key=lambda row: row["settled_at"]):
        text = f"was rolled back on {each['settled_at']:%Y-%m-%d} by {each['who']} because {each['why']} ({each['partition']})"
        told |= {each["target"]: text, each["content_sha256"]: text}
    joined = matched.select("record", "correlation_id", "verdict", "target", "detail").join(
        records.select("record", "content_sha256"), on="record", how="left", maintain_order="left"
    )
    verdicts, details = [], []
    for row in joined.iter_rows(named=True):
        mine = (row["correlation_id"], row["content_sha256"]) in own and row["verdict"] in _GIVES_WAY
        text = told.get(row["target"] or "") or told.get(row["content_sha256"] or "", "")
        verdicts.append("rolled back" if mine else row["verdict"])
        planned = mine or row["verdict"] in ("new", "update")
        details.append("; ".join(part for part in (row["detail"], text if planned else "") if part))
    return matched.with_columns(
        pl.Series("verdict", verdicts, dtype=pl.String), pl.Series("detail", details, dtype=pl.String)
    )


_GIVES_WAY = ("new", "update", "unchanged", "seen", "seen suppressed", "collision", "duplicate")


def _is_of(row: Mapping[str, Any], source: str, partition: str) -> bool:
    return bool(row["source"] == source and row["partition"] == partition)
