"""The minimal patch: what it holds, and that applying it gives the incoming record."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalogue.fields import FIELDS, comparable_hashes, from_marc_json, to_marc_json
from holdfast.catalogue.patch import PatchConflictError, additions, apply_patch, changes_of, diff

Fields = list[tuple[str, str]]


def frame(fields: Fields) -> pl.DataFrame:
    rows = [(1, position, tag, text, "pii:" in text) for position, (tag, text) in enumerate(fields)]
    return pl.DataFrame(rows, schema=FIELDS, orient="row")


def patch_of(live: Fields, incoming: Fields, protected: tuple[str, ...] = ()) -> tuple[Fields, Fields]:
    patches = diff(frame(live), frame(incoming), protected)
    return tuple(
        [(tag, text) for op, tag, text in patches.select("op", "tag", "text").iter_rows() if op == want]
        for want in ("delete", "add")
    )


values = st.text(st.characters(exclude_characters="\x1d\x1e\x1f", exclude_categories=["Cs"]), min_size=1, max_size=6)
data_fields = st.tuples(
    st.sampled_from(["100", "245", "500", "650", "700"]),
    st.lists(st.tuples(st.sampled_from("abc"), values), min_size=1, max_size=3).map(
        lambda pieces: "  " + "".join("\x1f" + code + value for code, value in pieces)
    ),
)
records = st.lists(data_fields, max_size=8).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@given(records, records)
def test_the_patched_live_record_is_the_incoming_one(live, incoming) -> None:
    deletes, adds = patch_of(live, incoming)
    patched = apply_patch(live, deletes, adds)
    if patched and incoming:
        assert comparable_hashes(frame(patched)).equals(comparable_hashes(frame(incoming)))
    assert len(patched) == len(incoming)


@given(records, records)
def test_a_patch_is_minimal_and_can_be_taken_back(live, incoming) -> None:
    deletes, adds = patch_of(live, incoming)
    assert not set(deletes) & set(adds), "what both records have is in no patch"
    back = apply_patch(apply_patch(live, deletes, adds), adds, deletes)
    assert sorted(back) == sorted(live)


@given(records, st.randoms(use_true_random=False))
def test_another_order_of_the_same_fields_is_no_change(live, random) -> None:
    shuffled = list(live)
    random.shuffle(shuffled)
    assert patch_of(live, shuffled) == ([], [])


def test_decomposed_text_is_no_change() -> None:
    assert patch_of([("245", "  \x1faCafe\u0301")], [("245", "  \x1faCaf\u00e9")]) == ([], [])


def test_masked_protected_and_own_fields_are_in_no_patch() -> None:
    live = [("541", "  \x1fhpii:00"), ("590", "  \x1faours"), ("999", "ff\x1fi1")]
    assert patch_of(live, [("590", "  \x1fatheirs")], protected=("59X",)) == ([], [])


def test_the_date_of_last_change_follows_where_something_else_changes() -> None:
    old, new = ("005", "20250101000000.0"), ("005", "20260101000000.0")
    assert patch_of([old, ("245", "  \x1faA")], [new, ("245", "  \x1faA")]) == ([], [])
    deletes, adds = patch_of([old, ("245", "  \x1faA")], [new, ("245", "  \x1faB")])
    assert old in deletes and new in adds


def test_the_leader_is_compared_without_what_systems_set_by_themselves() -> None:
    assert patch_of([("LDR", "00000nam a2200000 i 4500")], [("LDR", "00000dam a2200000 i 4500")])[1] == [
        ("LDR", "00000dam a2200000 i 4500")
    ]


def test_a_field_that_is_gone_is_a_conflict() -> None:
    with pytest.raises(PatchConflictError, match="245"):
        apply_patch([("245", "  \x1faC")], [("245", "  \x1faA")], [("245", "  \x1faB")])


def test_an_added_field_comes_where_its_tag_belongs() -> None:
    live = [("LDR", "x"), ("001", "1"), ("245", "  \x1faA"), ("700", "  \x1faZ")]
    patched = apply_patch(live, [], [("650", "  \x1faS"), ("245", "  \x1faB")])
    assert [tag for tag, _ in patched] == ["LDR", "001", "245", "245", "650", "700"]


def test_changes_show_before_and_after_of_each_subfield() -> None:
    patches = diff(
        frame([("245", "10\x1faOld /\x1fcSame")]), frame([("245", "14\x1faNew /\x1fcSame"), ("500", "  \x1faNote")])
    )
    rows = changes_of(patches).select("kind", "tag", "code", "before", "after").rows()
    assert rows == [
        ("changed", "245", "ind", "10", "14"),
        ("changed", "245", "a", "Old /", "New /"),
        ("added", "500", "a", None, "Note"),
    ]


@given(records)
def test_marc_json_round_trips(fields) -> None:
    whole = [("LDR", "00000nam a2200000 i 4500"), ("001", "x"), *fields]
    assert from_marc_json(to_marc_json(whole)) == whole


def test_a_new_record_keeps_the_public_subfields_beside_a_masked_one() -> None:
    token = "pii:" + "0" * 64
    rows = additions(frame([("541", f"1 \x1faGift\x1fh{token}"), ("852", f"  \x1fx{token}"), ("245", "10\x1faA")]))
    assert rows.select("tag", "text").rows() == [("541", "1 \x1faGift"), ("245", "10\x1faA")]
