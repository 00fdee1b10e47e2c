"""What a feed says, what of it is kept, and what it would change."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalogue.budget import Measures
from holdfast.catalogue.plan_document import count_changes
from holdfast.catalogue.surprises import frequencies, surprising
from holdfast.feeds.document import as_changes, measure_feed, titled
from holdfast.feeds.elements import masked_elements
from holdfast.feeds.plan import CHANGES, PLAN, expiries, live_schema, plan_feed
from holdfast.feeds.rows import mask_rows, read_feed, rows_schema
from holdfast.feeds.surprises import feed_reasons
from holdfast.privacy.masking import PREFIX
from holdfast.settings import Feed, SettingsError, parse_settings

SALT = b"salt"
COLUMNS = {"external_id": "id", "last_name": "name", "group": "group", "expires": "until", "active": "active"}


def patrons(**more: Any) -> Feed:
    return Feed(kind="patrons", key="external_id", columns=COLUMNS, **more)


def read(text: str, feed: Feed) -> tuple[pl.DataFrame, list[tuple[int, str, str]]]:
    batches = list(read_feed(io.BytesIO(text.encode()), feed, feed_name="f", window="2026-03-01", file_name="f.csv"))
    rows = pl.concat([each.rows for each in batches]) if batches else pl.DataFrame(schema=rows_schema(feed.kind))
    return rows, [(record, each.code, each.place) for batch in batches for record, each in batch.rejected]


def live(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{"version": 1, **row} for row in rows], schema=live_schema("patrons"))


def test_values_have_one_form_and_bad_rows_stop_only_themselves() -> None:
    text = (
        "id,name,group,until,active\n"
        "1,  Ada   Lovelace,staff,31.12.2026,yes\n"
        "2,Bob,staff,2026-12-31,yes\n"
        ",Nobody,staff,31.12.2026,\n"
        "4,Dee,staff,31.12.2026,perhaps\n"
        "5,Eve,,,\n"
    )
    rows, rejected = read(text, patrons(date_format="%d.%m.%Y"))
    assert rows.select("record", "last_name", "group", "expires", "active").rows() == [
        (1, "Ada Lovelace", "staff", "2026-12-31", "true"),
        (5, "Eve", None, None, None),
    ]
    assert [(record, code) for record, code, _ in rejected] == [
        (2, "feed.date"),
        (3, "feed.key_missing"),
        (4, "feed.flag"),
    ]
    assert rejected[0][2] == "f.csv row 2 line 3 element expires"


def test_nothing_of_a_patron_is_in_the_masked_rows() -> None:
    rows, _ = read("id,name,group,until,active\n4711,Lovelace,staff,2026-12-31,yes\n", patrons())
    masked = mask_rows(rows, "patrons", "external_id", SALT)
    shown = repr(masked.rows())
    assert "4711" not in shown and "Lovelace" not in shown
    assert masked["group"].item() == "staff" and masked["expires"].item() == "2026-12-31"
    assert masked["key"].item() == masked["external_id"].item()
    assert masked["content_sha256"].item() != rows["content_sha256"].item()


def test_an_empty_cell_says_nothing_and_what_is_the_same_is_unchanged() -> None:
    text = "id,name,group,until,active\n1,Ada,staff,,\n2,Bob,,2027-01-01,\n3,Cy,student,,\n2,Bob,,2027-01-01,\n"
    rows = mask_rows(read(text, patrons())[0], "patrons", "external_id", SALT)
    known = mask_rows(
        read("id,name,group,until,active\n1,Ada,staff,,\n2,Bob,,,\n", patrons())[0], "patrons", "external_id", SALT
    )
    there = live(
        {
            "target": "a",
            "external_id": known["key"][0],
            "last_name": known["last_name"][0],
            "group": "staff",
            "expires": "2020-01-01",
        },
        {
            "target": "b",
            "external_id": known["key"][1],
            "last_name": known["last_name"][1],
            "group": "guest",
            "expires": None,
        },
    )
    planned = plan_feed(rows, there, "patrons", "external_id")
    assert planned.standing["verdict"].to_list() == ["unchanged", "update", "new", "duplicate"]
    assert planned.plan.select("record", "action").rows() == [(2, "update"), (3, "create")]
    assert planned.changes.filter(pl.col("record") == 2).rows() == [(2, "expires", None, "2027-01-01")]
    assert planned.changes.filter(pl.col("record") == 3)["element"].to_list() == ["external_id", "last_name", "group"]
    assert planned.plan["target"][1] != "" and len(set(planned.plan["idempotency_key"])) == 2


def test_rows_and_records_that_contradict_each_other_are_collisions() -> None:
    rows, _ = read("id,name,group,until,active\n1,Ada,staff,,\n1,Ada,student,,\n2,Bob,,,\n", patrons())
    there = live({"target": "a", "external_id": "2"}, {"target": "b", "external_id": "2"})
    planned = plan_feed(rows, there, "patrons", "external_id")
    assert planned.standing["verdict"].to_list() == ["collision"] * 3
    assert planned.standing["detail"].to_list()[2] == "2 live records have this external_id"
    assert not planned.plan.height and not planned.changes.height


def test_a_full_feed_ends_the_accounts_that_it_does_not_name() -> None:
    rows, _ = read("id,name,group,until,active\n1,Ada,,,\n", patrons(full=True, missing="expire"))
    there = live(
        {"target": "a", "external_id": "1"},
        {"target": "b", "external_id": "2"},
        {"target": "c", "external_id": "3", "expires": "2020-01-01"},
        {"target": "d", "external_id": None},
    )
    gone = expiries(rows, there, "external_id", "2026-03-01", first_record=2, feed="f")
    assert gone.select("record", "target", "before").rows() == [(2, "b", None)]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=12))
def test_every_row_has_one_verdict_and_a_second_load_of_what_was_written_changes_nothing(
    cells: list[tuple[str, str, str]],
) -> None:
    import csv

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "name", "group"])
    writer.writerows(cells)
    feed = Feed(kind="patrons", key="external_id", columns={"external_id": "id", "last_name": "name", "group": "group"})
    data = text.getvalue()
    batches = list(read_feed(io.BytesIO(data.encode()), feed, feed_name="f", window="w", file_name="f"))
    rows = pl.concat([each.rows for each in batches]) if batches else pl.DataFrame(schema=rows_schema("patrons"))
    rejected = [record for each in batches for record, _ in each.rejected]
    assert sorted([*rows["record"].to_list(), *rejected]) == list(range(1, rows.height + len(rejected) + 1))
    planned = plan_feed(rows, live(), "patrons", "external_id")
    assert planned.standing["record"].to_list() == rows["record"].to_list()
    written: dict[str, dict[str, Any]] = {target: {"target": target} for target in planned.plan["target"].to_list()}
    targets = dict(planned.plan.select("record", "target").iter_rows())
    for record, element, _, after in planned.changes.iter_rows():
        written[targets[record]][element] = after
    again = plan_feed(rows, live(*written.values()), "patrons", "external_id")
    assert set(again.standing["verdict"].to_list()) <= {"unchanged", "duplicate", "collision"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('kind = "patrons"\nkey = "barcode"\n[feeds.x.columns]\nexternal_id = "id"', "barcode, is not among them"),
        ('kind = "patrons"\nkey = "email"\n[feeds.x.columns]\nemail = "id"', "external_id, barcode, username"),
        ('kind = "items"\nkey = "barcode"\n[feeds.x.columns]\nbarcod = "id"', "did you mean 'barcode'"),
        ('kind = "items"\nkey = "barcode"\nfull = true\n[feeds.x.columns]\nbarcode = "id"', "only a feed of patrons"),
        ('kind = "patrons"\nformat = "marc"', "marc is for feeds of kind holdings"),
        ('kind = "holdings"\nformat = "marc"\nkey = "number"', "found by source_number, their 001"),
        (
            'kind = "holdings"\nformat = "marc"\n[feeds.x.constants]\nsuppressed = "perhaps"',
            "constants: suppressed: found 'perhaps', which is neither yes nor no",
        ),
    ],
)
def test_a_wrong_feed_fails_at_start(table: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_settings(f'[library]\nname = "L"\n[sources.a]\n[feeds.x]\n{table}\n')


def test_a_feed_has_a_name_that_no_source_has() -> None:
    table = '[feeds.a]\nkind = "items"\nkey = "barcode"\n[feeds.a.columns]\nbarcode = "b"\n'
    with pytest.raises(SettingsError, match="feeds: a: a source has this name already"):
        parse_settings(f'[library]\nname = "L"\n[sources.a]\n{table}')


def test_every_kind_masks_what_is_private() -> None:
    assert {"last_name", "email", "barcode"} <= set(masked_elements("patrons"))
    assert {"staff_note", "price"} <= set(masked_elements("items"))
    assert PREFIX == "pii:"


# ---- the plan as a document -------------------------------------------------------------------------------------------

TODAY = "2026-03-01"
Said = tuple[int, str, str | None, str]  # record, element, before, after


def planned(actions: dict[int, str], *said: Said) -> tuple[pl.DataFrame, pl.DataFrame]:
    blank = {pl.String: "", pl.Int64: 0, pl.UInt32: 0}
    rows = [
        {name: blank[dtype] for name, dtype in PLAN.items()} | {"record": record, "action": action, "key": f"k{record}"}
        for record, action in actions.items()
    ]
    return pl.DataFrame(rows, schema=PLAN), pl.DataFrame(list(said), schema=CHANGES, orient="row")


def test_measures_count_what_is_over_or_hidden_as_suppressed() -> None:
    plan, changes = planned(
        {1: "create", 2: "update", 3: "update", 4: "update", 5: "update", 6: "expire"},
        (1, "active", None, "false"),
        (2, "group", "staff", "graduate"),
        (3, "active", "true", "false"),
        (3, "expires", "2030-01-01", TODAY),
        (4, "expires", "2030-01-01", "2026-03-02"),
        (5, "suppressed", None, "true"),
        (6, "expires", None, TODAY),
    )
    found = measure_feed(plan, changes, TODAY, came_in=9, catalogue=50, unread=1, to_approve=("group", "active"))
    assert found == Measures(
        came_in=9, catalogue=50, created=1, updated=2, suppressed=3, to_approve=2, unread=1, missing=1
    )


def test_what_is_surprising_in_a_feed_comes_first_and_says_why() -> None:
    many = [(record, "email", "pii:a", "pii:b") for record in range(20, 60)]
    plan, changes = planned(
        dict.fromkeys([*range(1, 7), *range(20, 60)], "update") | {7: "expire", 8: "create"},
        (1, "status", "Checked out", "Available"),
        (2, "last_name", "pii:a", "pii:b"),
        (2, "date_of_birth", "pii:c", "pii:d"),
        (3, "expires", "2030-01-01", "2026-02-01"),
        (4, "call_number", "QA 76 .B3", "QA 76 .B31"),
        (5, "call_number", "QA 76 .B3", "DS 12 .C4"),
        (6, "last_name", "pii:e", "pii:f"),
        (7, "expires", None, TODAY),
        (8, "group", None, "staff"),
        *many,
    )
    changes = as_changes(changes)
    counts = count_changes(plan, changes, "patron")
    places = pl.DataFrame(
        {"record": [1, 2], "place": ["f.csv row 1", "f.csv row 2"]}, schema_overrides={"record": pl.UInt32}
    )
    rows = titled(plan, places)
    found = surprising(changes, rows, frequencies(counts, {}, 0), feed_reasons(TODAY))
    reasons = {(record, tag): text for record, tag, text in found.select("record", "tag", "reasons").iter_rows()}
    first = found["record"].head(5).to_list()
    assert set(first) == {1, 2, 3, 7} and 8 not in found["record"], "of a new record everything is new"
    assert reasons[1, "status"].startswith("lent out") and "another person" in reasons[2, "date_of_birth"]
    assert reasons[3, "expires"].startswith("the account would be over at once")
    assert reasons[7, "expires"].startswith("expired, for no row names the patron; the account had a year")
    assert "differently" in reasons[5, "call_number"] and "differently" not in reasons[4, "call_number"]
    assert "person" not in reasons[6, "last_name"], "a name alone is a marriage"
    assert reasons[20, "email"] == "", "what nearly every row does"
    usual = surprising(changes, rows, frequencies(counts, {("status", "", "changed"): 900}, 900), feed_reasons(TODAY))
    assert "rare" in reasons[1, "status"] and "rare" not in usual.filter(pl.col("tag") == "status")["reasons"].item()
    assert found.filter(pl.col("record") == 1)["title"].to_list() == ["k1 · f.csv row 1"]
    masked = titled(plan.with_columns(pl.lit(PREFIX + "0" * 64).alias("key")), places)
    assert masked["title"].head(1).item() == "f.csv row 1" and masked["title"].n_unique() == 3
