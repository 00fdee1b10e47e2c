"""Lists of live MARC records: source-records by filter or by ids, as a page or as a stream, and parts of records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from demo.ils import marc_json
from demo.ils.errors import bad_request, invalid
from demo.ils.source_records import as_source_record, each_source_record
from demo.ils.store import Store, as_iso, as_milliseconds

ID_COLUMNS = {
    "INSTANCE": "instance_id",
    "EXTERNAL": "instance_id",
    "RECORD": "matched_id",
    "SRS_RECORD": "id",
    "RECORD_ID": "id",
}
ORDERS = {"updatedDate": "updated", "createdDate": "created", "id": "id", "recordId": "id", "order": "rowid"}
BLOCK = 200


@dataclass(frozen=True)
class Filter:
    """The conditions as SQL and the order."""

    where: str
    values: tuple[Any, ...]
    order: str


def read_filter(parameters: Mapping[str, str]) -> Filter:
    """From the query string: externalId (instanceId), externalHrid, recordId, snapshotId, recordType, updatedAfter,
    updatedBefore (both ends included), deleted (true: the deleted too), leaderRecordStatus, orderBy."""
    deleted = parameters.get("deleted", "false").lower() == "true"
    where = ["state IN ('ACTUAL', 'DELETED')" if deleted else "state = 'ACTUAL'", "record_type = ?"]
    values: list[Any] = [parameters.get("recordType", "MARC_BIB")]
    for names, column in (
        (("externalId", "instanceId"), "instance_id"),
        (("externalHrid", "instanceHrid"), "hrid"),
        (("recordId",), "matched_id"),
        (("snapshotId",), "snapshot_id"),
        (("leaderRecordStatus",), "leader_status"),
    ):
        for name in names:
            if parameters.get(name):
                where.append(f"{column} = ?")
                values.append(parameters[name])
    for name, operator in (("updatedAfter", ">="), ("updatedBefore", "<=")):
        if parameters.get(name):
            where.append(f"updated {operator} ?")
            values.append(_moment(name, parameters[name]))
    field, _, direction = parameters.get("orderBy", "id").partition(",")
    if field not in ORDERS:
        raise bad_request(f"orderBy: one of {', '.join(ORDERS)} was expected")
    way = " DESC" if direction.upper() == "DESC" else ""
    return Filter(" AND ".join(where), tuple(values), f"{ORDERS[field]}{way}, id{way}")


def _moment(name: str, text: str) -> str:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return as_iso(as_milliseconds(moment.isoformat()))
    except (ValueError, OverflowError) as error:
        raise bad_request(f"{name}: no date: {text}") from error


def page(store: Store, chosen: Filter, limit: int, offset: int) -> bytes:
    """`{"sourceRecords":[…],"totalRecords":n}`"""
    with store.reading() as connection:
        count = f"SELECT count(*) FROM source_record WHERE {chosen.where}"  # noqa: S608
        total = connection.execute(count, chosen.values).fetchone()[0]
        find = f"SELECT body FROM source_record WHERE {chosen.where} ORDER BY {chosen.order} LIMIT ? OFFSET ?"  # noqa: S608
        records = b",".join(each_source_record(connection.execute(find, (*chosen.values, limit, offset))))
    return b'{"sourceRecords":[' + records + b'],"totalRecords":' + str(total).encode() + b"}"


def by_ids(store: Store, ids: Any, id_type: str, deleted: bool) -> bytes:
    """The live records with some ids. Unknown ids are left out, as in FOLIO."""
    if not isinstance(ids, list) or not all(isinstance(entry, str) for entry in ids):
        raise invalid("a list of ids was expected", "ids", type(ids).__name__)
    if id_type not in ID_COLUMNS:
        raise bad_request(f"idType: one of {', '.join(ID_COLUMNS)} was expected")
    states = "('ACTUAL', 'DELETED')" if deleted else "('ACTUAL')"
    with store.reading() as connection:
        rows = connection.execute(
            f"SELECT body FROM source_record WHERE {ID_COLUMNS[id_type]} IN (SELECT value FROM json_each(?))"  # noqa: S608
            f" AND state IN {states} ORDER BY id",
            (orjson.dumps(ids).decode(),),
        )
        records = list(each_source_record(rows))
    return b'{"sourceRecords":[' + b",".join(records) + b'],"totalRecords":' + str(len(records)).encode() + b"}"


def stream(store: Store, chosen: Filter, limit: int | None, offset: int) -> Iterator[bytes]:
    """One JSON object a line, in blocks: no more than a block is in memory."""
    with store.reading() as connection:
        cursor = connection.execute(
            f"SELECT body FROM source_record WHERE {chosen.where} ORDER BY {chosen.order} LIMIT ? OFFSET ?",  # noqa: S608
            (*chosen.values, -1 if limit is None else limit, offset),
        )
        try:
            while block := cursor.fetchmany(BLOCK):
                yield b"".join(line + b"\n" for line in each_source_record(iter(block)))
        finally:
            cursor.close()


def fetch_parsed(store: Store, request: Any) -> bytes:
    """POST …/batch/parsed-records/fetch: of records found by external ids, the fields of some tag ranges."""
    conditions = request.get("conditions") if isinstance(request, dict) else None
    if not isinstance(conditions, dict) or not isinstance(conditions.get("ids"), list):
        raise invalid("conditions with idType and ids were expected", "conditions", "null")
    id_type = str(conditions.get("idType", "INSTANCE")).upper()
    found = orjson.loads(by_ids(store, conditions["ids"], id_type, deleted=False))["sourceRecords"]
    ranges = request.get("data")
    if ranges is not None and not (
        isinstance(ranges, list) and all(isinstance(r, dict) and {"from", "to"} <= r.keys() for r in ranges)
    ):
        raise invalid("a list of {from, to} was expected", "data", "")
    tags = [(str(entry["from"]), str(entry["to"])) for entry in ranges or ()]
    out = []
    for record in found:
        if record["recordType"] != request.get("recordType", "MARC_BIB") or "parsedRecord" not in record:
            continue
        parsed = dict(record["parsedRecord"])
        if tags:
            parsed["content"] = marc_json.in_ranges(parsed["content"], tags)
        stripped = {"id": record["recordId"], "externalIdsHolder": record.get("externalIdsHolder", {})}
        out.append(stripped | {"recordType": record["recordType"], "recordState": "ACTUAL", "parsedRecord": parsed})
    return orjson.dumps({"records": out, "totalRecords": len(out)})


def one(body: bytes) -> bytes:
    """A stored record as `sourceRecord`."""
    return orjson.dumps(as_source_record(orjson.loads(body)))
