"""Nothing is written twice and nothing is lost: whatever breaks while a load is written."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis

from resources.embedded.services import start, status
from resources.lake.client import Lake
from resources.ledger import applying
from resources.ledger.client import Ledger
from resources.ledger.commit import Committer
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from resources.redis.client import Redis, namespace_of
from resources.redis.locks import Locks, of_record, of_window
from tests.catalogue_load import ALL, SETTINGS, drop, fine, load, partition, start_load
from tests.conftest import point_at
from tests.demo_ils import DemoIls
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster, pytest.mark.faults]
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


# ---- faults of the library system ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_ils_does_once_everywhere_each_change_is_done_once(
    library: DemoIls, postgres: Postgres, kind: str
) -> None:
    lay_out(4)
    for method, path in PLACES.values():
        library.fault(kind, method, path, retry_after=0.01, seconds=0.05)
    loaded = fine()
    assert library.hits() == len(PLACES)
    assert loaded.outcomes == {"committed": 8}
    assert_once(library, postgres, 4)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["drop_after", "cut_answer", "500"])
@pytest.mark.parametrize("place", ["the inventory's batch", "the MARC batch"])
def test_a_write_whose_answer_is_lost_twice_is_done_once(
    library: DemoIls, postgres: Postgres, kind: str, place: str
) -> None:
    lay_out(3)
    library.fault(kind, *PLACES[place], times=2)
    assert fine().outcomes == {"committed": 6}
    assert library.hits() >= 1  # what was written before its answer was lost is found, and not sent a second time
    assert_once(library, postgres, 3)


@pytest.mark.usefixtures("hurried")
def test_an_ils_that_fails_at_random_gets_each_change_once_in_the_end(library: DemoIls, postgres: Postgres) -> None:
    lay_out(10)
    seed = int(os.environ.get("HOLDFAST_TEST_SEED") or random.randrange(10**6))
    print(f"HOLDFAST_TEST_SEED={seed}")
    for number, kind in enumerate(KINDS):
        library.fault(kind, probability=0.07, times=-1, seed=seed + number, seconds=0.01, retry_after=0)
    for _ in range(10):
        loaded = load()
        if loaded.success and loaded.outcomes == {"committed": 20}:
            break
    library.clear_faults()
    assert fine().outcomes == {"committed": 20}
    assert_once(library, postgres, 10)


@pytest.mark.usefixtures("hurried")
def test_an_ils_that_stays_down_leaves_the_rest_planned_and_a_later_run_writes_it(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"chunk_records": 3}))
    lay_out(3)
    library.fault("slow", "POST", MARC, times=1, seconds=0)
    library.fault("503", "POST", BATCH, times=-1)
    away = fine()
    assert away.outcomes == {"planned": 6}
    check = away.checks["ils_commits.all_planned_is_written"]
    assert not check.passed and check.severity.value == "ERROR"
    assert library.url in (check.description or "") and "stays planned" in (check.description or "")

    library.clear_faults()
    assert fine().outcomes == {"committed": 6}
    assert_once(library, postgres, 3)


@pytest.mark.usefixtures("hurried")
def test_a_new_record_whose_marc_was_refused_is_written_by_a_later_run(library: DemoIls, postgres: Postgres) -> None:
    lay_out(2)
    # The system takes the instances, and nothing of the MARC, whichever way it is asked.
    library.fault("500", "POST", SNAPSHOTS, times=-1)
    assert fine().outcomes == {"planned": 4}
    library.clear_faults()
    with postgres.transaction() as connection:
        connection.execute("UPDATE ledger SET state = 'failed' WHERE state = 'sent'")
    assert fine().outcomes == {"committed": 4}
    assert_once(library, postgres, 2)


def test_a_token_that_is_over_in_the_middle_is_replaced(
    library: DemoIls, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = DemoIls(tmp_path / "brief-ils", "--token-seconds", "1")
    try:
        point_at(brief, monkeypatch)
        monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"chunk_records": 2}))
        lay_out(2)
        brief.fault("slow", "POST", MARC, times=1, seconds=1.1)
        assert fine().outcomes == {"committed": 4}
        statuses = [each["status"] for each in brief.requests()]
        assert 401 in statuses
        assert_once(brief, postgres, 2)
    finally:
        brief.kill()


@pytest.mark.usefixtures("hurried")
def test_a_storm_of_429_costs_time_and_nothing_else(library: DemoIls, postgres: Postgres) -> None:
    lay_out(3)
    writing = [place for name, place in PLACES.items() if name != "the login"]  # whose attempts count as the request's
    for number, (method, path) in enumerate(writing):
        library.fault("429", method, path, times=5, retry_after=number % 2 and 0.01)
    assert fine().outcomes == {"committed": 6}
    assert library.hits() == 5 * len(writing)
    assert_once(library, postgres, 3)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("place", ["the inventory's batch", "the MARC batch"])
def test_a_time_out_after_which_the_write_happens_is_found_out_by_reading(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"timeout_seconds": 0.5}))
    lay_out(3)
    library.fault("slow", *PLACES[place], times=1, seconds=0.8)
    assert fine().outcomes.keys() <= {"committed", "quarantined"}
    wait_for(lambda: any(each["fault"] for each in library.requests()))
    assert fine().outcomes == {"committed": 6}
    assert_once(library, postgres, 3)


# ---- what other people do meanwhile -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("tag", "code", "value"), [("245", "a", "A librarian's title"), ("590", "a", "A note")])
def test_an_edit_between_plan_and_commit_is_a_conflict_that_a_new_plan_heals(
    library: DemoIls, postgres: Postgres, tag: str, code: str, value: str
) -> None:
    lay_out(2)
    fine(only=ALL[:-1])
    edited = {each["title"]: each["id"] for each in library.instances()}
    for title in ("Volume 0", "Volume 1"):
        library.edit(edited[title], tag, code, value)
    stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"committed": 2, "quarantined": 2}
    assert (tag, f"${code}{value}") in library.marc(edited["Volume 1"])
    entries = Quarantine(postgres, "catalogue").waiting(partition())
    assert {each["code"] for each in entries} == {"ils.conflicted"}
    assert all(edited[f"Volume {n}"] in " ".join(each["place"] for each in entries) for n in (0, 1))
    assert all("materialize catalog_snapshot and this partition again" in each["hint"] for each in entries)

    assert fine().outcomes == {"committed": 4}
    assert not Quarantine(postgres, "catalogue").waiting(partition())
    if tag == "590":  # a protected field
        assert (tag, f"${code}{value}") in library.marc(edited["Volume 1"])
    assert {"Volume 1 revised"} <= {each["title"] for each in library.instances()}


@pytest.mark.parametrize("whole", [True, False])
def test_a_record_that_is_deleted_between_plan_and_commit_is_a_conflict_that_a_new_plan_heals(
    library: DemoIls, postgres: Postgres, whole: bool
) -> None:
    lay_out(2)
    fine(only=ALL[:-1])
    gone = next(each["id"] for each in library.instances() if each["title"] == "Volume 1")
    path, kind = f"/source-storage/records/{gone}", {"idType": "INSTANCE"}
    library.call("DELETE", path, params=kind).raise_for_status()
    if whole:
        library.call("DELETE", f"/instance-storage/instances/{gone}").raise_for_status()
    stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"committed": 3, "quarantined": 1}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert "deleted in the library system" in entry["place"]
    # As its snapshot is fresh, the record is new.
    assert fine().outcomes == {"committed": 4}
    assert {"Volume 1 revised"} <= {each["title"] for each in library.instances()}


def test_a_record_that_somebody_else_created_since_is_a_conflict_that_a_new_plan_heals(
    library: DemoIls, postgres: Postgres
) -> None:
    lay_out(2)
    fine(only=ALL[:-1])
    drop(book("2", "Volume 2"), "again.mrc", "own")
    fine("own")
    stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"committed": 3, "quarantined": 1}
    assert len([each for each in library.instances() if each["title"] == "Volume 2"]) == 1
    assert fine().outcomes == {"committed": 3, "unchanged": 1}


def test_two_runs_of_one_partition_at_once_do_each_change_once(library: DemoIls, postgres: Postgres) -> None:
    lay_out(6)
    library.fault("slow", "POST", "/", times=-1, seconds=0.05)
    runs = [start_load(), start_load()]
    for run in runs:
        run.wait()
    library.clear_faults()
    loaded = fine()
    assert loaded.outcomes == {"committed": 12}
    assert_once(library, postgres, 6)


def test_a_run_that_finds_its_window_being_written_says_by_whom_and_waits(
    library: DemoIls, postgres: Postgres, redis_url: str
) -> None:
    lay_out(2)
    before = len(library.audit())
    with locks_of(postgres, redis_url, "run 4711 on another machine, process 12").take(
        [of_window("ebooks", partition())]
    ):
        busy = fine()
    assert busy.outcomes == {"planned": 4}
    assert len(library.audit()) == before
    check = busy.checks["ils_commits.all_planned_is_written"]
    assert "run 4711 on another machine, process 12 is writing this window" in (check.description or "")
    assert not check.passed and check.severity.value == "WARN"  # it waits, it did not fail
    assert fine().outcomes == {"committed": 4}
    assert_once(library, postgres, 2)


def test_records_that_another_run_is_at_stay_planned_and_stop_no_other(
    library: DemoIls, postgres: Postgres, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(3)
    monkeypatch.setitem(Committer.__init__.__kwdefaults__, "patience_seconds", 0.3)
    target = next(each["id"] for each in library.instances() if each["title"] == "Volume 1")
    with locks_of(postgres, redis_url, "run 4711").take([of_record("bib", target)]):
        busy = fine()
    assert busy.outcomes == {"committed": 5, "planned": 1}
    assert f"record:bib:{target} is locked by run 4711" in (
        busy.checks["ils_commits.all_planned_is_written"].description or ""
    )
    assert fine().outcomes == {"committed": 6}
    assert_once(library, postgres, 3)


def test_two_windows_that_make_the_same_record_at_once_make_one_and_name_each_other(
    library: DemoIls, postgres: Postgres
) -> None:
    """Both were planned when the catalogue had it not, and both looked again before either wrote."""
    drop([book("1", "Volume 1", fields=(("020", "a", "9780306406157"),))])
    drop([book("2", "Volume 1", fields=(("020", "a", "9780306406157"),))], "other.mrc", "own")
    fine(only=ALL[:-1])
    fine("own", only=ALL[:-1])
    fine("own", only=("ils_commits",))
    # As if the other window's record came after this one had looked at what is new.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(applying, "overtaken", lambda *_: {})
        stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"quarantined": 1}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert entry["code"] == "ils.collision"
    assert "isbn 9780306406157" in entry["place"] and f"window {partition('own')} made" in entry["place"]
    assert len(library.instances()) == 1
    assert fine().outcomes in (
        {"committed": 1},
        {"unchanged": 1},
    )  # with a fresh snapshot it is an update of that record
    assert len(library.instances()) == 1


# ---- two workers, and locks ---------------------------------------------------------------------------------------------


def test_records_locked_by_a_worker_that_then_dies_are_free_when_its_lease_is_over(
    library: DemoIls, postgres: Postgres
) -> None:
    lay_out(4)
    library.fault("slow", "POST", MARC, times=1, seconds=3)
    run = start_load(chunk_records=100)
    wait_for(lambda: library.hits() > 0 or run.poll() is not None)
    run.kill()  # in the middle of its request; its locks are still there
    run.wait()
    assert fine().outcomes.keys() <= {"committed", "quarantined"}
    wait_for(lambda: any(each["fault"] for each in library.requests()))
    assert fine().outcomes == {"committed": 8}
    assert_once(library, postgres, 4)


STOPPED = """
import os, signal
from resources.redis.locks import Held

check, times = Held.check, []

def stopped(self):
    times.append(1)
    if len(times) == 2:
        os.kill(os.getpid(), signal.SIGSTOP)  # as a machine that sleeps: the lease ends, and it does not know
    check(self)

Held.check = stopped
"""


def test_a_worker_that_slept_through_its_lease_writes_nothing_under_it(library: DemoIls, postgres: Postgres) -> None:
    lay_out(10)
    run = start_load(before=STOPPED)
    wait_for(lambda: psutil.Process(run.pid).status() == psutil.STATUS_STOPPED or run.poll() is not None)
    assert run.poll() is None
    assert fine().outcomes == {"committed": 20}
    done = library.audit("MARC_BIB"), library.audit("INSTANCE")
    run.send_signal(signal.SIGCONT)
    run.wait()
    assert (library.audit("MARC_BIB"), library.audit("INSTANCE")) == done
    assert_once(library, postgres, 10)


SKEWED = """
import time
_clock, _clock_ns = time.time, time.time_ns
time.time = lambda: _clock() + {seconds}
time.time_ns = lambda: _clock_ns() + {seconds} * 10**9
"""


@pytest.mark.parametrize("only", [("ils_commits",), ALL], ids=["one plan", "whole loads"])
def test_clocks_that_differ_by_a_minute_change_nothing(
    library: DemoIls, postgres: Postgres, only: tuple[str, ...]
) -> None:
    """Of two workers at one window one lives a minute in the past, the other a minute ahead."""
    lay_out(6)
    fine(only=ALL[:-1])
    library.fault("slow", "POST", "/", times=-1, seconds=0.03)
    runs = [start_load(before=SKEWED.format(seconds=seconds), only=only) for seconds in (-60, 60)]
    assert [run.wait() for run in runs] == [0, 0]
    library.clear_faults()
    assert fine().outcomes == {"committed": 12}
    assert_once(library, postgres, 6)


# ---- kill -9 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(3))
def test_a_killed_writer_leaves_nothing_that_the_next_run_does_not_finish_once(
    library: DemoIls, postgres: Postgres, round_: int
) -> None:
    lay_out(10)
    seed = int(os.environ.get("HOLDFAST_TEST_SEED") or random.randrange(10**6)) + round_
    print(f"HOLDFAST_TEST_SEED={seed - round_}, round {round_}")
    chance = random.Random(seed)
    before = len(library.requests())
    library.fault("slow", "", "/", times=-1, seconds=0.03)
    run = start_load()
    point = chance.randrange(6, 36)
    wait_for(lambda: len(library.requests()) >= before + point or run.poll() is not None)
    time.sleep(chance.random() * 0.03)  # no synchronisation: where in the request it dies is what is drawn
    run.kill()
    run.wait()
    library.clear_faults()
    assert fine().outcomes == {"committed": 20}
    assert_once(library, postgres, 10)


DIE = """
import os, signal
from resources.ledger.client import Ledger

def die(self, *_):
    os.kill(os.getpid(), signal.SIGKILL)

Ledger.settle = die
"""


def test_what_was_written_and_not_settled_is_found_and_acknowledged(library: DemoIls, postgres: Postgres) -> None:
    lay_out(4)
    run = start_load(before=DIE)
    assert run.wait() == -9
    doubtful = [row for row in Ledger(postgres).rows("folio:demo", "ebooks", partition()) if row["state"] == "sent"]
    assert len(doubtful) == 5
    assert fine().outcomes == {"committed": 8}
    assert_once(library, postgres, 4)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("place", [BATCH, MARC])
def test_a_write_that_was_still_on_its_way_when_the_next_run_began_is_done_once(
    library: DemoIls, postgres: Postgres, place: str
) -> None:
    lay_out(2)
    library.fault("slow", "POST", place, times=1, seconds=2)
    run = start_load(chunk_records=100)
    wait_for(lambda: library.hits() > 0 or run.poll() is not None)
    run.kill()
    run.wait()
    struck = [each for each in library.requests() if each["fault"]]
    assert not struck  # it is logged when it is done, and it is not done yet
    assert fine().outcomes.keys() <= {"committed", "quarantined"}
    wait_for(lambda: any(each["fault"] for each in library.requests()))
    assert fine().outcomes == {"committed": 4}
    assert_once(library, postgres, 2)


def test_an_ils_that_is_killed_and_comes_back_gets_each_change_once(library: DemoIls, postgres: Postgres) -> None:
    lay_out(10)
    before = library.counts()["audit"]
    library.fault("slow", "POST", "/", times=-1, seconds=0.03)
    run = start_load()
    wait_for(lambda: library.counts()["audit"] >= before + 8 or run.poll() is not None)
    library.kill()
    library.start()
    run.wait()
    assert fine().outcomes == {"committed": 20}
    assert_once(library, postgres, 10)


# ---- kill -9 of the services ------------------------------------------------------------------------------------------


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


# ---- kill -9 of what writes the lake ----------------------------------------------------------------------------------

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
