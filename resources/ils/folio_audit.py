"""What FOLIO's mod-audit keeps of one record's changes: `/audit-data/marc/bib/{id}`, `/audit-data/inventory/{kind}/{id}`.

One request a record and page; there is no list of all events by date. Events are given newest first, those before `eventTs`
(milliseconds, exclusive). A library can turn audit off, and it is kept for a time only: no event is no proof that nothing
was done. Facts: folio-org/mod-audit, ramls/inventory-audit.raml, marc-audit.raml.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from resources.ils.client import AuditEntry, Kind
from resources.ils.errors import RefusedError
from resources.ils.session import Call

INVENTORY_PATHS: Mapping[Kind, str] = {"holdings": "holdings", "item": "item"}
# inventory says CREATE, MARC says CREATED.
_ACTIONS = {
    "CREATE": "create",
    "CREATED": "create",
    "UPDATE": "update",
    "UPDATED": "update",
    "DELETE": "delete",
    "DELETED": "delete",
}
_AT_ONCE = 100

Many = Callable[[Sequence[Call]], list[httpx.Response | RefusedError]]


@dataclass
class _Asked:
    """One record whose events are asked for."""

    kind: Kind
    target: str
    path: str
    before: int | None = None  # milliseconds
    seen: set[str] = field(default_factory=set)

    def call(self) -> Call:
        params = None if self.before is None else {"eventTs": str(self.before)}
        return Call("GET", self.path, params=params)


def read_audit(many: Many, kind: Kind, paths: Mapping[str, str], since: str) -> Iterator[AuditEntry]:
    """Events at or after `since` (ISO 8601) of the records in `paths` (target → path), of each newest first.

    Raises:
        RefusedError: the audit may not be read.
    """
    start = _milliseconds(since)
    waiting = [_Asked(kind, target, path) for target, path in paths.items()]
    while waiting:
        now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        further = []
        for asked, answer in zip(now, many([each.call() for each in now]), strict=True):
            if isinstance(answer, RefusedError):
                raise answer
            entries, more = _page(asked, answer, start)
            yield from entries
            if more:
                further.append(asked)
        waiting = further + waiting


def _page(asked: _Asked, answer: httpx.Response, start: int) -> tuple[list[AuditEntry], bool]:
    """The entries of a page that are new, and whether there can be more of them."""
    body = orjson.loads(answer.content)
    events: list[dict[str, Any]] = body.get("inventoryAuditItems") or body.get("marcAuditItems") or []
    new = [each for each in events if each["eventId"] not in asked.seen]
    asked.seen |= {each["eventId"] for each in new}
    if not events:
        return [], False
    entries = [_entry(asked, each) for each in new if _moment(each) >= start]
    oldest = min(_moment(each) for each in events)
    # Two events of one moment can lie on two pages: the moment is asked for again, unless it filled this page alone.
    asked.before = oldest + 1 if new else oldest
    return entries, oldest >= start and (bool(new) or oldest > start)


def _entry(asked: _Asked, event: Mapping[str, Any]) -> AuditEntry:
    action = str(event.get("action", ""))
    at = dt.datetime.fromtimestamp(_moment(event) / 1000, dt.UTC).isoformat(timespec="milliseconds")
    return AuditEntry(
        asked.kind, asked.target, _ACTIONS.get(action, action.lower()), at, str(event.get("userId") or "")
    )


def _moment(event: Mapping[str, Any]) -> int:
    if str(event.get("eventTs") or "").isdecimal():
        return int(event["eventTs"])
    return _milliseconds(str(event["eventDate"]))


def _milliseconds(iso: str) -> int:
    moment = dt.datetime.fromisoformat(iso)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)
