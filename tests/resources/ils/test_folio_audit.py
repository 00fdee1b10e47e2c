"""What FOLIO's audit keeps, on a real demo ILS, and pages that cut through a moment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from demo.ils.audit import USERS
from resources.ils.client import Unit
from resources.ils.errors import RefusedError
from resources.ils.folio import FolioClient
from resources.ils.folio_audit import read_audit
from resources.ils.session import Call
from tests.demo_ils import DemoIls

ID = "11111111-1111-4111-8111-111111111111"
DEMO = str(uuid.uuid5(USERS, "demo"))
LIBRARIAN = str(uuid.uuid5(USERS, "librarian"))
LONG_AGO = "2020-01-01T00:00:00.000+00:00"


@pytest.fixture
def client(demo_ils: DemoIls) -> Iterator[FolioClient]:
    made = FolioClient(demo_ils.url, "demo", "demo", "demo-secret")
    yield made
    made.close()


def test_it_says_who_wrote_the_marc_of_a_record_and_when(demo_ils: DemoIls, client: FolioClient) -> None:
    unit = Unit("k", "c", 1, "create", ID, 0, adds=[("LDR", " " * 24), ("245", "10\x1faUlysses")])
    assert [each.state for each in client.write([unit], {})] == ["acknowledged"]
    for number in range(12):
        demo_ils.edit(ID, "500", "a", f"Note {number}")
    entries = list(client.audit("bib", [ID], LONG_AGO))
    assert [(each.action, each.user) for each in entries] == [("update", LIBRARIAN)] * 12 + [("create", DEMO)]
    assert {each.target for each in entries} == {ID} and {each.kind for each in entries} == {"bib"}
    times = [each.at for each in entries]
    assert times == sorted(times, reverse=True) and len(set(times)) == 13

    assert [each.at for each in client.audit("bib", [ID], times[4])] == times[:5]
    assert list(client.audit("bib", [ID], "2999-01-01T00:00:00Z")) == []


def test_a_record_without_marc_is_asked_for_as_an_instance_and_an_unknown_one_has_no_entry(
    demo_ils: DemoIls, client: FolioClient
) -> None:
    body = {"id": ID, "source": "FOLIO", "title": "T", "instanceTypeId": ID}
    demo_ils.call("POST", "/instance-storage/instances", json=body).raise_for_status()
    demo_ils.call("DELETE", f"/instance-storage/instances/{ID}").raise_for_status()
    entries = list(client.audit("bib", [ID, str(uuid.uuid4())], LONG_AGO))
    assert [(each.target, each.action) for each in entries] == [(ID, "delete"), (ID, "create")]


def test_a_patron_has_no_audit_that_is_read(client: FolioClient) -> None:
    with pytest.raises(ValueError, match="bib, holdings or item"):
        list(client.audit("patron", [ID], LONG_AGO))


class Kept:
    """An audit with pages of `page` events, of which many can have one moment."""

    def __init__(self, moments: Sequence[int], page: int) -> None:
        self.events = [{"eventId": str(n), "eventTs": str(at), "action": "UPDATE"} for n, at in enumerate(moments)]
        self.page = page
        self.requests = 0

    def many(self, calls: Sequence[Call]) -> list[httpx.Response | RefusedError]:
        return [self._answer(call) for call in calls]

    def _answer(self, call: Call) -> httpx.Response:
        self.requests += 1
        before: Any = (call.params or {}).get("eventTs")
        found = [each for each in reversed(self.events) if before is None or int(each["eventTs"]) < int(before)]
        return httpx.Response(200, json={"inventoryAuditItems": found[: self.page]})


@pytest.mark.parametrize("moments", [[1, 2, 2, 2, 3], [5, 5, 5], [1], [], [1, 1, 2, 2, 3, 3, 4, 4]])
def test_events_of_one_moment_are_all_found_wherever_a_page_ends(moments: list[int]) -> None:
    for page in (4, 5, 10):
        kept = Kept(moments, page)
        entries = list(read_audit(kept.many, "item", {ID: "/x"}, "1970-01-01T00:00:00Z"))
        assert len(entries) == len(moments)
        assert kept.requests <= len(moments) + 2


def test_a_refusal_is_raised() -> None:
    with pytest.raises(RefusedError):
        list(read_audit(lambda calls: [RefusedError(403, "no") for _ in calls], "item", {ID: "/x"}, LONG_AGO))
