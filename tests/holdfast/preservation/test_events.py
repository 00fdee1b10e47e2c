"""The chain of preservation events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.preservation.events import (
    FIELDS,
    NO_HASH,
    EventOutcome,
    EventType,
    NewEvent,
    canonical_json,
    event_hash,
    link,
    verify_chain,
)

AT = "2026-11-21T10:00:00.000000Z"
new_events = st.builds(
    NewEvent,
    type=st.sampled_from(EventType),
    object=st.text(max_size=10),
    object_sha256=st.sampled_from(["", "a" * 64]),
    outcome=st.sampled_from(EventOutcome),
    detail=st.text(max_size=10),
    agent=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)


def chain_of(events: list[NewEvent]) -> list[dict[str, Any]]:
    return [asdict(each) for each in link("b", events, held=set(), sequence=0, head=NO_HASH, at=AT)]


chains = st.lists(new_events, min_size=1, max_size=6).map(chain_of)


@given(chains)
def test_a_chain_as_it_was_linked_is_whole(chain: list[dict[str, Any]]) -> None:
    assert verify_chain(chain, head=chain[-1]["hash"]) == []
    assert [each["sequence"] for each in chain] == list(range(1, len(chain) + 1))


@given(chains, st.data())
def test_any_single_mutation_is_found(chain: list[dict[str, Any]], data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(chain))
    field = data.draw(st.sampled_from(FIELDS))
    head = chain[-1]["hash"]
    old = event[field]
    event[field] = data.draw((st.integers() if isinstance(old, int) else st.text()).filter(lambda value: value != old))

    assert verify_chain(chain, head=head)


@given(chains, st.data())
def test_a_mutation_with_a_new_hash_of_its_own_is_found_by_what_follows(
    chain: list[dict[str, Any]], data: st.DataObject
) -> None:
    head = chain[-1]["hash"]
    event = data.draw(st.sampled_from(chain))
    event["detail"] += "!"
    event["hash"] = event_hash(event)

    assert verify_chain(chain, head=head)


@given(chains, st.data())
def test_any_removal_is_found(chain: list[dict[str, Any]], data: st.DataObject) -> None:
    head = chain[-1]["hash"]
    del chain[data.draw(st.integers(0, len(chain) - 1))]

    assert verify_chain(chain, head=head)


@given(chains.filter(lambda chain: len(chain) > 1), st.data())
def test_any_reorder_and_any_repetition_is_found(chain: list[dict[str, Any]], data: st.DataObject) -> None:
    one, other = data.draw(st.lists(st.integers(0, len(chain) - 1), min_size=2, max_size=2, unique=True))
    moved = list(chain)
    moved[one], moved[other] = moved[other], moved[one]

    assert verify_chain(moved)
    assert verify_chain([*chain, chain[one]])


@given(st.lists(new_events, max_size=6))
def test_a_second_run_links_nothing(events: list[NewEvent]) -> None:
    held: set[str] = set()
    first = link("b", events, held=held, sequence=0, head=NO_HASH, at=AT)

    assert link("b", events, held=held, sequence=len(first), head="0" * 64, at="later") == []


def test_the_same_event_in_two_batches_has_two_identifiers() -> None:
    event = NewEvent(EventType.FIXITY_CHECK, "a", "", EventOutcome.SUCCESS, "d", "agent")

    assert event.identifier("b") != event.identifier("c")
    assert event.identifier("b") != NewEvent(**{**asdict(event), "occasion": "2026-11-21"}).identifier("b")


def test_canonical_json_is_one_way_to_write() -> None:
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    for value in (1.5, None, True, ["x"]):
        with pytest.raises(TypeError, match="strings and whole numbers"):
            canonical_json({"a": value})


def test_a_chain_with_strange_fields_is_no_chain() -> None:
    assert verify_chain([{"batch": "b"}])
    assert verify_chain([]) == []
    assert verify_chain([], head="f" * 64)


def test_every_term_has_its_address_in_the_vocabulary() -> None:
    assert EventType.FIXITY_CHECK.uri == "http://id.loc.gov/vocabulary/preservation/eventType/fix"
    assert len({each.uri for each in EventType}) == len(EventType)
