"""Locks on a real Redis: all or none, one holder, leases, numbers that only grow."""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from resources.embedded.services import start, stop
from resources.redis.client import Redis
from resources.redis.locks import (
    BusyError,
    Fence,
    Held,
    LockLostError,
    Locks,
    LocksAwayError,
    of_branch,
    of_identifier,
    of_record,
    of_window,
)

pytestmark = pytest.mark.services


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """A library of its own: what other tests wrote is in other namespaces."""
    client = Redis(redis_url, namespace=uuid.uuid4().hex)
    try:
        yield client
    finally:
        client.close()


def locks(client: Redis, owner: str = "run-1", **more: Any) -> Locks:
    return Locks(client, "folio:test", owner, more.pop("highest", lambda: 0), **more)


def records(*numbers: int) -> list[str]:
    return [of_record("bib", f"t{n}") for n in numbers]


def test_all_or_none_and_who_holds_them_is_said(client: Redis) -> None:
    one, two = locks(client, "run 1 on here, process 7"), locks(client, "run-2")
    with one.take(records(1, 2)):
        with pytest.raises(BusyError, match="record:bib:t2 is locked by run 1 on here, process 7") as busy:
            two.take([*records(3, 2), of_identifier("isbn", "978")])
        assert busy.value.holders == {"record:bib:t2": "run 1 on here, process 7"}
        assert 0 < busy.value.left["record:bib:t2"] <= 30
        with two.take([*records(3), of_identifier("isbn", "978")]):
            pass  # nothing of the refused taking was left behind
    with two.take(records(1, 2)):
        pass
    assert not list(client.connection.scan_iter(client.tagged_key("folio:test", "lock") + "*"))


def test_the_number_grows_with_every_taking_and_is_its_own_for_each_system(client: Redis) -> None:
    one, other = locks(client), Locks(client, "koha:test", "run-1", lambda: 0)
    numbers = []
    for each in (records(1), records(2), records(1)):
        with one.take(each) as held:
            numbers.append(held.fence.number)
    assert numbers == sorted(set(numbers))
    with one.take(records(1)), other.take(records(1)) as held:  # another system's record of the same id
        assert held.fence.number == 1


def test_a_redis_that_forgot_everything_gives_no_smaller_number(client: Redis) -> None:
    ledger = [0]
    one = locks(client, highest=lambda: ledger[0])
    for _ in range(5):
        with one.take(records(1)) as held:
            ledger[0] = held.fence.number
    for key in client.connection.scan_iter(client.tagged_key("folio:test", "") + "*"):
        client.connection.delete(key)
    with one.take(records(1)) as held:
        assert held.fence.number == ledger[0] + 1


def test_a_lease_is_renewed_while_the_work_lives_and_free_when_it_died(client: Redis) -> None:
    one, two = locks(client, lease_seconds=0.3), locks(client, "run-2", lease_seconds=0.3)
    held = one.take(records(1))
    time.sleep(0.5)
    held.check()
    with pytest.raises(BusyError):
        two.take(records(1))
    held._over.set()  # as a worker that died: nobody renews, nobody gives back
    began = time.monotonic()
    with two.wait_for(records(1), 5) as mine:
        assert time.monotonic() - began < 2
        assert mine.fence.number > held.fence.number
        held.release()  # comes to life again: what is another's stays
        with pytest.raises(BusyError, match="run-2"):
            one.take(records(1))


def test_a_lock_that_was_lost_stops_the_work(client: Redis) -> None:
    one, two = locks(client), locks(client, "run-2")
    with one.take(records(1, 2)) as held:
        held.check()
        client.connection.delete(one.key(*records(2)))
        with two.take(records(2)), pytest.raises(LockLostError, match="bib:t2 is no longer locked by this worker"):
            held.check()
        with pytest.raises(LockLostError):  # and it stays lost, also when nobody has it any more
            held.check()


def test_a_lease_that_was_over_before_anybody_looked_is_lost(client: Redis) -> None:
    now = [0.0]
    one = locks(client, lease_seconds=600, clock=lambda: now[0])
    with one.take(records(1)) as held:
        now[0] = 599.0
        held.check()  # renewed: it holds until 1199
        client.connection.delete(one.key(*records(1)))
        now[0] = 1200.0
        with pytest.raises(LockLostError):
            held.check()


def test_who_waits_gets_it_when_it_is_free_and_gives_up_on_who_lives(client: Redis) -> None:
    one, two = locks(client, lease_seconds=0.6), locks(client, "run-2", lease_seconds=0.6)
    held = one.take(records(1))
    with pytest.raises(BusyError, match="run-1"):
        two.wait_for(records(1), 30, only_the_dead=True)
    with pytest.raises(BusyError):
        two.wait_for(records(1), 0.1)
    releasing = threading.Timer(0.2, held.release)
    releasing.start()
    with two.wait_for(records(1), 10):
        pass
    releasing.join()  # else it may find its client closed


def test_a_branch_is_shared_by_who_changes_one_of_its_records_and_alone_for_who_changes_all(client: Redis) -> None:
    one, two, three = (locks(client, f"run-{n}") for n in (1, 2, 3))
    branch = of_branch("MAIN")
    with one.take(records(1), shared=[branch]) as first, two.take(records(2), shared=[branch]):
        first.check()
        with pytest.raises(BusyError, match="branch:MAIN is locked by"):
            three.take([branch])
    with three.take([branch]) as whole:
        whole.check()
        with pytest.raises(BusyError, match="branch:MAIN is locked by run-3"):
            one.take(records(1), shared=[branch])
        with one.take(records(1), shared=[of_branch("ANNEX")]):
            pass
    with pytest.raises(ValueError, match="only a branch can be shared"):
        one.take([], shared=records(1))


def test_a_shared_lease_ends_too(client: Redis) -> None:
    one, two = locks(client, lease_seconds=0.2), locks(client, "run-2")
    dead = one.take([], shared=[of_branch("MAIN")])
    dead._over.set()
    with two.wait_for([of_branch("MAIN")], 5), pytest.raises(LockLostError):
        dead.check()


def test_many_workers_with_overlapping_records_neither_collide_nor_hang(client: Redis) -> None:
    inside: dict[str, str] = {}
    wrong: list[str] = []

    def worker(number: int) -> None:
        mine, chance = locks(client, f"run-{number}"), random.Random(number)
        for _ in range(10):
            names = records(*chance.sample(range(6), 3))
            with mine.wait_for(names, 60):
                wrong.extend(each for each in names if inside.setdefault(each, f"run-{number}") != f"run-{number}")
                time.sleep(0.001)
                for each in names:
                    inside.pop(each, None)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert not any(each.is_alive() for each in threads) and not wrong


def test_keys_of_a_system_have_one_hash_tag(client: Redis) -> None:
    """So that a Redis Cluster keeps them in one slot: what is between the first { and the } after it."""
    one = locks(client)
    keys = [one.counter, *(one.key(each) for each in (*records(1), of_branch("{x}"), of_window("a", "2026|{b}")))]
    tags = {key[key.index("{") + 1 : key.index("}")] for key in keys}
    assert len(tags) == 1 and len(set(keys)) == len(keys)


def test_a_thousand_records_are_taken_at_once(client: Redis) -> None:
    names = records(*range(1000)) + [of_identifier("isbn", str(n)) for n in range(2000)]
    with locks(client).take(names) as held:
        held.check()
        with pytest.raises(BusyError, match=r"and 2,999 more"):
            locks(client, "run-2").take(names)


def test_without_redis_nothing_is_locked_and_it_says_so() -> None:
    away = Redis("unix:///nowhere/redis.sock?password=hidden", namespace="x")
    with pytest.raises(LocksAwayError, match="Redis is away") as error:
        locks(away).wait_for(records(1), 0)
    assert "hidden" not in str(error.value)
    away.close()


def test_a_redis_that_restarts_keeps_the_locks_and_one_that_lost_them_loses_the_work(
    short_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    services = start(short_folder, ["redis"])
    client = Redis(services.redis_url, namespace="x")
    held = locks(client).take(records(1))
    lost = locks(client, "run-2").take(records(2))
    stop(short_folder)
    again = start(short_folder, ["redis"])
    assert again.redis_url == services.redis_url
    held.check()  # the append-only file had it
    client.connection.flushdb()
    with pytest.raises(LockLostError):
        lost.check()
    stop(short_folder)
    with caplog.at_level(logging.WARNING, "holdfast.locks"):
        held.release()
    assert "end with their lease" in caplog.text
    client.close()


# ---- any course of events -------------------------------------------------------------------------------------------------

_client: list[Redis] = []
NAMES = [of_record("bib", "a"), of_record("bib", "b"), of_identifier("isbn", "1"), of_branch("M"), of_branch("N")]


class AnyCourse(RuleBasedStateMachine):
    """Workers take, give back, die and lose what they have; the model says who may have what."""

    @initialize()
    def begin(self) -> None:
        self.highest = 0
        self.ils = uuid.uuid4().hex
        self.workers = [Locks(_client[0], self.ils, f"w{n}", lambda: self.highest, lease_seconds=600) for n in range(3)]
        # who → (held, alone, shared); of the living and of the dead whose lease is not over
        self.held: list[tuple[Held, set[str], set[str]]] = []

    @rule(who=st.integers(0, 2), names=st.sets(st.sampled_from(NAMES), min_size=1), share=st.booleans())
    def take(self, who: int, names: set[str], share: bool) -> None:
        shared = {each for each in names if share and each.startswith("branch:")}
        alone = names - shared
        taken = {each for _, others, _ in self.held for each in others}
        in_company = {each for _, _, others in self.held for each in others}
        expected = (alone & (taken | in_company)) | (shared & taken)
        try:
            held = self.workers[who].take(alone, shared=shared)
        except BusyError as error:
            assert error.holders.keys() == expected
            return
        assert not expected
        assert held.fence.number > self.highest
        self.highest = held.fence.number
        self.held.append((held, alone, shared))

    @rule(at=st.integers(0, 9))
    def give_back(self, at: int) -> None:
        if self.held:
            self.held.pop(at % len(self.held))[0].release()

    @rule(at=st.integers(0, 9))
    def the_lease_ends(self, at: int) -> None:
        """Of a worker that sleeps; it finds out before it writes, and gives back nothing that is another's."""
        if self.held:
            held, alone, shared = self.held.pop(at % len(self.held))
            for name in alone | shared:
                key = self.workers[0].key(name)
                if name.startswith("branch:"):
                    for mode in ("x", "s"):
                        _client[0].connection.zrem(key, f"{mode}{held.fence.holder}")
                else:
                    _client[0].connection.delete(key)
            with pytest.raises(LockLostError):
                held.check()
            held.release()

    @rule()
    def redis_forgets_its_last_numbers(self) -> None:
        _client[0].connection.set(self.workers[0].counter, max(self.highest - 2, 0))

    @invariant()
    def who_holds_them_holds_them(self) -> None:
        for held, _, _ in getattr(self, "held", ()):
            held.check()

    def teardown(self) -> None:
        for held, _, _ in getattr(self, "held", ()):
            held.release()


def test_any_course_of_events_leaves_each_lock_with_one_holder(client: Redis) -> None:
    _client[:] = [client]
    run_state_machine_as_test(AnyCourse, settings=settings(max_examples=30, stateful_step_count=15))


def test_a_fence_says_its_number_and_its_holder(client: Redis) -> None:
    with locks(client).take(records(1)) as one, locks(client).take(records(2)) as two:
        assert isinstance(one.fence, Fence) and one.fence.holder != two.fence.holder
