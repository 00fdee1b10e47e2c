"""Holdings and items as columns, their delta, and the statements of MARC holdings records."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from pymarc import Field, Indicators, Leader, Record, Subfield

from holdfast.catalogue.entity_patch import apply_changes, same
from holdfast.holdings.columns import HOLDINGS, holdings_columns
from holdfast.holdings.delta import DELTAS, holdings_delta
from holdfast.holdings.statements import STATEMENTS, statements
from holdfast.marc.reading import read_all
from holdfast.privacy.masking import token
from resources.ils.client import Entity

SALT = b"salt"


def entity(number: int = 1, kind: Any = "item", version: int = 1, **body: Any) -> Entity:
    return Entity(
        kind, f"i{number}", version, {"id": f"i{number}", "_version": version, **body}, f"2026-01-{version:02d}"
    )


def frame(*entities: Entity) -> pl.DataFrame:
    return holdings_columns(entities, SALT)


def test_items_and_holdings_have_the_same_columns_and_no_masked_value() -> None:
    item = entity(
        barcode="39",
        status={"name": "Available", "date": "2026-01-31"},
        enumeration="v.1:no.2",
        chronology="1995:Jan.",
        volume="1",
        temporaryLocationId="t",
        permanentLocationId="p",
        circulationNotes=[{"note": "Owed by card 21"}],
    )
    held = entity(
        2,
        "holdings",
        instanceId="in",
        callNumberPrefix="Fol.",
        callNumber="QA 1",
        permanentLocationId="p",
        holdingsStatements=[{"statement": "v.1-v.10 (1990-1999)", "staffNote": "Bill unpaid"}, {"note": "only a note"}],
        holdingsStatementsForSupplements=[{"statement": "suppl. 1"}],
    )
    rows = frame(item, held)
    assert rows.schema == HOLDINGS
    first, second = rows.rows(named=True)
    assert (first["item_status"], first["enumeration"], first["location"]) == ("Available", "v.1:no.2", "t")
    assert (second["parent"], second["call_number"], second["location"]) == ("in", "Fol. QA 1", "p")
    assert second["statements"] == ["v.1-v.10 (1990-1999)", ""] and second["supplements"] == ["suppl. 1"]
    text = str(rows.to_dicts())
    assert "Owed" not in text and "unpaid" not in text and token("Bill unpaid", SALT) in text


def test_a_delta_says_what_changed_in_what() -> None:
    before = frame(entity(1, volume="1", status={"name": "Available"}), entity(2), entity(3, version=5, volume="9"))
    after = frame(
        entity(1, version=2, volume="1", status={"name": "Missing"}, copyNumber="c"),
        entity(4, barcode="x"),
        entity(3, version=4, volume="8"),
    )
    found = holdings_delta(before, after, whole=True)
    assert found.schema == DELTAS
    assert found.select("id", "change", "pointer", "before", "after").rows()[:2] == [
        ("i1", "changed", "/copyNumber", "", '"c"'),
        ("i1", "changed", "/status/name", '"Available"', '"Missing"'),
    ]
    assert found.select("id", "change").rows()[2:] == [("i2", "removed"), ("i4", "added")]
    assert holdings_delta(before, after, whole=False).filter(pl.col("change") == "removed").is_empty()


BODIES = st.dictionaries(
    st.sampled_from(["volume", "enumeration", "notes", "status"]),
    st.one_of(st.text("ab", max_size=2), st.lists(st.text("ab", max_size=1), max_size=2)),
    max_size=3,
)
STATES = st.dictionaries(st.integers(1, 4), BODIES, max_size=4)


@given(STATES, STATES)
def test_a_delta_applied_to_the_state_before_gives_the_state_after(before: Any, after: Any) -> None:
    old = frame(*(entity(number, version=1, **body) for number, body in before.items()))
    new = frame(*(entity(number, version=2, **body) for number, body in after.items()))
    state = {each["id"]: orjson.loads(each["body"]) for each in old.rows(named=True)}
    delta = holdings_delta(old, new, whole=True)
    for each in delta.filter(pl.col("change") != "changed").rows(named=True):
        state.pop(each["id"], None)
        if each["change"] == "added":
            state[each["id"]] = orjson.loads(each["after"])
    for (key,), rows in delta.filter(pl.col("change") == "changed").group_by("id"):
        pointers = {
            each["pointer"]: tuple(orjson.loads(each[side]) if each[side] else None for side in ("before", "after"))
            for each in rows.rows(named=True)
        }
        state[str(key)] = apply_changes(state[str(key)], pointers)
    wanted = {each["id"]: orjson.loads(each["body"]) for each in new.rows(named=True)}
    assert state.keys() == wanted.keys()
    for key, body in wanted.items():
        own = [{k: v for k, v in each.items() if k != "_version"} for each in (state[key], body)]
        assert same(*own)
    assert holdings_delta(new, new, whole=True).is_empty()


def mfhd(*fields: tuple[str, str]) -> bytes:
    record = Record(leader=Leader("00000ny  a2200000n  4500"))
    for tag, text in fields:
        parts = [Subfield(each[0], each[1:]) for each in text.split("$")[1:]]
        record.add_field(Field(tag, Indicators("4", "1"), parts))
    return record.as_marc()


def rows_of(*fields: tuple[str, str]) -> list[dict[str, Any]]:
    found = statements(read_all(io.BytesIO(mfhd(*fields))).subfields)
    assert found.schema == STATEMENTS
    return found.rows(named=True)


def test_what_is_held_gets_the_captions_that_its_link_names() -> None:
    paired, second, supplement, unpaired, textual = rows_of(
        ("853", "$81$av.$bno.$i(year)$j(month)"),
        ("853", "$82$aBd."),
        ("854", "$81$asuppl.$i(year)"),
        ("863", r"$81.1\a$a1-10$b3$i1990-1999$j01$zincomplete"),
        ("863", "$82.12$a7"),
        ("864", "$81.1$a2$i1995"),
        ("863", "$89.1$a5$i2001"),
        ("866", "$80$av.1-v.10 (1990-1999)$zSee the desk"),
    )
    assert (paired["enumeration"], paired["chronology"]) == ("v.1-10:no.3", "1990-1999:01")
    assert (paired["enumeration_captions"], paired["chronology_captions"]) == ("v.:no.", "(year):(month)")
    assert (paired["form"], paired["part"], paired["link"], paired["sequence"]) == ("paired", "basic", "1", 1)
    assert paired["note"] == "incomplete"
    assert (second["enumeration"], second["sequence"]) == ("Bd.7", 12)
    assert (supplement["part"], supplement["enumeration"], supplement["chronology"]) == (
        "supplement",
        "suppl.2",
        "1995",
    )
    assert (unpaired["form"], unpaired["enumeration"], unpaired["chronology"]) == ("unpaired", "5", "2001")
    assert (textual["form"], textual["text"], textual["note"]) == ("textual", "v.1-v.10 (1990-1999)", "See the desk")
    assert (textual["link"], textual["sequence"]) == ("0", None)


def test_a_record_without_statements_has_none_and_one_without_links_is_read_all_the_same() -> None:
    assert rows_of(("852", "$bMAIN")) == []
    (row,) = rows_of(("863", "$a1"))
    assert (row["form"], row["link"], row["enumeration"]) == ("unpaired", "", "1")


def test_statements_of_real_holdings_records_are_all_there(data: Path) -> None:
    for file in sorted((data / "marc/holdings").glob("*.mrc")):
        subfields = read_all(file).subfields
        held = subfields.filter(pl.col("tag").str.contains("^86[3-8]$")).select("record", "field").unique()
        assert held.height and statements(subfields).height == held.height
