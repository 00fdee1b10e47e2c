"""MARC records: generations instead of versions, batches that answer record by record, streams."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest

Make = Callable[..., dict[str, Any]]
RECORDS, BATCH = "/source-storage/records", "/source-storage/batch/records"


def test_a_new_version_has_the_same_matched_id_and_one_generation_more(ils: Any, marc_record: Make) -> None:
    snapshot = ils.snapshot()
    first = ils.http.post(RECORDS, json=marc_record(snapshot)).json()
    assert (first["generation"], first["matchedId"], first["state"]) == (0, first["id"], "ACTUAL")
    holder = {"externalIdsHolder": first["externalIdsHolder"], "matchedId": first["id"]}
    second = ils.http.post(RECORDS, json=marc_record(snapshot, "Exiles", **holder, generation=1))
    assert (second.status_code, second.json()["generation"]) == (201, 1)
    assert ils.http.get(f"{RECORDS}/{first['id']}").json()["state"] == "OLD"
    instance_id = first["externalIdsHolder"]["instanceId"]
    live = ils.http.get(f"{RECORDS}/{instance_id}/formatted", params={"idType": "INSTANCE"}).json()
    assert live["id"] == second.json()["id"]
    assert "245 10 $a Exiles /" in live["parsedRecord"]["formattedContent"]
    events = ils.http.get(f"/audit-data/marc/bib/{first['id']}").json()["marcAuditItems"]
    assert [event["action"] for event in events] == ["UPDATED", "CREATED"]
    assert [change["fieldName"] for change in events[0]["diff"]["fieldChanges"]] == ["245"]


@pytest.mark.parametrize("generation", [0, 1])
def test_a_generation_that_is_there_already_is_refused_and_changes_nothing(
    ils: Any, marc_record: Make, generation: int
) -> None:
    snapshot = ils.snapshot()
    first = ils.http.post(RECORDS, json=marc_record(snapshot)).json()
    ils.http.post(RECORDS, json=marc_record(snapshot, matchedId=first["id"], generation=1))
    before = ils.state()
    late = ils.http.post(RECORDS, json=marc_record(snapshot, matchedId=first["id"], generation=generation))
    assert late.status_code == 422
    assert ils.state() == before


def test_an_id_that_exists_is_refused_and_changes_nothing(ils: Any, marc_record: Make) -> None:
    snapshot = ils.snapshot()
    first = ils.http.post(RECORDS, json=marc_record(snapshot)).json()
    again = marc_record(snapshot, "Exiles", id=first["id"])
    assert ils.http.post(RECORDS, json=again).status_code == 422
    alone = ils.http.post(BATCH, json={"records": [again], "totalRecords": 1})
    assert (alone.status_code, alone.json()["records"], len(alone.json()["errorMessages"])) == (500, [], 1)
    assert ils.http.get(f"{RECORDS}/{first['id']}").json() == first
    assert [entry["entityType"] for entry in ils.audit()] == ["SNAPSHOT", "MARC_BIB"]


def test_a_batch_answers_saved_records_and_errors_side_by_side(ils: Any, marc_record: Make) -> None:
    snapshot = ils.snapshot()
    good = [marc_record(snapshot), marc_record(snapshot)]
    bad = marc_record(snapshot, parsedRecord={"content": {"leader": "short", "fields": []}})
    headers = {"X-Correlation-ID": "c0,c1,c2", "X-Okapi-Request-Id": "r"}
    answer = ils.http.post(BATCH, json={"records": [good[0], bad, good[1]], "totalRecords": 3}, headers=headers)
    assert (answer.status_code, answer.json()["totalRecords"]) == (201, 2)
    assert [record["id"] for record in answer.json()["records"]] == [record["id"] for record in good]
    assert "leader: 24 characters" in answer.json()["errorMessages"][0]
    assert [entry["correlationIds"] for entry in ils.audit()[1:]] == [["c0"], ["c2"]]


def test_what_folio_demands_of_a_record_is_demanded(ils: Any, marc_record: Make) -> None:
    snapshot = ils.snapshot()
    for change, status in (
        ({"rawRecord": None}, 422),
        ({"recordType": "CARD"}, 422),
        ({"surprise": 1}, 422),
        ({"snapshotId": str(uuid.uuid4())}, 404),
    ):
        assert ils.http.post(RECORDS, json=marc_record(snapshot) | change).status_code == status
    two = [marc_record(snapshot), marc_record(str(uuid.uuid4()))]
    assert ils.http.post(BATCH, json={"records": two}).status_code == 400


def test_put_changes_in_place_and_generation_makes_a_new_one(ils: Any, marc_record: Make) -> None:
    snapshot = ils.snapshot()
    first = ils.http.post(RECORDS, json=marc_record(snapshot)).json()
    content = marc_record(snapshot, "Exiles")["parsedRecord"]
    put = ils.http.put(f"{RECORDS}/{first['id']}", json=first | {"parsedRecord": content})
    assert (put.status_code, put.json()["generation"], put.json()["id"]) == (200, 0, first["id"])
    parsed = {"records": [first | {"parsedRecord": content}, {"id": str(uuid.uuid4()), "parsedRecord": content}]}
    several = ils.http.put("/source-storage/batch/parsed-records", json=parsed)
    assert (several.status_code, several.json()["totalRecords"], len(several.json()["errorMessages"])) == (200, 1, 1)
    up = ils.http.put(f"{RECORDS}/{first['id']}/generation", json=put.json())
    assert (up.status_code, up.json()["generation"]) == (200, 1)
    assert up.json()["id"] != first["id"]


def test_a_deleted_record_is_kept_and_only_found_when_asked_for(ils: Any, marc_record: Make) -> None:
    first = ils.http.post(RECORDS, json=marc_record(ils.snapshot())).json()
    assert ils.http.delete(f"{RECORDS}/{first['id']}").status_code == 204
    assert ils.http.delete(f"{RECORDS}/{first['id']}").status_code == 404
    listed = "/source-storage/source-records"
    assert ils.http.get(listed).json()["totalRecords"] == 0
    found = ils.http.get(listed, params={"deleted": "true", "leaderRecordStatus": "d"}).json()["sourceRecords"]
    assert [record["recordId"] for record in found] == [first["id"]]
    assert found[0]["parsedRecord"]["content"]["leader"][5] == "d"


def test_source_records_are_found_by_ids_dates_and_hrid(ils: Any, marc_record: Make) -> None:
    snapshot = ils.snapshot()
    saved = [ils.http.post(RECORDS, json=marc_record(snapshot)).json() for _ in range(3)]
    listed = "/source-storage/source-records"
    ids = [record["externalIdsHolder"]["instanceId"] for record in saved[:2]]
    answer = ils.http.post(listed, params={"idType": "INSTANCE"}, json=[*ids, str(uuid.uuid4())]).json()
    assert {record["recordId"] for record in answer["sourceRecords"]} == {record["id"] for record in saved[:2]}
    for parameters, count in (
        ({"externalId": ids[0]}, 1),
        ({"externalHrid": "in1"}, 3),
        ({"updatedAfter": saved[1]["metadata"]["updatedDate"]}, 2),
        ({"updatedBefore": saved[1]["metadata"]["updatedDate"]}, 2),
        ({"recordType": "MARC_AUTHORITY"}, 0),
    ):
        assert ils.http.get(listed, params=parameters).json()["totalRecords"] == count, parameters
    assert ils.http.get(listed, params={"updatedAfter": "yesterday"}).status_code == 400


def test_the_stream_has_a_json_object_a_line(ils: Any, marc_record: Make) -> None:
    snapshot = ils.snapshot()
    records = [marc_record(snapshot, f"Volume {number}") for number in range(450)]
    ils.http.post(BATCH, json={"records": records})
    with ils.http.stream("GET", "/source-storage/stream/source-records") as answer:
        ids = [json.loads(line)["recordId"] for line in answer.iter_lines()]
    assert ids == sorted(record["id"] for record in records)


def test_only_the_fields_asked_for_are_fetched(ils: Any, marc_record: Make) -> None:
    first = ils.http.post(RECORDS, json=marc_record(ils.snapshot())).json()
    request = {
        "conditions": {"idType": "INSTANCE", "ids": [first["externalIdsHolder"]["instanceId"]]},
        "data": [{"from": "200", "to": "299"}],
        "recordType": "MARC_BIB",
    }
    answer = ils.http.post("/source-storage/batch/parsed-records/fetch", json=request).json()
    assert [list(field) for field in answer["records"][0]["parsedRecord"]["content"]["fields"]] == [["245"]]


def test_the_audits_hash_is_that_of_the_content_the_client_wrote(ils: Any, marc_record: Make) -> None:
    record = marc_record(ils.snapshot())
    ils.http.post(RECORDS, json=record)
    content = orjson.dumps(record["parsedRecord"]["content"])
    assert ils.audit()[-1]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_librarian_edits_a_live_record(ils: Any, marc_record: Make, instance: Make) -> None:
    body = ils.http.post("/instance-storage/instances", json=instance()).json()
    holder = {"externalIdsHolder": {"instanceId": body["id"]}}
    record = ils.http.post(RECORDS, json=marc_record(ils.snapshot(), **holder)).json()
    change = {"instanceId": body["id"], "tag": "590", "code": "a", "value": "Shelved in the tower."}
    assert ils.http.post("/_demo/edit", json=change).json()["_version"] == 2
    live = ils.http.get(f"{RECORDS}/{body['id']}/formatted", params={"idType": "INSTANCE"}).json()
    assert (live["generation"], live["matchedId"]) == (1, record["id"])
    assert "590    $a Shelved in the tower." in live["parsedRecord"]["formattedContent"]
    assert [entry["user"] for entry in ils.audit()][-2:] == ["librarian", "librarian"]
