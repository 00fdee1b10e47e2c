"""The log of every write ever, in order, in the same transaction as the write."""

from __future__ import annotations

import hashlib
import sqlite3
import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson

from demo.ils.store import Store, as_iso, as_milliseconds

USERS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:holdfast:demo:users")


@dataclass(frozen=True)
class Origin:
    """Who asked, in which request. Of `correlation_ids` the i-th belongs to the i-th record of a batch."""

    user: str = "demo"
    request_id: str = ""
    correlation_ids: tuple[str, ...] = field(default=())

    @property
    def user_id(self) -> str:
        return str(uuid.uuid5(USERS, self.user))


@dataclass(frozen=True)
class Entry:
    """One write: what, to which version (of MARC: generation), with which content as stored.

    `hashed` is what the audit's SHA-256 is made of: the part that the client wrote, without what the server adds, so
    that the same content written twice has the same hash. Of MARC it is `parsedRecord.content`, of the others the body
    without `_version` and `metadata`, each as compact JSON.
    """

    entity_type: str
    entity_id: str
    action: str
    version: int
    content: bytes
    diff: dict[str, Any] | None = None
    hashed: bytes = b""


def record(
    connection: sqlite3.Connection,
    time: str,
    origin: Origin,
    entries: list[Entry],
    correlations: list[tuple[str, ...]] | None = None,
) -> None:
    """Append `entries`; `correlations` has the correlation ids of each, else each gets all of the request's."""
    rows = []
    for number, entry in enumerate(entries):
        ids = correlations[number] if correlations is not None else origin.correlation_ids
        rows.append(
            (
                time,
                entry.entity_type,
                entry.entity_id,
                entry.action,
                entry.version,
                origin.user,
                orjson.dumps(ids).decode(),
                origin.request_id,
                hashlib.sha256(entry.hashed or entry.content).hexdigest(),
                orjson.dumps(entry.diff).decode() if entry.diff is not None else None,
            )
        )
    connection.executemany(
        "INSERT INTO audit (time, entity_type, entity_id, action, version, user, correlation_ids, request_id, sha256,"
        " diff) VALUES (?,?,?,?,?,?,?,?,?,?)",
        rows,
    )


def correlation_of(origin: Origin, index: int) -> tuple[str, ...]:
    """The correlation id of the `index`-th record of a batch; none where the list is shorter than the batch."""
    return origin.correlation_ids[index : index + 1]


def log(store: Store, after: int, limit: int) -> dict[str, Any]:
    """`{"entries": [{seq, time, entityType, entityId, action, version, user, correlationIds, requestId, sha256}]}`."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT seq, time, entity_type, entity_id, action, version, user, correlation_ids, request_id, sha256"
            " FROM audit WHERE seq > ? ORDER BY seq LIMIT ?",
            (after, limit),
        ).fetchall()
    entries = [
        {
            "seq": row[0],
            "time": row[1],
            "entityType": row[2],
            "entityId": row[3],
            "action": row[4],
            "version": row[5],
            "user": row[6],
            "correlationIds": orjson.loads(row[7]),
            "requestId": row[8],
            "sha256": row[9],
        }
        for row in rows
    ]
    return {"entries": entries, "lastSeq": entries[-1]["seq"] if entries else after}


def events(
    store: Store, entity_type: str, entity_id: str, before: str | None, page: int = 10
) -> tuple[list[dict[str, Any]], int]:
    """mod-audit's view: one entity's events, newest first, those before `before` (eventTs, milliseconds), and how many
    there are in all."""
    where, values = "entity_type = ? AND entity_id = ?", [entity_type, entity_id]
    with store.reading() as connection:
        count = f"SELECT count(*) FROM audit WHERE {where}"  # noqa: S608
        total = int(connection.execute(count, values).fetchone()[0])
        if before is not None:
            where += " AND time < ?"
            values.append(as_iso(int(before)))
        rows = connection.execute(
            f"SELECT seq, time, action, user, diff FROM audit WHERE {where} ORDER BY seq DESC LIMIT ?",  # noqa: S608
            (*values, page),
        ).fetchall()
    out = []
    for seq, time, action, user, diff in rows:
        event: dict[str, Any] = {
            "eventId": str(uuid.uuid5(USERS, f"event {seq}")),
            "entityId": entity_id,
            "eventTs": str(as_milliseconds(time)),
            "eventDate": time,
            # mod-audit has CREATED of MARC, and CREATE of what is in the inventory.
            "action": f"{action}D" if entity_type == "MARC_BIB" else action,
            "userId": str(uuid.uuid5(USERS, user)),
        }
        if diff:
            event["diff"] = orjson.loads(diff)
        out.append(event)
    return out, total


def field_changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """mod-audit's `diff`: which top-level properties were ADDED, MODIFIED or REMOVED, and their values."""
    changes = []
    for name in sorted((before.keys() | after.keys()) - {"_version", "metadata"}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind = "ADDED" if old is None else "REMOVED" if new is None else "MODIFIED"
        change = {"changeType": kind, "fieldName": name, "fullPath": name}
        if old is not None:
            change["oldValue"] = old
        if new is not None:
            change["newValue"] = new
        changes.append(change)
    return {"fieldChanges": changes, "collectionChanges": []}
