"""A feed of patrons is written once, whatever dies while it is."""

from __future__ import annotations

import os
import random
import time

import pytest

from demo.ils.patrons import GROUPS
from resources.ledger.client import Ledger
from resources.postgres.client import Postgres
from tests.demo_ils import DemoIls
from tests.feed_load import HEAD, feed_partition, fine_feed, put, start_feed_load, student

pytestmark = [pytest.mark.services, pytest.mark.dagster, pytest.mark.faults]
PATRONS = 24


@pytest.fixture
def registry(library: DemoIls) -> DemoIls:
    """Half of the patrons are there, under another name; the feed changes these and brings as many new ones."""
    for number, name in GROUPS.items():
        library.call("POST", "/groups", json={"id": number, "group": name}).raise_for_status()
    for number in range(PATRONS // 2):
        body = {
            "username": f"login{number}", "externalSystemId": f"M{number:06d}", "barcode": f"C{number:06d}",
            "personal": {"lastName": "Before"}, "patronGroup": next(iter(GROUPS)), "expirationDate": "2031-09-30T00:00:00Z",
        }  # fmt: skip
        library.call("POST", "/users", json=body).raise_for_status()
    put(HEAD + "".join(student(number) for number in range(PATRONS)))
    return library


def assert_once(ils: DemoIls, postgres: Postgres) -> None:
    rows = Ledger(postgres).rows("folio:demo", "students", feed_partition())
    assert [row["state"] for row in rows] == ["acknowledged"] * PATRONS
    writes = ils.writes("USER")
    for row in rows:
        assert writes[row["correlation_id"]] == 1, row["action"]
    found = ils.call("GET", "/users", params={"limit": 1000}).json()["users"]
    names = {each["externalSystemId"]: each["personal"]["lastName"] for each in found if each.get("externalSystemId")}
    assert names == {f"M{number:06d}": f"Family{number}" for number in range(PATRONS)}


def test_a_load_of_patrons_that_is_killed_again_and_again_writes_each_once(
    registry: DemoIls, postgres: Postgres
) -> None:
    seed = int(os.environ.get("HOLDFAST_TEST_SEED") or random.randrange(10**6))
    print(f"HOLDFAST_TEST_SEED={seed}")
    chance = random.Random(seed)
    registry.fault("slow", "POST", "/users", times=-1, seconds=0.05)
    registry.fault("slow", "PUT", "/users", times=-1, seconds=0.05)
    kills = 0
    while kills < 3:
        before = len(registry.audit("USER"))
        run = start_feed_load()
        target = before + chance.randint(1, 6)
        while run.poll() is None and len(registry.audit("USER")) < target:
            time.sleep(0.01)
        if run.poll() is not None:
            break
        time.sleep(chance.random() * 0.05)
        run.kill()
        run.wait()
        kills += 1
    assert kills
    registry.clear_faults()
    last = fine_feed()
    assert last.outcomes == {"committed": PATRONS}
    assert_once(registry, postgres)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["drop_after", "500"])
def test_a_write_of_a_patron_whose_answer_is_lost_is_done_once(
    registry: DemoIls, postgres: Postgres, kind: str
) -> None:
    registry.fault(kind, "POST", "/users", times=2, retry_after=0.01)
    registry.fault(kind, "PUT", "/users", times=2, retry_after=0.01)
    assert fine_feed().outcomes == {"committed": PATRONS}
    assert registry.hits() >= 2
    assert_once(registry, postgres)
