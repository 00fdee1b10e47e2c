"""Workers that sleep, die or live by another clock do no change twice and lose none."""

from __future__ import annotations

import os
import random
import signal
import time

import psutil
import pytest

from resources.ledger.client import Ledger
from resources.postgres.client import Postgres
from tests.catalogue_load import ALL, fine, partition, start_load
from tests.demo_ils import DemoIls
from tests.faults.loads import BATCH, MARC, assert_once, lay_out, wait_for

pytestmark = [pytest.mark.services, pytest.mark.dagster, pytest.mark.faults]


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
