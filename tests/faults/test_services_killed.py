"""Redis or PostgreSQL killed, emptied or away in the middle, and a run that dies while it writes the lake."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil
import pytest
import redis

from resources.embedded.services import start, status
from resources.lake.client import Lake
from resources.ledger.client import Ledger
from resources.postgres.client import Postgres
from tests.catalogue_load import ALL, SETTINGS, drop, fine, partition, start_load
from tests.demo_ils import DemoIls
from tests.faults.loads import assert_once, lay_out, wait_for
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster, pytest.mark.faults]


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_service_that_is_killed_and_comes_back_in_the_middle_costs_no_change_and_doubles_none(
    library: DemoIls, short_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    services = start(short_folder)
    monkeypatch.setenv("HOLDFAST_POSTGRES_URL", services.postgres_url)
    monkeypatch.setenv("HOLDFAST_REDIS_URL", services.redis_url)
    lay_out(10)
    before = library.counts()["audit"]
    library.fault("slow", "POST", "/", times=-1, seconds=0.03)
    run = start_load()
    wait_for(lambda: library.counts()["audit"] >= before + 8 or run.poll() is not None)
    psutil.Process(status(short_folder)[name].pid).kill()
    time.sleep(1.5)  # longer than the lease
    again = start(short_folder)
    assert (again.postgres_url, again.redis_url) == (services.postgres_url, services.redis_url)
    assert run.wait() == 0  # it waited for it, and went on
    library.clear_faults()
    assert fine().outcomes == {"committed": 20}
    client = Postgres(again.postgres_url)
    try:
        assert_once(library, client, 10)
    finally:
        client.close()


def test_a_redis_that_comes_back_empty_costs_no_change_and_doubles_none(
    library: DemoIls, postgres: Postgres, redis_url: str
) -> None:
    lay_out(10)
    before = library.counts()["audit"]
    library.fault("slow", "POST", "/", times=-1, seconds=0.03)
    run = start_load()
    wait_for(lambda: library.counts()["audit"] >= before + 8 or run.poll() is not None)
    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        highest = Ledger(postgres).highest_fence("folio:demo")
        client.delete(*client.scan_iter("holdfast:*"))
    other = start_load()  # sees no lock of the first
    assert [run.wait(), other.wait()] == [0, 0]
    library.clear_faults()
    assert fine().outcomes == {"committed": 20}
    assert_once(library, postgres, 10)
    assert Ledger(postgres).highest_fence("folio:demo") > highest > 0


def test_a_redis_that_stays_away_ends_the_run_and_a_later_one_writes_the_rest(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(2)
    assert fine(only=ALL[:-1]).success
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"lease_seconds": 1.0}))
    with monkeypatch.context() as away:
        away.setenv("HOLDFAST_REDIS_URL", "unix:///nowhere/redis.sock")
        stopped = fine(only=ALL[-1:])
    assert stopped.outcomes == {"planned": 4}
    check = stopped.checks["ils_commits.all_planned_is_written"]
    assert check.severity.value == "ERROR"
    assert "no record can be locked and nothing is written" in (check.description or "")
    assert fine().outcomes == {"committed": 4}
    assert_once(library, postgres, 2)


HANG = """
import pathlib, time
from resources.lake.client import PartitionWriter

write = PartitionWriter.write

def hang(self, table, frame):
    write(self, table, frame)
    if {asset!r} in str(self._folder) and frame.height:
        pathlib.Path({flag!r}).touch()
        time.sleep(60)

PartitionWriter.write = hang
"""


@pytest.mark.parametrize("asset", ["harvested_marc", "normalized_records", "change_plan"])
def test_a_run_that_dies_while_it_writes_the_lake_leaves_the_version_before(
    library: DemoIls, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asset: str
) -> None:
    monkeypatch.setattr("resources.lake.client.READING_SECONDS", 0.0)
    drop(book("1"), "a.mrc")
    fine()
    lake = Lake(SETTINGS.var / "lake")
    version, rows = lake.version(asset, partition()), lake.read(asset, partition())
    drop(book("2", "Hard times"), "b.mrc")
    flag = tmp_path / "hangs"
    run = start_load(before=HANG.format(asset=asset, flag=str(flag)))
    wait_for(lambda: flag.exists() or run.poll() is not None)
    assert run.poll() is None
    run.kill()
    run.wait()
    assert lake.version(asset, partition()) == version
    assert lake.read(asset, partition()).equals(rows)
    lake.let_go()

    loaded = fine()
    assert loaded.of_records == {1: "committed", 2: "committed"}
    assert len(library.instances()) == 2
    fine()
    folder = lake.parts(asset, partition())[0].parents[2]
    assert len([each for each in folder.iterdir() if each.is_dir()]) <= 2  # what was cut short is swept
