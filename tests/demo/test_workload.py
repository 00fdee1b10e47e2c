"""How busy the demo library is: its limit on programs, what it says is left of the day, and readers who wait."""

from __future__ import annotations

import httpx
import pytest

from tests.demo_ils import DemoIls

LIST = "/instance-storage/instances"


@pytest.fixture
def ils(demo_ils: DemoIls) -> DemoIls:
    return demo_ils


def test_above_the_limit_it_answers_429_and_says_for_how_long(ils: DemoIls) -> None:
    ils.workload(per_second=3, retry_after=2)
    with httpx.Client(base_url=ils.url, headers={"X-Okapi-Tenant": "demo"}) as http:
        answers = [http.get(LIST) for _ in range(5)]
    assert [each.status_code for each in answers] == [401, 401, 401, 429, 429]
    assert answers[3].headers["Retry-After"] == "2"
    arrivals = ils.arrivals()
    assert [status for _, status in arrivals] == [0, 0, 0, 429, 429]
    assert [at for at, _ in arrivals] == sorted(at for at, _ in arrivals)


def test_it_says_what_the_day_has_left(ils: DemoIls) -> None:
    ils.workload(remaining=10)
    assert ils.call("GET", LIST).headers["X-Exl-Api-Remaining"] == "8"  # the login was one, too


def test_a_reader_searches_without_a_login_and_sees_what_readers_see(ils: DemoIls) -> None:
    body = {"title": "Middlemarch", "source": "MARC", "instanceTypeId": "30fffe0e-e985-4144-b2e2-1e8179bdb41f"}
    made = ils.call("POST", LIST, json=body).json()
    found = httpx.get(f"{ils.url}/search/instances", params={"query": "title=middlemarch"}).json()
    assert found == {"totalRecords": 1, "instances": [{"id": made["id"], "title": "Middlemarch"}]}


def test_readers_wait_longer_while_much_is_written_and_are_not_limited(ils: DemoIls) -> None:
    ils.workload(per_second=4, base_ms=1, write_ms=100)
    ils.call("POST", "/source-storage/snapshots", json={"jobExecutionId": "5b2bb0b3-5d2f-4d2c-9d38-1f3b1f1c2a01"})
    for _ in range(5):
        assert httpx.get(f"{ils.url}/search/instances").status_code == 200
    waits = [took for _, took in ils.searches()]
    assert len(waits) == 5 and waits[0] >= 100
    assert len(ils.arrivals()) == 2


@pytest.mark.parametrize("model", [[], {"per_hour": 1}, {"per_second": "many"}, {"per_second": True}])
def test_a_workload_that_it_does_not_know_is_refused(ils: DemoIls, model: object) -> None:
    assert httpx.put(f"{ils.url}/_demo/workload", json=model).status_code == 400
