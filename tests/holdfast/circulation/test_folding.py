"""Events folded to the last state of each item: in whatever order, however often, in however many windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.circulation.events import EVENTS, masked_events
from holdfast.circulation.folding import STATE, fold, windowed
from holdfast.privacy.masking import token

SALT = b"salt"


@dataclass(frozen=True)
class Given:
    id: str
    loan: str = "L1"
    item: str = "I1"
    item_barcode: str = "39"
    patron: str = "P1"
    action: str = "checkout"
    ended: bool = False
    began: str = "2026-01-30T10:00:00+00:00"
    at: str = "2026-01-30T10:00:00+00:00"
    due: str = ""
    library: str = "cd1"
    updated: str = "2026-01-30T10:00:05+00:00"


def state_of(*events: Given) -> dict[str, object]:
    return fold(masked_events(events, SALT)).row(0, named=True)


MOMENTS = st.integers(0, 9).map(lambda n: f"2026-01-30T10:0{n}:00.000+00:00")
EVENT = st.builds(
    Given,
    id=st.integers(0, 30).map(lambda n: f"e{n}"),
    loan=st.sampled_from(["L1", "L2"]),
    item=st.sampled_from(["I1", "I2"]),
    action=st.sampled_from(["checkout", "renewal", "checkin", "declaredLost"]),
    began=MOMENTS,
    at=MOMENTS,
    updated=MOMENTS,
)
SEVERAL = st.lists(EVENT, min_size=1, max_size=12, unique_by=lambda each: each.id)


@given(SEVERAL, st.randoms(use_true_random=False), st.integers(0, 12))
def test_any_order_any_repetition_and_any_windows_give_the_same_state(events, chance, cut) -> None:
    whole = fold(masked_events(events, SALT))
    again = [*events, *chance.choices(events, k=4)]
    chance.shuffle(again)
    assert fold(masked_events(again, SALT)).equals(whole)
    first, second = masked_events(again[:cut], SALT), masked_events(again[cut:], SALT)
    assert fold(second, fold(first)).equals(whole)
    assert fold(first, fold(second)).equals(whole)
    assert fold(masked_events([], SALT), whole).equals(whole)


LENT = Given("1")
RENEWED = replace(LENT, id="2", action="renewal", at="2026-01-31T02:00:00Z", updated="2026-01-31T02:00:00Z")
# Out of the book drop: dated the evening before, written down the morning after.
DROPPED = replace(LENT, id="3", action="checkin", at="2026-01-30T22:00:00Z", updated="2026-01-31T08:00:00Z")
LENT_AGAIN = replace(
    LENT,
    id="4",
    loan="L2",
    patron="P2",
    began="2026-01-31T07:00:00Z",
    at="2026-01-31T07:00:00Z",
    updated="2026-01-31T07:00:00Z",
)


def test_a_return_that_is_dated_before_the_renewal_ends_the_loan_all_the_same() -> None:
    found = state_of(LENT, RENEWED, DROPPED)
    assert (found["state"], found["event"]) == ("returned", "3")


def test_a_return_that_is_written_down_late_does_not_end_the_loan_after_it() -> None:
    found = state_of(LENT, DROPPED, LENT_AGAIN)
    assert (found["state"], found["patron"]) == ("on loan", token("P2", SALT))


def test_clocks_that_are_off_do_not_turn_a_loan_around() -> None:
    # The desk that took it back is two minutes behind: written down before it was lent.
    returned = replace(LENT, id="2", action="checkin", at="2026-01-30T10:01:00Z", updated="2026-01-30T09:59:00Z")
    assert state_of(LENT, returned)["state"] == "returned"


def test_a_loan_that_is_anonymized_loses_its_patron() -> None:
    anonymous = replace(DROPPED, id="5", patron="", updated="2026-03-01T00:00:00Z")
    assert state_of(LENT, DROPPED, anonymous)["patron"] == ""


def test_no_patron_is_in_the_frame_and_the_same_patron_is_the_same_token() -> None:
    frame = masked_events([LENT, RENEWED, LENT_AGAIN], SALT)
    assert frame.schema == EVENTS and fold(frame).schema == STATE
    assert frame["patron"].n_unique() == 2 and not frame["patron"].str.contains("P1|P2").any()
    assert frame["patron"][0] == token("P1", SALT)


def test_events_of_a_system_without_ids_are_told_apart_by_what_they_are() -> None:
    events = [replace(each, id="") for each in (LENT, RENEWED, LENT, DROPPED)]
    assert masked_events(events, SALT).height == 3


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-30T11:00:00+01:00",
        "2026-01-30T10:00:00.000+0000",
        "2026-01-30T10:00:00Z",
        "2026-01-30T10:00:00.000000+00:00",
    ],
)
def test_a_moment_is_a_moment_however_it_is_written(moment: str) -> None:
    assert masked_events([replace(LENT, at=moment)], SALT)["at"].equals(masked_events([LENT], SALT)["at"])


def test_a_moment_that_is_none_is_an_error_and_not_the_first_of_all() -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        masked_events([replace(LENT, at="yesterday")], SALT)


def test_the_overlap_is_told_from_the_window() -> None:
    frame = masked_events([LENT, RENEWED], SALT)
    shown = windowed(frame, "2026-01-31T00:00:00+00:00", "2026-02-01T00:00:00+00:00")
    assert shown["in_window"].to_list() == [False, True]
