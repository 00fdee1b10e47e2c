"""How many requests go side by side: one more while answers stay quick, half when they do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from resources.governor.concurrency import AdaptiveLimit, Latencies, kind_of


def answer(limit: AdaptiveLimit, seconds: float = 0.1, *, most: int = 8, overloaded: bool = False) -> None:
    entered = limit.enter(most)
    limit.leave(entered, seconds, 0.1, most, overloaded=overloaded)


def full(limit: AdaptiveLimit, rounds: int, seconds: float = 0.1, most: int = 8) -> None:
    """As many side by side as it lets, again and again."""
    for _ in range(rounds):
        entered = [limit.enter(most) for _ in range(int(limit.limit))]
        for each in entered:
            limit.leave(each, seconds, 0.1, most, overloaded=False)


def test_it_rises_by_about_one_a_round_while_answers_are_quick_and_ends_at_the_most() -> None:
    limit = AdaptiveLimit()
    full(limit, 1)
    assert limit.limit == 2
    full(limit, 40)
    assert 7 < limit.limit <= 8


def test_it_rises_only_where_it_is_in_use() -> None:
    limit = AdaptiveLimit()
    full(limit, 10)
    reached = limit.limit
    for _ in range(50):
        answer(limit)
    assert limit.limit == reached > 2


def test_it_halves_once_for_all_that_were_on_their_way() -> None:
    limit = AdaptiveLimit()
    full(limit, 60)
    before = limit.limit
    entered = [limit.enter(8) for _ in range(6)]
    for each in entered:
        limit.leave(each, 0.1, 0.1, 8, overloaded=True)
    assert limit.limit == before / 2
    answer(limit, overloaded=True)
    assert limit.limit == before / 4


def test_a_rise_of_the_latency_lowers_it_gently_and_a_small_one_does_not() -> None:
    limit = AdaptiveLimit()
    full(limit, 60)
    before = limit.limit
    answer(limit, 0.14)
    assert limit.limit == before
    answer(limit, 0.5)
    assert limit.limit == before * 0.8


def test_a_profile_with_fewer_holds_at_once() -> None:
    limit = AdaptiveLimit()
    full(limit, 60)
    answer(limit, most=2)
    assert limit.limit <= 2


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans(), st.integers(1, 16)), max_size=80))
def test_it_stays_between_one_and_the_most_and_loses_no_place(answers: list[tuple[float, bool, int]]) -> None:
    limit = AdaptiveLimit()
    for seconds, overloaded, most in answers:
        answer(limit, seconds, most=most, overloaded=overloaded)
        assert 1 <= limit.limit <= most
    assert limit.in_flight == 0


def test_what_a_kind_takes_is_said_once_enough_is_known() -> None:
    latencies = Latencies()
    for each in range(1, 8):
        latencies.add("GET /a", each / 10)
    assert (latencies.least("GET /a"), latencies.usual("GET /a")) == (0, 0)
    latencies.add("GET /a", 0.8)
    assert (latencies.least("GET /a"), latencies.usual("GET /a"), latencies.least("GET /b")) == (0.1, 0.2, 0)


def test_requests_that_differ_in_the_record_only_are_of_one_kind() -> None:
    ids = ("7d4a9d8c-2a0d-4b1a-9d80-0b7a4e6b1f10", "42")
    assert {kind_of("GET", f"/source-storage/records/{each}/formatted") for each in ids} == {
        "GET /source-storage/records/*/formatted"
    }
    assert kind_of("PUT", "/api/v1/biblios/7") != kind_of("GET", "/api/v1/biblios/7")
