"""Koha's published REST API (`/api/v1`), and its OAI-PMH server as the feed of what changed.

Koha gives ids itself, refuses no stale write, writes one record a request and searches no MARC field. So each record that is
written carries a mark, one local field: which change wrote it, which new record of a plan it is, and a hash of the record as
it was written. By the mark an attempt whose answer was lost is found again, and a record that somebody edited since is told
from one that is as it was written. The mark, the items (952) and Koha's own numbers (999) are never shown to the rest.

Facts used: docs/how-to/ils-koha.md. Why so: docs/decisions/0020-a-second-library-system.md.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import orjson

from holdfast.catalogue.fields import DELIMITER, from_marc_json, to_marc_json
from holdfast.catalogue.patch import PatchConflictError, apply_patch
from holdfast.catalogue.systems import SYSTEM_FIELDS
from holdfast.harvest.answers import AnswerUnreadable
from holdfast.harvest.oai import OaiError, OaiItem, parse_page
from resources.governor.client import Governor
from resources.ils.client import AuditEntry, Capabilities, Fields, Kind, LiveRecord, Unit, Written, source_record_id
from resources.ils.errors import IlsDownError, RefusedError
from resources.ils.koha_feeds import KohaFeeds
from resources.ils.koha_inventory import KohaInventory
from resources.ils.koha_lists import IDS_IN_A_QUERY, NUMBER, PAGE, clock_of, refusal, to_the_second
from resources.ils.koha_marc import compared, fingerprint, from_marcxml, sendable, subfield, suppressed
from resources.ils.session import Authorization, Call, Session, check_login

log = logging.getLogger("holdfast.ils")

_MARC = "application/marc-in-json"
# Compared once more and written, so many at a time: an edit between the two is lost to us, so there is little time for one.
_AT_ONCE = 10
_HIDDEN = ("952", "999")
_MARKED_BY = "Holdfast"
_ACTIONS = {"ADD": "create", "CREATE": "create", "MODIFY": "update", "DELETE": "delete"}


class KohaClient(KohaInventory, KohaFeeds):
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
        self._chunk = min(chunk_records, IDS_IN_A_QUERY)
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
        text = "token: check HOLDFAST_ILS_USER (client id), HOLDFAST_ILS_PASSWORD (secret) and the preference RESTOAuth2ClientCredentials"
        check_login(response, 200, text)
        token = response.json()
        lifetime = token.get("expires_in")
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        # Under a second it says nothing: a new token then comes after a 401.
        return Authorization(headers, float(lifetime) if isinstance(lifetime, int | float) and lifetime >= 1 else None)

    # ---- bibliographic records --------------------------------------------------------------------------------------

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        """Whole: by id. What changed: by OAI-PMH, for the list's `timestamp` does not follow the MARC record; what was
        deleted comes without fields."""
        if since is None:
            yield from self._after_id(0)
            self._feed_from = None
            return
        yield from self._once(self._feed(since))
        self._feed_from = since if self._feed_from is None else min(since, self._feed_from)

    @staticmethod
    def _once(pages: Iterable[list[LiveRecord]]) -> Iterator[list[LiveRecord]]:
        """Each record once. One that comes again with a later moment was changed after it was read, as was all behind it:
        that is for the next reading, which begins with the latest moment of this one."""
        read: dict[str, str] = {}
        for page in pages:
            new: list[LiveRecord] = []
            for each in page:
                if read.get(each.target, each.updated) != each.updated:
                    yield new
                    return
                if each.target not in read:
                    new.append(each)
                    read[each.target] = each.updated
            yield new

    def _after_id(self, last: int) -> Iterator[list[LiveRecord]]:
        moment = ""
        while True:
            answer = self._get(
                "/biblios", accept=_MARC, q={"biblio_id": {">": last}}, _order_by="+biblio_id", _per_page=PAGE
            )
            # A record that changes while the list is read counts as changed since its first page.
            moment = moment or clock_of(answer)
            rows = orjson.loads(answer.content)
            page = self._page(rows, moment)
            if page:
                yield page
            if len(rows) < PAGE or not page:
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
        """Oldest first. Each page starts at the moment where the one before ended: Koha's tokens are offsets, and by them the
        record behind one that changes meanwhile would be skipped. Only within one second a token goes on."""
        first = dt.datetime.fromisoformat(since).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        parameters = {"verb": "ListRecords", "metadataPrefix": "marcxml", "from": first}
        while True:
            content = self._oai.send(Call("GET", f"{self._oai_path}?{urlencode(parameters)}")).content
            try:
                page = parse_page(content, "ListRecords")
            except AnswerUnreadable as error:
                raise IlsDownError(f"{self._oai_path}: {error}; is the preference OAI-PMH on?") from error
            except OaiError as error:
                if error.code == "noRecordsMatch":
                    return
                raise IlsDownError(f"{self._oai_path}: {error}") from error
            yield [self._of_feed(each) for each in page.items]
            if not page.token:
                return
            latest = max(each.datestamp for each in page.items) if page.items else first
            if latest > first:
                first = latest
                parameters = {"verb": "ListRecords", "metadataPrefix": "marcxml", "from": first}
            else:
                parameters = {"verb": "ListRecords", "resumptionToken": page.token}

    def _of_feed(self, item: OaiItem) -> LiveRecord:
        moment = dt.datetime.fromisoformat(item.datestamp).astimezone(dt.UTC).isoformat()
        number = item.identifier.rpartition(":")[2]
        if item.metadata is None:
            return LiveRecord(number, number, 0, {}, "", [], moment)
        return self._live(from_marcxml(item.metadata), moment, number)

    def _live(self, whole: Fields, moment: str, number: str = "") -> LiveRecord:
        """`instance` holds what the mark says: change, created (id in the plan), or nothing."""
        number = number or next((subfield(text, "c") for tag, text in whole if tag == "999"), "")
        mark = next((text for tag, text in whole if self._marks(tag, text)), "")
        change = subfield(mark, "u").removeprefix("urn:uuid:")
        fields = [each for each in whole if each[0] not in _HIDDEN and not self._marks(*each)]
        content = fingerprint(fields)
        intact = bool(change) and subfield(mark, "x") == content[:16]
        said = {"change": change, "created": subfield(mark, "w")} if mark else {}
        if said.get("created") and number:
            self._created[said["created"]] = number
        source_id = change if intact else f"sha256:{content}"
        hidden = any(tag == "942" and subfield(text, "n") == "1" for tag, text in fields)
        created = said.get("created", "")
        return LiveRecord(number, number, 0, said, source_id, fields, moment, suppressed=hidden, created=created)

    def _marks(self, tag: str, text: str) -> bool:
        return tag == self._mark_field and subfield(text, "a") == _MARKED_BY

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        """By Koha's ids. An id that a plan gave is no record's, unless one was made for it and read before."""
        wanted = {each: self._created.get(each, each) for each in targets}
        ids = dict(zip(targets, correlation_ids, strict=False))
        numbers = {number: ids.get(target, "") for target, number in wanted.items() if NUMBER.match(number)}
        found: dict[str, LiveRecord] = {}
        for at in range(0, len(numbers), self._chunk):
            chunk = list(numbers)[at : at + self._chunk]
            query = {"biblio_id": {"-in": [int(each) for each in chunk]}}
            about = [numbers[each] for each in chunk if numbers[each]]
            answer = self._get("/biblios", about, accept=_MARC, q=query, _per_page=len(chunk))
            found |= {each.target: each for each in self._page(orjson.loads(answer.content), clock_of(answer))}
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
        for at in range(0, len(targets), IDS_IN_A_QUERY):
            objects = [int(each) for each in targets[at : at + IDS_IN_A_QUERY] if NUMBER.match(each)]
            query = {"module": module, "object": {"-in": objects}, "timestamp": {">=": to_the_second(since)}}
            for rows in self._rows("/action_logs", "action_id", query) if objects else ():
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
            if isinstance(answer, RefusedError) and unit.action == "delete" and answer.status == 404:
                settled.append(
                    Written(unit.idempotency_key, "acknowledged", answer="found deleted", target=unit.target)
                )
            elif isinstance(answer, RefusedError):
                settled.append(refusal(unit.idempotency_key, answer))
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
            return sendable(each for each in adds if each[0] not in ("001", "003"))
        fields = apply_patch(now.fields, [each for each in unit.deletes if each[0] != "005"], adds)
        if unit.action in ("suppress", "unsuppress"):
            fields = suppressed(fields, unit.action == "suppress")
        return sendable(fields)

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
                tags = sorted({tag for tag, _ in set(compared(fields)) ^ set(compared(now.fields))})
                answer = f"written, but Koha has it otherwise: {', '.join(tags) or 'the mark'}; see its overlay rules"
                log.warning("record %d: %s, correlation %s", unit.record, answer, unit.correlation_id)
            settled.append(Written(key, "acknowledged", answer=answer, target=number))
        return settled
