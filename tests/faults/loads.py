"""A load that makes and changes records, and what must hold when it is done, whatever broke on the way."""

from __future__ import annotations

import time
from collections.abc import Callable

from resources.ledger.client import Ledger
from resources.postgres.client import Postgres
from resources.redis.client import Redis, namespace_of
from resources.redis.locks import Locks
from tests.catalogue_load import SETTINGS, drop, fine, partition
from tests.demo_ils import DemoIls
from tests.records import book

LATER = "20260201000000.0"
BATCH, MARC, SNAPSHOTS = "/instance-storage/batch", "/source-storage/batch", "/source-storage/snapshots"
PLACES = {
    "the inventory's batch": ("POST", BATCH),
    "the MARC batch": ("POST", MARC),
    "the snapshot": ("POST", SNAPSHOTS),
    "the login": ("POST", "/authn"),
    "reading instances": ("GET", "/instance-storage/instances"),
    "reading MARC": ("POST", "/source-storage/source-records"),
    "reading one MARC record": ("GET", "/source-storage/records"),
}
KINDS = ("429", "500", "503", "slow", "drop_before", "drop_after", "cut_answer")


def lay_out(count: int) -> None:
    """`count` records in the catalogue; a drop that changes each of them, shown in the inventory or not, and has as many
    new ones."""
    drop([book(str(n), f"Volume {n}") for n in range(count)], "first.mrc", "consortium")
    fine("consortium")
    changed = [
        book(str(n), f"Volume {n} revised", date=LATER)
        if n % 2
        else book(str(n), f"Volume {n}", date=LATER, fields=(("650", "a", "Fogs"),))
        for n in range(count)
    ]
    new = [book(str(n), f"Volume {n}") for n in range(count, 2 * count)]
    drop([record for pair in zip(changed, new, strict=True) for record in pair])


def assert_once(ils: DemoIls, postgres: Postgres, count: int) -> None:
    """Each change of `lay_out` was done once, and the ledger says so."""
    rows = Ledger(postgres).rows("folio:demo", "ebooks", partition())
    assert [row["state"] for row in rows] == ["acknowledged"] * (2 * count)
    ours = {row["correlation_id"]: row["action"] for row in rows}
    first = {
        row["correlation_id"] for row in Ledger(postgres).rows("folio:demo", "consortium", partition("consortium"))
    }
    marc, instances = ils.writes("MARC_BIB"), ils.writes("INSTANCE")
    assert marc == dict.fromkeys({*ours, *first}, 1)
    assert set(instances) <= set(marc) and set(instances.values()) == {1}
    assert all(instances[each] == 1 for each, action in ours.items() if action == "create")
    titles = [f"Volume {n} revised" if n % 2 and n < count else f"Volume {n}" for n in range(2 * count)]
    assert sorted(each["title"] for each in ils.instances()) == sorted(titles)
    assert ils.counts()["liveSourceRecords"] == 2 * count


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


def locks_of(postgres: Postgres, redis_url: str, owner: str) -> Locks:
    """Another worker's."""
    ledger = Ledger(postgres)
    client = Redis(redis_url, namespace=namespace_of(SETTINGS))
    return Locks(client, "folio:demo", owner, lambda: ledger.highest_fence("folio:demo"), lease_seconds=2)
