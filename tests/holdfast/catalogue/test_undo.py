"""An undo takes back what a load wrote and nothing else, whatever came between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.catalogue.patch import apply_patch
from holdfast.catalogue.undo import Conflict, Fields, stands, undo, undo_on_image

LEADER = ("LDR", "00000nam a2200000 i 4500")


def field(tag: str, *pieces: str, indicators: str = "  ") -> tuple[str, str]:
    return tag, indicators + "".join("\x1f" + each for each in pieces)


TITLE = field("245", "aBleak house", "cCharles Dickens", indicators="10")
OURS = field("245", "aBleak House", "cby Charles Dickens", indicators="10")


def undone(before: Fields, after: Fields, live: Fields) -> tuple[Fields, list[Conflict]]:
    found = undo(before, after, live)
    return apply_patch(live, found.deletes, found.adds), found.conflicts


def test_what_nobody_touched_is_as_before() -> None:
    before = [LEADER, TITLE, field("500", "aOld note"), field("650", "aFogs")]
    after = [LEADER, OURS, field("650", "aFogs"), field("650", "aLaw")]
    live, conflicts = undone(before, after, after)
    assert sorted(live) == sorted(before) and not conflicts


def test_a_subfield_that_a_librarian_edited_stays_and_the_rest_of_the_field_goes_back() -> None:
    edited = field("245", "aBleak House", "cDickens, Charles", indicators="10")
    live, conflicts = undone([TITLE], [OURS], [edited])
    assert live == [field("245", "aBleak house", "cDickens, Charles", indicators="10")]
    assert conflicts == [Conflict("245", "c", "Charles Dickens", "by Charles Dickens", "Dickens, Charles")]


def test_fields_and_subfields_that_a_librarian_added_stay() -> None:
    edited = [
        field("245", "aBleak House", "h[microform]", "cby Charles Dickens", indicators="10"),
        field("590", "aGift"),
    ]
    live, conflicts = undone([TITLE], [OURS], edited)
    assert live == [field("245", "aBleak house", "h[microform]", "cCharles Dickens", indicators="10"), edited[1]]
    assert not conflicts


def test_a_field_that_a_librarian_removed_stays_away() -> None:
    live, conflicts = undone([TITLE, field("500", "aA")], [OURS, field("500", "aB")], [OURS])
    assert live == [TITLE]
    assert conflicts == [Conflict("500", "", "  \x1faA", "  \x1faB", None)]


def test_somebody_elses_field_that_shares_a_relator_is_not_taken_for_ours() -> None:
    theirs = field("700", "aJones", "4aut")
    live, conflicts = undone([], [field("700", "aSmith", "4aut")], [theirs])
    assert live == [theirs] and [each.now for each in conflicts] == [None]


@pytest.mark.parametrize(
    ("before", "written", "now", "expected"),
    [
        (["xA", "xB"], ["xB"], ["xB", "xC"], ["xA", "xB", "xC"]),
        (["xB"], ["xA", "xB"], ["xA2", "xB"], ["xA2", "xB"]),
        (["xB"], ["xA", "xB"], ["xA", "xB", "xC"], ["xB", "xC"]),
        (["xA"], ["xA", "xA"], ["xA", "xA", "xC"], ["xA", "xC"]),
    ],
)
def test_repeated_subfields_are_told_apart_by_their_values(
    before: list[str], written: list[str], now: list[str], expected: list[str]
) -> None:
    live, _ = undone([field("650", "aLaw", *before)], [field("650", "aLaw", *written)], [field("650", "aLaw", *now)])
    assert live == [field("650", "aLaw", *expected)]


def test_one_of_two_equal_fields_is_taken_back_once() -> None:
    note = field("500", "aNote")
    live, conflicts = undone([note], [note, note], [note, note])
    assert live == [note] and not conflicts
    live, conflicts = undone([note], [note, note], [note])
    assert live == [note] and len(conflicts) == 1


def test_fixed_fields_go_back_by_data_element() -> None:
    before = ("008", "260101s1999    enk           000 1 eng d")
    written = ("008", "260101s2009    xxu           000 1 fra d")
    now = ("008", "260101s2008    xxu           000 1 fra d")
    live, conflicts = undone([before], [written], [now])
    assert live == [("008", "260101s2008    enk           000 1 eng d")]
    assert conflicts == [Conflict("008", "7-10", "1999", "2009", "2008")]
    live, conflicts = undone([LEADER], [("LDR", "00000dam a2200000 i 4500")], [("LDR", "00000dam a2200000 a 4500")])
    assert live == [("LDR", "00000nam a2200000 a 4500")] and not conflicts


def test_the_date_of_the_last_change_is_no_conflict_and_the_systems_numbers_stay() -> None:
    before, after = [("005", "1")], [("005", "2"), field("999", "iold", indicators="ff")]
    live, conflicts = undone(before, after, [("001", "in1"), ("005", "3"), field("999", "inew", indicators="ff")])
    assert live == [("001", "in1"), ("005", "3"), field("999", "inew", indicators="ff")] and not conflicts


def test_masked_values_come_from_the_live_record() -> None:
    before = [field("852", "aMain", "xpii:" + "0" * 64), TITLE]
    live, conflicts = undone(before, [before[0], OURS], [field("852", "aMain", "xAsk Mrs Ward"), OURS])
    assert live == [field("852", "aMain", "xAsk Mrs Ward"), TITLE] and not conflicts


def test_other_forms_of_one_letter_are_one_value() -> None:
    live, conflicts = undone([TITLE], [field("245", "aTräume")], [field("245", "aTra\u0308ume")])
    assert live == [TITLE] and not conflicts


@pytest.mark.parametrize(
    ("live", "expected"),
    [([OURS], "whole"), ([TITLE], "none"), ([field("245", "aX")], "part"), ([OURS, field("500", "aMore")], "whole")],
)
def test_how_a_change_stands(live: Fields, expected: str) -> None:
    assert stands([TITLE], [OURS], live) == expected
    assert stands([TITLE], [TITLE], live) == "empty"


# ---- any course of events ------------------------------------------------------------------------------------------------

TAGS = ("245", "500", "650", "700")
CODES = "abc"


class AnyCourse(RuleBasedStateMachine):
    """Loads, librarians and undos in any order. Every value is unique and says who wrote it: B (there at first), W and the
    number of the load, L a librarian."""

    @initialize(count=st.integers(1, 5), data=st.data())
    def begin(self, count: int, data: st.DataObject) -> None:
        self.values = 0
        self.live = [LEADER, *(self._field(data, "B") for _ in range(count))]
        self.first = list(self.live)
        self.loads: list[dict[str, Any]] = []
        self.clock = 0
        self.edited = False

    def _value(self, who: str) -> str:
        self.values += 1
        return f"{who}.{self.values};"

    def _field(self, data: st.DataObject, who: str) -> tuple[str, str]:
        codes = data.draw(st.text(CODES, min_size=1, max_size=3))
        return field(data.draw(st.sampled_from(TAGS)), *(code + self._value(who) for code in codes))

    def _change(self, data: st.DataObject, who: str) -> None:
        what = data.draw(st.sampled_from(["field", "gone", "value", "subfield", "less"]))
        places = [n for n, each in enumerate(self.live) if each[0] != "LDR"]
        if what == "field" or not places:
            self.live.append(self._field(data, who))
            return
        at = data.draw(st.sampled_from(places))
        tag, text = self.live[at]
        pieces = text[2:].split("\x1f")[1:]
        n = data.draw(st.integers(0, len(pieces) - 1))
        if what == "gone" or (what == "less" and len(pieces) == 1):
            del self.live[at]
            return
        if what == "value":
            pieces[n] = pieces[n][0] + self._value(who)
        elif what == "less":
            del pieces[n]
        else:
            pieces.insert(n, data.draw(st.sampled_from(CODES)) + self._value(who))
        self.live[at] = field(tag, *pieces)

    @rule(changes=st.integers(1, 4), data=st.data())
    def load(self, changes: int, data: st.DataObject) -> None:
        before = list(self.live)
        for _ in range(changes):
            self._change(data, f"W{len(self.loads)}")
        self.clock += 1
        self.loads.append({"before": before, "after": list(self.live), "at": self.clock, "undone": 0})

    @rule(data=st.data())
    def a_librarian_edits(self, data: st.DataObject) -> None:
        self._change(data, "L")
        self.edited = True

    def images(self, number: int, until: int = 10**9) -> tuple[Fields, Fields]:
        """Before and after of a load, without what was undone since it was written, in the order in which it was."""
        each = self.loads[number]
        before, after = list(each["before"]), list(each["after"])
        for other in sorted(range(number), key=lambda n: self.loads[n]["undone"]):
            if each["at"] < self.loads[other]["undone"] < until:
                theirs = self.images(other, self.loads[other]["undone"])
                before, after = undo_on_image(*theirs, before), undo_on_image(*theirs, after)
        return before, after

    @precondition(lambda self: any(not each["undone"] for each in self.loads))
    @rule(data=st.data())
    def undo_one(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([n for n, each in enumerate(self.loads) if not each["undone"]]))
        theirs = {piece for _, text in self.live for piece in text.split("\x1f") if piece[1:2] == "L"}
        images = self.images(number)
        self.live, _ = undone(*images, self.live)
        self.clock += 1
        self.loads[number]["undone"] = self.clock
        assert theirs <= {piece for _, text in self.live for piece in text.split("\x1f")}
        again = undo(*images, self.live)
        assert not again.deletes and not again.adds

    @rule()
    def undo_nothing(self) -> None:
        assert undo(self.live, self.live, self.live) == ([], [], [])

    @invariant()
    def what_was_undone_is_gone(self) -> None:
        text = "".join(each for _, each in getattr(self, "live", []))
        for number, each in enumerate(getattr(self, "loads", [])):
            assert not each["undone"] or f"W{number}." not in text

    def teardown(self) -> None:
        if hasattr(self, "loads"):
            for number in reversed(range(len(self.loads))):
                if not self.loads[number]["undone"]:
                    self.live, _ = undone(*self.images(number), self.live)
            assert "W" not in "".join(each for _, each in self.live)
            if not self.edited:
                assert sorted(self.live) == sorted(self.first)


AnyCourse.TestCase.settings = settings(max_examples=80, stateful_step_count=12)
TestAnyCourse = AnyCourse.TestCase
