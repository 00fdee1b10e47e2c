"""The bucket's scripts in a real Redis, in a time that the test makes: whatever is delayed, no second is fuller than allowed."""

from __future__ import annotations

import contextlib
import heapq
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.governor.scripts import ACQUIRE, SETTLE
from resources.redis.client import Redis
from tests.governed_load import most_in_a_second

pytestmark = pytest.mark.services
START = 1_800_000_000_000_000
INFO = "pcall(redis.call, 'INFO', 'server')"  # says that the Redis of the tests just started
CLOCK = "redis.call('HMGET', KEYS[1] .. ':clock', 's', 'us')"


@pytest.fixture
def redis_(redis_url: str) -> Iterator[Redis]:
    client = Redis(redis_url, namespace=uuid.uuid4().hex)
    with contextlib.closing(client):
        yield client


@dataclass
class Bucket:
    """The two scripts, and a clock in microseconds."""

    redis: Redis
    rate: float
    concurrency: int = 64
    per_day: int = 0
    now: int = START
    known: tuple[str, int] = ("", 0)
    keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        name = uuid.uuid4().hex
        self.keys = [self.redis.key(name, each) for each in ("state", "slots", "flights", "workers", "day", "left")]
        for script in (ACQUIRE, SETTLE):
            assert script.count("redis.call('TIME')") == 1
        self._acquire, self._settle = (
            self.redis.connection.register_script(script.replace("redis.call('TIME')", CLOCK).replace(INFO, "false"))
            for script in (ACQUIRE, SETTLE)
        )

    def _at(self, moment: int) -> None:
        self.now = moment
        clock = {"s": moment // 1_000_000, "us": moment % 1_000_000}
        self.redis.connection.hset(f"{self.keys[0]}:clock", mapping=clock)

    def ask(self, moment: int, turn: str, own: list[int] | None = None, known: tuple[str, int] | None = None) -> Any:
        """(word, wait, whole answer)"""
        self._at(moment)
        name, number = self.known if known is None else known
        limits = [self.rate, self.concurrency, self.per_day, 0, START * 2, START + 86_400_000_000, 0, "0"]
        own_args = [-1] if own is None else [len(own), *own]
        answer: Any = self._acquire(keys=self.keys, args=[turn, "w", *limits, name, number, *own_args])
        word = answer[0].decode()
        if known is None:
            self.known = (answer[2].decode(), int(answer[3]))
        return word, int(answer[1]), answer

    def settle(
        self,
        moment: int,
        turn: str,
        how: str = "ok",
        ago: int = 0,
        pause: int = 0,
        probe: int = 0,
        kept: int = 1_000_000,
    ) -> str:
        self._at(moment)
        args = [turn, kept, ago, how, pause, "", probe, 3, 30_000_000, 10_000_000]
        return bytes(self._settle(keys=self.keys, args=args)).decode()


def simulate(
    bucket: Bucket, workers: int, seconds: int, chance: random.Random, *, stalls: float, deaths: float
) -> list[float]:
    """Arrivals at the server, in seconds. Each worker asks, sends, gets its answer, settles, and asks again; between any two
    of these something may stall for up to two seconds, and a worker may die with its request on the way."""

    def delay(usual: int) -> int:
        if chance.random() < stalls:
            return chance.randrange(2_000_000)
        return chance.randrange(usual) if usual else 0

    arrivals: list[float] = []
    queue: list[tuple[int, int, str, str]] = [(START + each, each, "ask", "") for each in range(workers)]
    heapq.heapify(queue)
    number = 0
    while queue:
        now, worker, doing, turn = heapq.heappop(queue)
        if now > START + seconds * 1_000_000:
            break
        if doing == "ask":
            number += 1
            word, wait, _ = bucket.ask(now, f"{worker}-{number}")
            assert word in ("go", "wait")
            heapq.heappush(queue, (now + max(wait, 1), worker, "send" if word == "go" else "ask", f"{worker}-{number}"))
        elif doing == "send":
            arrival = now + delay(2_000)
            arrivals.append((arrival - START) / 1e6)
            if chance.random() >= deaths:
                heapq.heappush(queue, (arrival + delay(8_000), worker, "answered", turn))
            else:
                heapq.heappush(queue, (arrival + 1_000, worker, "ask", ""))  # another one in its place
        else:
            ago = chance.randrange(1_000)
            bucket.settle(now + ago, turn, ago=ago)
            heapq.heappush(queue, (now + ago, worker, "ask", ""))
    return sorted(arrivals)


@settings(max_examples=8)
@given(
    rate=st.sampled_from([1.0, 3.0, 7.0, 25.0]),
    workers=st.integers(1, 12),
    stalls=st.sampled_from([0.0, 0.05, 0.3]),
    deaths=st.sampled_from([0.0, 0.05]),
    seed=st.integers(0, 2**32),
)
def test_no_second_at_the_server_is_fuller_than_the_quota(
    redis_: Redis, rate: float, workers: int, stalls: float, deaths: float, seed: int
) -> None:
    arrivals = simulate(Bucket(redis_, rate), workers, 4, random.Random(seed), stalls=stalls, deaths=deaths)
    assert most_in_a_second(arrivals) <= rate
    assert arrivals


@pytest.mark.parametrize("rate", [5, 25])
def test_what_the_quota_gives_is_used(redis_: Redis, rate: int) -> None:
    """Answers take up to 10 ms, as on a network near by: a hundredth of the quota is the price for being sure."""
    arrivals = simulate(Bucket(redis_, rate), 12, 6, random.Random(1), stalls=0, deaths=0)
    assert len(arrivals) >= 0.98 * rate * 6
    assert most_in_a_second(arrivals) == rate


def test_a_fraction_of_a_request_a_second_is_one_in_so_many_seconds(redis_: Redis) -> None:
    bucket = Bucket(redis_, 0.25)
    word, _, answer = bucket.ask(START, "a")
    assert word == "go"
    bucket.settle(START, "a", kept=int(answer[4]))
    word, wait, _ = bucket.ask(START + 1_000_000, "b")
    assert word == "wait" and 2_000_000 <= wait <= 3_000_000
    word, wait, _ = bucket.ask(START + 3_500_000, "b")
    assert (word, wait) == ("go", 500_000)


def test_no_more_are_in_flight_than_allowed_and_a_dead_worker_is_forgotten(redis_: Redis) -> None:
    bucket = Bucket(redis_, 100, concurrency=2)
    assert [bucket.ask(START + each, f"{each}")[0] for each in range(3)] == ["go", "go", "wait"]
    bucket.settle(START + 5_000, "0")
    assert bucket.ask(START + 6_000, "3")[0] == "go"
    assert bucket.ask(START + 7_000, "4")[0] == "wait"
    assert bucket.ask(START + 4_000_000, "5")[0] == "go"


def test_a_turn_that_was_not_used_is_given_back(redis_: Redis) -> None:
    bucket = Bucket(redis_, 1, per_day=2)
    assert bucket.ask(START, "a")[0] == "go"
    bucket.settle(START, "a", "unsent")
    assert bucket.ask(START + 600_000, "b")[0] == "go"
    bucket.settle(START + 700_000, "b")
    assert bucket.ask(START + 2_000_000, "c")[0] == "go"
    bucket.settle(START + 2_000_000, "c")
    assert bucket.ask(START + 4_000_000, "d")[0] == "spent"


@pytest.mark.parametrize("loss", ["all", "the last second"])
def test_what_redis_forgot_is_not_handed_out_again(redis_: Redis, loss: str) -> None:
    bucket = Bucket(redis_, 4)
    for each in range(4):
        word, wait, _ = bucket.ask(START + 200_000 * each, f"{each}")
        assert (word, wait) == ("go", 0)
        bucket.settle(START + 200_000 * each, f"{each}")
    if loss == "all":
        redis_.connection.delete(*bucket.keys)
    else:
        redis_.connection.delete(bucket.keys[1])
        redis_.connection.hset(bucket.keys[0], "number", 2)
    word, wait, _ = bucket.ask(START + 700_000, "x")
    assert word == "wait" and wait >= 1_000_000
    word, wait, _ = bucket.ask(START + 700_000 + wait, "x")
    assert word == "go" and bucket.now + wait >= START + 700_000 + 2_200_000


def test_a_new_worker_need_not_wait_for_others_that_never_were(redis_: Redis) -> None:
    bucket = Bucket(redis_, 4)
    assert bucket.ask(START, "a")[:2] == ("go", 0)
    assert bucket.ask(START + 1_000_000, "b", known=("", 0))[:2] == ("go", 0)


def test_what_a_worker_sent_alone_counts_when_it_comes_back(redis_: Redis) -> None:
    bucket = Bucket(redis_, 4)
    bucket.ask(START, "a")
    bucket.settle(START, "a")
    later = START + 60_000_000
    word, wait, _ = bucket.ask(later, "b", own=[100_000, 300_000, 900_000])
    assert word == "wait" and wait >= 700_000  # the others may still be alone
    assert redis_.connection.zcount(bucket.keys[1], later, "+inf") == 3
    assert int(redis_.connection.get(bucket.keys[4]) or 0) == 4


def test_a_pause_is_everybodys(redis_: Redis) -> None:
    bucket = Bucket(redis_, 100)
    bucket.ask(START, "a")
    bucket.settle(START, "a", "busy", pause=7_000_000)
    word, wait, _ = bucket.ask(START + 10_000, "b")
    assert word == "wait" and wait >= 6_000_000
    word, wait, _ = bucket.ask(START + 6_500_000, "b")
    assert word == "go" and bucket.now + wait == START + 7_000_000


def fail(bucket: Bucket, moment: int, times: int) -> list[str]:
    said = []
    for each in range(times):
        turn = f"{moment}-{each}"
        assert bucket.ask(moment + each * 100_000, turn)[0] == "go"
        said.append(bucket.settle(moment + each * 100_000, turn, "failed"))
    return said


def test_the_circuit_opens_lets_one_probe_through_and_closes(redis_: Redis) -> None:
    bucket = Bucket(redis_, 100)
    assert fail(bucket, START, 3) == ["", "", "opened"]
    opened = bucket.now
    word, wait, _ = bucket.ask(opened + 4_000_000, "x")
    assert (word, wait) == ("open", 6_000_000)

    probe = bucket.ask(opened + 10_000_000, "p")
    assert probe[0] == "go" and probe[2][5] == b"1"
    assert bucket.ask(opened + 10_100_000, "q")[0] == "open"  # one at a time
    assert bucket.settle(opened + 10_200_000, "p", "failed", probe=1) == "opened"
    word, wait, _ = bucket.ask(opened + 10_300_000, "q")
    assert word == "open" and 19_000_000 < wait < 20_000_000  # twice as long

    assert bucket.ask(opened + 40_000_000, "p2")[0] == "go"
    assert bucket.settle(opened + 40_100_000, "p2", "ok", probe=1) == "closed"
    assert [bucket.ask(opened + 41_000_000 + each, f"r{each}")[0] for each in range(3)] == ["go"] * 3


def test_a_probe_whose_worker_died_is_anothers_turn(redis_: Redis) -> None:
    bucket = Bucket(redis_, 100)
    fail(bucket, START, 3)
    assert bucket.ask(START + 20_000_000, "p")[0] == "go"
    word, wait, _ = bucket.ask(START + 20_100_000, "q")
    assert word == "open"
    assert bucket.ask(START + 20_100_000 + wait, "q")[0] == "go"


def test_a_few_failures_among_many_answers_open_nothing(redis_: Redis) -> None:
    bucket = Bucket(redis_, 100)
    for each in range(12):
        assert bucket.ask(START + each * 100_000, f"{each}")[0] == "go"
        assert bucket.settle(START + each * 100_000, f"{each}", "failed" if each % 3 == 2 else "ok") == ""
