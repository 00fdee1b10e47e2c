"""Records without optimistic locking: users, loans, the loans' history, the circulation log, reference data.

All in one table, `document`; what has no column is read out of the JSON. There is no `_version`: the last writer wins.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from demo.ils import audit
from demo.ils.audit import Entry, Origin
from demo.ils.cql import BadCql
from demo.ils.cql_sql import Statement, compile_query
from demo.ils.errors import bad_request, invalid, not_found
from demo.ils.shapes import UUID
from demo.ils.store import Store

Body = dict[str, Any]
COLUMNS = {
    "id": "id",
    "metadata.createdDate": "created",
    "metadata.updatedDate": "updated",
}


@dataclass(frozen=True)
class DocumentKind:
    """`types`: property → JSON types that it may have. `unique`: properties of which no two records have the same."""

    name: str
    list_name: str
    types: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    with_metadata: bool = True
    columns: Mapping[str, str] = field(default_factory=lambda: COLUMNS)

    def check(self, body: Any) -> Body:
        """Raises Refused (422, or 400 where it is no object) that names the property."""
        if not isinstance(body, dict):
            raise bad_request(f"{self.name}: a JSON object was expected")
        for name, value in body.items():
            allowed = self.types.get(name)
            if allowed is None:
                raise invalid(f"Unrecognized field '{name}'", name, "")
            if value is not None and (
                not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
            ):
                raise invalid(f"{name} must be of type {allowed[0].__name__}", name, value)
        for name in self.required:
            if body.get(name) is None:
                raise invalid("must not be null", name, "null")
        if body.get("id") is not None and not UUID.match(body["id"]):
            raise invalid("must match the pattern of a UUID", "id", body["id"])
        return body


class Documents:
    """The operations on one kind."""

    def __init__(self, store: Store, kind: DocumentKind) -> None:
        self.store = store
        self.kind = kind

    # -- reading

    def get(self, record_id: str) -> bytes:
        with self.store.reading() as connection:
            body = self.stored(connection, record_id)
        if body is None:
            raise not_found()
        return orjson.dumps(body)

    def find(self, query: str | None, limit: int, offset: int, count: bool = True) -> bytes:
        statement = self._compiled(query)
        where = f"kind = ? AND {statement.where}"
        with self.store.reading() as connection:
            rows = connection.execute(
                f"SELECT body FROM document WHERE {where} ORDER BY {statement.order} LIMIT ? OFFSET ?",  # noqa: S608
                (self.kind.name, *statement.values, *statement.order_values, limit, offset),
            ).fetchall()
            total = offset + len(rows)
            if count and (len(rows) == limit or not rows):
                counting = f"SELECT count(*) FROM document WHERE {where}"  # noqa: S608
                total = int(connection.execute(counting, (self.kind.name, *statement.values)).fetchone()[0])
        bodies = ",".join(row[0] for row in rows)
        return f'{{"{self.kind.list_name}":[{bodies}],"totalRecords":{total}}}'.encode()

    def one(self, connection: sqlite3.Connection, query: str) -> Body | None:
        """The first that a query finds."""
        statement = self._compiled(query)
        row = connection.execute(
            f"SELECT body FROM document WHERE kind = ? AND {statement.where} ORDER BY id LIMIT 1",  # noqa: S608
            (self.kind.name, *statement.values),
        ).fetchone()
        return orjson.loads(row[0]) if row else None

    def stored(self, connection: sqlite3.Connection, record_id: str) -> Body | None:
        row = connection.execute(
            "SELECT body FROM document WHERE kind = ? AND id = ?", (self.kind.name, record_id)
        ).fetchone()
        return orjson.loads(row[0]) if row else None

    def _compiled(self, query: str | None) -> Statement:
        if not query:
            return Statement("1", "id", (), ())
        try:
            return compile_query(query, self.kind.columns)
        except BadCql as error:
            raise bad_request(f"CQL: {error}") from error

    # -- writing

    def create(self, body: Any, origin: Origin) -> bytes:
        checked = self.kind.check(body)
        with self.store.writing() as (connection, now):
            checked["id"] = str(checked.get("id") or uuid.uuid4()).lower()
            if self.stored(connection, checked["id"]) is not None:
                raise invalid(
                    f"id value already exists in table {self.kind.name}: {checked['id']}", "id", checked["id"]
                )
            self.put(connection, now, origin, checked)
            self._audit(connection, now, origin, "CREATE", checked)
        return orjson.dumps(checked)

    def replace(self, record_id: str, body: Any, origin: Origin) -> None:
        checked = self.kind.check(body)
        if checked.setdefault("id", record_id) != record_id:
            raise bad_request("the id in the path and in the body differ")
        with self.store.writing() as (connection, now):
            if self.stored(connection, record_id) is None:
                raise not_found()
            self.put(connection, now, origin, checked)
            self._audit(connection, now, origin, "UPDATE", checked)

    def delete(self, record_id: str, origin: Origin) -> None:
        with self.store.writing() as (connection, now):
            body = self.stored(connection, record_id)
            if body is None:
                raise not_found()
            connection.execute("DELETE FROM document WHERE kind = ? AND id = ?", (self.kind.name, record_id))
            self._audit(connection, now, origin, "DELETE", body)

    def put(self, connection: sqlite3.Connection, now: str, origin: Origin, body: Body) -> Body | None:
        """Insert or replace within a transaction, stamped with `now`; what was stored before. No audit."""
        before = self.stored(connection, body["id"])
        for name in self.kind.unique:
            self._refuse_taken(connection, name, body)
        created = before["metadata"]["createdDate"] if before and self.kind.with_metadata else now
        if self.kind.with_metadata:
            creator = before["metadata"].get("createdByUserId") if before else None
            body["metadata"] = {
                "createdDate": created,
                "createdByUserId": creator or origin.user_id,
                "updatedDate": now,
                "updatedByUserId": origin.user_id,
            }
        connection.execute(
            "INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?)",
            (self.kind.name, body["id"], created, now, orjson.dumps(body).decode()),
        )
        return before

    def _refuse_taken(self, connection: sqlite3.Connection, name: str, body: Body) -> None:
        if body.get(name) is None:
            return
        taken = connection.execute(
            f"SELECT 1 FROM document WHERE kind = ? AND json_extract(body, '$.{name}') = ? AND id <> ?",  # noqa: S608
            (self.kind.name, body[name], body["id"]),
        ).fetchone()
        if taken:
            raise invalid(f"{name} value already exists in table {self.kind.name}: {body[name]}", name, body[name])

    def _audit(self, connection: sqlite3.Connection, now: str, origin: Origin, action: str, body: Body) -> None:
        own = {name: value for name, value in body.items() if name != "metadata"}
        entry = Entry(self.kind.name.upper(), body["id"], action, 0, orjson.dumps(body), None, orjson.dumps(own))
        audit.record(connection, now, origin, [entry])
