"""FOLIO's source-record-storage: how new versions of MARC records are written. Facts: docs/how-to/ils-folio.md."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import httpx
import orjson

from holdfast.catalogue.fields import to_marc_json
from resources.ils.client import Fields, LiveRecord, Unit, Written, source_record_id
from resources.ils.errors import IlsDownError, RefusedError
from resources.ils.folio_inventory import Many, Send
from resources.ils.session import Call

log = logging.getLogger("holdfast.ils")

RECORDS = "/source-storage/records"
_BATCH = "/source-storage/batch/records"
_SNAPSHOTS = "/source-storage/snapshots"


class SourceRecords:
    """Writes of one login, all under one snapshot, which is opened with the first."""

    def __init__(self, send: Send, many: Many, organization: str) -> None:
        self._send, self._many, self._organization = send, many, organization
        self._snapshot: str | None = None

    def write(self, ready: list[tuple[Unit, LiveRecord | None, Fields]], hrids: dict[str, str]) -> dict[str, Written]:
        """A new version of each record's MARC, under ids of its own making: what was not taken, by idempotency key.

        `ready`: (unit, the live record, MARC as it will be); `hrids`: of new instances, by their id.
        """
        if not ready:
            return {}
        snapshot = self._open_snapshot()
        current = self._current_records(ready)
        records = []
        refused: dict[str, Written] = {}
        for unit, now, after in ready:
            found, hrid = current.get(unit.idempotency_key), now.hrid if now else hrids.get(unit.target, "")
            if isinstance(found, RefusedError):
                refused[unit.idempotency_key] = refusal(unit, found)
            else:
                records.append((unit, self._source_record(unit, now, after, snapshot, hrid, found)))
        return refused | self._post_records(records)

    def _current_records(
        self, ready: list[tuple[Unit, LiveRecord | None, Fields]]
    ) -> dict[str, httpx.Response | RefusedError]:
        """Lists do not name matched id and generation, which a new version needs: one read a changed record."""
        calls = {
            unit.idempotency_key: Call("GET", f"{RECORDS}/{now.source_id}", [unit.correlation_id])
            for unit, now, _ in ready
            if now is not None and now.source_id
        }
        return dict(zip(calls, self._many(list(calls.values())), strict=True))

    def _post_records(self, records: list[tuple[Unit, dict[str, Any]]]) -> dict[str, Written]:
        if not records:
            return {}
        ids = [unit.correlation_id for unit, _ in records]
        body = {"records": [each for _, each in records], "totalRecords": len(records)}
        try:
            answer = orjson.loads(self._send(Call("POST", _BATCH, ids, body, settled=_none_saved)).content)
        except RefusedError as error:
            if len(records) == 1:
                return {records[0][0].idempotency_key: refusal(records[0][0], error)}
            refused: dict[str, Written] = {}
            for each in records:
                refused |= self._post_records([each])
            return refused
        saved = {each["id"] for each in answer["records"]}
        missing = [each for each in records if each[1]["id"] not in saved]
        if missing and len(records) == 1:
            said = RefusedError(422, "; ".join(answer.get("errorMessages", [])) or "not among the saved records")
            return {missing[0][0].idempotency_key: refusal(missing[0][0], said)}
        refused = {}
        for each in missing:
            refused |= self._post_records([each])
        return refused

    def _source_record(
        self,
        unit: Unit,
        now: LiveRecord | None,
        after: Fields,
        snapshot: str,
        hrid: str,
        found: httpx.Response | None,
    ) -> dict[str, Any]:
        record_id = source_record_id(unit.idempotency_key, unit.round)
        suppressed = unit.action == "suppress" or (now is not None and now.suppressed and unit.action != "unsuppress")
        matched, generation = record_id, 0
        if found is not None:
            current = orjson.loads(found.content)
            matched, generation = current["matchedId"], int(current["generation"]) + 1
        own = ("999", f"ff\x1fi{unit.target}\x1fs{matched}")
        fields = [each for each in after if not (each[0] == "999" and each[1].startswith("ff"))] + [own]
        if not (now and now.fields):
            fields = self._with_own_number(fields, hrid)
        content = to_marc_json(fields)
        return {
            "id": record_id,
            "snapshotId": snapshot,
            "matchedId": matched,
            "generation": generation,
            "recordType": "MARC_BIB",
            "state": "ACTUAL",
            "rawRecord": {"id": record_id, "content": orjson.dumps(content).decode()},
            "parsedRecord": {"id": record_id, "content": content},
            "externalIdsHolder": {"instanceId": unit.target, **({"instanceHrid": hrid} if hrid else {})},
            "additionalInfo": {"suppressDiscovery": suppressed},
        }

    def _with_own_number(self, fields: Fields, hrid: str) -> Fields:
        """001 and 003 of the catalogue; the supplier's are in 035 already (holdfast.catalogue.fields.as_catalogued)."""
        numbers = [("001", hrid)] if hrid else []
        if self._organization:
            numbers.append(("003", self._organization))
        leader = [each for each in fields if each[0] == "LDR"]
        return leader + numbers + [each for each in fields if each[0] not in ("LDR", "001", "003")]

    def _open_snapshot(self) -> str:
        if self._snapshot is None:
            snapshot = str(uuid.uuid4())
            self._send(Call("POST", _SNAPSHOTS, body={"jobExecutionId": snapshot, "status": "PARSING_IN_PROGRESS"}))
            self._snapshot = snapshot
        return self._snapshot

    def commit_snapshot(self) -> None:
        """Say that the load is over: a snapshot that stays in progress looks like a load that hangs. What it holds is
        written either way, so a system that does not answer any more is no reason to fail."""
        if self._snapshot is None:
            return
        snapshot, self._snapshot = self._snapshot, None
        body = {"jobExecutionId": snapshot, "status": "COMMITTED"}
        call = Call("PUT", f"{_SNAPSHOTS}/{snapshot}", body=body, repeatable=True)
        try:
            self._send(call)
        except (RefusedError, IlsDownError) as error:
            log.warning("snapshot %s of source-record-storage stays in progress: %s", snapshot, error)


def _none_saved(response: httpx.Response) -> bool:
    """FOLIO's way to say that none of the records was saved, and why."""
    return response.status_code == 500 and b'"errorMessages"' in response.content


def refusal(unit: Unit, error: RefusedError) -> Written:
    state = "conflicted" if error.status == 409 else "failed"
    return Written(unit.idempotency_key, state, answer=str(error))
