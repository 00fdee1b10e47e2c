"""Koha's published REST API (`/api/v1`), and its OAI-PMH server as the feed of what changed.

Koha gives ids itself, refuses no stale write, writes one record a request and searches no MARC field. So each record that is
written carries a mark, one local field: which change wrote it, which new record of a plan it is, and a hash of the record as
it was written. By the mark an attempt whose answer was lost is found again, and a record that somebody edited since is told
from one that is as it was written. The mark, the items (952) and Koha's own numbers (999) are never shown to the rest.

Facts used: docs/how-to/ils-koha.md. Why so: docs/decisions/0020-a-second-library-system.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
from lxml import etree

from holdfast.catalogue.fields import DELIMITER, comparable_leader, from_marc_json, to_marc_json
from holdfast.catalogue.patch import PatchConflictError, apply_patch
from holdfast.catalogue.systems import SYSTEM_FIELDS
from holdfast.harvest.answers import AnswerUnreadable, children, local
from holdfast.harvest.oai import OaiError, OaiItem, parse_page
from holdfast.privacy.masking import PREFIX
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
from resources.ils.errors import IlsDownError, RefusedError
from resources.ils.koha_feeds import KohaFeeds
from resources.ils.session import Authorization, Call, Session

log = logging.getLogger("holdfast.ils")

_MARC = "application/marc-in-json"
_PAGE = 500
# Compared once more and written, so many at a time: an edit between the two is lost to us, so there is little time for one.
_AT_ONCE = 10
_IDS_IN_A_QUERY = 100
# Koha writes these anew at every save, or keeps them elsewhere.
_SAVED_ANEW = ("001", "003", "005", "942", "952", "999")
_HIDDEN = ("952", "999")
_MARKED_BY = "Holdfast"
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
_ACTIONS = {"ADD": "create", "CREATE": "create", "MODIFY": "update", "DELETE": "delete"}
_NUMBER = re.compile(r"[0-9]{1,18}\Z")


class KohaClient(KohaFeeds):
    """An `Ils` and `EntityIls`. One per run; not shared between threads."""

    capabilities = Capabilities(
        reads=frozenset({"bib", "item", "patron"}),
        writes=frozenset({"bib", "item", "patron"}),
        compares=frozenset({"bib", "item", "patron"}),
        write_requests={"bib": 1, "item": 1, "patron": 1},
        # Alone it is three; by the hundred, as loads are written, a tenth: this is what to reckon with at most.
        read_requests={"bib": 1, "item": 1, "patron": 1},
        shows_deletions=True,
        audit=frozenset({"bib", "item", "patron"}),
        deletes=frozenset({"bib", "item", "patron"}),
        circulation=True,
        own_fields=SYSTEM_FIELDS["koha"],
    )

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: str,
        *,
        oai_url: str = "",
        mark_field: str = "948",
        duplicate_check: bool = True,
        name: str = "",
        chunk_records: int = 100,
        timeout_seconds: float = 60,
        retries: int = 5,
        governor: Governor | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        url = url.rstrip("/")
        self.name = name or f"koha:{urlsplit(url).netloc}"
        self._credentials = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._mark_field, self._duplicate_check = mark_field, duplicate_check
        self._chunk = min(chunk_records, _IDS_IN_A_QUERY)
        self._oai_path = oai_url or f"{url}/cgi-bin/koha/oai.pl"
        common: dict[str, Any] = {"timeout_seconds": timeout_seconds, "retries": retries}
        common |= {"transport": transport, "sleep": sleep, "request_id_header": "X-Request-ID", "governor": governor}
        self._session = Session(f"{url}/api/v1", self._log_in, headers={"Accept": "application/json"}, **common)
        # The catalogue for readers may be another host: it gets no token.
        self._oai = Session(self._oai_path, lambda _: {}, headers={"Accept": "text/xml"}, **common)
        self._created: dict[str, str] = {}  # id that a plan gave to a new record → Koha's, of all that was read
        self._highest_before: int | None = None  # id before the creates whose answers are not all known
        self._feed_from: str | None = None  # the feed was read whole since then

    def close(self) -> None:
        self._session.close()
        self._oai.close()

    def _log_in(self, http: httpx.Client) -> Authorization:
        response = http.post("/oauth/token", data=self._credentials)
        if response.status_code in (429, 503) or response.status_code >= 500:
            raise httpx.ConnectError(f"login answers {response.status_code}")
        if response.status_code != 200:
            text = "token: check HOLDFAST_ILS_USER (client id), HOLDFAST_ILS_PASSWORD (secret) and the preference RESTOAuth2ClientCredentials"
            raise RefusedError(response.status_code, text)
        token = response.json()
        lifetime = token.get("expires_in")
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        # Under a second it says nothing: a new token then comes after a 401.
        return Authorization(headers, float(lifetime) if isinstance(lifetime, int | float) and lifetime >= 1 else None)

    # ---- lists ------------------------------------------------------------------------------------------------------

    def _get(
        self, path: str, correlation_ids: Sequence[str] = (), *, accept: str = "application/json", **params: Any
    ) -> httpx.Response:
        if "q" in params:
            params["q"] = orjson.dumps(params["q"]).decode()
        return self._session.send(Call("GET", path, correlation_ids, params=params, headers={"Accept": accept}))

    def _rows(self, path: str, id_name: str, query: dict[str, Any], **more: Any) -> Iterator[list[dict[str, Any]]]:
        """Pages of a list by id: a row that changes meanwhile moves to no other page."""
        last = 0
        while True:
            answer = self._get(
                path,
                q={**query, id_name: {**query.get(id_name, {}), ">": last}},
                _order_by=f"+{id_name}",
                _per_page=_PAGE,
                **more,
            )
            rows = orjson.loads(answer.content)
            if rows:
                yield rows
            if len(rows) < _PAGE:
                return
            last = int(rows[-1][id_name])

    # ---- bibliographic records --------------------------------------------------------------------------------------

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        """Whole: by id. What changed: by OAI-PMH, for the list's `timestamp` does not follow the MARC record; what was
        deleted comes without fields."""
        if since is None:
            yield from self._after_id(0)
            self._feed_from = None
            return
        yield from self._feed(since)
        self._feed_from = since if self._feed_from is None else min(since, self._feed_from)

    def _after_id(self, last: int) -> Iterator[list[LiveRecord]]:
        moment = ""
        while True:
            answer = self._get(
                "/biblios", accept=_MARC, q={"biblio_id": {">": last}}, _order_by="+biblio_id", _per_page=_PAGE
            )
            # A record that changes while the list is read counts as changed since its first page.
            moment = moment or _clock(answer)
            rows = orjson.loads(answer.content)
            page = self._page(rows, moment)
            if page:
                yield page
            if len(rows) < _PAGE or not page:
                return
            last = max(int(each.target) for each in page)

    def _page(self, rows: Iterable[dict[str, Any]], moment: str) -> list[LiveRecord]:
        live = [self._live(from_marc_json(each), moment) for each in rows]
        numbered = [each for each in live if each.target]
        if len(numbered) < len(live):
            log.warning(
                "%s: %d records have no 999 $c and are left out: is biblio.biblionumber mapped to another field?",
                self.name,
                len(live) - len(numbered),
            )
        return numbered

    def _feed(self, since: str) -> Iterator[list[LiveRecord]]:
        first = dt.datetime.fromisoformat(since).astimezone(dt.UTC)
        asked = {"verb": "ListRecords", "metadataPrefix": "marcxml", "from": first.strftime("%Y-%m-%dT%H:%M:%SZ")}
        parameters, latest = asked, asked["from"]
        while True:
            content = self._oai.send(Call("GET", f"{self._oai_path}?{urlencode(parameters)}")).content
            try:
                page = parse_page(content, "ListRecords")
            except AnswerUnreadable as error:
                raise IlsDownError(f"{self._oai_path}: {error}; is the preference OAI-PMH on?") from error
            except OaiError as error:
                if error.code == "badResumptionToken":  # from where it was: what comes twice is the same twice
                    parameters = {**asked, "from": latest}
                    continue
                if error.code == "noRecordsMatch":
                    return
                raise IlsDownError(f"{self._oai_path}: {error}") from error
            latest = max([latest, *(each.datestamp for each in page.items)])
            yield [self._of_feed(each) for each in page.items]
            if not page.token:
                return
            parameters = {"verb": "ListRecords", "resumptionToken": page.token}

    def _of_feed(self, item: OaiItem) -> LiveRecord:
        moment = dt.datetime.fromisoformat(item.datestamp).astimezone(dt.UTC).isoformat()
        number = item.identifier.rpartition(":")[2]
        if item.metadata is None:
            return LiveRecord(number, number, 0, {}, "", [], moment)
        return self._live(_from_marcxml(item.metadata), moment, number)

    def _live(self, whole: Fields, moment: str, number: str = "") -> LiveRecord:
        """`instance` holds what the mark says: change, created (id in the plan), or nothing."""
        number = number or next((_subfield(text, "c") for tag, text in whole if tag == "999"), "")
        mark = next((text for tag, text in whole if self._marks(tag, text)), "")
        change = _subfield(mark, "u").removeprefix("urn:uuid:")
        fields = [each for each in whole if each[0] not in _HIDDEN and not self._marks(*each)]
        content = fingerprint(fields)
        intact = bool(change) and _subfield(mark, "x") == content[:16]
        said = {"change": change, "created": _subfield(mark, "w")} if mark else {}
        if said.get("created") and number:
            self._created[said["created"]] = number
        source_id = change if intact else f"sha256:{content}"
        hidden = any(tag == "942" and _subfield(text, "n") == "1" for tag, text in fields)
        created = said.get("created", "")
        return LiveRecord(number, number, 0, said, source_id, fields, moment, suppressed=hidden, created=created)

    def _marks(self, tag: str, text: str) -> bool:
        return tag == self._mark_field and _subfield(text, "a") == _MARKED_BY

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        """By Koha's ids. An id that a plan gave is no record's, unless one was made for it and read before."""
        wanted = {each: self._created.get(each, each) for each in targets}
        numbers = list(dict.fromkeys(each for each in wanted.values() if _NUMBER.match(each)))
        found: dict[str, LiveRecord] = {}
        for at in range(0, len(numbers), self._chunk):
            chunk = numbers[at : at + self._chunk]
            query = {"biblio_id": {"-in": [int(each) for each in chunk]}}
            ids = correlation_ids[at : at + self._chunk]
            answer = self._get("/biblios", ids, accept=_MARC, q=query, _per_page=len(chunk))
            moment = _clock(answer)
            live = self._page(orjson.loads(answer.content), moment)
            found |= {each.target: each for each in live}
        return {target: found[number] for target, number in wanted.items() if number in found}

    def find_created(self, units: Sequence[Unit]) -> dict[str, LiveRecord]:
        """By the mark: among what came after the highest id before the attempt, where this run made it; else in the feed
        since the plan looked, or in the whole catalogue."""
        planned = {each.target for each in units}
        if planned - self._created.keys():
            if self._highest_before is not None:
                pages = self._after_id(self._highest_before)
            elif self._feed_from is not None:
                pages = self._feed(self._feed_from)
            else:
                log.warning("%s is read whole to find new records that may have been made", self.name)
                pages = self._after_id(0)
            for _ in pages:  # each that is read is remembered by its mark
                pass
        live = self.fetch([each.target for each in units], [each.correlation_id for each in units])
        return {each.idempotency_key: live[each.target] for each in units if each.target in live}

    def audit(self, kind: Kind, targets: Sequence[str], since: str) -> Iterator[AuditEntry]:
        """`/action_logs`, as far as the logging preferences (CataloguingLog, BorrowersLog) have it kept."""
        module = "MEMBERS" if kind == "patron" else "CATALOGUING"
        for at in range(0, len(targets), _IDS_IN_A_QUERY):
            objects = [int(each) for each in targets[at : at + _IDS_IN_A_QUERY] if _NUMBER.match(each)]
            query = {"module": module, "object": {"-in": objects}, "timestamp": {">=": _to_the_second(since)}}
            for rows in self._rows("/action_logs", "action_id", query):
                for row in rows:
                    about = {"bib": "biblio", "item": "item"}.get(kind, "")
                    if row["action"] in _ACTIONS and str(row["info"] or "").startswith(about):
                        yield AuditEntry(
                            kind, str(row["object"]), _ACTIONS[row["action"]], row["timestamp"], str(row["user"])
                        )

    def write(self, units: Sequence[Unit], live: dict[str, LiveRecord]) -> list[Written]:
        settled: list[Written] = []
        ready: list[tuple[Unit, LiveRecord | None]] = []
        for unit in units:
            now = live.get(unit.target)
            done = self._settled(unit, now)
            if done:
                settled.append(done)
            else:
                ready.append((unit, now))
        if any(now is None for _, now in ready) and self._highest_before is None:
            self._highest_before = self._highest_id()
        written: dict[str, tuple[Unit, Fields, str]] = {}
        for at in range(0, len(ready), _AT_ONCE):
            settled += self._write_some(ready[at : at + _AT_ONCE], written)
        settled += self._read_back(written)
        self._highest_before = None  # all answers are known
        return settled

    @staticmethod
    def _settled(unit: Unit, now: LiveRecord | None) -> Written | None:
        """What is not to be sent: written already, gone, or changed since it was planned."""
        key, change = unit.idempotency_key, source_record_id(unit.idempotency_key, unit.round)
        if unit.action == "delete" and now is None:
            return Written(key, "acknowledged", answer="found deleted")
        if now is not None and now.instance.get("change") == change:
            edited = "" if now.source_id == change else ", edited since"
            return Written(key, "acknowledged", answer=f"found written{edited}", target=now.target)
        if unit.action == "create" and now is not None:
            return Written(key, "acknowledged", answer="found written, updated since", target=now.target)
        if unit.action == "create":
            return None
        if now is None or not now.fields:
            return Written(key, "conflicted", answer="the record was deleted in Koha after it was planned")
        if now.source_id != unit.source_id:
            return Written(key, "conflicted", answer="it was changed in Koha after it was planned")
        return None

    def _write_some(
        self, ready: Sequence[tuple[Unit, LiveRecord | None]], written: dict[str, tuple[Unit, Fields, str]]
    ) -> list[Written]:
        """Compare once more and send; `written` gets what was done: idempotency key → (unit, fields as sent, id)."""
        old = [unit for unit, now in ready if now is not None]
        live = self.fetch([each.target for each in old], [each.correlation_id for each in old]) if old else {}
        settled: list[Written] = []
        calls: list[tuple[Unit, Fields, Call]] = []
        for unit, now in ready:
            key, fresh = unit.idempotency_key, live.get(unit.target)
            if now is not None and (fresh is None or fresh.source_id != now.source_id):
                settled.append(Written(key, "conflicted", answer="it was changed in Koha while it was to be written"))
                continue
            if unit.action == "delete":
                calls.append((unit, [], Call("DELETE", f"/biblios/{unit.target}", [unit.correlation_id])))
                continue
            try:
                fields = self._after(unit, fresh)
            except PatchConflictError as error:
                settled.append(Written(key, "conflicted", answer=str(error)))
                continue
            calls.append((unit, fields, self._call(unit, fresh, fields)))
        answers = self._session.many([call for _, _, call in calls])
        for (unit, fields, _), answer in zip(calls, answers, strict=True):
            if isinstance(answer, RefusedError):
                settled.append(_refusal(unit.idempotency_key, answer))
            elif unit.action == "delete":
                settled.append(Written(unit.idempotency_key, "acknowledged", target=unit.target))
            else:
                number = str(orjson.loads(answer.content)["id"])
                self._created |= {unit.target: number} if unit.action == "create" else {}
                written[unit.idempotency_key] = (unit, fields, number)
        return settled

    def _after(self, unit: Unit, now: LiveRecord | None) -> Fields:
        """The record as it will be, without the mark. 001 and 003 of a new one are the supplier's and stand in 035."""
        adds = [each for each in unit.adds if each[0] not in ("005", *_HIDDEN)]
        if now is None:
            return _sendable(each for each in adds if each[0] not in ("001", "003"))
        fields = apply_patch(now.fields, [each for each in unit.deletes if each[0] != "005"], adds)
        if unit.action in ("suppress", "unsuppress"):
            fields = _hidden(fields, unit.action == "suppress")
        return _sendable(fields)

    def _call(self, unit: Unit, now: LiveRecord | None, fields: Fields) -> Call:
        created = unit.target if now is None else now.created
        pieces = [("a", _MARKED_BY), ("d", f"{dt.datetime.now(dt.UTC):%Y%m%d}")]
        pieces += [
            ("u", f"urn:uuid:{source_record_id(unit.idempotency_key, unit.round)}"),
            ("x", fingerprint(fields)[:16]),
        ]
        pieces += [("w", created)] if created else []
        mark = (self._mark_field, "  " + "".join(f"{DELIMITER}{code}{value}" for code, value in pieces))
        at = next((n for n, each in enumerate(fields) if each[0] > self._mark_field and each[0] != "LDR"), len(fields))
        body = orjson.dumps(to_marc_json([*fields[:at], mark, *fields[at:]]))
        headers = {"Content-Type": _MARC, "Accept": "application/json"}
        if now is not None:
            return Call("PUT", f"/biblios/{now.target}", [unit.correlation_id], body, headers=headers)
        if not self._duplicate_check:
            headers["x-confirm-not-duplicate"] = "1"
        return Call("POST", "/biblios", [unit.correlation_id], body, headers=headers)

    def _highest_id(self) -> int:
        rows = self._get("/biblios", _order_by="-biblio_id", _per_page=1).json()
        return int(rows[0]["biblio_id"]) if rows else 0

    def _read_back(self, written: Mapping[str, tuple[Unit, Fields, str]]) -> list[Written]:
        """Whether Koha kept what it was sent: its overlay rules, or somebody who saved at the same time, may have it
        otherwise. It was written all the same; the answer says what differs."""
        ids = [unit.correlation_id for unit, _, _ in written.values()]
        live = self.fetch([number for _, _, number in written.values()], ids) if written else {}
        settled = []
        for key, (unit, fields, number) in written.items():
            now, answer = live.get(number), ""
            if now is None:
                answer = "written, and deleted since"
            elif now.source_id != source_record_id(key, unit.round):
                tags = sorted({tag for tag, _ in set(_compared(fields)) ^ set(_compared(now.fields))})
                answer = f"written, but Koha has it otherwise: {', '.join(tags) or 'the mark'}; see its overlay rules"
                log.warning("record %d: %s, correlation %s", unit.record, answer, unit.correlation_id)
            settled.append(Written(key, "acknowledged", answer=answer, target=number))
        return settled

    # ---- items and patrons ------------------------------------------------------------------------------------------

    def entities(self, kind: Kind, since: str | None = None, until: str | None = None) -> Iterator[list[Entity]]:
        path, id_name, moment, _ = _known(kind)
        bounds = {sign: _to_the_second(at) for sign, at in ((">=", since), ("<", until)) if at}
        for rows in self._rows(path, id_name, {moment: bounds} if bounds else {}):
            yield [_entity(kind, row) for row in rows]

    def fetch_entities(self, kind: Kind, ids: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, Entity]:
        return self._entities_where(kind, _known(kind)[1], [int(each) for each in ids if _NUMBER.match(each)])

    def _entities_where(self, kind: Kind, name: str, values: Sequence[Any]) -> dict[str, Entity]:
        path, id_name, _, _ = _known(kind)
        found: dict[str, Entity] = {}
        for at in range(0, len(values), _IDS_IN_A_QUERY):
            for rows in self._rows(path, id_name, {name: {"-in": list(values[at : at + _IDS_IN_A_QUERY])}}):
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
            new = {_unique(each) for each in units if each.kind == kind and each.action == "create"} - {""}
            found |= {(kind, each.body[name]): each for each in self._entities_where(kind, name, sorted(new)).values()}
        return found

    # ---- circulation ------------------------------------------------------------------------------------------------

    def clock(self) -> dt.datetime:
        """Koha's clock as of now, to the second, in UTC."""
        return dt.datetime.fromisoformat(_clock(self._get("/libraries", _per_page=1)))

    def circulation(self, since: str, until: str) -> Iterator[list[CirculationEvent]]:
        """A loan as it stands: what is out, then what is back. In this order a loan that ends meanwhile comes twice, not
        never."""
        query = {"timestamp": {">=": _to_the_second(since), "<": _to_the_second(until)}}
        for checked_in in ("false", "true"):
            for rows in self._rows("/checkouts", "checkout_id", query, checked_in=checked_in):
                ids = sorted({int(row["item_id"]) for row in rows if row["item_id"] is not None})
                items = self._entities_where("item", "item_id", ids)
                yield [_event(row, items) for row in rows]


def fingerprint(fields: Iterable[tuple[str, str]]) -> str:
    """Hex SHA-256 of a record, whatever the order of its fields, without what Koha writes anew at every save."""
    texts = sorted(f"{tag}{text}" for tag, text in _compared(fields))
    return hashlib.sha256("\x1e".join(texts).encode()).hexdigest()


def _compared(fields: Iterable[tuple[str, str]]) -> Fields:
    kept = [each for each in _sendable(fields) if each[0] not in _SAVED_ANEW]
    return [(tag, unicodedata.normalize("NFC", text)) for tag, text in kept]


def _sendable(fields: Iterable[tuple[str, str]]) -> Fields:
    """Without empty subfields, which Koha does not keep."""
    kept: Fields = []
    for tag, text in fields:
        if tag == "LDR":
            kept.append((tag, comparable_leader(text)))
        elif tag.startswith("00"):
            kept.append((tag, text))
        else:
            pieces = [piece for piece in text[2:].split(DELIMITER)[1:] if len(piece) > 1]
            if pieces:
                kept.append((tag, text[:2] + "".join(DELIMITER + piece for piece in pieces)))
    return kept


def _hidden(fields: Fields, hidden: bool) -> Fields:
    """942 $n 1: hidden from the public where the preference OpacSuppression is on; without $n: shown."""
    kept = []
    for tag, text in fields:
        if tag == "942":
            pieces = [piece for piece in text[2:].split(DELIMITER)[1:] if piece[:1] != "n"]
            text = text[:2] + "".join(DELIMITER + piece for piece in [*pieces, *(["n1"] if hidden else [])])
        kept.append((tag, text))
    if hidden and not any(tag == "942" for tag, _ in kept):
        kept.append(("942", f"  {DELIMITER}n1"))
    return kept


def _subfield(text: str, code: str) -> str:
    return next((piece[1:] for piece in text[2:].split(DELIMITER)[1:] if piece[:1] == code), "")


def _from_marcxml(metadata: etree._Element) -> Fields:
    fields: Fields = []
    record = next((each for each in metadata.iter() if local(each) == "record"), None)
    for each in record if record is not None else ():
        name, tag = local(each), each.get("tag", "")
        if name == "leader":
            fields.insert(0, ("LDR", comparable_leader((each.text or "").ljust(24))))
        elif name == "controlfield":
            fields.append((tag, each.text or ""))
        elif name == "datafield":
            pieces = "".join(f"{DELIMITER}{sub.get('code', '')}{sub.text or ''}" for sub in children(each, "subfield"))
            fields.append((tag, (each.get("ind1") or " ") + (each.get("ind2") or " ") + pieces))
    return fields


def _clock(response: httpx.Response) -> str:
    """The server's own clock at its answer, else ours."""
    stated = response.headers.get("Date", "")
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        moment = dt.datetime.now(dt.UTC)
    return moment.astimezone(dt.UTC).replace(microsecond=0).isoformat()


def _to_the_second(moment: str) -> str:
    """RFC 3339 with the resolution that Koha's timestamps have."""
    return dt.datetime.fromisoformat(moment).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refusal(key: str, error: RefusedError) -> Written:
    return Written(key, "conflicted" if error.status in (404, 409) else "failed", answer=str(error))


def _known(kind: str) -> tuple[str, str, str, str]:
    if kind not in _ENTITIES:
        raise ValueError(f"Koha's API has no {kind}; it has {', '.join(_ENTITIES)}")
    return _ENTITIES[kind]


def _entity(kind: Kind, row: dict[str, Any]) -> Entity:
    _, id_name, moment, _ = _ENTITIES[kind]
    return Entity(kind, str(row[id_name]), 0, row, str(row.get(moment) or ""))


def _wanted(unit: EntityUnit) -> dict[str, Any]:
    """Attribute → value after. Koha's bodies are flat: a pointer names an attribute."""
    return {pointer.lstrip("/"): after for pointer, (_, after) in unit.changes.items()}


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
    if found is not None and all(found.body.get(name) == value for name, value in wanted.items()):
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
        name
        for pointer, (before, _) in unit.changes.items()
        if found.body.get(name := pointer.lstrip("/")) != before and not str(before).startswith(PREFIX)
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
        return _refusal(key, answer)
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
