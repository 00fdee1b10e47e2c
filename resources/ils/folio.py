"""FOLIO's published API: inventory-storage with optimistic locking, source-record-storage without.

A record is two things there: the instance (inventory) and its MARC (source-record-storage). The instance is written first,
because its `_version` is what refuses a stale write; the MARC follows as a new generation whose id is made from the
idempotency key, so a second attempt finds the first. Requests hold up to `chunk_records` records.

Facts used: docs/how-to/ils-folio.md.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
import orjson

from holdfast.catalogue.entity_patch import Token
from holdfast.catalogue.fields import from_marc_json
from holdfast.catalogue.patch import PatchConflictError, apply_patch
from resources.governor.client import Governor
from resources.ils.client import (
    AuditEntry,
    Capabilities,
    CirculationEvent,
    Entity,
    EntityUnit,
    Fields,
    Kind,
    LiveRecord,
    Unit,
    Written,
    source_record_id,
)
from resources.ils.errors import RefusedError
from resources.ils.folio_audit import INVENTORY_PATHS, read_audit
from resources.ils.folio_feeds import FolioFeeds
from resources.ils.folio_inventory import Inventory, quoted, stamp
from resources.ils.folio_source_records import RECORDS, SourceRecords, refusal
from resources.ils.instance import derive_instance
from resources.ils.session import Authorization, Call, Session, check_login

log = logging.getLogger("holdfast.ils")

_INSTANCES = "/instance-storage/instances"
_HOLDINGS = "/holdings-storage/holdings"
_INSTANCES_BATCH = "/instance-storage/batch/synchronous"
_SOURCE_RECORDS = "/source-storage/source-records"
_PAGE = 500
# What the server sets by itself and takes no part in a comparison.
_SERVERS_OWN = {"_version", "metadata", "hrid", "id", "matchKey", "statusUpdatedDate", "complete_updated_date"}


class FolioClient(FolioFeeds):
    """An `Ils`. One per run; not shared between threads. With a governor, independent reads go side by side."""

    capabilities = Capabilities(
        reads=frozenset({"bib", "holdings", "item", "patron"}),
        writes=frozenset({"bib", "holdings", "item", "patron"}),
        # Of a bibliographic record the instance; its MARC has none, as users have none: read, compared and written.
        versioned=frozenset({"bib", "holdings", "item"}),
        chosen_ids=frozenset({"bib", "holdings", "item", "patron"}),
        batches={"bib": 100, "holdings": 100, "item": 100},
        write_requests={"bib": 2},
        read_requests={"bib": 2, "patron": 1},  # a user is read back
        own_reads={"bib": 1},  # a new version of the MARC record needs the generation, which lists do not name
        audit=frozenset({"bib", "holdings", "item"}),
        circulation=True,
        deletes=frozenset({"bib", "holdings", "item", "patron"}),
    )

    def __init__(
        self,
        url: str,
        tenant: str,
        user: str,
        password: str,
        *,
        chunk_records: int = 100,
        timeout_seconds: float = 60,
        retries: int = 5,
        organization: str = "",
        name: str = "",
        token: Token | None = None,
        governor: Governor | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name or f"folio:{tenant}"
        self._login = {"username": user, "password": password}
        self._chunk = chunk_records
        self._user = user
        self._own_user: str | None = None
        self._session = Session(
            url,
            self._log_in,
            headers={"X-Okapi-Tenant": tenant, "Accept": "application/json, text/plain"},
            request_id_header="X-Okapi-Request-Id",
            renew=self._refresh,
            governor=governor,
            timeout_seconds=timeout_seconds,
            retries=retries,
            transport=transport,
            sleep=sleep,
        )
        self._inventory = Inventory(self._session.send, self._session.many, chunk_records, token)
        self._source_records = SourceRecords(self._session.send, self._session.many, organization)

    def close(self) -> None:
        try:
            self._source_records.commit_snapshot()
        finally:
            self._session.close()

    def clock(self) -> dt.datetime:
        """By the Date of an answer (RFC 9110 §6.6.1); our own clock where the gateway in front leaves it out."""
        answer = self._request("GET", "/service-points", params={"limit": 0})
        try:
            return email.utils.parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(dt.UTC)
        except ValueError:
            return dt.datetime.now(dt.UTC)

    def own_user(self) -> str:
        """Id of the user that we are logged in as: the audit names it. '' where we may not read users."""
        if self._own_user is None:
            params = {"query": f"username == {quoted([self._user])}", "limit": 1, "totalRecords": "none"}
            try:
                found = orjson.loads(self._request("GET", "/users", params=params).content)["users"]
            except RefusedError:
                found = []
            self._own_user = str(found[0]["id"]) if found else ""
        return self._own_user

    # ---- holdings, items, patrons, circulation ----------------------------------------------------------------------

    def entities(self, kind: Kind, since: str | None = None, until: str | None = None) -> Iterator[list[Entity]]:
        return self._inventory.entities(kind, since, until)

    def fetch_entities(self, kind: Kind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, Entity]:
        return self._inventory.fetch(kind, ids, correlation_ids)

    def write_entities(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]:
        """Holdings and items a batch a request, users one by one, each read back. `live` is keyed by `target_of` a unit."""
        return self._inventory.write(units, live)

    def circulation(self, since: str, until: str) -> Iterator[list[CirculationEvent]]:
        return self._inventory.circulation(since, until)

    def _request(
        self,
        method: str,
        path: str,
        correlation_ids: Sequence[str] = (),
        *,
        body: Any = None,
        params: dict[str, Any] | None = None,
    ) -> httpx.Response:
        repeatable = True if method == "GET" or path == _SOURCE_RECORDS else None  # a list of ids is asked for by POST
        return self._session.send(Call(method, path, correlation_ids, body, params, repeatable=repeatable))

    def _log_in(self, http: httpx.Client) -> Authorization:
        response = http.post("/authn/login-with-expiry", json=self._login)
        check_login(response, 201, "login: check HOLDFAST_ILS_USER, HOLDFAST_ILS_PASSWORD, HOLDFAST_ILS_TENANT")
        return _lifetime(response)

    @staticmethod
    def _refresh(http: httpx.Client) -> Authorization:
        """A refresh token is good once; where it is over, or somebody used it, the session logs in again."""
        response = http.post("/authn/refresh")
        if response.status_code != 201:
            raise RefusedError(response.status_code, "the refresh token was not taken")
        return _lifetime(response)

    # ---- reading ----------------------------------------------------------------------------------------------------

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        # What changes while this reads counts as changed when it began: else the next time would begin behind the change of
        # a record that was read before.
        began = stamp(self.clock().isoformat())
        for page in self._whole() if since is None else self._changed(since):
            yield [replace(each, updated=began) if each.updated > began else each for each in page]

    def _whole(self) -> Iterator[list[LiveRecord]]:
        last = "00000000-0000-0000-0000-000000000000"
        while instances := self._instances(f'id > "{last}" sortBy id', _PAGE):
            last = instances[-1]["id"]
            yield list(self._with_marc(instances, ()).values())

    def _changed(self, since: str) -> Iterator[list[LiveRecord]]:
        changed: dict[str, None] = {}
        for instances in _by_date(since, self._instances_since):
            changed |= dict.fromkeys(each["id"] for each in instances)
        for records in _by_date(since, self._source_records_since):
            changed |= dict.fromkeys(
                each["externalIdsHolder"]["instanceId"] for each in records if each.get("externalIdsHolder")
            )
        ids = list(changed)
        for at in range(0, len(ids), self._chunk):
            yield list(self.fetch(ids[at : at + self._chunk], ()).values())

    def _instances_since(self, since: str, offset: int) -> list[dict[str, Any]]:
        return self._instances(f'metadata.updatedDate >= "{since}" sortBy metadata.updatedDate', _PAGE, offset)

    def _source_records_since(self, since: str, offset: int) -> list[dict[str, Any]]:
        params = {"updatedAfter": since, "limit": _PAGE, "offset": offset, "deleted": "true", "orderBy": "updatedDate"}
        return list(orjson.loads(self._request("GET", _SOURCE_RECORDS, params=params).content)["sourceRecords"])

    def _instances(self, query: str, limit: int, offset: int = 0) -> list[dict[str, Any]]:
        params = {"query": query, "limit": limit, "offset": offset, "totalRecords": "none"}
        return list(orjson.loads(self._request("GET", _INSTANCES, params=params).content)["instances"])

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        live: dict[str, LiveRecord] = {}
        for at in range(0, len(targets), self._chunk):
            chunk = targets[at : at + self._chunk]
            query = "id == (" + " or ".join(f'"{each}"' for each in chunk) + ")"
            params = {"query": query, "limit": len(chunk), "totalRecords": "none"}
            answer = self._request("GET", _INSTANCES, correlation_ids[at : at + self._chunk], params=params)
            live |= self._with_marc(orjson.loads(answer.content)["instances"], correlation_ids[at : at + self._chunk])
        return live

    def _with_marc(self, instances: list[dict[str, Any]], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        ids = [each["id"] for each in instances]
        if not ids:
            return {}
        answer = self._request("POST", _SOURCE_RECORDS, correlation_ids, body=ids, params={"idType": "INSTANCE"})
        marc = {each["externalIdsHolder"]["instanceId"]: each for each in orjson.loads(answer.content)["sourceRecords"]}
        live: dict[str, LiveRecord] = {}
        for instance in instances:
            source = marc.get(instance["id"])
            updated = [instance.get("metadata", {}).get("updatedDate", "")]
            if source:
                updated.append(source.get("metadata", {}).get("updatedDate", ""))
            live[instance["id"]] = LiveRecord(
                target=instance["id"],
                hrid=instance.get("hrid", ""),
                version=int(instance.get("_version", 0)),
                instance=instance,
                source_id=source["recordId"] if source else "",
                fields=from_marc_json(source["parsedRecord"]["content"]) if source else [],
                updated=max(updated),
                suppressed=bool(instance.get("discoverySuppress")),
            )
        return live

    def find_created(self, units: Sequence[Unit]) -> dict[str, LiveRecord]:
        live = self.fetch([each.target for each in units], [each.correlation_id for each in units])
        return {each.idempotency_key: live[each.target] for each in units if each.target in live}

    def audit(self, kind: Kind, targets: Sequence[str], since: str) -> Iterator[AuditEntry]:
        """mod-audit: one request a record and ten events. Of a bibliographic record the events of its MARC; of one without
        MARC those of its instance."""
        paths = {each: f"/audit-data/inventory/{INVENTORY_PATHS.get(kind, 'instance')}/{each}" for each in targets}
        if kind == "bib":
            matched = self._matched_ids(targets)
            paths |= {target: f"/audit-data/marc/bib/{each}" for target, each in matched.items()}
        elif kind not in INVENTORY_PATHS:
            raise ValueError(f"FOLIO keeps no audit of a {kind} that Holdfast reads: bib, holdings or item")
        yield from read_audit(self._session.many, kind, paths, since)

    def _matched_ids(self, targets: Sequence[str]) -> dict[str, str]:
        """Instance id → the id that all versions of its MARC record have in common, deleted ones too. It is 999 ff $s."""
        matched: dict[str, str] = {}
        for at in range(0, len(targets), self._chunk):
            params, ids = {"idType": "INSTANCE", "deleted": "true"}, list(targets[at : at + self._chunk])
            answer = self._request("POST", _SOURCE_RECORDS, body=ids, params=params)
            for each in orjson.loads(answer.content)["sourceRecords"]:
                matched[each["externalIdsHolder"]["instanceId"]] = self._matched_id(each)
        return matched

    def _matched_id(self, source_record: dict[str, Any]) -> str:
        parsed = source_record.get("parsedRecord") or {}
        for tag, text in from_marc_json(parsed["content"]) if parsed.get("content") else []:
            if tag == "999" and text.startswith("ff"):
                for piece in text.split("\x1f")[1:]:
                    if piece.startswith("s"):
                        return piece[1:]
        found = self._request("GET", f"{RECORDS}/{source_record['recordId']}").json()
        return str(found["matchedId"])

    # ---- writing ----------------------------------------------------------------------------------------------------

    def write(self, units: Sequence[Unit], live: dict[str, LiveRecord]) -> list[Written]:
        settled: list[Written] = []
        ready: list[tuple[Unit, LiveRecord | None, Fields]] = []
        for unit in units:
            now = live.get(unit.target)
            if unit.action == "delete":
                settled.append(self._delete(unit, now))
                continue
            if now is not None and now.source_id == source_record_id(unit.idempotency_key, unit.round):
                settled.append(Written(unit.idempotency_key, "acknowledged", now.version, "found written"))
                continue
            try:
                _refuse_changed_marc(unit, now)
                ready.append((unit, now, self._after(unit, now)))
            except PatchConflictError as error:
                settled.append(Written(unit.idempotency_key, "conflicted", answer=str(error)))
        settled += self._write_ready(ready)
        return settled

    def _delete(self, unit: Unit, now: LiveRecord | None) -> Written:
        """Outright, the MARC first: an instance that is left is found and deleted by the next attempt. What has holdings stays."""
        if now is None:
            return Written(unit.idempotency_key, "acknowledged", answer="found deleted")
        if now.source_id and (now.source_id, now.version) != (unit.source_id, unit.version):
            return Written(unit.idempotency_key, "conflicted", answer="the record was changed after it was looked at")
        query = {"query": f'instanceId=="{unit.target}"', "limit": 1, "totalRecords": "none"}
        ids = [unit.correlation_id]
        if orjson.loads(self._request("GET", _HOLDINGS, ids, params=query).content)["holdingsRecords"]:
            return Written(unit.idempotency_key, "failed", answer="the record has holdings, so it was not deleted")
        marc = [(f"{RECORDS}/{unit.target}", {"idType": "INSTANCE"})] if now.source_id else []
        for path, params in [*marc, (f"{_INSTANCES}/{unit.target}", {})]:
            try:
                self._request("DELETE", path, ids, params=params)
            except RefusedError as error:
                if error.status != 404:
                    return refusal(unit, error)
        return Written(unit.idempotency_key, "acknowledged", now.version)

    @staticmethod
    def _after(unit: Unit, now: LiveRecord | None) -> Fields:
        if unit.action == "create":
            return unit.adds
        if now is None or not now.fields:
            raise PatchConflictError("the record was deleted in the library system after it was planned")
        return apply_patch(now.fields, unit.deletes, unit.adds)

    def _write_ready(self, ready: list[tuple[Unit, LiveRecord | None, Fields]]) -> list[Written]:
        written: dict[str, Written] = {}
        versions: dict[str, int] = {}
        creates, updates = [], []
        for unit, now, after in ready:
            body = self._instance_body(unit, now, after)
            same = now is not None and _content(body) == _content(now.instance)
            versions[unit.idempotency_key] = now.version if now else 1
            if same:
                continue  # the inventory shows nothing of this change, or shows it already
            if now is None:
                creates.append((unit, body))
            elif now.version != unit.version:
                text = (
                    f"version {unit.version} was planned on, the record is at {now.version}: someone changed it since"
                )
                written[unit.idempotency_key] = Written(unit.idempotency_key, "conflicted", answer=text)
            else:
                updates.append((unit, body))
                versions[unit.idempotency_key] = now.version + 1
        written |= self._write_instances(creates, upsert=False)
        written |= self._write_instances(updates, upsert=True)
        left = [each for each in ready if each[0].idempotency_key not in written]
        refused = self._source_records.write(left, self._hrids([unit for unit, now, _ in left if now is None]))
        for unit, _, _ in left:
            key = unit.idempotency_key
            written[key] = refused.get(key) or Written(key, "acknowledged", versions[key])
        return list(written.values())

    def _hrids(self, created: list[Unit]) -> dict[str, str]:
        """hrids that the system gave to new records: their MARC has them as 001. One read a chunk."""
        if not created:
            return {}
        query = "id == (" + " or ".join(f'"{unit.target}"' for unit in created) + ")"
        params = {"query": query, "limit": len(created), "totalRecords": "none"}
        answer = self._request("GET", _INSTANCES, [unit.correlation_id for unit in created], params=params)
        return {each["id"]: str(each.get("hrid", "")) for each in orjson.loads(answer.content)["instances"]}

    @staticmethod
    def _instance_body(unit: Unit, now: LiveRecord | None, after: Fields) -> dict[str, Any]:
        """What the change of the MARC record changes in the instance; the rest of it stays as it is."""
        derived = derive_instance(after)
        before = derive_instance(now.fields) if now and now.fields else {}
        body = {"id": unit.target, **(now.instance if now else {})}
        body |= {key: value for key, value in derived.items() if before.get(key) != value}
        for key in before.keys() - derived.keys():
            body.pop(key, None)
        if unit.action in ("suppress", "unsuppress"):
            body["discoverySuppress"] = unit.action == "suppress"
        return body

    def _write_instances(self, pairs: list[tuple[Unit, dict[str, Any]]], *, upsert: bool) -> dict[str, Written]:
        """All in one request; where that is refused, each in its own, so that one bad record stops only itself."""
        if not pairs:
            return {}
        ids = [unit.correlation_id for unit, _ in pairs]
        try:
            body = {"instances": [each for _, each in pairs]}
            self._request("POST", _INSTANCES_BATCH, ids, body=body, params={"upsert": "true" if upsert else "false"})
            return {}
        except RefusedError as error:
            if len(pairs) == 1:
                return {pairs[0][0].idempotency_key: refusal(pairs[0][0], error)}
        refused: dict[str, Written] = {}
        for pair in pairs:
            refused |= self._write_instances([pair], upsert=upsert)
        return refused


def _lifetime(response: httpx.Response) -> Authorization:
    """The token is a cookie; its end is told by the server's clock, as is the answer's date: ours may be another."""
    try:
        ends = dt.datetime.fromisoformat(orjson.loads(response.content)["accessTokenExpiration"])
        said = email.utils.parsedate_to_datetime(response.headers["Date"])
        return Authorization(seconds=max((ends - said).total_seconds(), 0.0))
    except (ValueError, KeyError, TypeError):
        return Authorization()


def _by_date(since: str, page_at: Callable[[str, int], list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Pages of what was changed at or after `since`, oldest first.

    Each page starts at the moment where the one before ended: a record that is changed meanwhile moves to the end, and by
    an offset from `since` the one behind it would be skipped.
    """
    moment, offset = since, 0
    while page := page_at(moment, offset):
        yield page
        if len(page) < _PAGE:
            return
        last = page[-1].get("metadata", {}).get("updatedDate", moment)
        moment, offset = (moment, offset + len(page)) if last == moment else (last, 0)


def _refuse_changed_marc(unit: Unit, now: LiveRecord | None) -> None:
    """source-record-storage has no version to refuse a stale write by: the id of the live version is compared instead."""
    if now is not None and unit.source_id and now.source_id and now.source_id != unit.source_id:
        raise PatchConflictError("its MARC record was changed in the library system after it was planned")


def _content(instance: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in instance.items() if key not in _SERVERS_OWN}
