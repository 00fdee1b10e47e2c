"""What a feed says, what of it is kept, and what it would change."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.feeds.elements import masked_elements
from holdfast.feeds.plan import expiries, live_schema, plan_feed
from holdfast.feeds.rows import mask_rows, read_feed, rows_schema
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
