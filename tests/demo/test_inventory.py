"""Instances, holdings and items over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., dict[str, Any]]
INSTANCES, BATCH = "/instance-storage/instances", "/instance-storage/batch/synchronous"


def test_the_server_sets_version_hrid_and_times(ils: Any, instance: Make) -> None:
    created = ils.http.post(INSTANCES, json=instance())
    assert created.status_code == 201
    body = created.json()
    assert body["_version"] == 1
    assert body["hrid"] == "in00000000001"
    assert body["metadata"]["createdDate"] == body["metadata"]["updatedDate"]
    assert body["metadata"]["createdDate"].endswith("+00:00")
    assert ils.http.get(f"{INSTANCES}/{body['id']}").json() == body


def test_a_stale_version_is_a_conflict_in_plain_text_and_changes_nothing(ils: Any, instance: Make) -> None:
    body = ils.http.post(INSTANCES, json=instance()).json()
    path = f"{INSTANCES}/{body['id']}"
    assert ils.http.put(path, json=body | {"title": "Dubliners"}).status_code == 204
    for stale in (ils.http.put(path, json=body | {"title": "Exiles"}), ils.http.patch(path, json={"id": body["id"], "_version": 1, "title": "Exiles"})):  # fmt: skip
        assert stale.status_code == 409
        assert stale.headers["content-type"].startswith("text/plain")
        assert "version conflict" in stale.text
    live = ils.http.get(path).json()
    assert (live["title"], live["_version"]) == ("Dubliners", 2)
    assert [entry["version"] for entry in ils.audit()] == [1, 2]


def test_a_patch_replaces_what_it_names_and_keeps_the_rest(ils: Any, instance: Make) -> None:
    body = ils.http.post(INSTANCES, json=instance(languages=["eng"], catalogedDate="2024-01-01")).json()
    change = {"id": body["id"], "_version": 1, "title": "Dubliners", "catalogedDate": None}
    assert ils.http.patch(f"{INSTANCES}/{body['id']}", json=change).status_code == 204
    live = ils.http.get(f"{INSTANCES}/{body['id']}").json()
    assert (live["title"], live["languages"], live["_version"]) == ("Dubliners", ["eng"], 2)
    assert "catalogedDate" not in live


@pytest.mark.parametrize(
    "change",
    [{"title": None}, {"titel": "x"}, {"id": "no-uuid"}, {"languages": "eng"}, {"identifiers": [{"value": "1"}]}],
)
def test_an_invalid_record_is_refused_with_the_property(ils: Any, instance: Make, change: dict[str, Any]) -> None:
    answer = ils.http.post(INSTANCES, json=instance() | change)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["message"] and error["parameters"][0]["key"] in (*change, "title")


def test_id_hrid_and_barcode_are_unique(ils: Any, instance: Make) -> None:
    first = ils.http.post(INSTANCES, json=instance(hrid="x1")).json()
    for double in (instance(hrid="x1"), instance() | {"id": first["id"]}):
        answer = ils.http.post(INSTANCES, json=double)
        assert answer.status_code == 422
        assert "already exists" in answer.json()["errors"][0]["message"]
    holdings, item = child_records(first["id"])
    assert ils.http.post("/holdings-storage/holdings", json=holdings).status_code == 201
    assert ils.http.post("/item-storage/items", json=item | {"barcode": "390"}).status_code == 201
    double_item = ils.http.post("/item-storage/items", json=item | {"id": str(uuid.uuid4()), "barcode": "390"})
    assert double_item.status_code == 422
    assert double_item.json()["errors"][0]["parameters"] == [{"key": "barcode", "value": "390"}]


def child_records(instance_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    holdings = {
        "id": str(uuid.uuid4()),
        "sourceId": str(uuid.uuid4()),
        "instanceId": instance_id,
        "permanentLocationId": str(uuid.uuid4()),
    }
    item = {
        "id": str(uuid.uuid4()),
        "holdingsRecordId": holdings["id"],
        "materialTypeId": str(uuid.uuid4()),
        "permanentLoanTypeId": str(uuid.uuid4()),
        "status": {"name": "Available"},
    }
    return holdings, item


def test_what_is_referenced_must_exist_and_cannot_be_deleted(ils: Any, instance: Make) -> None:
    body = ils.http.post(INSTANCES, json=instance()).json()
    holdings, item = child_records(body["id"])
    assert ils.http.post("/item-storage/items", json=item).status_code == 422
    assert ils.http.post("/holdings-storage/holdings", json=holdings).status_code == 201
    assert ils.http.delete(f"{INSTANCES}/{body['id']}").status_code == 400
    assert ils.http.delete(f"/holdings-storage/holdings/{holdings['id']}").status_code == 204
    assert ils.http.delete(f"{INSTANCES}/{body['id']}").status_code == 204
    assert [entry["action"] for entry in ils.audit()] == ["CREATE", "CREATE", "DELETE", "DELETE"]


def test_a_batch_is_all_or_nothing(ils: Any, instance: Make) -> None:
    old = ils.http.post(INSTANCES, json=instance()).json()
    new = [instance(f"Volume {number}") for number in range(3)]
    existing = ils.http.post(BATCH, json={"instances": [*new, old]})
    stale = ils.http.post(f"{BATCH}?upsert=true", json={"instances": [*new, old | {"_version": 7}]})
    broken = ils.http.post(BATCH, json={"instances": [*new, {"title": "no type"}]})
    twice = ils.http.post(BATCH, json={"instances": [new[0] | {"hrid": "h"}, new[1] | {"hrid": "h"}]})
    assert [answer.status_code for answer in (existing, stale, broken, twice)] == [422, 409, 422, 422]
    assert (ils.state()["instances"], ils.state()["audit"]) == (1, 1)
    done = ils.http.post(f"{BATCH}?upsert=true", json={"instances": [*new, old | {"title": "Dubliners"}]})
    assert (done.status_code, done.content) == (201, b"")
    assert ils.http.get(f"{INSTANCES}/{old['id']}").json()["_version"] == 2


def test_a_batch_over_the_limit_is_too_large(own_ils: Any, instance: Make) -> None:
    ils = own_ils("--most-in-batch", "3")
    assert ils.http.post(BATCH, json={"instances": [instance() for _ in range(4)]}).status_code == 413
    assert ils.http.post(BATCH, json={"instances": [instance() for _ in range(3)]}).status_code == 201


def test_a_list_has_ten_records_unless_asked_and_says_how_many_there_are(ils: Any, instance: Make) -> None:
    ils.http.post(BATCH, json={"instances": [instance(f"Volume {n:02d}") for n in range(25)]})
    page = ils.http.get(INSTANCES, params={"query": "cql.allRecords=1 sortBy title"}).json()
    assert (len(page["instances"]), page["totalRecords"]) == (10, 25)
    last = ils.http.get(INSTANCES, params={"query": "title=volume sortBy title", "offset": 20, "limit": 10}).json()
    assert [record["title"] for record in last["instances"]] == [f"Volume {n}" for n in range(20, 25)]
    assert ils.http.get(INSTANCES, params={"query": "title =="}).status_code == 400
    assert ils.http.get(INSTANCES, params={"limit": "-1"}).status_code == 400


def test_polling_by_the_last_date_misses_nothing(ils: Any, instance: Make) -> None:
    seen, last = [], "2000-01-01"
    for number in range(5):
        ils.http.post(INSTANCES, json=instance(f"Volume {number}"))
        query = f'metadata.updatedDate > "{last}" sortBy metadata.updatedDate'
        new = ils.http.get(INSTANCES, params={"query": query}).json()["instances"]
        seen += [record["title"] for record in new]
        last = new[-1]["metadata"]["updatedDate"]
    assert seen == [f"Volume {number}" for number in range(5)]


def test_the_audit_has_the_correlation_id_of_each_record_of_a_batch(ils: Any, instance: Make) -> None:
    headers = {"X-Okapi-Request-Id": "run-1", "X-Correlation-ID": "c1, c2"}
    ils.http.post(BATCH, json={"instances": [instance(), instance(), instance()]}, headers=headers)
    assert [entry["correlationIds"] for entry in ils.audit()] == [["c1"], ["c2"], []]
    assert {entry["requestId"] for entry in ils.audit()} == {"run-1"}
    assert all(len(entry["sha256"]) == 64 for entry in ils.audit())


def test_one_entitys_audit_shows_what_changed(ils: Any, instance: Make) -> None:
    body = ils.http.post(INSTANCES, json=instance()).json()
    ils.http.put(f"{INSTANCES}/{body['id']}", json=body | {"title": "Dubliners"})
    events = ils.http.get(f"/audit-data/inventory/instance/{body['id']}").json()
    assert [event["action"] for event in events["inventoryAuditItems"]] == ["UPDATE", "CREATE"]
    change = events["inventoryAuditItems"][0]["diff"]["fieldChanges"]
    assert change == [{"changeType": "MODIFIED", "fieldName": "title", "fullPath": "title", "oldValue": "Ulysses", "newValue": "Dubliners"}]  # fmt: skip
    earlier = {"eventTs": events["inventoryAuditItems"][0]["eventTs"]}
    older = ils.http.get(f"/audit-data/inventory/instance/{body['id']}", params=earlier).json()
    assert [event["action"] for event in older["inventoryAuditItems"]] == ["CREATE"]


def test_several_items_are_patched_together_or_not_at_all(ils: Any, instance: Make) -> None:
    body = ils.http.post(INSTANCES, json=instance()).json()
    holdings, item = child_records(body["id"])
    ils.http.post("/holdings-storage/holdings", json=holdings)
    items = [item | {"id": str(uuid.uuid4())} for _ in range(2)]
    assert ils.http.post("/item-storage/batch/synchronous", json={"items": items}).status_code == 201
    change = [{"id": entry["id"], "_version": 1, "volume": "1"} for entry in items]
    stale = [change[0], change[1] | {"_version": 9}]
    assert ils.http.patch("/item-storage/items", json={"items": stale}).status_code == 409
    assert "volume" not in ils.http.get(f"/item-storage/items/{items[0]['id']}").json()
    assert ils.http.patch("/item-storage/items", json={"items": change}).status_code == 204
    assert ils.http.get(f"/item-storage/items/{items[1]['id']}").json()["volume"] == "1"
