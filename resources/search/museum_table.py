"""The museum catalogue in PostgreSQL: switched in one transaction, searched with its full-text search."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
from psycopg import sql

from holdfast.museum.objects import SCHEMA
from resources.postgres.client import Connection, Postgres
from resources.search.hits import SHOWN, TOLD, Hit, hit_of

CONTENT = tuple(name for name in SCHEMA if name not in ("source_file", "row", "place"))
"""Columns of `museum_objects` that come from the export; where it was read stays in the lake."""

_LIST = sql.SQL(", ").join(map(sql.Identifier, CONTENT))
_STAGED = sql.SQL(", ").join(sql.SQL("staged.{}").format(sql.Identifier(name)) for name in CONTENT)
_SET = sql.SQL(", ").join(
    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
    for name in CONTENT
    if name not in ("collection", "identifier")
)
_ALWAYS_WITHDRAWN = 10
"""So many objects may always go: a share of a small collection is no sign of a cut export."""


@dataclass(frozen=True)
class Switch:
    """What a switch did; came_in = new + changed + unchanged + suppressed.

    Attributes:
        changed: objects with other content than before, and objects that were withdrawn and are back.
        suppressed: all of them, where a newer export is public already.
        withdrawn: objects that the export no longer has; they stay in the table and are not found any more.
        kept: objects that the export no longer has and that stay public all the same; `note` says why.
        version: of the public collection; another one whenever an object changed.
    """

    came_in: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    suppressed: int = 0
    withdrawn: int = 0
    kept: int = 0
    note: str = ""
    version: str = ""


@dataclass(frozen=True)
class SwitchRules:
    """What an export may do to the public catalogue.

    Attributes:
        full: it holds every object, so that what it no longer has is withdrawn.
        withdraw_share: of the public objects, that it may withdraw.
        allow_older: it may take the place of a newer one.
    """

    full: bool = True
    withdraw_share: float = 0.2
    allow_older: bool = False


class MuseumTable:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def switch(
        self,
        collection: str,
        day: dt.date,
        objects: Iterable[pl.DataFrame],
        rejected: Iterable[pl.DataFrame],
        rules: SwitchRules,
        *,
        run_id: str = "",
    ) -> Switch:
        """Make `objects` the public ones of the collection, all at once: searchers see the old ones until it commits.

        Only rows with another content hash are written. `objects` are frames of `holdfast.museum.objects.SCHEMA`,
        `rejected` of `holdfast.museum.validation.REJECTIONS`: objects rejected today stay as they were.
        """
        with self._postgres.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 3))", [f"museum {collection}"])
            came_in = _stage(connection, objects)
            before = connection.execute(
                "SELECT day, version FROM museum_collections WHERE collection = %s", [collection]
            ).fetchone()
            if before and before["day"] > day and not rules.allow_older:
                note = f"the export of {before['day']} is public already; this one is older"
                return Switch(came_in=came_in, suppressed=came_in, note=note, version=before["version"])
            fault = _stage_held(connection, rejected)
            new, changed = _upsert(connection)
            withdrawn, kept, note = _withdraw(connection, collection, rules, fault)
            is_same = before is not None and not (new or changed or withdrawn)
            version = before["version"] if before and is_same else f"{day:%Y%m%d}-{uuid.uuid4().hex[:12]}"
            connection.execute(
                "INSERT INTO museum_collections (collection, day, version, run_id) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (collection) DO UPDATE SET day = excluded.day, version = excluded.version, "
                "run_id = excluded.run_id, switched_at = now()",
                [collection, day, version, run_id],
            )
            unchanged = came_in - new - changed
            return Switch(came_in, new, changed, unchanged, 0, withdrawn, kept, note, version)

    def public_objects(self, collection: str) -> Iterator[dict[str, Any]]:
        """The collection's public objects, a row at a time."""
        query = sql.SQL("SELECT {} FROM museum_objects WHERE collection = %s AND withdrawn_at IS NULL").format(_LIST)
        with self._postgres.transaction() as connection, connection.cursor(name="public_objects") as cursor:
            cursor.itersize = 1000
            cursor.execute(query, [collection])
            yield from cursor

    def search(self, text: str, collection: str | None, limit: int) -> list[Hit]:
        """Words all of them, "a phrase", or, -not: the forms of websearch_to_tsquery."""
        columns = sql.SQL(", ").join(map(sql.Identifier, (*SHOWN, *TOLD)))
        query = sql.SQL(
            "WITH query AS (SELECT websearch_to_tsquery('simple', museum_fold(%s)) "
            "|| websearch_to_tsquery('museum_english', museum_fold(%s)) AS words) "
            "SELECT ts_rank('{{0.1, 0.2, 0.5, 1.0}}', document, words, 1) AS score, {} FROM museum_objects, query "
            "WHERE document @@ words AND withdrawn_at IS NULL AND (%s::text IS NULL OR collection = %s) "
            "ORDER BY score DESC, collection, identifier LIMIT %s"
        ).format(columns)
        with self._postgres.transaction() as connection:
            rows = connection.execute(query, [text, text, collection, collection, limit]).fetchall()
        return [hit_of(row["score"], row, text) for row in rows]

    def count(self, collection: str | None) -> int:
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "SELECT count(*) AS n FROM museum_objects WHERE withdrawn_at IS NULL "
                "AND (%s::text IS NULL OR collection = %s)",
                [collection, collection],
            ).fetchone()
        return int(row["n"]) if row else 0


def _stage(connection: Connection, objects: Iterable[pl.DataFrame]) -> int:
    """Copy the frames into the temporary table `staged`; how many rows."""
    create = sql.SQL("CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT {} FROM museum_objects WITH NO DATA")
    connection.execute(create.format(_LIST))
    came_in = 0
    with connection.cursor().copy(sql.SQL("COPY staged ({}) FROM STDIN").format(_LIST)) as copy:
        for frame in objects:
            came_in += frame.height
            for row in frame.select(CONTENT).iter_rows():
                copy.write_row(row)
    # The planner knows nothing of what this transaction wrote, and would compare every row with every row.
    connection.execute("CREATE INDEX ON staged (identifier)")
    connection.execute("ANALYZE staged")
    return came_in


def _stage_held(connection: Connection, rejected: Iterable[pl.DataFrame]) -> str:
    """Copy identifiers of rejected objects into `held`; why the export can't be taken as whole, or ''."""
    connection.execute("CREATE TEMP TABLE held (identifier text) ON COMMIT DROP")
    files = unknown = 0
    with connection.cursor().copy("COPY held (identifier) FROM STDIN") as copy:
        for frame in rejected:
            files += frame.filter(pl.col("unit") == "file").height
            unknown += frame.filter(pl.col("identifier").is_null() & (pl.col("unit") != "file")).height
            for identifier in frame["identifier"].drop_nulls():
                copy.write_row([identifier])
    connection.execute("CREATE INDEX ON held (identifier)")
    connection.execute("ANALYZE held")
    if files:
        return f"{files} of the export's files could not be read to the end"
    return f"{unknown} rejected records have no identifier that could be read" if unknown else ""


def _upsert(connection: Connection) -> tuple[int, int]:
    """Write what is new or has changed; (new, changed)."""
    row = connection.execute(
        sql.SQL(
            "WITH written AS ("
            "INSERT INTO museum_objects ({columns}) SELECT {staged} FROM staged LEFT JOIN museum_objects AS live "
            "USING (collection, identifier) WHERE live.identifier IS NULL "
            "OR live.content_sha256 <> staged.content_sha256 OR live.withdrawn_at IS NOT NULL "
            "ON CONFLICT (collection, identifier) DO UPDATE SET {assignments}, changed_at = now(), withdrawn_at = NULL "
            "RETURNING (xmax = 0) AS is_new) "
            "SELECT count(*) FILTER (WHERE is_new) AS new, count(*) FILTER (WHERE NOT is_new) AS changed FROM written"
        ).format(columns=_LIST, staged=_STAGED, assignments=_SET)
    ).fetchone()
    return (int(row["new"]), int(row["changed"])) if row else (0, 0)


def _withdraw(connection: Connection, collection: str, rules: SwitchRules, fault: str) -> tuple[int, int, str]:
    """Withdraw what the export no longer has, or say why not; (withdrawn, kept, why)."""
    if not rules.full:
        return 0, 0, ""
    missing = connection.execute(
        "CREATE TEMP TABLE missing ON COMMIT DROP AS SELECT identifier FROM museum_objects AS live "
        "WHERE collection = %s AND withdrawn_at IS NULL "
        "AND NOT EXISTS (SELECT FROM staged WHERE staged.identifier = live.identifier) "
        "AND NOT EXISTS (SELECT FROM held WHERE held.identifier = live.identifier)",
        [collection],
    ).rowcount
    if missing and fault:
        return 0, missing, f"{missing:,} objects are missing and stay public: {fault}"
    if missing > _ALWAYS_WITHDRAWN:
        row = connection.execute(
            "SELECT count(*) AS n FROM museum_objects WHERE collection = %s AND withdrawn_at IS NULL", [collection]
        ).fetchone()
        public = int(row["n"]) if row else 0
        if missing > rules.withdraw_share * public:
            share = f"{rules.withdraw_share:.0%} of {public:,} (withdraw_share in holdfast.toml)"
            return 0, missing, f"{missing:,} objects are missing and stay public: more than {share}"
    connection.execute(
        "UPDATE museum_objects AS live SET withdrawn_at = now() FROM missing "
        "WHERE live.collection = %s AND live.identifier = missing.identifier",
        [collection],
    )
    return missing, 0, ""
