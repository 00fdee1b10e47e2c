"""The demo Koha against Koha's published specification, which is not part of this repository."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import orjson
import pytest
import requests
import schemathesis
from jsonschema import Draft4Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from demo.koha.app import Options, build
from demo.koha.seed import seed_store
from demo.koha.tokens import ApiKey
from tests.resources.ils.koha_spec import Specification, folder, swagger

OURS = (
    "/oauth/token /biblios /biblios/{biblio_id} /public/biblios/{biblio_id} /deleted/biblios /deleted/biblios/{biblio_id} "
    "/items /items/{item_id} /biblios/{biblio_id}/items /biblios/{biblio_id}/items/{item_id} /patrons /patrons/{patron_id} "
    "/checkouts /checkouts/{checkout_id} /checkouts/{checkout_id}/renewal /checkouts/{checkout_id}/renewals /action_logs "
    "/libraries /item_types"
).split()
KEY = ApiKey("demo", "demo-secret")
FORM = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": "demo-secret"}
MARC = {"Content-Type": "application/marc-in-json", "x-confirm-not-duplicate": "1"}
RECORD = {
    "leader": "00000nam a2200000 i 4500",
    "fields": [{"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "T"}]}}],
}


@pytest.fixture(scope="module")
def spec(data: Path) -> Specification:
    return Specification(folder(data))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("koha") / "koha.sqlite"


@pytest.fixture(scope="module")
def koha(file: Path) -> Iterator[TestClient]:
    with furnished(file) as client:
        yield client


@contextlib.contextmanager
def furnished(file: Path) -> Iterator[TestClient]:
    """The sample catalogue, a patron, a loan that was renewed; the client has logged in."""
    seed_store(file)
    with TestClient(build(file, Options(key=KEY)), base_url="http://127.0.0.1/api/v1") as client:
        token = client.post("/oauth/token", data=FORM).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        patron = {"surname": "Reader", "library_id": "MAIN", "category_id": "PT", "cardnumber": "1"}
        number = client.post("/patrons", json=patron).json()["patron_id"]
        for item in (1, 2):
            assert client.post("/checkouts", json={"patron_id": number, "item_id": item}).status_code == 201
        assert client.post("/checkouts/1/renewals").status_code == 201
        yield client


@pytest.fixture
def pestered(tmp_path: Path) -> Iterator[TestClient]:
    with furnished(tmp_path / "koha.sqlite") as client:
        yield client


def test_random_requests_are_answered_as_published(pestered: TestClient, data: Path) -> None:
    """Schemathesis makes requests from the specification; each answer has a declared status, type and shape."""
    document = swagger(folder(data))
    # Libraries are read only in the demo.
    paths = {path: document["paths"][path] for path in OURS} | {
        "/libraries": {"get": document["paths"]["/libraries"]["get"]}
    }
    wanted = {**document, "paths": paths}
    schema = schemathesis.openapi.from_dict(wanted)
    schema.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])
    checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) == sum(
        method in ("get", "post", "put", "delete") for operation in paths.values() for method in operation
    )
    asked = 0

    for operation in operations:

        @hypothesis.settings(max_examples=8, database=None, derandomize=True, phases=[hypothesis.Phase.generate])
        @hypothesis.given(case=operation.as_strategy())
        def one(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.headers = {**(case.headers or {}), "Authorization": pestered.headers["Authorization"]}
            made = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1/api/v1")).prepare()
            answer = pestered.request(made.method, made.url, headers=dict(made.headers), content=made.body)
            # `produces` of the public path has no JSON, but its errors are the JSON of `definitions/error`.
            typed = [content_type_conformance] if answer.status_code < 400 and answer.content else []
            case.validate_response(answer, checks=[*checks, *typed])

        one()
    assert asked > 3 * len(operations)


@pytest.mark.parametrize(
    "path",
    ["/items", "/items/1", "/patrons", "/patrons/2", "/checkouts", "/checkouts/1", "/checkouts/1/renewals"]
    + ["/action_logs", "/libraries", "/item_types", "/biblios/1/items"],
)
def test_what_is_given_has_the_published_shape(koha: TestClient, spec: Specification, path: str) -> None:
    answer = koha.get(path)
    found = spec.operation("GET", path)
    assert answer.status_code == 200 and found is not None
    schema = found[0]["responses"]["200"]["schema"]
    Draft4Validator(schema).validate(answer.json())
    assert answer.json()
    if isinstance(answer.json(), list):
        assert set(answer.json()[0]) <= set(schema["items"]["properties"])


@pytest.mark.parametrize(
    ("request_", "status", "error"),
    [
        (("GET", "/biblios?nonsense=1"), 400, [{"path": "/query/nonsense", "message": "Malformed query string"}]),
        (("GET", "/items/999999"), 404, {"error": "Item not found", "error_code": "not_found"}),
        (("DELETE", "/biblios/1"), 409, None),
        (("GET", '/items?q={"nonsense":1}'), 400, None),
        (("GET", '/items?q={"item_id":{"-nonsense":1}}'), 400, None),
    ],
)
def test_refusals_have_kohas_shapes(koha: TestClient, request_: Any, status: int, error: Any) -> None:
    answer = koha.request(*request_)
    assert answer.status_code == status
    if error is not None:
        assert answer.json() == error
    elif status == 400:
        assert answer.json()["error_code"] == "invalid_query"
    else:
        assert "items attached" in answer.json()["error"]


def test_a_form_that_koha_does_not_have_is_answered_with_those_that_it_has(koha: TestClient) -> None:
    answer = koha.get("/biblios/1", headers={"Accept": "application/pdf"})
    assert answer.status_code == 406 and "application/marcxml+xml" in answer.json()
    answer = koha.post("/biblios", json=RECORD)
    assert answer.status_code == 406 and "application/json" not in answer.json()


def test_a_duplicate_is_refused_unless_it_is_confirmed(koha: TestClient) -> None:
    for form in ("application/marcxml+xml", "application/marc-in-json", "application/marc"):
        body = koha.get("/biblios/3", headers={"Accept": form}).content
        answer = koha.post("/biblios", content=body, headers={"Content-Type": form})
        assert (answer.status_code, answer.json()) == (400, {"error": "Duplicate biblio 3"})
        answer = koha.post("/biblios", content=body, headers={"Content-Type": form, "x-confirm-not-duplicate": "1"})
        assert answer.status_code == 200
        number = answer.json()["id"]
        assert answer.headers["Location"].endswith(f"/biblios/{number}")
        assert koha.get(f"/biblios/{number}").json()["title"] == koha.get("/biblios/3").json()["title"]
        assert koha.delete(f"/biblios/{number}").status_code == 204


def test_the_lists_timestamp_does_not_follow_the_marc_record_but_oai_pmh_does(koha: TestClient, file: Path) -> None:
    number = koha.post("/biblios", json=RECORD, headers=MARC).json()["id"]
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "UPDATE biblio SET marc_stamp = '2020-01-01T00:00:00+00:00', stamp = '2020-01-01T00:00:00+00:00', "
            "body = json_set(body, '$.timestamp', '2020-01-01T00:00:00+00:00') WHERE id = ?",
            (number,),
        )
    more = {"650": {"ind1": " ", "ind2": "0", "subfields": [{"a": "Fog"}]}}
    answer = koha.put(f"/biblios/{number}", json={**RECORD, "fields": [*RECORD["fields"], more]}, headers=MARC)
    assert answer.status_code == 200
    since = orjson.dumps({"timestamp": {">": "2021-01-01T00:00:00Z"}, "biblio_id": number}).decode()
    assert koha.get("/biblios", params={"q": since}).json() == []
    assert koha.get(f"/biblios/{number}").json()["timestamp"].startswith("2020")
    asked = {"verb": "ListIdentifiers", "metadataPrefix": "marcxml", "from": "2021-01-01T00:00:00Z"}
    harvested, token = "", True
    while token:
        page = koha.get("http://127.0.0.1/cgi-bin/koha/oai.pl", params=asked).text
        harvested += page
        token = re.search("<resumptionToken[^>]*>([^<]+)<", page)
        asked = {"verb": "ListIdentifiers", "resumptionToken": token[1]} if token else {}
    assert f"KOHA-DEMO:{number}<" in harvested


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ('{"item_id":1}', 1),
        ('{"item_id":[1,2]}', 2),
        ('{"item_id":{"<":3}}', 2),
        ('{"item_id":{">=":2,"<=":4}}', 3),
        ('{"item_id":{"!=":1},"biblio_id":{"-in":[1,2,3]}}', 2),
        ('{"item_id":{"-not_in":[1,2]},"biblio_id":{"-between":[1,4]}}', 2),
        ('[{"item_id":1},{"external_id":"39000000000003"},{"item_id":5}]', 2),
        ('{"-or":[{"item_id":1},{"item_id":7}]}', 2),
        ('{"-and":[{"item_id":{">":1}},{"item_id":{"<":4}}]}', 2),
        ('{"external_id":{"-like":"39000000000003%"}}', 1),
        ('{"external_id":{"-regexp":"0003$"},"item_id":1}', 1),
        ('{"item_id":{"-ident":"biblio_id"},"biblio_id":{"<":3}}', 2),
        ('{"callnumber":null,"item_id":{"<=":2}}', 2),
        ('{"timestamp":{">":"2030-01-01T00:00:00+01:00"}}', 0),
    ],
)
def test_the_query_language(koha: TestClient, query: str, count: int) -> None:
    answer = koha.get("/items", params={"q": query, "_per_page": 5})
    assert (answer.status_code, int(answer.headers["X-Total-Count"])) == (200, count)


def test_pages_are_told_of_in_the_headers(koha: TestClient) -> None:
    answer = koha.get("/items", params={"_page": 2, "_per_page": 10, "_order_by": "-item_id"})
    assert [each["item_id"] for each in answer.json()] == sorted(
        (each["item_id"] for each in answer.json()), reverse=True
    )
    links = dict(re.findall(r'_page=(\d+)&_per_page=10>; rel="(\w+)"', answer.headers["Link"]))
    total = int(answer.headers["X-Total-Count"])
    assert links == {"1": "prev", "3": "next", str(-(-total // 10)): "last"}
    assert len(koha.get("/items", params={"_per_page": -1}).json()) == total


def test_a_token_is_asked_for_with_the_right_secret_and_ends(tmp_path: Path) -> None:
    options = Options(key=KEY, token_seconds=0)
    with TestClient(build(tmp_path / "koha.sqlite", options), base_url="http://127.0.0.1/api/v1") as client:
        assert client.post("/oauth/token", data=FORM | {"client_secret": "wrong"}).status_code == 403
        assert client.post("/oauth/token", data=FORM | {"grant_type": "password"}).status_code == 400
        answer = client.post("/oauth/token", data=FORM).json()
        assert answer["token_type"] == "Bearer"
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        assert client.get("/items", headers=headers).status_code == 401
