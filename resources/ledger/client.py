"""The ledger's rows and their states, in PostgreSQL.

prepared → sent → acknowledged, or conflicted, failed, rolled_back. A row that stays `sent` is in doubt: whoever finds it
reads the live record before anything else.

Every write here says under which locks and which fencing number it is made (`Under`). Where one of these locks was taken
since under a newer number, the statement changes nothing: whoever sent it has lost its lock and may not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import psycopg
import tenacity

from resources.ils.client import EntityUnit, Unit, Written
from resources.postgres.client import Connection, Postgres
from resources.redis.locks import Fence

_Answer = TypeVar("_Answer")


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


class Claim(NamedTuple):
    """A new record of another window that has one of the identifiers. `state`: 'sent' (perhaps made) or 'acknowledged'."""

    identifier: str
    idempotency_key: str  # of the unit that asked
    target: str
    state: str
    source: str
    partition: str
    record: int


@dataclass(frozen=True)
class Under:
    """Locks that a write is made under, by idempotency key, and their number."""

    fence: Fence
    locks: Mapping[str, Sequence[str]]

    def names(self, keys: Iterable[str]) -> list[str]:
        return sorted({name for key in keys for name in self.locks.get(key, ())})


class FencedError(RuntimeError):
    """A lock was taken by another worker since, under a newer number; nothing was written down."""

    def __init__(self, names: Sequence[str], fence: Fence) -> None:
        super().__init__(
            f"{names[0] if names else 'a lock'} was taken by another worker after number {fence.number}, under which this "
            "one works; it stops, and what it sent is read again"
        )


_TAKE_FENCES = """
WITH wanted AS (SELECT unnest(%(locks)s::text[]) AS lock),
taken AS (
    INSERT INTO fences (ils, lock, fence, holder)
    SELECT %(ils)s, lock, %(fence)s, %(holder)s FROM wanted ORDER BY lock
    ON CONFLICT (ils, lock) DO UPDATE SET fence = excluded.fence, holder = excluded.holder
    WHERE fences.fence < excluded.fence OR (fences.fence = excluded.fence AND fences.holder = excluded.holder)
    RETURNING lock
)
SELECT lock FROM wanted EXCEPT SELECT lock FROM taken ORDER BY lock
"""

# Nobody can take one of these locks under a newer number while the statement that this begins is at work.
_STILL_HELD = """
WITH held AS (
    SELECT lock FROM fences WHERE ils = %(ils)s AND lock = ANY(%(locks)s) AND fence = %(fence)s AND holder = %(holder)s
    ORDER BY lock FOR SHARE
), mine AS (
    SELECT count(*) = %(count)s AND NOT EXISTS (
        SELECT FROM ledger WHERE ils = %(ils)s AND idempotency_key = ANY(%(keys)s::text[]) AND fence > %(fence)s
    ) AS all_held FROM held
)
"""

_SEND = (
    _STILL_HELD  # noqa: S608 (all parts are constants)
    + """, changed AS (
    UPDATE ledger SET state = 'sent', sent_at = now(), attempts = attempts + 1, fence = %(fence)s,
        image_before = coalesce(image_before, given.image::json), sealed = coalesce(sealed, %(sealed)s::text)
    FROM unnest(%(keys)s::text[], %(images)s::text[]) AS given (key, image)
    WHERE (SELECT all_held FROM mine) AND ils = %(ils)s AND idempotency_key = given.key
        AND state IN ('prepared', 'sent') AND ledger.fence <= %(fence)s
)
SELECT all_held FROM mine
"""
)

_SETTLE_CHANGE = """
    UPDATE ledger SET state = given.state, version_after = given.version, answer = given.answer, settled_at = now(),
        target = coalesce(nullif(given.target, ''), ledger.target)
    FROM unnest(%(keys)s::text[], %(states)s::text[], %(versions)s::bigint[], %(answers)s::text[], %(targets)s::text[])
        AS given (key, state, version, answer, target)
    WHERE ils = %(ils)s AND idempotency_key = given.key AND ledger.state <> 'acknowledged'
"""

_SETTLE_UNDER = (
    _STILL_HELD  # noqa: S608 (all parts are constants)
    + ", changed AS ("
    + _SETTLE_CHANGE
    + "        AND (SELECT all_held FROM mine) AND ledger.fence <= %(fence)s)\nSELECT all_held FROM mine"
)

# PostgreSQL that restarts is back within seconds. All that is tried again does the same a second time.
_THROUGH_A_RESTART = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(psycopg.OperationalError),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=3),
    stop=tenacity.stop_after_delay(40),
    reraise=True,
)


class Ledger:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def _in_transaction(self, work: Callable[[Connection], _Answer]) -> _Answer:
        def once() -> _Answer:
            with self._postgres.transaction() as connection:
                return work(connection)

        return _THROUGH_A_RESTART(once)

    def highest_fence(self, ils: str) -> int:
        """The highest fencing number that any write of this library system was prepared under."""

        def ask(connection: Connection) -> int:
            row = connection.execute("SELECT max(fence) AS highest FROM fences WHERE ils = %s", [ils]).fetchone()
            return int((row and row["highest"]) or 0)

        return self._in_transaction(ask)

    def prepare(
        self,
        load: Load,
        units: Sequence[Unit | EntityUnit],
        contents: dict[str, str],
        under: Under,
        identifiers: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Prepared]:
        """How each key stands, new ones `prepared`; what was refused before is prepared once more, what is settled stays.

        Args:
            identifiers: of new records, by idempotency key ('isbn:…'): claimed, so that another window finds them.

        Raises:
            FencedError: the locks were lost; nothing was prepared.
        """
        rows = [
            [each.idempotency_key, load.ils, load.source, load.partition, each.record, each.correlation_id]
            + [contents[each.idempotency_key], _kind(each), each.action, each.target, each.version, load.run_id]
            + [_patch(each)]
            for each in units
        ]
        keys = [each.idempotency_key for each in units]
        claims = [[load.ils, name, key] for key, names in (identifiers or {}).items() for name in names]

        def work(connection: Connection) -> dict[str, Prepared]:
            names, fence = under.names(keys), under.fence
            given = {"ils": load.ils, "locks": names, "fence": fence.number, "holder": fence.holder}
            if refused := connection.execute(_TAKE_FENCES, given).fetchall():
                raise FencedError([row["lock"] for row in refused], fence)
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO ledger (idempotency_key, ils, source, partition, record, correlation_id, content_sha256, kind, "
                    "action, target, version_before, run_id, patch, state) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::json, 'prepared') "
                    "ON CONFLICT (ils, idempotency_key) DO UPDATE SET state = 'prepared', "
                    "version_before = excluded.version_before, run_id = excluded.run_id, patch = excluded.patch, answer = '', "
                    # What was refused is planned anew on what is there now: that is what an undo goes back to.
                    "sealed = CASE WHEN ledger.state = 'prepared' THEN ledger.sealed END, "
                    "image_before = CASE WHEN ledger.state = 'prepared' THEN ledger.image_before END "
                    "WHERE ledger.state IN ('prepared', 'conflicted', 'failed')",
                    rows,
                )
                if claims:
                    cursor.executemany(
                        "INSERT INTO claims (ils, identifier, idempotency_key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                        claims,
                    )
            found = connection.execute(
                "SELECT idempotency_key, state, attempts, round FROM ledger WHERE ils = %s AND idempotency_key = ANY(%s)",
                [load.ils, keys],
            )
            return {row["idempotency_key"]: Prepared(row["state"], row["attempts"] > 0, row["round"]) for row in found}

        return self._in_transaction(work)

    def claimed_elsewhere(self, load: Load, keys: Sequence[str]) -> list[Claim]:
        """New records of other windows that share an identifier with these and were, or may have been, made.

        What the caller prepared under the locks of these identifiers nobody else can prepare meanwhile.
        """

        def ask(connection: Connection) -> list[Claim]:
            found = connection.execute(
                "SELECT mine.identifier, mine.idempotency_key, row.target, row.state, row.source, row.partition, row.record "
                "FROM claims AS mine JOIN claims AS other ON other.ils = mine.ils AND other.identifier = mine.identifier "
                "JOIN ledger AS row ON row.ils = other.ils AND row.idempotency_key = other.idempotency_key "
                "WHERE mine.ils = %s AND mine.idempotency_key = ANY(%s) AND row.state IN ('sent', 'acknowledged') "
                "AND (row.source, row.partition) <> (%s, %s) ORDER BY mine.identifier, row.source, row.partition, row.record",
                [load.ils, list(keys), load.source, load.partition],
            )
            return [Claim(**row) for row in found]

        return self._in_transaction(ask)

    def hidden_before(self, ils: str, keys: Sequence[str]) -> None:
        """The live records of these keys were suppressed before anything was sent: an undo must not show them."""
        if not keys:
            return
        statement = (
            "UPDATE ledger SET suppressed_before = true WHERE ils = %s AND idempotency_key = ANY(%s) AND attempts = 0"
        )
        self._in_transaction(lambda connection: connection.execute(statement, [ils, list(keys)]))

    def send(
        self, ils: str, images: dict[str, list[tuple[str, str]] | None], under: Under, sealed: str | None = None
    ) -> None:
        """From now on these keys may be written; `images` are the (masked) fields before, None for new records; `sealed`: where
        their values are (resources.vault.images). Those of the first attempt stay: the next one may find what it wrote.

        Raises:
            FencedError: a lock was taken by another worker meanwhile; none of them may be written.
        """
        self._change(
            _SEND,
            ils,
            under,
            {
                "keys": list(images),
                "images": [json.dumps(image) if image is not None else None for image in images.values()],
                "sealed": sealed,
            },
        )

    def settle(self, ils: str, written: Iterable[Written], under: Under | None = None) -> None:
        """What became of these keys; an acknowledged row never changes again.

        Args:
            under: the locks that they were written under; None where the live record was seen to have the change, which no
                lock makes untrue.

        Raises:
            FencedError: a lock was taken by another worker meanwhile; the rows stay in doubt and are read again.
        """
        written = list(written)
        given = {
            "keys": [each.idempotency_key for each in written],
            "states": [each.state for each in written],
            "versions": [each.version or None for each in written],
            "answers": [each.answer[:1000].replace("\0", "␀") for each in written],
            "targets": [each.target for each in written],
        }
        if under is not None:
            self._change(_SETTLE_UNDER, ils, under, given)
        else:
            self._in_transaction(lambda connection: connection.execute(_SETTLE_CHANGE, {"ils": ils, **given}))

    def _change(self, statement: str, ils: str, under: Under, given: dict[str, Any]) -> None:
        names = under.names(given["keys"])
        fence = {"fence": under.fence.number, "holder": under.fence.holder}
        whole = {"ils": ils, "locks": names, "count": len(names), **fence, **given}

        def work(connection: Connection) -> bool:
            row = connection.execute(statement, whole).fetchone()
            return bool(row and row["all_held"])

        if not self._in_transaction(work):
            raise FencedError(names, under.fence)

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
                "SELECT idempotency_key FROM ledger WHERE ils = %s AND source = %s AND partition = %s AND state = 'sent'",
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

    def taken_back(self, ils: str, source: str, partition: str) -> list[dict[str, Any]]:
        """Columns correlation_id, settled_at, who, why of the window's rows that were rolled back and stay so."""
        with self._postgres.transaction() as connection:
            return connection.execute(
                "SELECT DISTINCT ON (idempotency_key) row.correlation_id, row.settled_at, told.who, told.why "
                "FROM ledger AS row LEFT JOIN ledger_history AS told USING (ils, idempotency_key) "
                "WHERE row.ils = %s AND row.source = %s AND row.partition = %s AND row.state = 'rolled_back' "
                "ORDER BY idempotency_key, told.id DESC",
                [ils, source, partition],
            ).fetchall()

    def count(self, ils: str, source: str, partition: str) -> int:
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT count(*) AS n FROM ledger "
                "WHERE ils = %s AND source = %s AND partition = %s AND state = 'acknowledged'",
                [ils, source, partition],
            ).fetchone()
            return int(row["n"]) if row else 0


def _kind(unit: Unit | EntityUnit) -> str:
    return "bib" if isinstance(unit, Unit) else unit.kind


def _patch(unit: Unit | EntityUnit) -> str | None:
    """What is written, for an undo; of an entity what may be shown of it, for the values in its unit are not masked."""
    if isinstance(unit, EntityUnit):
        return json.dumps({"elements": dict(unit.shown)})
    return json.dumps({"deletes": unit.deletes, "adds": unit.adds})
