"""What a new authority file would change, and which headings it would touch."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from holdfast.authority.headings import headings
from holdfast.authority.linking import link, lookup
from holdfast.authority.records import AuthorityFile
from holdfast.authority.what_if import AUTHORITY_CHANGES, TOUCHED, WhatIf, after, authority_changes
from tests.authorities import Spec, authority, authority_file, frames, heading_record


def topic(text: str) -> Spec:
    return ("150", "  ", "a", text)


def seen_from(text: str) -> Spec:
    return ("450", "  ", "a", text)


CURRENT = authority_file(
    authority("a", topic("Aeroplanes")),
    authority("b", topic("Moving-pictures")),
    authority("c", topic("Gipsies")),
    authority("d", topic("Cookery")),
    authority("e", topic("Electronics and magnetism")),
    authority("f", topic("Kept")),
    authority("g", topic("Phlogiston")),
    authority("h", topic("Horses"), seen_from("Equus")),
    authority("i", topic("Lodz")),
    authority("z", topic("In another file"), date="20260101000000.0"),
)


NEW = authority_file(
    authority("a", topic("Airplanes"), seen_from("Aeroplanes")),
    authority("b", topic("Motion pictures")),
    authority("k", topic("Romanies"), seen_from("Gipsies")),
    authority("l", topic("Cooking"), seen_from("Cookery")),
    authority("m", topic("Cookbooks"), seen_from("Cookery")),
    authority("e", topic("Electronics and magnetism"), status="d"),
    authority("f", topic("Kept")),
    authority("h", topic("Horses"), seen_from("Equus"), seen_from("Equidae")),
    authority("i", topic("Łódź")),
)


def changes(whole: bool) -> dict[str, tuple]:
    found = authority_changes(CURRENT, NEW, whole=whole)
    assert found.schema == AUTHORITY_CHANGES
    return {
        row["authority"]: (row["change"], row["heading_after"], row["goes_to"], row["detail"])
        for row in found.to_dicts()
    }


def test_what_becomes_of_each_authority() -> None:
    found = changes(whole=True)
    assert "f" not in found
    assert found["a"] == ("changed heading", "Airplanes", [], "the heading before is a see-from reference now")
    assert found["b"] == ("changed heading", "Motion pictures", [], "nothing refers from the heading before")
    assert found["c"] == ("merged", None, ["k"], "not in the new file")
    assert found["d"] == ("split", None, ["l", "m"], "not in the new file")
    assert found["e"] == ("deleted", None, [], "leader/05 is d")
    assert found["g"] == ("deleted", None, [], "not in the new file")
    assert found["h"][0] == "changed references"
    assert found["i"][:2] == ("changed form", "Łódź")
    assert [found[each][0] for each in "klm"] == ["new"] * 3


def test_an_update_deletes_only_what_it_says_is_deleted() -> None:
    found = changes(whole=False)
    assert {each for each, row in found.items() if row[0] in ("deleted", "merged", "split")} == {"e"}
    assert found["k"][0] == "new"


def test_another_file_is_left_alone() -> None:
    mesh = authority_file(authority("m1", topic("Fever"), thesaurus="c"), name="mesh", file="mesh/a.mrc")
    both = AuthorityFile(pl.concat([CURRENT.authorities, mesh.authorities]), CURRENT.references, CURRENT.rejected)
    found = authority_changes(both, NEW, whole=True)
    assert "m1" not in found["authority"]
    assert "m1" in after(both, NEW, whole=True).authorities["authority"]


def subject(text: str) -> Spec:
    return ("650", " 0", "a", text)


def test_the_headings_that_would_be_linked_otherwise() -> None:
    words = [
        "Aeroplanes",
        "Moving-pictures",
        "Gipsies",
        "Cookery",
        "Kept",
        "Cooking",
        "Equidae",
        "Lodz",
        "Unknown",
        "Horses",
    ]
    found = headings(frames(heading_record("1", *map(subject, words))).subfields)
    ids = pl.DataFrame({"record": [1], "id": ["live-1"]}, schema={"record": pl.UInt32, "id": pl.String})
    touched = WhatIf(CURRENT, NEW, whole=True).touched(found, ids, "catalogue")
    assert touched.schema == TOUCHED
    assert touched["id"].unique().to_list() == ["live-1"]
    rows = {
        row["heading"]: (row["verdict_before"], row["verdict_after"], row["authorized_after"])
        for row in touched.to_dicts()
    }
    assert rows == {
        "Aeroplanes": ("linked", "linked_by_reference", "Airplanes"),
        "Moving-pictures": ("linked", "unlinked", None),
        "Gipsies": ("linked", "linked_by_reference", "Romanies"),
        "Cookery": ("linked", "ambiguous", None),
        "Cooking": ("unlinked", "linked", "Cooking"),
        "Equidae": ("unlinked", "linked_by_reference", "Horses"),
        "Lodz": ("linked", "linked", "Łódź"),
    }


TERMS = st.sampled_from(["A", "B", "C", "D"])
RECORDS = st.lists(
    st.tuples(st.sampled_from("123"), TERMS, st.lists(TERMS, max_size=2), st.sampled_from("nndx")),
    max_size=4,
    unique_by=lambda each: each[0],
)


def built(rows: list) -> AuthorityFile:
    return authority_file(
        *(authority(n, topic(term), *map(seen_from, references), status=status) for n, term, references, status in rows)
    )


@given(RECORDS, RECORDS, st.booleans())
def test_what_is_touched_is_what_links_otherwise_once_it_is_loaded(one: list, two: list, whole: bool) -> None:
    current, new = built(one), built(two)
    found = headings(frames(heading_record("1", *map(subject, "ABCD"))).subfields)
    ids = pl.DataFrame({"record": [1], "id": ["x"]}, schema={"record": pl.UInt32, "id": pl.String})
    touched = WhatIf(current, new, whole=whole).touched(found, ids, "catalogue")
    # The plain way: what counts once it is loaded, counted out by hand.
    keep = [] if whole and two else [row for row in one if row[0] not in {each[0] for each in two}]
    then = built([*keep, *two])
    names = ["heading", "verdict", "authority", "authorized"]
    before, later = (link(found, file, lookup(file)).select(names).rows() for file in (current, then))
    assert sorted(touched["heading"]) == sorted(a[0] for a, b in zip(before, later, strict=True) if a != b)


@given(RECORDS)
def test_the_same_file_again_changes_nothing(rows: list) -> None:
    file = built(rows)
    for whole in (True, False):
        assert authority_changes(file, file, whole=whole).height == 0
