"""The demo's own: counts, a reset, and a librarian who edits a live record while nobody looks."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from demo.ils import audit
from demo.ils.audit import Origin
from demo.ils.errors import bad_request, not_found
from demo.ils.inventory import Inventory
from demo.ils.marc_json import set_field
from demo.ils.source_records import SourceRecords
from demo.ils.store import Store

COUNTS = {
    "instances": "SELECT count(*) FROM instance",
    "holdingsRecords": "SELECT count(*) FROM holdings_record",
    "items": "SELECT count(*) FROM item",
    "sourceRecords": "SELECT count(*) FROM source_record",
    "liveSourceRecords": "SELECT count(*) FROM source_record WHERE state = 'ACTUAL'",
    "users": "SELECT count(*) FROM document WHERE kind = 'user'",
    "loans": "SELECT count(*) FROM document WHERE kind = 'loan'",
    "snapshots": "SELECT count(*) FROM snapshot",
    "audit": "SELECT count(*) FROM audit",
    "lastSeq": "SELECT coalesce(max(seq), 0) FROM audit",
}


def state(store: Store) -> dict[str, int]:
    with store.reading() as connection:
        return {name: int(connection.execute(query).fetchone()[0]) for name, query in COUNTS.items()}


def edit(records: SourceRecords, instances: Inventory, request: Any) -> dict[str, Any]:
    """`{instanceId, tag, code, value}`: a new generation of the MARC record and a new version of the instance.

    The first field with that tag gets the value (a control field: `code` empty); where there is none, it is added.
    """
    if not isinstance(request, dict) or any(
        not isinstance(request.get(k), str) for k in ("instanceId", "tag", "value")
    ):
        raise bad_request("instanceId, tag, code and value are needed")
    instance_id, tag, code, value = (str(request.get(k) or "") for k in ("instanceId", "tag", "code", "value"))
    origin = Origin(user="librarian", request_id=f"librarian/{uuid.uuid4()}")
    instance = orjson.loads(instances.get(instance_id))
    with records.store.writing() as (connection, now):
        live = records.live_of_instance(connection, instance_id)
        if live is None:
            raise not_found(f"Instance {instance_id} has no live MARC record")
        body = orjson.loads(live.body)
        set_field(body["parsedRecord"]["content"]["fields"], tag, code, value)
        changed = {k: v for k, v in body.items() if k not in ("metadata", "state")}
        changed |= {"id": str(uuid.uuid4()), "generation": live.generation + 1}
        changed["rawRecord"] = {"content": body["rawRecord"]["content"]}
        stored, entry = records.insert(connection, now, origin, changed)
        audit.record(connection, now, origin, [entry])
        if (tag, code) == ("245", "a"):
            instance["title"] = value
        entries = instances.write(connection, now, origin, [instance], upsert=True)
        audit.record(connection, now, origin, entries)
    return {"recordId": stored.record_id, "generation": stored.generation, "_version": entries[0].version}
