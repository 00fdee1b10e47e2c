"""MARC records: FOLIO source-record-storage. A version is a record of its own: same `matchedId`, `generation` + 1.

There is no `_version`. What guards an update is that `matchedId` with `generation` is unique: who sends generation
n + 1 after somebody else did is refused, and nothing changes.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from demo.ils import audit, marc_json
from demo.ils.audit import Entry, Origin
from demo.ils.errors import Refused, bad_request, invalid, not_found
from demo.ils.shapes import UUID
from demo.ils.store import Store

Body = dict[str, Any]
RECORD_TYPES = ("MARC_BIB", "MARC_AUTHORITY", "MARC_HOLDING", "EDIFACT")
STATES = ("ACTUAL", "OLD", "DRAFT", "DELETED")
PROPERTIES = frozenset(
    [
        "id",
        "snapshotId",
        "matchedId",
        "generation",
        "recordType",
        "rawRecord",
        "parsedRecord",
        "errorRecord",
        "deleted",
        "order",
        "externalIdsHolder",
        "additionalInfo",
        "state",
        "leaderRecordStatus",
        "metadata",
        "matchedProfileId",
    ]
)
# snapshot.json of mod-source-record-storage.
SNAPSHOT_STATUSES = (
    "NEW",
    "FILE_UPLOADED",
    "PARSING_IN_PROGRESS",
    "PARSING_FINISHED",
    "PROCESSING_IN_PROGRESS",
    "PROCESSING_FINISHED",
    "COMMIT_IN_PROGRESS",
    "COMMITTED",
    "ERROR",
    "CANCELLED",
    "DISCARDED",
    "PARENT",
)
STARTED = frozenset({"PARSING_IN_PROGRESS", "PARSING_FINISHED", "PROCESSING_IN_PROGRESS", "COMMITTED"})
AUDIT_TYPE = "MARC_BIB"


@dataclass(frozen=True)
class Stored:
    """A record's columns that decide over its next version."""

    record_id: str
    matched_id: str
    generation: int
    state: str
    created: str
    body: str


class SourceRecords:
    """The operations of source-record-storage. All raise Refused with the status that FOLIO gives."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- snapshots

    def create_snapshot(self, body: Any, origin: Origin) -> bytes:
        """A load; records belong to one. Its start is set when it is PARSING_IN_PROGRESS or later."""
        if not isinstance(body, dict) or not UUID.match(str(body.get("jobExecutionId"))):
            raise invalid("must be a UUID", "jobExecutionId", body.get("jobExecutionId") if body else "null")
        _check_status(body)
        with self.store.writing() as (connection, now):
            if connection.execute("SELECT 1 FROM snapshot WHERE id = ?", (body["jobExecutionId"],)).fetchone():
                raise invalid("snapshot exists already", "jobExecutionId", body["jobExecutionId"])
            if body["status"] in STARTED:
                body.setdefault("processingStartedDate", now)
            body["metadata"] = {"createdDate": now, "updatedDate": now, "createdByUserId": origin.user_id}
            started = body.get("processingStartedDate")
            row = (body["jobExecutionId"], body["status"], started, orjson.dumps(body).decode())
            connection.execute("INSERT INTO snapshot VALUES (?, ?, ?, ?)", row)
            entry = Entry("SNAPSHOT", body["jobExecutionId"], "CREATE", 0, row[3].encode())
            audit.record(connection, now, origin, [entry])
        return row[3].encode()

    def update_snapshot(self, snapshot_id: str, body: Any, origin: Origin) -> bytes:
        """PUT: another status; the start of its processing stays."""
        if not isinstance(body, dict) or body.get("jobExecutionId") != snapshot_id:
            raise bad_request("the id in the path and in the body differ")
        _check_status(body)
        with self.store.writing() as (connection, now):
            row = connection.execute("SELECT body, started FROM snapshot WHERE id = ?", (snapshot_id,)).fetchone()
            if row is None:
                raise not_found(f"Snapshot with id '{snapshot_id}' was not found")
            before = orjson.loads(row[0])
            started = row[1] or body.get("processingStartedDate") or (now if body["status"] in STARTED else None)
            after = body | {"metadata": before["metadata"] | {"updatedDate": now, "updatedByUserId": origin.user_id}}
            if started:
                after["processingStartedDate"] = started
            text = orjson.dumps(after).decode()
            connection.execute(
                "UPDATE snapshot SET status = ?, started = ?, body = ? WHERE id = ?",
                (body["status"], started, text, snapshot_id),
            )
            audit.record(connection, now, origin, [Entry("SNAPSHOT", snapshot_id, "UPDATE", 0, text.encode())])
        return text.encode()

    def snapshots(self, limit: int, offset: int) -> bytes:
        with self.store.reading() as connection:
            total = connection.execute("SELECT count(*) FROM snapshot").fetchone()[0]
            rows = connection.execute("SELECT body FROM snapshot ORDER BY id LIMIT ? OFFSET ?", (limit, offset))
            bodies = ",".join(row[0] for row in rows)
        return f'{{"snapshots":[{bodies}],"totalRecords":{total}}}'.encode()

    def snapshot(self, snapshot_id: str) -> bytes:
        with self.store.reading() as connection:
            row = connection.execute("SELECT body FROM snapshot WHERE id = ?", (snapshot_id,)).fetchone()
        if row is None:
            raise not_found(f"Snapshot with id '{snapshot_id}' was not found")
        return str(row[0]).encode()

    # -- reading records

    def get(self, record_id: str, id_type: str = "RECORD", formatted: bool = False) -> bytes:
        """One record: the id of a record is that of any version, the one of an instance finds its live record."""
        with self.store.reading() as connection:
            stored = self._by_id(connection, record_id) if id_type != "INSTANCE" else None
            if id_type == "INSTANCE":
                stored = self.live_of_instance(connection, record_id)
        if stored is None:
            raise not_found(f"Record with id '{record_id}' was not found")
        if not formatted:
            return stored.body.encode()
        body = orjson.loads(stored.body)
        if body.get("parsedRecord"):
            body["parsedRecord"]["formattedContent"] = marc_json.as_text(body["parsedRecord"]["content"])
        return orjson.dumps(body)

    def list_records(self, snapshot_id: str | None, state: str | None, limit: int, offset: int) -> bytes:
        where, values = ["1"], []
        if snapshot_id:
            where.append("snapshot_id = ?")
            values.append(snapshot_id)
        if state:
            where.append("state = ?")
            values.append(state)
        condition = " AND ".join(where)
        with self.store.reading() as connection:
            count = f"SELECT count(*) FROM source_record WHERE {condition}"  # noqa: S608
            total = connection.execute(count, values).fetchone()[0]
            find = f"SELECT body FROM source_record WHERE {condition} ORDER BY id LIMIT ? OFFSET ?"  # noqa: S608
            bodies = ",".join(row[0] for row in connection.execute(find, (*values, limit, offset)))
        return f'{{"records":[{bodies}],"totalRecords":{total}}}'.encode()

    def _by_id(self, connection: sqlite3.Connection, record_id: str) -> Stored | None:
        return self._one(connection, "id = ?", record_id)

    def live_of_instance(self, connection: sqlite3.Connection, instance_id: str) -> Stored | None:
        return self._one(connection, "instance_id = ? AND state = 'ACTUAL'", instance_id)

    def _latest(self, connection: sqlite3.Connection, matched_id: str) -> Stored | None:
        return self._one(connection, "matched_id = ?", matched_id)

    def _one(self, connection: sqlite3.Connection, where: str, value: str) -> Stored | None:
        row = connection.execute(
            f"SELECT id, matched_id, generation, state, created, body FROM source_record WHERE {where}"  # noqa: S608
            " ORDER BY generation DESC LIMIT 1",
            (value,),
        ).fetchone()
        return Stored(*row) if row else None

    # -- writing records

    def create(self, body: Any, origin: Origin) -> bytes:
        with self.store.writing() as (connection, now):
            stored, entry = self.insert(connection, now, origin, body)
            audit.record(connection, now, origin, [entry])
        return stored.body.encode()

    def create_batch(self, request: Any, origin: Origin) -> tuple[int, bytes]:
        """Saved records and error messages side by side: 201, or 500 where none was saved."""
        bodies = request.get("records") if isinstance(request, dict) else None
        if not isinstance(bodies, list):
            raise invalid("must not be null", "records", "null")
        for name, what in (("snapshotId", "snapshot"), ("recordType", "record type")):
            if len({str(body.get(name)) for body in bodies if isinstance(body, dict)}) > 1:
                raise bad_request(f"Batch record collection only supports single {what}")
        saved: list[str] = []
        entries: list[Entry] = []
        correlations: list[tuple[str, ...]] = []
        messages: list[str] = []
        with self.store.writing() as (connection, now):
            for number, body in enumerate(bodies):
                try:
                    stored, entry = self.insert(connection, now, origin, body)
                except Refused as refusal:
                    name = body.get("id", "") if isinstance(body, dict) else ""
                    messages.append(f"record {number} {name}: {refusal.message}")
                    continue
                saved.append(stored.body)
                entries.append(entry)
                correlations.append(audit.correlation_of(origin, number))
            audit.record(connection, now, origin, entries, correlations)
        answer = f'{{"records":[{",".join(saved)}],"errorMessages":{orjson.dumps(messages).decode()}'
        return 201 if saved or not bodies else 500, f'{answer},"totalRecords":{len(saved)}}}'.encode()

    def next_generation(self, matched_id: str, body: Any, origin: Origin) -> bytes:
        """PUT …/{matchedId}/generation: a new record with an id of its own, one generation up."""
        if not isinstance(body, dict) or body.get("matchedId") != matched_id:
            raise bad_request(f"matchedId in the record is not {matched_id}")
        with self.store.writing() as (connection, now):
            if self._latest(connection, matched_id) is None:
                raise not_found(f"Record with matchedId '{matched_id}' was not found")
            changed = {name: value for name, value in body.items() if name != "generation"}
            stored, entry = self.insert(connection, now, origin, changed | {"id": str(uuid.uuid4())})
            audit.record(connection, now, origin, [entry])
        return stored.body.encode()

    def update(self, record_id: str, body: Any, origin: Origin) -> bytes:
        """PUT of one record in place: same id, same generation."""
        if isinstance(body, dict) and body.setdefault("id", record_id) != record_id:
            raise bad_request("the id in the path and in the body differ")
        with self.store.writing() as (connection, now):
            stored = self._by_id(connection, record_id)
            if stored is None:
                raise not_found(f"Record with id '{record_id}' was not found")
            entry = self._replace(connection, now, origin, stored, self._checked(connection, body))
            audit.record(connection, now, origin, [entry])
        return entry.content

    def update_parsed(self, request: Any, origin: Origin) -> tuple[int, bytes]:
        """PUT …/batch/parsed-records: the content of live records, in place; 200, or 500 where none was saved."""
        bodies = request.get("records") if isinstance(request, dict) else None
        if not isinstance(bodies, list):
            raise invalid("must not be null", "records", "null")
        parsed, messages, entries = [], [], []
        correlations: list[tuple[str, ...]] = []
        with self.store.writing() as (connection, now):
            for number, body in enumerate(bodies):
                try:
                    entry = self._update_content(connection, now, origin, body)
                except Refused as refusal:
                    name = body.get("id", "") if isinstance(body, dict) else ""
                    messages.append(f"record {number} {name}: {refusal.message}")
                    continue
                entries.append(entry)
                correlations.append(audit.correlation_of(origin, number))
                parsed.append(orjson.loads(entry.content)["parsedRecord"])
            audit.record(connection, now, origin, entries, correlations)
        answer = {"parsedRecords": parsed, "errorMessages": messages, "totalRecords": len(parsed)}
        return 200 if parsed or not bodies else 500, orjson.dumps(answer)

    def _update_content(self, connection: sqlite3.Connection, now: str, origin: Origin, body: Any) -> Entry:
        if not isinstance(body, dict) or not isinstance(body.get("parsedRecord"), dict):
            raise invalid("must not be null", "parsedRecord", "null")
        stored = self._by_id(connection, str(body.get("id") or body["parsedRecord"].get("id")))
        if stored is None:
            raise not_found("Record was not found")
        changed = orjson.loads(stored.body)
        changed["parsedRecord"] = {"id": stored.record_id, "content": body["parsedRecord"].get("content")}
        if body.get("externalIdsHolder"):
            changed["externalIdsHolder"] = body["externalIdsHolder"]
        return self._replace(connection, now, origin, stored, self._checked(connection, changed))

    def delete(self, record_id: str, id_type: str, origin: Origin) -> None:
        """Kept, with the state DELETED and a leader that says so (position 5: d)."""
        with self.store.writing() as (connection, now):
            find: Callable[[sqlite3.Connection, str], Stored | None]
            find = self.live_of_instance if id_type == "INSTANCE" else self._by_id
            stored = find(connection, record_id)
            if stored is None or stored.state == "DELETED":
                raise not_found(f"Record with id '{record_id}' was not found")
            body = orjson.loads(stored.body) | {"state": "DELETED", "deleted": True}
            content = body.get("parsedRecord", {}).get("content")
            if content:
                content["leader"] = content["leader"][:5] + "d" + content["leader"][6:]
            entry = self._replace(connection, now, origin, stored, self._checked(connection, body))
            audit.record(connection, now, origin, [replace(entry, action="DELETE")])

    def _checked(self, connection: sqlite3.Connection, body: Any) -> Body:
        """A record as FOLIO demands it. Raises Refused that names the property."""
        if not isinstance(body, dict):
            raise invalid("a JSON object was expected", "record", type(body).__name__)
        for name in body:
            if name not in PROPERTIES:
                raise invalid(f"Unrecognized field '{name}'", name, "")
        for name in ("snapshotId", "recordType", "rawRecord"):
            if body.get(name) is None:
                raise invalid("must not be null", name, "null")
        for name in ("id", "snapshotId", "matchedId"):
            if body.get(name) is not None and not UUID.match(str(body[name])):
                raise invalid("must match the pattern of a UUID", name, body[name])
        if body["recordType"] not in RECORD_TYPES:
            raise invalid(f"must be one of {', '.join(RECORD_TYPES)}", "recordType", body["recordType"])
        if body.get("state") is not None and body["state"] not in STATES:
            raise invalid(f"must be one of {', '.join(STATES)}", "state", body["state"])
        generation = body.get("generation")
        if generation is not None and (isinstance(generation, bool) or not isinstance(generation, int)):
            raise invalid("must be an integer", "generation", generation)
        for name in ("rawRecord", "parsedRecord"):
            if body.get(name) is not None and (not isinstance(body[name], dict) or "content" not in body[name]):
                raise invalid("an object with content was expected", name, "")
        if not isinstance(body.get("externalIdsHolder") or {}, dict):
            raise invalid("an object was expected", "externalIdsHolder", "")
        if body.get("parsedRecord"):
            try:
                body["parsedRecord"]["content"] = marc_json.content_of(body["parsedRecord"]["content"])
            except marc_json.NotMarc as error:
                raise invalid(str(error), "parsedRecord.content", "") from error
        row = connection.execute("SELECT started, status FROM snapshot WHERE id = ?", (body["snapshotId"],)).fetchone()
        if row is None:
            raise not_found(f"Couldn't find snapshot with id {body['snapshotId']}")
        if row[0] is None:
            message = f"Date when processing started is not set, expected snapshot status is PARSING_IN_PROGRESS, actual - {row[1]}"
            raise bad_request(message)
        return body

    def insert(self, connection: sqlite3.Connection, now: str, origin: Origin, body: Any) -> tuple[Stored, Entry]:
        """A new record; the version before it becomes OLD. Nothing is written where it is refused."""
        body = self._checked(connection, body)
        record_id = body["id"] = str(body.get("id") or uuid.uuid4()).lower()
        matched_id = body["matchedId"] = str(body.get("matchedId") or record_id).lower()
        if self._by_id(connection, record_id) is not None:
            raise invalid(f"id value already exists in table records: {record_id}", "id", record_id)
        before = self._latest(connection, matched_id)
        generation = body.get("generation")
        following = before.generation + 1 if before else 0
        if generation is not None and before is not None and generation <= before.generation:
            raise invalid(
                "Incoming record could be a duplicate: incoming record generation should not be the same as matched"
                f" record generation (stored: {before.generation})",
                "generation",
                generation,
            )
        body["generation"] = following if generation is None else generation
        body.setdefault("state", "ACTUAL")
        stored, row = self._row(body, now, now, origin)
        if before is not None and before.state == "ACTUAL" and body["state"] == "ACTUAL":
            old = orjson.loads(before.body) | {"state": "OLD"}
            connection.execute(
                "UPDATE source_record SET state = 'OLD', body = ? WHERE id = ?",
                (orjson.dumps(old).decode(), before.record_id),
            )
        connection.execute("INSERT INTO source_record VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", row)
        action = "UPDATE" if before else "CREATE"
        diff = _diff(before.body, stored.body) if before else None
        content = stored.body.encode()
        return stored, Entry(AUDIT_TYPE, matched_id, action, stored.generation, content, diff, _hashed(body))

    def _replace(self, connection: sqlite3.Connection, now: str, origin: Origin, stored: Stored, body: Body) -> Entry:
        body |= {"id": stored.record_id, "matchedId": stored.matched_id, "generation": stored.generation}
        body.setdefault("state", stored.state)
        after, row = self._row(body, stored.created, now, origin)
        connection.execute("DELETE FROM source_record WHERE id = ?", (stored.record_id,))
        connection.execute("INSERT INTO source_record VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", row)
        diff = _diff(stored.body, after.body)
        content = after.body.encode()
        return Entry(AUDIT_TYPE, stored.matched_id, "UPDATE", stored.generation, content, diff, _hashed(body))

    def _row(self, body: Body, created: str, now: str, origin: Origin) -> tuple[Stored, tuple[Any, ...]]:
        """Set what the server sets, and the columns."""
        body.setdefault("deleted", False)
        body.setdefault("order", 0)
        body.setdefault("additionalInfo", {"suppressDiscovery": False})
        body["rawRecord"].setdefault("id", body["id"])
        leader_status = None
        holder = body.setdefault("externalIdsHolder", {}) or {}
        if body.get("parsedRecord"):
            body["parsedRecord"]["id"] = body["id"]
            body["parsedRecord"].pop("formattedContent", None)
            content = body["parsedRecord"]["content"]
            body["leaderRecordStatus"] = leader_status = content["leader"][5]
            if "instanceHrid" not in holder and (hrid := marc_json.control_field(content, "001")):
                holder["instanceHrid"] = hrid
        body["metadata"] = {
            "createdDate": created,
            "createdByUserId": origin.user_id,
            "updatedDate": now,
            "updatedByUserId": origin.user_id,
        }
        text = orjson.dumps(body).decode()
        stored = Stored(body["id"], body["matchedId"], body["generation"], body["state"], created, text)
        return stored, (
            body["id"],
            body["matchedId"],
            body["generation"],
            body["state"],
            body["recordType"],
            body["snapshotId"],
            holder.get("instanceId"),
            holder.get("instanceHrid"),
            leader_status,
            created,
            now,
            text,
        )


def _check_status(body: Body) -> None:
    if not isinstance(body.get("status"), str):
        raise invalid("must not be null", "status", "null")
    if body["status"] not in SNAPSHOT_STATUSES:
        raise invalid(f"must be one of {', '.join(SNAPSHOT_STATUSES)}", "status", body["status"])


def _hashed(body: Body) -> bytes:
    return orjson.dumps((body.get("parsedRecord") or body["rawRecord"])["content"])


def _diff(before: str, after: str) -> dict[str, Any]:
    old = orjson.loads(before).get("parsedRecord", {}).get("content")
    new = orjson.loads(after).get("parsedRecord", {}).get("content")
    return marc_json.changes(old, new) if old and new else {"fieldChanges": [], "collectionChanges": []}


def each_source_record(rows: Iterator[tuple[str]]) -> Iterator[bytes]:
    """Stored bodies as the DTO `sourceRecord`."""
    for (text,) in rows:
        yield orjson.dumps(as_source_record(orjson.loads(text)))


def as_source_record(body: Body) -> Body:
    out = {"recordId": body["id"]}
    for name in ("snapshotId", "recordType", "order", "rawRecord", "parsedRecord", "deleted", "externalIdsHolder"):
        if name in body:
            out[name] = body[name]
    return out | {"additionalInfo": body["additionalInfo"], "metadata": body["metadata"]}
