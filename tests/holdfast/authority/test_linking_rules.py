"""Linking by joins beside the same rules a heading after the other, on random small authority files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.authority.linking import link_records
from tests.authorities import authority, authority_file, frames, heading_record

WORDS = st.sampled_from(["Alpha", "Beta", "Gamma"])
STRINGS = st.tuples(WORDS, st.lists(st.tuples(st.sampled_from("xz"), WORDS), max_size=2))
RECORDS = st.lists(
    st.tuples(STRINGS, st.lists(STRINGS, max_size=2), st.sampled_from("nnnx"), st.sampled_from("aaab")), max_size=5
)


def subfields(string: tuple) -> list[str]:
    main, subdivisions = string
    return ["a", main, *(each for pair in subdivisions for each in pair)]


def plainly(heading: tuple, records: list) -> tuple[str, str, str | None]:
    """(verdict, matched, authority) of a heading, by the rules in words."""
    main, subdivisions = heading
    for covered in range(len(subdivisions), -1, -1):
        wanted = (main, subdivisions[:covered])
        matched = "whole" if covered == len(subdivisions) else "main heading"
        used = [(n, each) for n, each in enumerate(records) if each[2] == "n"]
        steps = [
            ("linked", {n for n, (own, _, _, kind) in used if own == wanted and kind == "a"}),
            ("linked_by_reference", {n for n, (_, others, _, kind) in used if wanted in others and kind == "a"}),
            ("deprecated", {n for n, (own, _, status, _) in enumerate(records) if own == wanted and status == "x"}),
            ("ambiguous", {n for n, (own, _, _, kind) in used if own == wanted and kind == "b"}),
        ]
        for verdict, found in steps:
            if len(found) > 1:
                return "ambiguous", matched, None
            if found:
                return verdict, matched, f"sh{min(found)}"
    return "unlinked", "", None


@given(RECORDS, st.lists(STRINGS, min_size=1, max_size=6))
def test_joins_say_what_the_rules_say_one_by_one(records: list, wanted: list) -> None:
    file = authority_file(
        *(
            authority(
                f"sh{n}",
                ("150", "  ", *subfields(own)),
                *(("450", "  ", *subfields(each)) for each in others),
                status=status,
                kind=kind,
            )
            for n, (own, others, status, kind) in enumerate(records)
        )
    )
    fields = [("650", " 0", *subfields(each)) for each in wanted]
    links = link_records(frames(heading_record("1", *fields)).subfields, file)
    assert links["occurrence"].to_list() == list(range(1, len(wanted) + 1))
    found = list(links.select("verdict", "matched", "authority").iter_rows())
    assert found == [plainly(each, records) for each in wanted]
