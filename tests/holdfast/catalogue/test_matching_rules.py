"""Matching by joins beside the same rules a record after the other, on random small loads."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.marc_match import KINDS, compare_plainly, match_plainly
from holdfast.catalogue.collisions import collisions
from holdfast.catalogue.evidence import FACTS, compared, facts_of
from holdfast.catalogue.matching import MATCHED, RECORD_COLUMNS, SIDES, match
from holdfast.catalogue.snapshot import RECORDS as SNAPSHOT
from holdfast.marc.window import RECORDS

# Few values, so that records meet: in one key, in several, in chains.
FEW = st.lists(st.sampled_from("123"), max_size=2, unique=True)
TITLES = st.sampled_from(["", "bleak house", "bleak house a novel", "hard times"])
AUTHORS = st.sampled_from(["", "dickens charles", "gaskell elizabeth"])
YEARS = st.sampled_from([None, 1853, 1854])
CARRIED = st.sampled_from([None, "electronic", "tangible"])
CONTENTS = st.sampled_from(["one", "two"])
COMMON = {
    "ocn": FEW,
    "isbn": FEW,
    "issn": FEW,
    "lccn": FEW,
    "title_key": TITLES,
    "author_key": AUTHORS,
    "year": YEARS,
    "carrier": CARRIED,
    "comparable_sha256": CONTENTS,
    "control_number": st.sampled_from(["", "1", "2", "3"]),
}
INCOMING = st.fixed_dictionaries(
    {
        **COMMON,
        "control_number_org": st.sampled_from(["", "XX-A", "XX-B"]),
        "last_modified": st.sampled_from(["2025", "2026"]),
        "content_sha256": CONTENTS,
    }
)
NUMBERS = st.lists(st.sampled_from(["1", "2", "(XX-A)1", "(XX-A)2", "(XX-B)1"]), max_size=2, unique=True)
LIVE = st.fixed_dictionaries({**COMMON, "control_number_org": st.just("XX-Home"), "system_numbers": NUMBERS})
LOADS = st.lists(INCOMING, max_size=7)
CATALOGUES = st.lists(LIVE, max_size=4)
WAYS = st.lists(st.sampled_from(KINDS[:-1]), unique=True).flatmap(
    lambda kinds: st.sampled_from([(*kinds,), (*kinds, "title")])
)


def incoming(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**row, "record": n, "correlation_id": f"c{n}", "file": "a.mrc", "title": row["title_key"], "author": ""}
        for n, row in enumerate(rows, 1)
    ]


def held(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**row, "instance_id": f"i{n}", "hrid": f"in{n}", "title": row["title_key"], "author": ""}
        for n, row in enumerate(rows, 1)
    ]


def as_frame(rows: list[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


LOAD = pl.Schema({name: RECORDS[name] for name in RECORD_COLUMNS})


@given(LOADS, CATALOGUES, WAYS)
def test_joins_say_what_the_rules_say_one_by_one(load: list, catalogue: list, kinds: tuple[str, ...]) -> None:
    records, live = incoming(load), held(catalogue)
    found = match(as_frame(records, LOAD), as_frame(live, SNAPSHOT), kinds)
    assert found.rows.schema == MATCHED and found.sides.schema == SIDES
    assert found.rows.drop("detail").to_dicts() == [
        {name: row[name] for name in MATCHED if name != "detail"} for row in match_plainly(records, live, kinds)
    ]


@given(LOADS, CATALOGUES, WAYS, st.randoms())
def test_the_order_of_rows_says_nothing(load: list, catalogue: list, kinds: tuple[str, ...], random: Any) -> None:
    records, live = incoming(load), held(catalogue)
    found = match(as_frame(records, LOAD), as_frame(live, SNAPSHOT), kinds)
    random.shuffle(records)
    random.shuffle(live)
    again = match(as_frame(records, LOAD), as_frame(live, SNAPSHOT), kinds)
    assert again.rows.to_dicts() == found.rows.to_dicts()
    assert again.sides.to_dicts() == found.sides.to_dicts()


@given(LOADS, CATALOGUES, WAYS)
def test_every_record_has_one_verdict_and_what_it_needs(load: list, catalogue: list, kinds: tuple[str, ...]) -> None:
    records, live = as_frame(incoming(load), LOAD), held(catalogue)
    found = match(records, as_frame(live, SNAPSHOT), kinds)
    assert found.rows["record"].to_list() == records["record"].to_list()
    counts: dict[str, int] = {}
    for row in found.rows.iter_rows(named=True):
        verdict = row["verdict"]
        if verdict == "new":
            assert not row["evidence"] and row["target"] is None and row["other"] is None
        elif verdict in ("update", "unchanged"):
            # Nobody else changes it, and the key that decided is among what agrees.
            counts[row["target"]] = counts.get(row["target"], 0) + 1
            assert row["matched_by"] in row["agreed"]
        elif verdict == "duplicate":
            (other,) = found.rows.filter(pl.col("correlation_id") == row["other"]).iter_rows(named=True)
            assert other["verdict"] != "duplicate"  # the one that counts
        else:
            assert verdict == "collision"
            sides = found.sides.filter(pl.col("record") == row["record"])
            assert sides.height >= 2
            assert sides["side"].to_list() == list(range(sides.height))
            assert sides["id"][0] == row["correlation_id"]
    assert set(counts.values()) <= {1}
    said = collisions(found, records)
    assert len(said) == found.rows.filter(pl.col("verdict") == "collision").height


@given(INCOMING, INCOMING)
def test_evidence_is_the_same_from_either_side(one: dict, two: dict) -> None:
    rows = incoming([one, two])
    facts = facts_of(as_frame(rows, LOAD), "record").drop("id")
    other = {name: f"{name}_other" for name in FACTS}
    there = compared(pl.concat([facts[:1], facts[1:].rename(other)], how="horizontal"))
    back = compared(pl.concat([facts[1:], facts[:1].rename(other)], how="horizontal"))
    evidence = [there["agreed"][0].to_list(), there["disagreed"][0].to_list()]
    assert evidence == [back["agreed"][0].to_list(), back["disagreed"][0].to_list()]
    assert evidence == list(compare_plainly(rows[0], rows[1], False))
    assert not set(evidence[0]) & set(evidence[1])
