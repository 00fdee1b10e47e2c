"""Changes of a JSON record: found, applied, taken back; masked values compared as tokens."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalogue.entity_patch import (
    EntityConflictError,
    MaskedAfterError,
    apply_changes,
    diff,
    is_applied,
    reverse,
    same,
    value_at,
)
from holdfast.privacy.entities import mask_entity, token_maker

SALT = b"salt"
TOKEN = token_maker(SALT)
NAMES = st.sampled_from(["a", "b", "note", "x/y", "~1", ""])
SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.text("äb/~", max_size=3))
VALUES = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=4)


@given(BODIES, BODIES)
def test_a_diff_applied_gives_the_other_and_taken_back_the_first(before: dict[str, Any], after: dict[str, Any]) -> None:
    untouched = copy.deepcopy(before)
    changes = diff(before, after)
    there = apply_changes(before, changes)
    assert same(there, after) and before == untouched
    assert same(apply_changes(there, reverse(changes)), before)
    assert is_applied(there, changes)
    assert bool(changes) != same(before, after)
    # Applying what is applied changes nothing: a second attempt is no conflict.
    assert apply_changes(there, changes) == there
    assert diff(there, after) == {}


@given(BODIES, BODIES, BODIES)
def test_what_somebody_else_changed_stays_or_is_a_conflict(
    before: dict[str, Any], after: dict[str, Any], live: dict[str, Any]
) -> None:
    ours, theirs = diff(before, after), diff(before, live)
    try:
        there = apply_changes(live, ours)
    except EntityConflictError:
        assert not all(same(value_at(live, pointer), old) for pointer, (old, _) in ours.items())
        return
    assert is_applied(there, ours)
    within = [p for p in theirs if not any(p == o or p.startswith(f"{o}/") or o.startswith(f"{p}/") for o in ours)]
    assert all(same(value_at(there, pointer), theirs[pointer][1]) for pointer in within)


@given(BODIES, BODIES)
def test_a_masked_before_is_what_it_stands_for(before: dict[str, Any], after: dict[str, Any]) -> None:
    masked = mask_entity("item", before, SALT, ("item:/a", "item:/b/*", "item:/note/*/a"))
    changes = diff(masked, after, TOKEN)
    assert same(apply_changes(before, changes, TOKEN), after)
    assert bool(changes) != same(before, after)


def test_a_token_is_never_written() -> None:
    masked = mask_entity("item", {"circulationNotes": [{"note": "Owed by card 21"}]}, SALT)
    taken_back = reverse(diff(masked, {"circulationNotes": [{"note": "gone"}]}, TOKEN))
    with pytest.raises(MaskedAfterError, match="/circulationNotes/0/note: its value is masked"):
        apply_changes({"circulationNotes": [{"note": "gone"}]}, taken_back, TOKEN)


def test_a_conflict_names_the_place_and_not_the_value() -> None:
    with pytest.raises(EntityConflictError, match=r"^/personal/email: somebody changed it") as caught:
        apply_changes({"personal": {"email": "new@mail.example"}}, {"/personal/email": ("old@mail.example", "x")})
    assert "mail.example" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"a": (1, 2)}, {"/a": (1, 2), "/a/b": (1, 2)}, {"": (1, 2)}])
def test_pointers_that_are_none_or_overlap_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pointer|within"):
        apply_changes({"a": 1}, changes)


@pytest.mark.parametrize(
    ("live", "changes"),
    [
        ({"a": "text"}, {"/a/b": (None, 1)}),
        ({"a": [1]}, {"/a/3": (None, 1)}),
        ({"a": [1]}, {"/a/x": (None, 1)}),
        ({"a": [1]}, {"/a/01": (None, 2)}),
    ],
)
def test_a_place_that_is_not_there_is_a_conflict(live: dict[str, Any], changes: dict[str, Any]) -> None:
    with pytest.raises(EntityConflictError):
        apply_changes(live, changes)


def test_a_number_is_not_the_truth_value_that_python_takes_it_for() -> None:
    assert diff({"a": 1}, {"a": True}) == {"/a": (1, True)}


def test_nothing_is_nothing_however_it_is_sent() -> None:
    assert diff({"notes": [], "tags": {"tagList": []}, "volume": None}, {}) == {}


def test_a_pointer_into_nothing_points_at_nothing() -> None:
    assert value_at({"a": [{"b/c": 1}]}, "/a/0/b~1c") == 1
    assert value_at({"a": []}, "/a/0/b") is None
    assert value_at({"a": "x"}, "/a/b") is None
