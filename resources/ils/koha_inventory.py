"""Koha's items, patrons and loans: how they are listed and written. Facts: docs/how-to/ils-koha.md."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import orjson

from holdfast.catalogue.entity_patch import is_applied, is_masked, same
from resources.ils.client import CirculationEvent, Entity, EntityUnit, Kind, Written
from resources.ils.errors import RefusedError
from resources.ils.koha_lists import IDS_IN_A_QUERY, NUMBER, KohaLists, clock_of, refusal, to_the_second
from resources.ils.session import Call

# kind → path, id, moment of the last change, and what no two may have
_ENTITIES: dict[str, tuple[str, str, str, str]] = {
    "item": ("/items", "item_id", "timestamp", "external_id"),
    "patron": ("/patrons", "patron_id", "updated_on", "cardnumber"),
}
# Of a body that is sent back: what the server sets by itself, and what is there only because it was asked for.
_SERVERS_OWN = {
    "item": frozenset({"timestamp", "effective_not_for_loan_status", "effective_item_type_id", "extended_subfields"}),
    "patron": frozenset({"updated_on", "restricted", "anonymized", "extended_attributes", "library", "account_balance"})
    | {"checkouts_count", "overdues_count"},
}


class KohaInventory(KohaLists):
    """An `EntityIls`, but for its name and capabilities."""

    # ---- items and patrons ------------------------------------------------------------------------------------------

    def entities(self, kind: Kind, since: str | None = None, until: str | None = None) -> Iterator[list[Entity]]:
        path, id_name, moment, _ = _known(kind)
        bounds = {sign: to_the_second(at) for sign, at in ((">=", since), ("<", until)) if at}
        for rows in self._rows(path, id_name, {moment: bounds} if bounds else {}):
            yield [_entity(kind, row) for row in rows]

    def fetch_entities(self, kind: Kind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, Entity]:
        return self._entities_where(
            kind, _known(kind)[1], [int(each) for each in ids if NUMBER.match(each)], correlation_ids
        )

    def _entities_where(
        self, kind: Kind, name: str, values: Sequence[Any], correlation_ids: Sequence[str] = ()
    ) -> dict[str, Entity]:
        path, id_name, _, _ = _known(kind)
        found: dict[str, Entity] = {}
        for at in range(0, len(values), IDS_IN_A_QUERY):
            query = {name: {"-in": list(values[at : at + IDS_IN_A_QUERY])}}
            for rows in self._rows(path, id_name, query, correlation_ids[at : at + IDS_IN_A_QUERY]):
                found |= {str(row[id_name]): _entity(kind, row) for row in rows}
        return found

    def write_entities(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]:
        """A new one is known by its barcode or card number: one that has it already with the same values is the same.

        Koha answers with what it stored, so reading back costs nothing.
        """
        settled: list[Written] = []
        calls: list[tuple[EntityUnit, Call]] = []
        taken = self._taken(units)
        for unit in units:
            found = taken.get((unit.kind, _unique(unit))) if unit.action == "create" else live.get(unit.target)
            ready = _entity_call(unit, found)
            if isinstance(ready, Written):
                settled.append(ready)
            else:
                calls.append((unit, ready))
        answers = self._session.many([call for _, call in calls])
        for (unit, _), answer in zip(calls, answers, strict=True):
            settled.append(_entity_answer(unit, answer))
        return settled

    def _taken(self, units: Sequence[EntityUnit]) -> dict[tuple[str, str], Entity]:
        found: dict[tuple[str, str], Entity] = {}
        for kind in {each.kind for each in units}:
            name = _known(kind)[3]
            new = {
                _unique(each): each.correlation_id for each in units if each.kind == kind and each.action == "create"
            }
            new.pop("", None)
            there = self._entities_where(kind, name, list(new), list(new.values()))
            found |= {(kind, each.body[name]): each for each in there.values()}
        return found

    # ---- circulation ------------------------------------------------------------------------------------------------

    def clock(self) -> dt.datetime:
        """Koha's clock as of now, to the second, in UTC."""
        return dt.datetime.fromisoformat(clock_of(self._get("/libraries", _per_page=1)))

    def circulation(self, since: str, until: str) -> Iterator[list[CirculationEvent]]:
        """A loan as it stands: what is out, then what is back. In this order a loan that ends meanwhile comes twice, not
        never."""
        query = {"timestamp": {">=": to_the_second(since), "<": to_the_second(until)}}
        for checked_in in ("false", "true"):
            for rows in self._rows("/checkouts", "checkout_id", query, checked_in=checked_in):
                ids = sorted({int(row["item_id"]) for row in rows if row["item_id"] is not None})
                items = self._entities_where("item", "item_id", ids)
                yield [_event(row, items) for row in rows]


def _known(kind: str) -> tuple[str, str, str, str]:
    if kind not in _ENTITIES:
        raise ValueError(f"Koha's API has no {kind}; it has {', '.join(_ENTITIES)}")
    return _ENTITIES[kind]


def _entity(kind: Kind, row: dict[str, Any]) -> Entity:
    _, id_name, moment, _ = _ENTITIES[kind]
    return Entity(kind, str(row[id_name]), 0, row, str(row.get(moment) or ""))


def _wanted(unit: EntityUnit) -> dict[str, Any]:
    """Attribute → value after. Koha's bodies are flat: a pointer names an attribute."""
    return {pointer[1:]: after for pointer, (_, after) in unit.changes.items()}


def _unique(unit: EntityUnit) -> str:
    return str(_wanted(unit).get(_known(unit.kind)[3]) or "")


def _entity_call(unit: EntityUnit, found: Entity | None) -> Call | Written:
    """What is to be sent, or what became of the unit where nothing is."""
    key, ids, wanted = unit.idempotency_key, [unit.correlation_id], _wanted(unit)
    path, id_name, _, unique = _known(unit.kind)
    if unit.action == "delete":
        if found is None:
            return Written(key, "acknowledged", answer="found deleted", target=unit.target)
        return Call("DELETE", f"{path}/{found.id}", ids)
    if masked := [name for name, value in wanted.items() if is_masked(value)]:
        return Written(key, "failed", answer=f"{', '.join(masked)}: a masked value is never written")
    if found is not None and is_applied(found.body, unit.changes):
        return Written(key, "acknowledged", answer="found written", target=found.id)
    if unit.action == "create":
        if not wanted.get(unique):
            return Written(key, "failed", answer=f"a new {unit.kind} needs {unique}: by it alone it is found again")
        if found is not None:
            return Written(key, "conflicted", answer=f"{id_name} {found.id} has the same {unique}")
        if unit.kind == "item":
            biblio = wanted.pop("biblio_id", None)
            if biblio is None:
                return Written(key, "failed", answer="a new item needs biblio_id")
            return Call("POST", f"/biblios/{biblio}/items", ids, wanted)
        return Call("POST", path, ids, wanted)
    if found is None:
        return Written(key, "conflicted", answer="it was deleted in Koha after it was planned")
    stale = [
        pointer[1:]
        for pointer, (before, after) in unit.changes.items()
        if not (is_masked(before) or any(same(each, found.body.get(pointer[1:])) for each in (before, after)))
    ]
    if stale:
        return Written(key, "conflicted", answer=f"changed in Koha after it was planned: {', '.join(stale)}")
    if found.body.get("extended_subfields"):
        text = "Koha would clear its extended_subfields (additional 952 subfields): change it in the staff interface"
        return Written(key, "failed", answer=text)
    own = _SERVERS_OWN[unit.kind] | {id_name, "biblio_id"}
    body = {
        name: value for name, value in found.body.items() if name not in own and not isinstance(value, (dict, list))
    }
    target = f"/biblios/{found.body['biblio_id']}/items/{found.id}" if unit.kind == "item" else f"{path}/{found.id}"
    return Call("PUT", target, ids, body | wanted)


def _entity_answer(unit: EntityUnit, answer: httpx.Response | RefusedError) -> Written:
    key = unit.idempotency_key
    if isinstance(answer, RefusedError):
        if unit.action == "delete" and answer.status == 404:
            return Written(key, "acknowledged", answer="found deleted", target=unit.target)
        return refusal(key, answer)
    if unit.action == "delete":
        return Written(key, "acknowledged", target=unit.target)
    stored = orjson.loads(answer.content)
    other = sorted(name for name, value in _wanted(unit).items() if stored.get(name) != value)
    text = f"written, but Koha has it otherwise: {', '.join(other)}" if other else ""
    return Written(key, "acknowledged", answer=text, target=str(stored[_known(unit.kind)[1]]))


def _event(row: dict[str, Any], items: Mapping[str, Entity]) -> CirculationEvent:
    back, renewed = row.get("checkin_date"), row.get("last_renewed_date")
    action = "checkin" if back else "renewal" if renewed else "checkout"
    item = items.get(str(row["item_id"]))
    return CirculationEvent(
        loan=str(row["checkout_id"]),
        item=str(row["item_id"] or ""),
        item_barcode=str(item.body.get("external_id") or "") if item else "",
        patron=str(row["patron_id"] or ""),
        action=action,
        at=str(back or renewed or row["checkout_date"]),
        due=str(row["due_date"] or ""),
        library=str(row["library_id"] or ""),
        updated=str(row["timestamp"]),
        began=str(row["checkout_date"] or ""),
        ended=bool(back),
    )
