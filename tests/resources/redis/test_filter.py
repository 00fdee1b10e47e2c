"""The idempotency filter on a real Redis: never a false "surely new", a window for itself, harmless when Redis is away."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from resources.redis.client import Redis
from resources.redis.filter import IdempotencyFilter, has_bloom_filters

pytestmark = pytest.mark.services

names = st.text(max_size=12)
fingerprints = st.lists(st.text(max_size=70), max_size=40)


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """A library of its own: what other tests wrote is in other namespaces."""
    client = Redis(redis_url, namespace=uuid.uuid4().hex)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def away() -> Iterator[Redis]:
    client = Redis("unix:///nowhere/redis.sock?password=hidden", namespace="x")
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def native(client: Redis) -> Redis:
    """A server with Bloom filters of its own."""
    if not has_bloom_filters(client):
        pytest.skip("this Redis has no BF commands: name a Redis 8, or one with RedisBloom, with HOLDFAST_REDIS_URL")
    return client


@pytest.fixture
def bitmap(client: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """A server that is asked for nothing but what every Redis has."""
    monkeypatch.setattr("resources.redis.filter.has_bloom_filters", lambda _: False)
    return client


def many(count: int, salt: str = "") -> list[str]:
    return [hashlib.sha256(f"{salt}{number}".encode()).hexdigest() for number in range(count)]


@given(
    added=st.lists(st.tuples(names, fingerprints), max_size=5),
    capacity=st.integers(1, 3000),
    error_rate=st.sampled_from([0.5, 0.01, 0.00001]),
)
def test_what_was_added_is_never_surely_new(
    client: Redis, added: list[tuple[str, list[str]]], capacity: int, error_rate: float
) -> None:
    idempotency = IdempotencyFilter(client, capacity=capacity, error_rate=error_rate)
    for window, seen in added:
        assert idempotency.add_many(window, seen)
    for window, seen in added:
        assert idempotency.perhaps_seen(window, seen) == [True] * len(seen)
        for each in seen:
            assert idempotency.perhaps_seen(window, [each]) == [True]
    everything = [each for _, seen in added for each in seen]
    assert all(idempotency.seen_in_any([window for window, _ in added], everything))


@given(kept=names, purged=names, seen=fingerprints)
def test_a_purge_leaves_the_other_windows_as_they_are(bitmap: Redis, kept: str, purged: str, seen: list[str]) -> None:
    idempotency = IdempotencyFilter(bitmap, capacity=1000)
    idempotency.add_many(kept, seen)
    idempotency.add_many(purged, seen)
    before = bitmap.connection.get(bitmap.key("filter", kept))
    assert idempotency.purge(purged) == bool(seen)
    assert idempotency.perhaps_seen(purged, seen) == [False] * len(seen)
    if kept != purged:
        assert bitmap.connection.get(bitmap.key("filter", kept)) == before
        assert idempotency.perhaps_seen(kept, seen) == [True] * len(seen)
    idempotency.purge(kept)


@given(
    seen=st.lists(st.text(max_size=30), min_size=1, max_size=40), first=st.integers(1, 5000), then=st.integers(1, 5000)
)
def test_another_capacity_forgets_nothing_of_what_is_there(
    bitmap: Redis, seen: list[str], first: int, then: int
) -> None:
    window = uuid.uuid4().hex
    IdempotencyFilter(bitmap, capacity=first).add_many(window, seen[::2])
    other = IdempotencyFilter(bitmap, capacity=then, error_rate=0.02)
    other.add_many(window, seen[1::2])
    assert all(other.perhaps_seen(window, seen))
    assert all(IdempotencyFilter(bitmap, capacity=first).perhaps_seen(window, seen))


def test_one_by_one_or_all_at_once_makes_the_same_filter(bitmap: Redis) -> None:
    idempotency = IdempotencyFilter(bitmap, capacity=5000)
    seen, new = many(4000), many(4000, "new")
    idempotency.add_many("at once", seen)
    for each in range(0, 4000, 20):
        idempotency.add_many("in small parts", seen[each : each + 20])
    stored = [bitmap.connection.get(bitmap.key("filter", window)) for window in ("at once", "in small parts")]
    assert all(isinstance(each, bytes) for each in stored)
    assert stored[0].rstrip(b"\0") == stored[1].rstrip(b"\0")
    assert idempotency.perhaps_seen("at once", new) == [
        answer for each in new for answer in idempotency.perhaps_seen("at once", [each])
    ]


def requests(client: Redis) -> int:
    """Commands that clients sent: what a script calls by itself takes no journey."""
    stats = client.connection.info("commandstats")
    names = ("evalsha", "eval", "script|load", "bf.insert", "bf.mexists")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in names)


def test_25_000_fingerprints_travel_by_the_thousand_and_err_as_rarely_as_said(client: Redis) -> None:
    idempotency = IdempotencyFilter(client, capacity=25_000, error_rate=0.001)
    seen, new = many(25_000), many(25_000, "new")
    before = requests(client)
    idempotency.add_many("day", seen)
    assert all(idempotency.perhaps_seen("day", seen))
    wrong = sum(idempotency.perhaps_seen("day", new))
    assert requests(client) - before <= 3 * 13 + 2  # 2,000 at once, and two scripts are made known
    assert wrong < 60
    assert 0.0005 < idempotency.false_positive_rate("day") < 0.002
    assert idempotency.false_positive_rate("another day") == 0


def test_seen_in_any_asks_every_window_and_adds_to_none(client: Redis) -> None:
    idempotency = IdempotencyFilter(client, capacity=1000)
    monday, tuesday, new = many(50, "mon"), many(50, "tue"), many(50, "new")
    idempotency.add_many("monday", monday)
    idempotency.add_many("tuesday", tuesday)
    asked = [*new, *monday, *tuesday]
    windows = ["sunday", "monday", "tuesday"]
    assert idempotency.seen_in_any(windows, asked) == [False] * 50 + [True] * 100
    assert idempotency.seen_in_any([], asked) == [False] * 150
    assert not client.connection.exists(client.key("filter", "sunday"))


def test_a_window_expires_when_it_was_told_to_and_only_then(bitmap: Redis) -> None:
    IdempotencyFilter(bitmap, expire_after_days=2).add_many("two days", ["a"])
    IdempotencyFilter(bitmap, expire_after_days=0).add_many("for ever", ["a"])
    assert 0 < bitmap.connection.ttl(bitmap.key("filter", "two days")) <= 2 * 86_400
    assert bitmap.connection.ttl(bitmap.key("filter", "for ever")) == -1


def test_two_libraries_in_one_redis_do_not_see_each_other(client: Redis, redis_url: str) -> None:
    other = Redis(redis_url, namespace="another library")
    try:
        IdempotencyFilter(client).add_many("day", ["a"])
        assert IdempotencyFilter(other).perhaps_seen("day", ["a"]) == [False]
        assert IdempotencyFilter(other).purge("day") is False
        assert IdempotencyFilter(client).perhaps_seen("day", ["a"]) == [True]
    finally:
        other.close()


@given(one=st.lists(names, max_size=4), two=st.lists(names, max_size=4))
def test_different_parts_give_different_keys(client: Redis, one: list[str], two: list[str]) -> None:
    assert (client.key(*one) == client.key(*two)) == (one == two)


def test_without_redis_everything_is_perhaps_seen_and_a_warning_says_so(
    away: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    idempotency = IdempotencyFilter(away)
    with caplog.at_level(logging.WARNING):
        assert idempotency.perhaps_seen("day", ["a", "b"]) == [True, True]
        assert idempotency.perhaps_seen("day", many(20_000)) == [True] * 20_000
        assert idempotency.seen_in_any(["day", "week"], ["a"]) == [True]
        assert idempotency.add_many("day", ["a"]) is False
    assert "window day: Redis is away" in caplog.text
    assert "hidden" not in caplog.text
    assert away.answers() is False


def test_a_purge_without_redis_does_not_pretend(away: Redis) -> None:
    with pytest.raises(redis.exceptions.ConnectionError):
        IdempotencyFilter(away).purge("day")


@pytest.mark.parametrize(
    "wrong", [{"capacity": 0}, {"error_rate": 0.0}, {"error_rate": 1.0}, {"expire_after_days": -1}]
)
def test_a_filter_that_cant_be_is_refused(client: Redis, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IdempotencyFilter(client, **wrong)


# ---- a server with Bloom filters of its own ---------------------------------------------------------------------------


def test_a_server_is_asked_once_whether_it_has_filters_of_its_own(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("resources.redis.filter.has_bloom_filters", lambda _: bool(asked.append(1)))
    idempotency = IdempotencyFilter(client)
    idempotency.add_many("day", ["a"])
    assert idempotency.perhaps_seen("day", ["a", "b"]) == [True, False]
    assert asked == [1]


def test_this_server_says_what_it_has(client: Redis) -> None:
    """The modules that it lists, and since Redis 8 its version, say the same as the command."""
    modules = {bytes(each[b"name"]).lower() for each in client.connection.module_list()}
    major = int(str(client.connection.info("server")["redis_version"]).split(".")[0])
    assert has_bloom_filters(client) == (b"bf" in modules or major >= 8)


@given(seen=fingerprints, capacity=st.integers(1, 300))
def test_the_servers_own_filter_never_says_surely_new_of_what_was_added(
    native: Redis, seen: list[str], capacity: int
) -> None:
    window = uuid.uuid4().hex
    idempotency = IdempotencyFilter(native, capacity=capacity)
    assert not idempotency.knows(window) and idempotency.perhaps_seen(window, seen) == [False] * len(seen)
    for part in (seen[::2], seen[1::2], seen):
        assert idempotency.add_many(window, part)
    assert all(idempotency.perhaps_seen(window, seen))
    assert idempotency.knows(window) == idempotency.purge(window) == bool(seen)
    assert not idempotency.knows(window)


def test_the_servers_own_filter_errs_as_rarely_as_said_and_expires(native: Redis) -> None:
    idempotency = IdempotencyFilter(native, capacity=5_000, expire_after_days=2)
    idempotency.add_many("day", many(5_000))
    assert sum(idempotency.perhaps_seen("day", many(5_000, "new"))) < 20
    assert 0.0002 < idempotency.false_positive_rate("day") < 0.003
    assert 0 < native.connection.ttl(native.key("bloom", "day")) <= 2 * 86_400


def test_what_a_bitmap_holds_is_known_also_when_the_server_got_filters_of_its_own(
    native: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("resources.redis.filter.has_bloom_filters", lambda _: False)
        IdempotencyFilter(native).add_many("day", ["a"])
    idempotency = IdempotencyFilter(native)
    idempotency.add_many("day", ["b"])
    assert idempotency.knows("day") and idempotency.perhaps_seen("day", ["a", "b", "c"]) == [True, True, False]


def test_the_servers_own_filter_has_the_size_of_the_settings_also_when_it_is_purged_meanwhile(native: Redis) -> None:
    idempotency = IdempotencyFilter(native, capacity=700)
    for _ in range(2):
        idempotency.add_many("day", ["a"])
        info = native.connection.execute_command("BF.INFO", native.key("bloom", "day"), "CAPACITY")
        assert 700 in (info.values() if isinstance(info, dict) else info)
        idempotency.purge("day")


def test_a_filter_that_takes_no_more_says_so(native: Redis, caplog: pytest.LogCaptureFixture) -> None:
    native.connection.execute_command("BF.RESERVE", native.key("bloom", "day"), 0.01, 1, "NONSCALING")
    assert IdempotencyFilter(native).add_many("day", ["a", "b", "c"]) is False
    assert "window day: not all of its fingerprints were added" in caplog.text
