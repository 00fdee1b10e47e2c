"""The ILS misbehaves as it is told, and what it wrote is there after it was killed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Make = Callable[..., dict[str, Any]]
INSTANCES = "/instance-storage/instances"


def set_fault(ils: Any, **rule: Any) -> None:
    assert ils.http.post("/_demo/faults", json=[{"match": {"method": "POST"}, **rule}]).status_code == 201


@pytest.fixture
def fresh(ils: Any) -> Any:
    """A client without connections of before: a fault closes the one it strikes."""
    yield ils
    ils.http.delete("/_demo/faults")


@pytest.mark.parametrize("kind", ["429", "500", "503"])
def test_an_error_answer_writes_nothing(fresh: Any, instance: Make, kind: str) -> None:
    set_fault(fresh, kind=kind, retry_after=2)
    answer = fresh.http.post(INSTANCES, json=instance())
    assert (answer.status_code, answer.headers["retry-after"]) == (int(kind), "2")
    assert fresh.state()["instances"] == 0
    assert fresh.http.post(INSTANCES, json=instance()).status_code == 201


def test_drop_before_closes_the_connection_and_writes_nothing(fresh: Any, instance: Make) -> None:
    set_fault(fresh, kind="drop_before")
    with pytest.raises(httpx.TransportError):
        fresh.http.post(INSTANCES, json=instance())
    assert fresh.state()["instances"] == 0
    assert fresh.http.get("/_demo/faults").json()[0]["hits"] == 1


def test_drop_after_closes_the_connection_when_the_write_is_done(fresh: Any, instance: Make) -> None:
    body = instance()
    set_fault(fresh, kind="drop_after")
    with pytest.raises(httpx.RemoteProtocolError):
        fresh.http.post(INSTANCES, json=body)
    assert fresh.http.get(f"{INSTANCES}/{body['id']}").json()["_version"] == 1


def test_cut_answer_sends_half_of_it(fresh: Any, instance: Make) -> None:
    body = instance()
    set_fault(fresh, kind="cut_answer")
    received = b""
    with pytest.raises(httpx.RemoteProtocolError), fresh.http.stream("POST", INSTANCES, json=body) as answer:
        assert answer.status_code == 201
        for part in answer.iter_raw():
            received += part
    assert 0 < len(received) < int(answer.headers["content-length"])
    assert fresh.http.get(f"{INSTANCES}/{body['id']}").status_code == 200


def test_a_slow_answer_is_an_answer(fresh: Any, instance: Make) -> None:
    set_fault(fresh, kind="slow", seconds=0.01)
    assert fresh.http.post(INSTANCES, json=instance()).status_code == 201
    entry = fresh.http.get("/_demo/requests").json()["entries"][-1]
    assert entry["fault"] == "slow"


def test_a_rule_strikes_where_it_matches_and_as_often_as_it_says(fresh: Any, instance: Make) -> None:
    set_fault(fresh, kind="503", match={"method": "POST", "path_prefix": INSTANCES}, times=2)
    assert fresh.http.get(INSTANCES).status_code == 200
    answers = [fresh.http.post(INSTANCES, json=instance()).status_code for _ in range(3)]
    assert answers == [503, 503, 201]


def test_chance_is_the_same_for_the_same_seed(fresh: Any) -> None:
    def run() -> list[int]:
        fresh.http.delete("/_demo/faults")
        set_fault(fresh, kind="500", match={}, times=-1, probability=0.5, seed=7)
        return [fresh.http.get(INSTANCES).status_code for _ in range(20)]

    first = run()
    assert first == run()
    assert set(first) == {200, 500}


def test_a_rule_that_cannot_be_read_is_refused(fresh: Any) -> None:
    for rule in (
        {},
        {"kind": "earthquake"},
        {"kind": "500", "times": "often"},
        {"kind": "500", "match": {"host": "x"}},
    ):
        assert fresh.http.post("/_demo/faults", json=[rule]).status_code == 400


@pytest.mark.faults
def test_what_was_answered_is_there_after_kill_9(own_ils: Any, instance: Make, marc_record: Make) -> None:
    ils = own_ils()
    body = ils.http.post(INSTANCES, json=instance()).json()
    snapshot = ils.snapshot()
    record = ils.http.post("/source-storage/records", json=marc_record(snapshot)).json()
    audit = ils.audit()
    token = ils.http.cookies.get("folioAccessToken", path="/")
    ils.kill()
    ils.start()
    assert ils.http.get(f"{INSTANCES}/{body['id']}").json() == body
    assert ils.http.get(f"/source-storage/records/{record['id']}").json() == record
    assert ils.audit() == audit
    old_token = {"X-Okapi-Tenant": "demo", "X-Okapi-Token": token}
    assert httpx.get(f"{ils.url}{INSTANCES}", headers=old_token).status_code == 200


def test_the_request_log_keeps_headers_without_secrets(ils: Any, instance: Make) -> None:
    request_id = str(uuid.uuid4())
    token = ils.http.cookies.get("folioAccessToken", path="/")
    headers = {"X-Okapi-Request-Id": request_id, "X-Okapi-Token": token, "X-Correlation-ID": "a,b"}
    ils.http.post(INSTANCES, json=instance(), headers=headers)
    entry = ils.http.get("/_demo/requests").json()["entries"][-1]
    assert (entry["requestId"], entry["correlationIds"], entry["status"]) == (request_id, ["a", "b"], 201)
    assert entry["headers"]["x-okapi-token"] == entry["headers"]["cookie"] == "[redacted]"
    assert token not in str(ils.http.get("/_demo/requests").json())
