"""The undo of a feed's elements takes back what the feed wrote and nothing else, whatever came between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.catalogue.entity_patch import apply_changes, value_at
from holdfast.feeds.undo import Change, edited, undo_elements, without
from holdfast.privacy.entities import token_maker

TOKEN = token_maker(b"salt")
POINTERS = ("/a", "/b/c", "/b/d", "/e")


@pytest.mark.parametrize(
    ("form", "before", "after", "now", "expected"),
    [
        ("moment", "2031-09-30T23:59:59Z", "2026-09-30T00:00:00.000+00:00", "2026-09-30T00:00:00Z", "2031-09-30T23:59:59Z"),
        ("flag", None, True, True, None),
        ("text", "Old  name", "New name", "New  name", "Old  name"),
        ("first", ["h-1", "x"], ["h-2", "x"], ["h-2", "x", "theirs"], ["h-1", "x", "theirs"]),
        ("first", None, ["h-2"], ["h-2", "theirs"], ["theirs"]),
        ("first", None, ["h-2"], ["h-2"], None),
        ("statement", [{"statement": "v.1", "staffNote": "n"}], [{"statement": "v.2"}], [{"statement": "v.2"}],
         [{"statement": "v.1", "staffNote": "n"}]),
        ("number", 10, 12.5, 12.5, 10),
    ],
)  # fmt: skip
def test_what_is_as_it_was_written_goes_back(form: str, before: Any, after: Any, now: Any, expected: Any) -> None:
    undone = undo_elements([Change("x", "/x", before, after, form)], {"x": now})
    assert undone.changes == {"/x": (now, expected)} and not undone.conflicts and not undone.masked


@pytest.mark.parametrize(
    ("form", "before", "after", "now", "listed"),
    [
        ("moment", "2031-09-30T00:00:00Z", "2026-09-30T00:00:00Z", "2027-01-01T00:00:00Z", True),
        ("flag", None, True, False, False),  # shown again: as it was
        ("statement", [{"statement": "v.1"}], [{"statement": "v.2"}], [{"statement": "v.2", "staffNote": "theirs"}], True),
        ("text", "old", "new", None, True),
        ("text", None, "new", None, False),
        ("first", ["h-1"], ["h-2"], ["h-3"], True),
    ],
)  # fmt: skip
def test_what_somebody_changed_stays_and_is_listed_once(
    form: str, before: Any, after: Any, now: Any, listed: bool
) -> None:
    undone = undo_elements([Change("x", "/x", before, after, form)], {"x": now})
    assert not undone.changes and [each.now for each in undone.conflicts] == ([now] if listed else [])


def test_a_masked_value_is_compared_by_its_token_and_never_put_back() -> None:
    ours = Change("name", "/name", TOKEN("Old"), TOKEN("New"), "text")
    undone = undo_elements([ours], {"name": "New"}, TOKEN)
    assert not undone.changes and [each.element for each in undone.masked] == ["name"]
    theirs = undo_elements([ours], {"name": "Other"}, TOKEN)
    assert not theirs.changes and not theirs.masked and [each.now for each in theirs.conflicts] == ["Other"]
    assert not undo_elements([ours], {"name": "Old"}, TOKEN).masked
    # What was not there before can go, whatever it is.
    gone = undo_elements([ours._replace(before=None)], {"name": "New"}, TOKEN)
    assert gone.changes == {"/name": ("New", None)}
    assert not edited([ours], {"name": "New"}, TOKEN) and edited([ours], {"name": "Newer"}, TOKEN)


class AnyCourse(RuleBasedStateMachine):
    """Windows, librarians and undos in any order. Every value is unique and says who wrote it: B (there at first), W and the
    number of the window, L a librarian."""

    @initialize(filled=st.sets(st.sampled_from(POINTERS)))
    def begin(self, filled: set[str]) -> None:
        self.values = self.clock = 0
        self.live: dict[str, Any] = {}
        self.live = self._with({each: self._value("B") for each in filled})
        self.first = {each: value_at(self.live, each) for each in POINTERS}
        self.windows: list[dict[str, Any]] = []
        self.edited = False

    def _value(self, who: str) -> str:
        self.values += 1
        return f"{who}.{self.values};"

    def _with(self, values: dict[str, str | None]) -> dict[str, Any]:
        return apply_changes(self.live, {each: (value_at(self.live, each), value) for each, value in values.items()})

    @rule(pointers=st.sets(st.sampled_from(POINTERS), min_size=1))
    def write(self, pointers: set[str]) -> None:
        who = f"W{len(self.windows)}"
        changes = [Change(each, each, value_at(self.live, each), self._value(who)) for each in sorted(pointers)]
        self.live = self._with({each.pointer: each.after for each in changes})
        self.clock += 1
        self.windows.append({"changes": changes, "at": self.clock, "undone": 0})

    @rule(pointer=st.sampled_from(POINTERS), clear=st.booleans())
    def a_librarian_edits(self, pointer: str, clear: bool) -> None:
        self.live = self._with({pointer: None if clear else self._value("L")})
        self.edited = True

    def _changes(self, number: int, until: int = 10**9) -> list[Change]:
        each = self.windows[number]
        changes: list[Change] = each["changes"]
        earlier = [n for n, other in enumerate(self.windows) if other["at"] < each["at"] < other["undone"] < until]
        for n in sorted(earlier, key=lambda n: int(self.windows[n]["undone"])):
            changes = without(changes, self._changes(n, self.windows[n]["undone"]))
        return changes

    @precondition(lambda self: any(not each["undone"] for each in self.windows))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([n for n, each in enumerate(self.windows) if not each["undone"]]))
        before = {each: value_at(self.live, each) for each in POINTERS}
        undone = undo_elements(self._changes(number), self.live)
        self.live = apply_changes(self.live, undone.changes)
        self.clock += 1
        self.windows[number]["undone"] = self.clock
        for pointer in POINTERS:
            mine = str(before[pointer]).startswith(f"W{number}.")
            assert mine == (pointer in undone.changes)
            assert mine or value_at(self.live, pointer) == before[pointer]
        assert all(each.now == before[each.element] for each in undone.conflicts)
        again = undo_elements(self._changes(number), self.live)
        assert not again.changes

    @invariant()
    def nothing_of_what_was_undone_is_live(self) -> None:
        undone = {f"W{n}" for n, each in enumerate(self.windows) if each["undone"]}
        assert not undone & {str(value_at(self.live, each)).split(".")[0] for each in POINTERS}

    @invariant()
    def without_edits_every_order_of_undos_leads_back(self) -> None:
        if not self.edited and all(each["undone"] for each in self.windows):
            assert {each: value_at(self.live, each) for each in POINTERS} == self.first


AnyCourse.TestCase.settings = settings(max_examples=60, stateful_step_count=20)
TestAnyCourse = AnyCourse.TestCase
