"""Instances, holdings records and items: FOLIO inventory-storage, with optimistic locking and unique identifiers."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from demo.ils import audit, shapes
from demo.ils.audit import Entry, Origin
from demo.ils.cql import BadCql
from demo.ils.cql_sql import Statement, compile_query, words_column
from demo.ils.errors import Refused, bad_request, invalid, not_found
from demo.ils.store import Store, next_hrids

Body = dict[str, Any]
COMMON = {"id": "id", "hrid": "hrid", "metadata.createdDate": "created", "metadata.updatedDate": "updated"}


@dataclass(frozen=True)
class Kind:
    """One of the three: its table, its names in paths and answers, and what its columns hold beside the common ones."""

    table: str
    list_name: str
    audit_type: str
    hrid_prefix: str
    fields: dict[str, str]
    own_columns: tuple[str, ...]
    own_values: Callable[[Body], tuple[Any, ...]]
    parent: tuple[str, str] | None = None  # table, property
    child: tuple[str, str] | None = None  # table, column

    @property
    def columns(self) -> tuple[str, ...]:
        return ("id", "hrid", "version", "created", "updated", "body", *self.own_columns)


INSTANCE = Kind(
    "instance",
    "instances",
    "INSTANCE",
    "in",
    COMMON | {"title": "title"},
    ("title", "title_words"),
    lambda body: (body["title"], words_column(body["title"])),
    child=("holdings_record", "instance_id"),
)
HOLDINGS = Kind(
    "holdings_record",
    "holdingsRecords",
    "HOLDINGS",
    "ho",
    COMMON | {"instanceId": "instance_id"},
    ("instance_id",),
    lambda body: (body["instanceId"],),
    parent=("instance", "instanceId"),
    child=("item", "holdings_record_id"),
)
ITEM = Kind(
    "item",
    "items",
    "ITEM",
    "it",
    COMMON | {"holdingsRecordId": "holdings_record_id", "barcode": "barcode"},
    ("holdings_record_id", "barcode"),
    lambda body: (body["holdingsRecordId"], body.get("barcode")),
    parent=("holdings_record", "holdingsRecordId"),
)


class Inventory:
    """The operations on one kind. All raise Refused with the status that FOLIO's definition gives."""

    def __init__(self, store: Store, kind: Kind, most: int = 10_000) -> None:
        self.store = store
        self.kind = kind
        self.most = most

    # -- reading

    def get(self, record_id: str) -> bytes:
        with self.store.reading() as connection:
            row = self._row(connection, record_id)
        if row is None:
            raise not_found()
        return str(row[1]).encode()

    def find(self, query: str | None, limit: int, offset: int, count: bool = True) -> bytes:
        """The list answer as JSON: the bodies are joined as they are stored."""
        statement = self._compiled(query)
        table = self.kind.table
        with self.store.reading() as connection:
            rows = connection.execute(
                f"SELECT body FROM {table} WHERE {statement.where} ORDER BY {statement.order} LIMIT ? OFFSET ?",  # noqa: S608
                (*statement.values, *statement.order_values, limit, offset),
            ).fetchall()
            total = offset + len(rows)
            if count and (len(rows) == limit or not rows):
                counting = f"SELECT count(*) FROM {table} WHERE {statement.where}"  # noqa: S608
                total = int(connection.execute(counting, statement.values).fetchone()[0])
        bodies = ",".join(row[0] for row in rows)
        return f'{{"{self.kind.list_name}":[{bodies}],"totalRecords":{total}}}'.encode()

    def _compiled(self, query: str | None) -> Statement:
        if not query:
            return Statement("1", "id", (), ())
        try:
            return compile_query(query, self.kind.fields, self.kind is INSTANCE)
        except BadCql as error:
            raise bad_request(f"CQL: {error}") from error

    def _row(self, connection: sqlite3.Connection, record_id: str) -> tuple[int, str, str, str] | None:
        """version, body, created, hrid"""
        found: tuple[int, str, str, str] | None = connection.execute(
            f"SELECT version, body, created, hrid FROM {self.kind.table} WHERE id = ?",  # noqa: S608
            (record_id,),
        ).fetchone()
        return found

    # -- writing

    def create(self, body: Any, origin: Origin) -> bytes:
        """POST of one; returns it as stored."""
        with self.store.writing() as (connection, now):
            entries = self.write(connection, now, origin, [body], upsert=False)
            audit.record(connection, now, origin, entries)
        return entries[0].content

    def replace(self, record_id: str, body: Any, origin: Origin) -> None:
        """PUT."""
        shapes.check(self.kind.table, body)
        if body.setdefault("id", record_id) != record_id:
            raise invalid("the id in the path and in the body differ", "id", body["id"])
        with self.store.writing() as (connection, now):
            if self._row(connection, record_id) is None:
                raise not_found()
            entries = self.write(connection, now, origin, [body], upsert=True)
            audit.record(connection, now, origin, entries)

    def patch(self, patches: list[Any], origin: Origin, batch: bool) -> None:
        """PATCH: the named properties are replaced, null removes one, the others stay. All or nothing."""
        if len(patches) > self.most:
            raise Refused(413, "Payload Too Large")
        with self.store.writing() as (connection, now):
            merged = []
            for change in patches:
                shapes.check(self.kind.table, change, required=False)
                if "id" not in change or "_version" not in change:
                    raise bad_request("id and _version are needed")
                row = self._row(connection, change["id"])
                if row is None:
                    raise not_found()
                body = orjson.loads(row[1]) | change
                merged.append({name: value for name, value in body.items() if value is not None})
            entries = self.write(connection, now, origin, merged, upsert=True)
            correlations = [audit.correlation_of(origin, n) for n in range(len(entries))] if batch else None
            audit.record(connection, now, origin, entries, correlations)

    def batch(self, bodies: Any, upsert: bool, origin: Origin) -> None:
        """POST …/batch/synchronous: all or nothing."""
        if not isinstance(bodies, list):
            raise invalid("must not be null", self.kind.list_name, "null")
        if len(bodies) > self.most:
            raise Refused(413, f"Payload Too Large: {len(bodies)} records, at most {self.most} are allowed")
        with self.store.writing() as (connection, now):
            entries = self.write(connection, now, origin, bodies, upsert)
            correlations = [audit.correlation_of(origin, number) for number in range(len(entries))]
            audit.record(connection, now, origin, entries, correlations)

    def delete(self, record_id: str, origin: Origin) -> None:
        with self.store.writing() as (connection, now):
            if self._row(connection, record_id) is None:
                raise not_found()
            self._delete(connection, now, origin, [record_id])

    def delete_found(self, query: str | None, origin: Origin) -> None:
        """DELETE of a list: a query is needed, as in FOLIO, so that nobody deletes all by forgetting it."""
        if not query:
            raise bad_request("query parameter is empty")
        statement = self._compiled(query)
        with self.store.writing() as (connection, now):
            find = f"SELECT id FROM {self.kind.table} WHERE {statement.where}"  # noqa: S608
            ids = [row[0] for row in connection.execute(find, statement.values)]
            self._delete(connection, now, origin, ids)

    def _delete(self, connection: sqlite3.Connection, now: str, origin: Origin, ids: list[str]) -> None:
        entries = []
        for record_id in ids:
            if self.kind.child:
                table, column = self.kind.child
                if connection.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (record_id,)).fetchone():  # noqa: S608
                    name = self.kind.table
                    raise bad_request(
                        f"Cannot delete {name}.id = {record_id} because id is still referenced from table {table}."
                    )
            row = self._row(connection, record_id)
            assert row is not None  # noqa: S101  listed in the same transaction
            entries.append(Entry(self.kind.audit_type, record_id, "DELETE", row[0], row[1].encode()))
        connection.executemany(f"DELETE FROM {self.kind.table} WHERE id = ?", [(i,) for i in ids])  # noqa: S608
        if self.kind is INSTANCE:
            connection.executemany("DELETE FROM instance_identifier WHERE instance_id = ?", [(i,) for i in ids])
        audit.record(connection, now, origin, entries)

    def write(
        self, connection: sqlite3.Connection, now: str, origin: Origin, bodies: list[Any], upsert: bool
    ) -> list[Entry]:
        """Create or replace, checked against what is stored and against each other; an entry each, in order."""
        for body in bodies:
            shapes.check(self.kind.table, body)
            if not body.get("id"):
                body["id"] = str(uuid.uuid4())
            body["id"] = body["id"].lower()
        ids = [body["id"] for body in bodies]
        if len(set(ids)) != len(ids):
            raise invalid("the same id twice in one batch", "id", next(i for n, i in enumerate(ids) if i in ids[:n]))
        live = self._live(connection, ids)
        if live and not upsert:
            found = next(iter(live))
            raise invalid(f"id value already exists in table {self.kind.table}: {found}", "id", found)
        self._check_parents(connection, bodies)
        without = [body for body in bodies if not body.get("hrid") and body["id"] not in live]
        for body, hrid in zip(
            without, next_hrids(connection, self.kind.table, self.kind.hrid_prefix, len(without)), strict=True
        ):
            body["hrid"] = hrid
        entries, inserts, updates = [], [], []
        for body in bodies:
            entry = self._stamp(body, live.get(body["id"]), now, origin)
            metadata = body["metadata"]
            text = entry.content.decode()
            common = (body["id"], body["hrid"], body["_version"], metadata["createdDate"], now, text)
            row = (*common, *self.kind.own_values(body))
            if body["id"] in live:
                updates.append((*row[1:], row[0]))
            else:
                inserts.append(row)
            entries.append(entry)
        self._store(connection, inserts, updates, bodies)
        return entries

    def _live(self, connection: sqlite3.Connection, ids: list[str]) -> dict[str, tuple[int, str, str, str]]:
        rows = connection.execute(
            f"SELECT id, version, body, created, hrid FROM {self.kind.table}"  # noqa: S608
            " WHERE id IN (SELECT value FROM json_each(?))",
            (orjson.dumps(ids).decode(),),
        )
        return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}

    def _stamp(self, body: Body, live: tuple[int, str, str, str] | None, now: str, origin: Origin) -> Entry:
        """Set what only the server sets: version, times, human-readable id. 409 where the version is stale."""
        before: Body | None = None
        version, created, creator = 1, now, origin.user_id
        if live:
            stored, text, created, hrid = live
            if body.get("_version") != stored:
                raise Refused(
                    409,
                    f"version conflict: Cannot update record {body['id']} because it has been changed (optimistic"
                    f" locking): Stored _version is {stored}, _version of request is {body.get('_version')}",
                )
            before = orjson.loads(text)
            assert before is not None  # noqa: S101
            creator = before["metadata"].get("createdByUserId", creator)
            version = stored + 1
            if body.setdefault("hrid", hrid) != hrid:
                raise invalid(f"The hrid field cannot be changed: new={body['hrid']}, old={hrid}", "hrid", body["hrid"])
        own = {name: value for name, value in body.items() if name not in ("_version", "metadata")}
        body["_version"] = version
        body["metadata"] = {
            "createdDate": created,
            "createdByUserId": creator,
            "updatedDate": now,
            "updatedByUserId": origin.user_id,
        }
        content = orjson.dumps(body)
        diff = audit.field_changes(before, body) if before is not None else None
        action = "UPDATE" if live else "CREATE"
        return Entry(self.kind.audit_type, body["id"], action, version, content, diff, orjson.dumps(own))

    def _check_parents(self, connection: sqlite3.Connection, bodies: list[Body]) -> None:
        if not self.kind.parent:
            return
        table, name = self.kind.parent
        wanted = {body[name] for body in bodies}
        rows = connection.execute(
            f"SELECT id FROM {table} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (orjson.dumps(list(wanted)).decode(),),
        )
        missing = wanted - {row[0] for row in rows}
        if missing:
            parent = min(missing)
            message = f"Cannot set {self.kind.table}.{name.lower()} = {parent} because it does not exist in {table}.id."
            raise invalid(message, name, parent)

    def _store(
        self, connection: sqlite3.Connection, inserts: list[Any], updates: list[Any], bodies: list[Body]
    ) -> None:
        columns = self.kind.columns
        marks = ", ".join("?" * len(columns))
        sets = ", ".join(f"{column} = ?" for column in columns[1:])
        try:
            connection.executemany(
                f"INSERT INTO {self.kind.table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
                inserts,
            )
            connection.executemany(f"UPDATE {self.kind.table} SET {sets} WHERE id = ?", updates)  # noqa: S608
        except sqlite3.IntegrityError as error:
            name = str(error).rpartition(".")[2]
            raise self._duplicate(connection, name, bodies) from error
        if self.kind is INSTANCE:
            connection.executemany("DELETE FROM instance_identifier WHERE instance_id = ?", [(u[-1],) for u in updates])
            connection.executemany(
                "INSERT INTO instance_identifier VALUES (?, ?, ?)",
                [
                    (body["id"], identifier["identifierTypeId"], identifier["value"])
                    for body in bodies
                    for identifier in body.get("identifiers") or ()
                ],
            )

    def _duplicate(self, connection: sqlite3.Connection, name: str, bodies: list[Body]) -> Refused:
        """Which value of hrid or barcode is taken: by a stored record, or twice in the batch."""
        seen: set[str] = set()
        for body in bodies:
            value = body.get(name)
            if value is None:
                continue
            taken = connection.execute(
                f"SELECT 1 FROM {self.kind.table} WHERE {name} = ? AND id <> ?",  # noqa: S608
                (value, body["id"]),
            ).fetchone()
            if value in seen or taken:
                return invalid(f"{name} value already exists in table {self.kind.table}: {value}", name, value)
            seen.add(value)
        return invalid(f"{name} value already exists in table {self.kind.table}", name, "")
