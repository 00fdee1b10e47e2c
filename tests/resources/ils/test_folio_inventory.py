"""Holdings, items, patrons and circulation of FOLIO, against a real demo ILS."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from demo.ils.patrons import sample_user
from demo.ils.reference import DESK_1
from holdfast.catalogue.entity_patch import diff
from holdfast.privacy.entities import mask_entity, token_maker
from resources.ils import folio_inventory
from resources.ils.client import EntityUnit, Kind, Unit
from resources.ils.errors import InDoubtError
from resources.ils.folio import FolioClient
from tests.demo_ils import DemoIls

SALT = b"salt"
LONG_AGO, FAR = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
INSTANCE = "11111111-1111-4111-8111-111111111111"
HOLDINGS = "22222222-2222-4222-8222-222222222222"
BOOK, CAN_CIRCULATE = "1a54b431-2e4f-452d-9cae-9cee66c9a892", "2b94c631-fca9-4892-a730-03ee529ffe27"
PLACE = "f32d531e-df79-46b3-8932-cdd35f7a2264"


@pytest.fixture
def client(demo_ils: DemoIls) -> Iterator[FolioClient]:
    made = FolioClient(
        demo_ils.url, "demo", "demo", "demo-secret", chunk_records=4, token=token_maker(SALT), sleep=lambda _: None
    )
    yield made
    made.close()


@pytest.fixture
def shelf(demo_ils: DemoIls) -> DemoIls:
    """An instance with a holdings record."""
    body: dict[str, Any] = {"id": INSTANCE, "source": "FOLIO", "title": "T", "instanceTypeId": BOOK}
    demo_ils.call("POST", "/instance-storage/instances", json=body).raise_for_status()
    body = {"id": HOLDINGS, "instanceId": INSTANCE, "sourceId": PLACE, "permanentLocationId": PLACE}
    demo_ils.call("POST", "/holdings-storage/holdings", json=body).raise_for_status()
    return demo_ils


def item(number: int, **more: Any) -> dict[str, Any]:
    body = {"holdingsRecordId": HOLDINGS, "materialTypeId": BOOK, "permanentLoanTypeId": CAN_CIRCULATE}
    return {**body, "barcode": f"39{number:04d}", "status": {"name": "Available"}, **more}


def unit(action: str, target: str, before: dict[str, Any], after: dict[str, Any], kind: Kind = "item") -> EntityUnit:
    name = f"{action} {target} {after}"
    return EntityUnit(name, f"c-{name[:20]}", 1, kind, action, target, 1, diff(before, after, token_maker(SALT)))


def id_of(number: int) -> str:
    return f"{number:08d}-3333-4333-8333-333333333333"


def write(client: FolioClient, units: list[EntityUnit]) -> list[str]:
    live = client.fetch_entities(
        units[0].kind, [each.target for each in units], [each.correlation_id for each in units]
    )
    return [each.state for each in client.write_entities(units, live)]


def test_one_bad_record_stops_only_itself_and_a_second_attempt_writes_nothing(
    shelf: DemoIls, client: FolioClient
) -> None:
    units = [unit("create", id_of(n), {}, item(n)) for n in range(9)]
    units[5] = unit("create", id_of(5), {}, item(5, status={"name": "No such status"}))
    assert write(client, units) == ["acknowledged"] * 5 + ["failed"] + ["acknowledged"] * 3
    written = len(shelf.audit("ITEM"))
    assert written == 8
    live = client.fetch_entities("item", [each.target for each in units], [])
    again = client.write_entities(units, live)
    assert [each.answer for each in again if each.state == "acknowledged"] == ["found written"] * 8
    assert len(shelf.audit("ITEM")) == written
    assert shelf.audit("ITEM")[0]["correlationIds"] == [units[0].correlation_id]


def test_an_item_is_changed_by_its_version_and_what_others_changed_meanwhile_stays(
    shelf: DemoIls, client: FolioClient
) -> None:
    assert write(client, [unit("create", id_of(n), {}, item(n)) for n in range(4)]) == ["acknowledged"] * 4
    live = client.fetch_entities("item", [id_of(n) for n in range(4)], [])
    # Somebody lends one and renames another while ours are on their way: neither stands in our way, and both stay.
    for number, change in ((0, {"status": {"name": "Checked out"}}), (1, {"volume": "theirs"})):
        body = {**live[id_of(number)].body, **change}
        shelf.call("PUT", f"/item-storage/items/{id_of(number)}", json=body).raise_for_status()
    units = [unit("update", id_of(n), item(n), item(n, volume="ours")) for n in range(4)]
    written = client.write_entities(units, live)
    assert [each.state for each in written] == ["acknowledged", "conflicted", "acknowledged", "acknowledged"]
    assert "/volume: somebody changed it" in written[1].answer
    now = client.fetch_entities("item", [id_of(n) for n in range(4)], [])
    assert [now[id_of(n)].body.get("volume") for n in range(4)] == ["ours", "theirs", "ours", "ours"]
    assert now[id_of(0)].body["status"]["name"] == "Checked out"
    assert [each.version for each in written if each.state == "acknowledged"] == [3, 2, 2]
    assert [now[id_of(n)].version for n in (0, 2, 3)] == [3, 2, 2]


def test_a_write_in_doubt_is_found_again(shelf: DemoIls, client: FolioClient) -> None:
    units = [unit("create", id_of(n), {}, item(n)) for n in range(2)]
    shelf.fault("drop_after", "POST", "/item-storage", times=1)
    with pytest.raises(InDoubtError):
        write(client, units)
    live = client.fetch_entities("item", [each.target for each in units], [])
    assert [each.answer for each in client.write_entities(units, live)] == ["found written"] * 2
    assert len(shelf.audit("ITEM")) == 2


def test_a_note_that_is_masked_in_the_plan_is_compared_and_kept(shelf: DemoIls, client: FolioClient) -> None:
    note = {"noteType": "Check out", "note": "Owed by card 21"}
    assert write(client, [unit("create", id_of(1), {}, item(1, circulationNotes=[note]))]) == ["acknowledged"]
    live = client.fetch_entities("item", [id_of(1)], [])
    masked = mask_entity("item", live[id_of(1)].body, SALT)
    changed = {**live[id_of(1)].body, "circulationNotes": [{**note, "note": "Paid"}]}
    assert write(client, [unit("update", id_of(1), masked, changed)]) == ["acknowledged"]
    assert client.fetch_entities("item", [id_of(1)], [])[id_of(1)].body["circulationNotes"][0]["note"] == "Paid"
    # The plan's before is the note as it was: now it is another one.
    assert write(client, [unit("update", id_of(1), masked, {**changed, "circulationNotes": []})]) == ["conflicted"]


def test_what_is_deleted_is_what_the_plan_saw_and_gone_is_gone(shelf: DemoIls, client: FolioClient) -> None:
    assert write(client, [unit("create", id_of(n), {}, item(n)) for n in range(2)]) == ["acknowledged"] * 2
    gone, other = unit("delete", id_of(0), item(0), {}), unit("delete", id_of(1), item(1, volume="1"), {})
    assert write(client, [gone, other]) == ["acknowledged", "conflicted"]
    assert write(client, [gone]) == ["acknowledged"]
    assert list(client.fetch_entities("item", [id_of(0), id_of(1)], [])) == [id_of(1)]
    assert [each["action"] for each in shelf.audit("ITEM")].count("DELETE") == 1


def test_patrons_are_written_one_by_one_and_read_back(demo_ils: DemoIls, client: FolioClient) -> None:
    people = [sample_user(number) for number in range(3)]
    units = [unit("create", each["id"], {}, each, "patron") for each in people]
    taken = {**sample_user(9), "barcode": people[0]["barcode"]}
    units.append(unit("create", taken["id"], {}, taken, "patron"))
    written = client.write_entities(units, {})
    assert [each.state for each in written] == ["acknowledged"] * 3 + ["failed"]
    # What was refused is named by its property, not by its value: that is somebody's card.
    assert "barcode" in written[3].answer and people[0]["barcode"] not in written[3].answer.split("(")[-1]

    before = mask_entity("patron", client.fetch_entities("patron", [people[0]["id"]], [])[people[0]["id"]].body, SALT)
    after = {**people[0], "expirationDate": "2026-01-31T00:00:00.000+00:00", "active": False}
    expire = unit("update", people[0]["id"], {**before, "metadata": None}, after, "patron")
    assert set(expire.changes) == {"/active", "/expirationDate"}
    assert write(client, [expire]) == ["acknowledged"]
    live = client.fetch_entities("patron", [people[0]["id"]], [])[people[0]["id"]]
    assert live.body["active"] is False and live.body["personal"] == people[0]["personal"]
    puts = [each["path"] for each in demo_ils.requests() if each["method"] == "PUT"]
    assert puts == [f"/users/{people[0]['id']}"]


def test_a_patron_that_somebody_writes_over_at_once_is_a_conflict_and_not_acknowledged(
    demo_ils: DemoIls, client: FolioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sample_user(1)
    assert write(client, [unit("create", person["id"], {}, person, "patron")]) == ["acknowledged"]
    sent = client._session.many

    def theirs_follows(calls: Any) -> Any:
        answers = sent(calls)
        demo_ils.call("PUT", f"/users/{person['id']}", json={**person, "type": "theirs"}).raise_for_status()
        return answers

    monkeypatch.setattr(client._inventory, "_many", theirs_follows)
    units = [unit("update", person["id"], person, {**person, "type": "ours"}, "patron")]
    (written,) = client.write_entities(units, client.fetch_entities("patron", [person["id"]], []))
    assert written.state == "conflicted" and "read back" in written.answer


def test_a_new_record_without_an_id_gets_the_same_one_in_every_attempt(demo_ils: DemoIls, client: FolioClient) -> None:
    person = sample_user(1)
    del person["id"]
    unit_ = unit("create", "", {}, person, "patron")
    (first,) = client.write_entities([unit_], {})
    assert first.state == "acknowledged" and uuid.UUID(first.target)
    live = client.fetch_entities("patron", [first.target], [])
    assert [each.answer for each in client.write_entities([unit_], live)] == ["found written"]
    assert demo_ils.counts()["users"] == 1


def test_all_of_a_kind_and_what_changed_in_a_window(
    shelf: DemoIls, client: FolioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folio_inventory, "_PAGE", 3)
    bodies = [{"id": id_of(n), **item(n)} for n in range(7)]
    shelf.call("POST", "/item-storage/batch/synchronous", json={"items": bodies}).raise_for_status()
    pages = list(client.entities("item"))
    assert [len(page) for page in pages] == [3, 3, 1]
    everything = [each for page in pages for each in page]
    assert [each.id for each in everything] == [id_of(n) for n in range(7)]
    (moment,) = {each.updated for each in everything}
    for number in (2, 5):
        body = {**everything[number].body, "volume": "2"}
        shelf.call("PUT", f"/item-storage/items/{id_of(number)}", json=body).raise_for_status()
    later = (dt.datetime.fromisoformat(moment) + dt.timedelta(milliseconds=1)).isoformat()
    changed = [each for page in client.entities("item", later) for each in page]
    assert [(each.id, each.version) for each in changed] == [(id_of(2), 2), (id_of(5), 2)]
    # A window ends before its end: what was changed since belongs to the next one.
    old = [each.id for page in client.entities("item", moment, later) for each in page]
    assert old == [id_of(n) for n in (0, 1, 3, 4, 6)]
    assert list(client.entities("item", FAR)) == []


def test_circulation_shows_each_change_of_each_loan_with_when_it_happened(
    shelf: DemoIls, client: FolioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folio_inventory, "_PAGE", 2)
    assert write(client, [unit("create", id_of(1), {}, item(1))]) == ["acknowledged"]
    person = sample_user(1)
    assert write(client, [unit("create", person["id"], {}, person, "patron")]) == ["acknowledged"]
    common = {"itemBarcode": item(1)["barcode"], "servicePointId": DESK_1}
    lend = {**common, "userBarcode": person["barcode"], "loanDate": "2026-01-30T10:00:00.000Z"}
    shelf.call("POST", "/circulation/check-out-by-barcode", json=lend).raise_for_status()
    renew = {"itemBarcode": item(1)["barcode"], "userBarcode": person["barcode"]}
    shelf.call("POST", "/circulation/renew-by-barcode", json=renew).raise_for_status()
    back = {**common, "checkInDate": "2026-01-31T10:00:00.000Z"}
    loan = shelf.call("POST", "/circulation/check-in-by-barcode", json=back).json()["loan"]["id"]
    shelf.call("DELETE", f"/loan-storage/loans/{loan}").raise_for_status()

    events = sorted((e for page in client.circulation(LONG_AGO, FAR) for e in page), key=lambda each: each.updated)
    assert [each.action for each in events] == ["checkout", "renewal", "checkin", "deleted"]
    assert [each.ended for each in events] == [False, False, True, True]
    assert {(e.loan, e.item_barcode, e.patron, e.library, e.began) for e in events} == {
        (loan, "390001", person["id"], "cd1", "2026-01-30T10:00:00.000+00:00")
    }
    assert [each.at for each in events][:1] == ["2026-01-30T10:00:00.000+00:00"]
    assert events[1].at == events[1].updated and events[2].at == "2026-01-31T10:00:00.000+00:00"
    assert len({each.id for each in events}) == 4
    assert [e.id for page in client.circulation(LONG_AGO, events[1].updated) for e in page] == [events[0].id]


def test_a_load_is_over_for_source_record_storage_when_the_client_is_closed(demo_ils: DemoIls) -> None:
    for answers in (True, False):
        client = FolioClient(demo_ils.url, "demo", "demo", "demo-secret", retries=1, sleep=lambda _: None)
        target = str(uuid.uuid4())
        made = Unit(f"k {target}", "c", 1, "create", target, 0, adds=[("LDR", " " * 24), ("245", "10\x1faUlysses")])
        assert [each.state for each in client.write([made], {})] == ["acknowledged"]
        if not answers:
            demo_ils.fault("503", "PUT", "/source-storage/snapshots", times=9)
        client.close()
    found = demo_ils.call("GET", "/source-storage/snapshots").json()["snapshots"]
    assert sorted(each["status"] for each in found) == ["COMMITTED", "PARSING_IN_PROGRESS"]


def test_it_knows_its_own_user_and_the_clock_of_the_system(demo_ils: DemoIls, client: FolioClient) -> None:
    assert abs(client.clock() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=5)
    assert client.own_user() == ""
    other = FolioClient(demo_ils.url, "demo", "demo", "demo-secret")
    body = {"id": INSTANCE, "username": "demo", "active": True}
    demo_ils.call("POST", "/users", json=body).raise_for_status()
    assert other.own_user() == INSTANCE
    other.close()
