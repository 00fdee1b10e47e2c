"""FOLIO's holdings, items, users and loans: how they are listed, read, written, and what is asked of circulation.

Lists are walked by id (`id > last sortBy id`), changes too: only instances have an index on `metadata.updatedDate`, so a
list that is sorted by it is sorted anew for each page, while a walk by id goes once through the table however many pages it
takes, and is moved by nothing that is changed meanwhile. Facts: docs/how-to/ils-folio.md.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from holdfast.catalogue.entity_patch import (
    EntityConflictError,
    MaskedAfterError,
    Token,
    apply_changes,
    is_applied,
    reverse,
)
from holdfast.identity import NAMESPACE
from resources.ils.client import CirculationEvent, Entity, EntityUnit, Kind, Written
from resources.ils.errors import RefusedError
from resources.ils.session import Call

_FIRST = "00000000-0000-0000-0000-000000000000"
_PAGE = 1000
_ACTIONS = {"checkedout": "checkout", "checkedOutThroughOverride": "checkout", "checkedin": "checkin"}
_RENEWALS = ("renewed", "renewedThroughOverride")

Send = Callable[[Call], httpx.Response]
Many = Callable[[Sequence[Call]], list[httpx.Response | RefusedError]]


@dataclass(frozen=True)
class _Kind:
    path: str
    list_name: str
    batch_path: str = ""  # '': one by one

    def one(self, target: str) -> str:
        return f"{self.path}/{target}"


_KINDS: Mapping[Kind, _Kind] = {
    "holdings": _Kind("/holdings-storage/holdings", "holdingsRecords", "/holdings-storage/batch/synchronous"),
    "item": _Kind("/item-storage/items", "items", "/item-storage/batch/synchronous"),
    "patron": _Kind("/users", "users"),
}
_HISTORY = "/loan-storage/loan-history"
_SERVICE_POINTS = "/service-points"
# What the server sets; sent back as it was read, and of no weight in a comparison.
_VERSION = "_version"


def kind_of(kind: Kind) -> _Kind:
    """Raises ValueError for a bibliographic record, which is no entity."""
    if kind not in _KINDS:
        raise ValueError(f"{kind}: no entity of FOLIO's (allowed: {', '.join(_KINDS)})")
    return _KINDS[kind]


def target_of(unit: EntityUnit) -> str:
    """The id of the unit's record; of a new one that names none, made from the idempotency key: creating twice creates once."""
    named = unit.changes.get("/id", (None, None))[1]
    return unit.target or str(named or "") or str(uuid.uuid5(NAMESPACE, f"{unit.kind}:{unit.idempotency_key}"))


def stamp(moment: str) -> str:
    """A moment as FOLIO stores and compares it: UTC with milliseconds."""
    parsed = dt.datetime.fromisoformat(moment)
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
    return parsed.astimezone(dt.UTC).isoformat(timespec="milliseconds")


def quoted(values: Sequence[str]) -> str:
    """A CQL list for values that are these and nothing else (CQL 1.2: * ? ^ are wildcards)."""
    escaped = ("".join("\\" + each if each in '\\"*?^' else each for each in value) for value in values)
    return "(" + " or ".join(f'"{each}"' for each in escaped) + ")"


class Inventory:
    """Reads and writes of one login. Memory holds a page or a chunk."""

    def __init__(self, send: Send, many: Many, chunk: int, token: Token | None) -> None:
        self._send = send
        self._many = many
        self._chunk = chunk
        self._token = token
        self._desks: dict[str, str] | None = None

    # ---- reading ----------------------------------------------------------------------------------------------------

    def entities(self, kind: Kind, since: str | None, until: str | None) -> Iterator[list[Entity]]:
        of = kind_of(kind)
        for page in self._walk(of.path, of.list_name, _window("metadata.updatedDate", since, until)):
            yield [_entity(kind, each) for each in page]

    def _walk(self, path: str, list_name: str, condition: str) -> Iterator[list[dict[str, Any]]]:
        last = _FIRST
        while True:
            query = f'id > "{last}"{condition} sortBy id'
            page = self._list(path, list_name, {"query": query, "limit": _PAGE})
            if page:
                yield page
            if len(page) < _PAGE:
                return
            last = page[-1]["id"]

    def _list(
        self, path: str, list_name: str, params: dict[str, Any], correlation_ids: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        call = Call("GET", path, correlation_ids, params={**params, "totalRecords": "none"})
        return list(orjson.loads(self._send(call).content)[list_name])

    def fetch(self, kind: Kind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, Entity]:
        of = kind_of(kind)
        found: dict[str, Entity] = {}
        for at in range(0, len(ids), self._chunk):
            chunk = ids[at : at + self._chunk]
            params = {"query": f"id == {quoted(chunk)}", "limit": len(chunk)}
            for each in self._list(of.path, of.list_name, params, correlation_ids[at : at + self._chunk]):
                found[each["id"]] = _entity(kind, each)
        return found

    # ---- circulation ------------------------------------------------------------------------------------------------

    def circulation(self, since: str, until: str) -> Iterator[list[CirculationEvent]]:
        """From the loan history, which has a row for every change of every loan, the deleted ones too."""
        for page in self._walk(_HISTORY, "loansHistory", _window("createdDate", since, until)):
            barcodes = self._barcodes(sorted({each["loan"]["itemId"] for each in page}))
            yield [self._event(each, barcodes) for each in page]

    def _barcodes(self, items: Sequence[str]) -> dict[str, str]:
        found = self.fetch("item", items, ())
        return {each.id: str(each.body.get("barcode") or "") for each in found.values()}

    def _event(self, snapshot: Mapping[str, Any], barcodes: Mapping[str, str]) -> CirculationEvent:
        loan = snapshot["loan"]
        # The published schema has creationDate; the module itself writes, and sorts by, createdDate.
        written = str(snapshot.get("createdDate") or snapshot.get("creationDate"))
        action = str(loan["action"])
        desk = loan.get("checkinServicePointId") if action == "checkedin" else loan.get("checkoutServicePointId")
        return CirculationEvent(
            loan=loan["id"],
            item=loan["itemId"],
            item_barcode=barcodes.get(loan["itemId"], ""),
            patron=str(loan.get("userId") or ""),
            action="renewal" if action in _RENEWALS else _ACTIONS.get(action, action),
            at=_happened(loan, action) or written,
            due=str(loan.get("dueDate") or ""),
            library=self._desk(str(desk or "")),
            updated=written,
            id=str(snapshot["id"]),
            began=str(loan["loanDate"]),
            ended=(loan.get("status") or {}).get("name") == "Closed" or action == "deleted",
        )

    def _desk(self, service_point: str) -> str:
        """Code of a service point; its id where it is not known (any more)."""
        if self._desks is None:
            pages = self._walk(_SERVICE_POINTS, "servicepoints", "")
            self._desks = {each["id"]: str(each.get("code") or each["id"]) for page in pages for each in page}
        return self._desks.get(service_point, service_point)

    # ---- writing ----------------------------------------------------------------------------------------------------

    def write(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]:
        written: dict[str, Written] = {}
        ready: dict[tuple[Kind, str], list[tuple[EntityUnit, dict[str, Any]]]] = {}
        for unit in units:
            target = target_of(unit)
            try:
                body = self._after(unit, live.get(target))
            except (EntityConflictError, MaskedAfterError) as error:
                state = "conflicted" if isinstance(error, EntityConflictError) else "failed"
                written[unit.idempotency_key] = Written(unit.idempotency_key, state, answer=str(error), target=target)
                continue
            if body is None:
                version = live[target].version if target in live else 0
                written[unit.idempotency_key] = Written(
                    unit.idempotency_key, "acknowledged", version, "found written", target
                )
            else:
                ready.setdefault((unit.kind, unit.action), []).append((unit, body))
        for (kind, action), pairs in ready.items():
            if action == "delete":
                written |= self._delete(kind, pairs)
            elif kind_of(kind).batch_path:
                for at in range(0, len(pairs), self._chunk):
                    written |= self._batch(kind, pairs[at : at + self._chunk], upsert=action == "update")
            else:
                written |= self._one_by_one(kind, pairs, create=action == "create")
        return [written[unit.idempotency_key] for unit in units]

    def _after(self, unit: EntityUnit, live: Entity | None) -> dict[str, Any] | None:
        """The body to write; None: it is as it is to become already. Raises EntityConflictError."""
        if unit.action == "delete":
            if live is None:
                return None
            if not is_applied(live.body, reverse(unit.changes), self._token):
                raise EntityConflictError(f"the {unit.kind} is not as the plan saw it any more: it is not deleted")
            return live.body
        if unit.action == "create":
            if live is not None:
                if is_applied(live.body, unit.changes, self._token):
                    return None
                raise EntityConflictError(f"{unit.kind} {live.id} is there already, and is another one")
            return apply_changes({"id": target_of(unit)}, unit.changes, self._token)
        if live is None:
            raise EntityConflictError(f"the {unit.kind} was deleted in the library system after it was planned")
        return (
            None
            if is_applied(live.body, unit.changes, self._token)
            else apply_changes(live.body, unit.changes, self._token)
        )

    def _batch(self, kind: Kind, pairs: list[tuple[EntityUnit, dict[str, Any]]], *, upsert: bool) -> dict[str, Written]:
        """All in one request; where that is refused, each half in its own, so that one bad record stops only itself."""
        of = kind_of(kind)
        ids = [unit.correlation_id for unit, _ in pairs]
        body = {of.list_name: [each for _, each in pairs]}
        try:
            self._send(Call("POST", of.batch_path, ids, body, {"upsert": "true" if upsert else "false"}))
        except RefusedError as error:
            if len(pairs) == 1:
                return self._again(*pairs[0], error, upsert=upsert)
            half = len(pairs) // 2
            return self._batch(kind, pairs[:half], upsert=upsert) | self._batch(kind, pairs[half:], upsert=upsert)
        return {
            unit.idempotency_key: Written(
                unit.idempotency_key, "acknowledged", int(each.get(_VERSION, 0)) + 1, target=target_of(unit)
            )
            for unit, each in pairs
        }

    def _again(
        self, unit: EntityUnit, body: dict[str, Any], error: RefusedError, *, upsert: bool
    ) -> dict[str, Written]:
        """A stale version is not yet a conflict: an item changes with every loan. It is one where our values changed."""
        if error.status != 409 or not upsert:
            return _refused(unit, error)
        key, target = unit.idempotency_key, target_of(unit)
        now = self.fetch(unit.kind, [target], [unit.correlation_id]).get(target)
        try:
            after = self._after(unit, now)
        except EntityConflictError as conflict:
            return {key: Written(key, "conflicted", answer=str(conflict), target=target)}
        if after is None:
            return {key: Written(key, "acknowledged", now.version if now else 0, "found written", target)}
        if after.get(_VERSION) == body.get(_VERSION):
            return _refused(unit, error)  # not stale: the system refuses it for something else
        return self._batch(unit.kind, [(unit, after)], upsert=True)

    def _one_by_one(
        self, kind: Kind, pairs: list[tuple[EntityUnit, dict[str, Any]]], *, create: bool
    ) -> dict[str, Written]:
        """Without a version to refuse a stale write by: written as just read and compared, and read back."""
        of = kind_of(kind)
        calls = [
            Call("POST", of.path, [unit.correlation_id], body)
            if create
            else Call("PUT", of.one(target_of(unit)), [unit.correlation_id], body)
            for unit, body in pairs
        ]
        written: dict[str, Written] = {}
        taken: list[EntityUnit] = []
        for (unit, _), answer in zip(pairs, self._many(calls), strict=True):
            if isinstance(answer, RefusedError):
                written |= _refused(unit, answer)
            else:
                taken.append(unit)
        back = self.fetch(kind, [target_of(unit) for unit in taken], [unit.correlation_id for unit in taken])
        for unit in taken:
            written[unit.idempotency_key] = self._read_back(unit, back.get(target_of(unit)))
        return written

    def _read_back(self, unit: EntityUnit, now: Entity | None) -> Written:
        key, target = unit.idempotency_key, target_of(unit)
        if now is None:
            return Written(key, "conflicted", answer="it was written, and is gone when it is read back", target=target)
        if not is_applied(now.body, unit.changes, self._token):
            text = "it was written, and is not so when it is read back: somebody else wrote it too, or it was not taken whole"
            return Written(key, "conflicted", answer=text, target=target)
        return Written(key, "acknowledged", now.version, target=target)

    def _delete(self, kind: Kind, pairs: list[tuple[EntityUnit, dict[str, Any]]]) -> dict[str, Written]:
        calls = [Call("DELETE", kind_of(kind).one(unit.target), [unit.correlation_id]) for unit, _ in pairs]
        written: dict[str, Written] = {}
        for (unit, _), answer in zip(pairs, self._many(calls), strict=True):
            if isinstance(answer, RefusedError) and answer.status != 404:
                written |= _refused(unit, answer)
            else:
                written[unit.idempotency_key] = Written(unit.idempotency_key, "acknowledged", target=unit.target)
        return written


def _window(field: str, since: str | None, until: str | None) -> str:
    condition = f' and {field} >= "{stamp(since)}"' if since else ""
    return condition + (f' and {field} < "{stamp(until)}"' if until else "")


def _entity(kind: Kind, body: dict[str, Any]) -> Entity:
    updated = str((body.get("metadata") or {}).get("updatedDate") or "")
    return Entity(kind, body["id"], int(body.get(_VERSION, 0)), body, updated)


def _happened(loan: Mapping[str, Any], action: str) -> str:
    """When the action happened; '' where FOLIO has only when it was written down."""
    lost = (loan.get("agedToLostDelayedBilling") or {}).get("agedToLostDate")
    moments = {
        "checkedout": loan.get("loanDate"),
        "checkedOutThroughOverride": loan.get("loanDate"),
        "checkedin": loan.get("returnDate"),
        "declaredLost": loan.get("declaredLostDate"),
        "claimedReturned": loan.get("claimedReturnedDate"),
        "itemAgedToLost": lost,
    }
    return str(moments.get(action) or "")


def _refused(unit: EntityUnit, error: RefusedError) -> dict[str, Written]:
    state = "conflicted" if error.status == 409 else "failed"
    return {unit.idempotency_key: Written(unit.idempotency_key, state, answer=str(error), target=target_of(unit))}
