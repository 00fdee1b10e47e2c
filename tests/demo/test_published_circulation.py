"""Users, circulation and reference data of the demo, and every request that Holdfast sends, against FOLIO's definitions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import ValidationError

from demo.ils.circulation import LOAN_TYPES
from demo.ils.patrons import PERSONAL, USER_TYPES, sample_user
from demo.ils.reference import DESK_1, REFERENCES
from demo.samples import seed
from demo.samples.seed import catalogue
from holdfast.catalogue.entity_patch import diff
from resources.ils.client import EntityUnit, Kind, Unit
from resources.ils.folio import FolioClient
from tests.demo.published import BODIES, ELSEWHERE, Published


@pytest.fixture(scope="module")
def published(test_data: Path) -> Published:
    folder = test_data / "ils/folio"
    if not folder.is_dir():
        pytest.skip(f"FOLIO's definitions are not at {folder}")
    return Published(folder)


@pytest.fixture
def library(ils: Any) -> Any:
    """A book that was lent, renewed, returned and lent again."""
    live = catalogue()[0]
    for path, name, body in (
        ("/instance-storage", "instances", seed.instance(live)),
        ("/holdings-storage", "holdingsRecords", seed.holdings(live)),
        ("/item-storage", "items", seed.item(live)),
    ):
        assert ils.http.post(f"{path}/batch/synchronous", json={name: [body]}).status_code == 201
    person = sample_user(1)
    assert ils.http.post("/users", json=person).status_code == 201
    ils.barcodes = {"itemBarcode": seed.item(live)["barcode"], "userBarcode": person["barcode"]}
    return ils


def lend(ils: Any) -> httpx.Response:
    return ils.http.post("/circulation/check-out-by-barcode", json={**ils.barcodes, "servicePointId": DESK_1})


def bring_back(ils: Any) -> httpx.Response:
    body = {
        "itemBarcode": ils.barcodes["itemBarcode"],
        "servicePointId": DESK_1,
        "checkInDate": "2026-01-31T10:00:00.000Z",
    }
    return ils.http.post("/circulation/check-in-by-barcode", json=body)


def test_loans_and_their_history_are_as_published(published: Published, library: Any) -> None:
    for answer, status in (
        (lend(library), 201),
        (library.http.post("/circulation/renew-by-barcode", json=library.barcodes), 200),
    ):
        assert answer.status_code == status
        published.validator("circulation/loan.json").validate(answer.json())
    answer = bring_back(library)
    assert answer.status_code == 200 and answer.json()["loan"]["status"] == {"name": "Closed"}
    published.validator("circulation/check-in-by-barcode-response.json").validate(answer.json())
    in_house = bring_back(library).json()
    assert in_house["inHouseUse"] is True
    published.validator("circulation/check-in-by-barcode-response.json").validate(in_house)
    lend(library)
    for path, schema in (
        ("/circulation/loans", "circulation/loans.json"),
        ("/loan-storage/loans", "circulation-storage/loans.json"),
        ("/loan-storage/loan-history", "circulation-storage/loans-history-items.json"),
        ("/users", "users/userdataCollection.json"),
    ):
        listed = library.http.get(path).json()
        assert listed["totalRecords"]
        published.validator(schema).validate(listed)
    actions = [each["loan"]["action"] for each in library.http.get("/loan-storage/loan-history", params={"query": "cql.allRecords=1 sortBy createdDate"}).json()["loansHistory"]]  # fmt: skip
    assert actions == ["checkedout", "renewed", "checkedin", "checkedout"]
    logged = library.http.get("/audit-data/circulation/logs", params={"query": 'action == "Closed loan"'}).json()
    assert logged["totalRecords"] == 1 and logged["logRecords"][0]["userBarcode"] == library.barcodes["userBarcode"]


def test_reference_data_are_as_published(published: Published, ils: Any) -> None:
    names = {"servicepoint": "service-points/servicepoints", "location": "locations/locations"}
    names |= {"loantype": "loan-types/loantypes", "mtype": "material-types/materialtypes"}
    for reference in REFERENCES:
        listed = ils.http.get(reference.path).json()
        assert listed["totalRecords"] == len(reference.entries)
        published.validator(f"inventory-storage/schemas/{names[reference.kind.name]}.json").validate(listed)
    # Every location of the sample catalogue is one that there is.
    places = {each["id"] for each in ils.http.get("/locations").json()["locations"]}
    assert {seed.holdings(live)["permanentLocationId"] for live in catalogue()} <= places


def test_our_tables_of_properties_are_the_published_ones(published: Published) -> None:
    user = json.loads((published.folder / "users/ramls/userdata.json").read_text())["properties"]
    assert set(user) == set(USER_TYPES) and set(user["personal"]["properties"]) == PERSONAL
    loan = json.loads((published.folder / "circulation-storage/ramls/loan.json").read_text())["properties"]
    assert set(loan) == set(LOAN_TYPES)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/users", {"personal": {"firstName": "Ada"}}, "personal.lastName"),
        ("/users", {"shoeSize": 41}, "shoeSize"),
        ("/users", {"patronGroup": "11111111-1111-4111-8111-111111111111"}, "patronGroup"),
        ("/users", {"barcode": sample_user(1)["barcode"]}, "barcode"),
        ("/circulation/check-out-by-barcode", {"itemBarcode": "no", "userBarcode": "no", "servicePointId": DESK_1}, "userBarcode"),
        ("/circulation/renew-by-barcode", {"itemBarcode": "x"}, "userBarcode"),
        ("/loan-storage/loans", {"itemId": "x"}, "loanDate"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_name(library: Any, path: str, body: Any, says: str) -> None:
    answer = library.http.post(path, json=body)
    assert answer.status_code == 422
    assert says in [each["key"] for each in answer.json()["errors"][0]["parameters"]]


def test_an_item_is_lent_once_and_a_patron_who_is_expired_gets_none(library: Any) -> None:
    assert lend(library).status_code == 201
    assert lend(library).status_code == 422
    bring_back(library)
    person = sample_user(1)
    assert library.http.put(f"/users/{person['id']}", json={**person, "active": False}).status_code == 204
    assert lend(library).status_code == 422
    # The item that was lent and returned has another version with each.
    assert library.http.get("/item-storage/items").json()["items"][0]["_version"] == 3


def test_a_snapshot_takes_a_status_that_there_is(ils: Any) -> None:
    snapshot = ils.snapshot()
    path, body = f"/source-storage/snapshots/{snapshot}", {"jobExecutionId": snapshot}
    assert ils.http.put(path, json={**body, "status": "DONE"}).status_code == 422
    assert ils.http.put(path, json={"jobExecutionId": "x", "status": "COMMITTED"}).status_code == 400
    assert ils.http.put(path, json={**body, "status": "COMMITTED"}).json()["status"] == "COMMITTED"
    assert ils.http.get(path).json()["processingStartedDate"]


def test_every_request_that_is_sent_is_a_published_one(
    published: Published, library: Any, request: pytest.FixtureRequest
) -> None:
    sent: list[httpx.Request] = []
    client = FolioClient(library.url, "demo", "demo", "demo-secret")
    request.addfinalizer(client._session.close)
    client._session._http.event_hooks["request"].append(sent.append)
    client.own_user()
    client.clock()
    lend(library)
    everything: dict[Kind, dict[str, Any]] = {"patron": sample_user(2)}
    for kind in ("holdings", "item", "patron"):
        (page,) = client.entities(kind, "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z")
        everything.setdefault(kind, {name: value for name, value in page[0].body.items() if name not in ("id", "hrid", "_version", "metadata", "barcode")})  # fmt: skip
        client.fetch_entities(kind, [page[0].id], ["c"])
        ids = {"create": "", "update": page[0].id}
        for action, target in ids.items():
            before = page[0].body if target else {}
            after = {**before, "tags": {"tagList": ["ours"]}} if target else everything[kind]
            unit = EntityUnit(f"{kind} {action}", "c", 1, kind, action, target, page[0].version, diff(before, after))
            (written,) = client.write_entities([unit], {page[0].id: page[0]} if target else {})
            assert written.state == "acknowledged", (kind, action, written.answer)
            if action == "create":
                live = client.fetch_entities(kind, [written.target], [])
                gone = EntityUnit(f"{kind} gone", "c", 1, kind, "delete", written.target, 1, {})
                assert client.write_entities([gone], live)[0].state == "acknowledged"
    assert [len(page) for page in client.circulation("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z")] == [1]
    target = "11111111-1111-4111-8111-111111111111"
    make = Unit("k", "c", 1, "create", target, 0, adds=[("LDR", " " * 24), ("245", "10\x1faUlysses")])
    assert client.write([make], {})[0].state == "acknowledged"
    live = client.fetch([target], ["c"])[target]
    change = Unit("l", "c", 1, "update", target, live.version, live.source_id, [("245", "10\x1faUlysses")], [("245", "10\x1faExiles")])  # fmt: skip
    assert client.write([change], {target: live})[0].state == "acknowledged"
    list(client.live_records())
    list(client.live_records("2020-01-01T00:00:00.000+00:00"))
    client.close()

    bodies = 0
    for each in sent:
        path = each.url.path
        if ELSEWHERE.match(path):
            continue
        template = published.operation(each.method, path)
        assert template, f"{each.method} {path} is not in the RAML"
        if each.method in ("POST", "PUT", "PATCH"):
            published.validator(BODIES[each.method, template]).validate(json.loads(each.content))
            bodies += 1
    assert bodies >= 8
    assert {each.method for each in sent} == {"GET", "POST", "PUT", "DELETE"}
    assert all(re.match(r"/[a-z-]+(/|$)", each.url.path) for each in sent)


def test_the_definitions_are_read_as_they_are(published: Published) -> None:
    """Of the reading itself: what is not defined is not found, what is wrong does not validate."""
    assert published.operation("POST", "/item-storage/batch/synchronous")
    assert published.operation("PUT", "/users/x") and not published.operation("PATCH", "/users/x")
    assert not published.operation("GET", "/users/x/y/z")
    assert published.operation("POST", "/circulation/check-in-by-barcode") and published.operation(
        "GET", "/service-points"
    )
    with pytest.raises(ValidationError):
        published.validator("users/userdata.json").validate({"shoeSize": 41})
    with pytest.raises(ValidationError):
        published.validator("inventory-storage/schemas/item-storage/items_post.json").validate({"items": [{"id": "x"}]})
