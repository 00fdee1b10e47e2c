"""What a partner gets: what differs, by what is in it, and nothing that is masked."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from holdfast.catalogue.snapshot import FIELDS, RECORDS, Live, snapshot
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Settings, SettingsError, parse_settings
from resources.lake.client import Lake, NotMaterialized
from resources.partners.client import ExportOvertaken, PartnerExport, export_partner
from resources.partners.contents import Stores

RULES = MaskingRules(("541$h", "583"))
LEADER = "00000nam a2200000 a 4500"


def settings_of(tmp_path: Path, **export: Any) -> Settings:
    table = "\n".join(f"{name} = {json.dumps(value)}" for name, value in export.items())
    return parse_settings(
        f'[library]\nname = "L"\n[sources.a]\n[exports.union]\ncontents = "bibliographic"\n{table}\n', root=tmp_path
    )


def stores(lake: Lake) -> Stores:
    """Of bibliographic records nothing but the lake is asked."""
    return Stores(lake, cast("Any", None), cast("Any", None))


def live(number: int, title: str = "", *fields: tuple[str, str]) -> Live:
    own = [("LDR", LEADER), ("001", f"in{number}"), ("245", f"10\x1fa{title or f'Title {number}'}"), *fields]
    return Live(f"id-{number}", f"in{number}", 1, "", "2026-03-01", own)


def catalogue(lake: Lake, *records: Live) -> None:
    with lake.replace("catalog_snapshot") as writer:
        writer.write("rows", pl.DataFrame(schema=RECORDS))
        writer.write("fields", pl.DataFrame(schema=FIELDS))
        for at in range(0, len(records), 2):  # several parts
            rows, fields = snapshot(records[at : at + 2], RULES, b"salt")
            writer.write("rows", rows)
            writer.write("fields", fields)


def titles(made: PartnerExport) -> list[tuple[str, str, str]]:
    """(leader/05, 001, 245 $a) of the file."""
    found = []
    for frames in marc.read(made.path):
        assert frames.records["fault"].null_count() == frames.records.height
        values = {(row["record"], row["tag"]): row["value"] for row in frames.subfields.iter_rows(named=True)}
        for record, leader in frames.records.select("record", "leader").iter_rows():
            found.append((leader[5], values.get((record, "001"), ""), values.get((record, "245"), "")))
    return sorted(found)


@pytest.mark.parametrize(("form", "suffix"), [("marc", ".mrc"), ("marcxml", ".xml")])
def test_an_export_holds_what_differs_from_the_last_days(tmp_path: Path, form: str, suffix: str) -> None:
    settings, lake = settings_of(tmp_path, format=form), Lake(tmp_path / "lake")
    catalogue(lake, live(1), live(2), live(3))
    first = export_partner(settings, stores(lake), "union", "2026-03-01")
    assert titles(first) == [("n", f"in{n}", f"Title {n}") for n in (1, 2, 3)]
    assert first.path == settings.partner_exports / "union" / f"union-2026-03-01{suffix}"
    manifest = json.loads(first.path.with_suffix(".json").read_text())
    assert manifest["sha256"] == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert (manifest["mode"], manifest["records"], manifest["from"]) == ("full", 3, "")

    catalogue(lake, live(1), live(2, "Another"), live(4))
    second = export_partner(settings, stores(lake), "union", "2026-03-02")
    assert titles(second) == [("d", "in3", ""), ("n", "in2", "Another"), ("n", "in4", "Title 4")]
    assert {key: second.manifest[key] for key in ("mode", "new", "changed", "deleted", "records")} == {
        "mode": "since", "new": 1, "changed": 1, "deleted": 1, "records": 3,
    }  # fmt: skip
    assert second.manifest["from"] == first.manifest["to"]
    # Once more on that day: the same from the same beginning; and nothing on a day when nothing is different.
    assert titles(export_partner(settings, stores(lake), "union", "2026-03-02")) == titles(second)
    nothing = export_partner(settings, stores(lake), "union", "2026-03-03")
    assert nothing.manifest["records"] == 0
    assert export_partner(settings, stores(lake), "union", "2026-03-03", full=True).manifest["records"] == 3
    with pytest.raises(ExportOvertaken, match="the export of 2026-03-03 has been made"):
        export_partner(settings, stores(lake), "union", "2026-03-01")


def test_nothing_masked_leaves_and_a_change_of_it_alone_is_none(tmp_path: Path) -> None:
    settings, lake = settings_of(tmp_path), Lake(tmp_path / "lake")
    paid = [("541", "1 \x1faGift\x1fh€ 5"), ("583", "1 \x1faconserved by J. Doe")]
    catalogue(lake, live(1, "A", *paid))
    made = export_partner(settings, stores(lake), "union", "2026-03-01")
    subfields = marc.read_all(made.path).subfields
    assert b"pii:" not in made.path.read_bytes()
    assert subfields.filter(pl.col("tag") == "541")["value"].to_list() == ["Gift"]
    assert "583" not in subfields["tag"].to_list()
    catalogue(lake, live(1, "A", ("541", "1 \x1faGift\x1fh€ 9"), paid[1]))
    assert export_partner(settings, stores(lake), "union", "2026-03-02").manifest["records"] == 0


def test_a_csv_has_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, format="csv", columns=["number", "245$a", "650", "deleted"], gzip=True)
    lake = Lake(tmp_path / "lake")
    subjects = [("650", " 0\x1faFogs\x1fxWeather"), ("650", ' 0\x1faRain, "grey"')]
    catalogue(lake, live(1, "Fog; a history", *subjects), live(2))
    export_partner(settings, stores(lake), "union", "2026-03-01")
    catalogue(lake, live(1, "Fog; a history", subjects[0]))
    made = export_partner(settings, stores(lake), "union", "2026-03-02")
    rows = list(csv.reader(io.StringIO(gzip.decompress(made.path.read_bytes()).decode())))
    assert rows == [
        ["number", "245$a", "650", "deleted"],
        ["in1", "Fog; a history", "Fogs Weather", "false"],
        ["in2", "", "", "true"],
    ]
    assert made.path.name == "union-2026-03-02.csv.gz" and (made.path.parent / "union-2026-03-02.json").is_file()


def test_a_record_that_the_format_has_no_place_for_is_named_and_the_others_go(tmp_path: Path) -> None:
    settings, lake = settings_of(tmp_path), Lake(tmp_path / "lake")
    catalogue(lake, live(1), live(2, "x" * 10_000), live(3))
    made = export_partner(settings, stores(lake), "union", "2026-03-01")
    assert [each[1] for each in titles(made)] == ["in1", "in3"]
    (refused,) = made.refused
    assert refused.code == "export.no_place" and "id-2" in refused.place
    assert (made.manifest["records"], made.manifest["left_out"], made.rows.height) == (2, 1, 2)


def test_an_export_that_breaks_leaves_the_last_one_and_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, lake = settings_of(tmp_path), Lake(tmp_path / "lake")
    catalogue(lake, live(1))
    export_partner(settings, stores(lake), "union", "2026-03-01")
    catalogue(lake, live(1, "B"))

    def broken(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="disk full"):
        patched.setattr("resources.partners.client._manifest", broken)
        export_partner(settings, stores(lake), "union", "2026-03-02")
    left = sorted(each.name for each in (settings.partner_exports / "union").iterdir())
    assert left == ["union-2026-03-01.json", "union-2026-03-01.mrc"]
    assert titles(export_partner(settings, stores(lake), "union", "2026-03-02")) == [("n", "in1", "B")]


def test_what_was_never_looked_at_is_not_exported_as_empty(tmp_path: Path) -> None:
    with pytest.raises(NotMaterialized, match="catalog_snapshot"):
        export_partner(settings_of(tmp_path), stores(Lake(tmp_path / "lake")), "union", "2026-03-01")


@given(st.lists(st.dictionaries(st.integers(0, 5), st.sampled_from("abc"), max_size=6), min_size=1, max_size=5))
def test_who_takes_every_export_in_turn_has_the_catalogue(tmp_path_factory: Any, days: list[dict[int, str]]) -> None:
    folder = tmp_path_factory.mktemp("exports")
    settings, lake, partner = settings_of(folder), Lake(folder / "lake"), dict[str, str]()
    for day, records in enumerate(days, 1):
        catalogue(lake, *(live(number, title) for number, title in records.items()))
        made = export_partner(settings, stores(lake), "union", f"2026-03-{day:02d}")
        if made.manifest["mode"] == "full":
            partner = {}
        for status, number, title in titles(made) if made.manifest["records"] else ():
            if status == "d":
                del partner[number]
            else:
                partner[number] = title
        assert partner == {f"in{number}": title for number, title in records.items()}


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ({"format": "csv"}, "needs them"),
        ({"columns": ["id"]}, "only a csv has them"),
        ({"format": "csv", "columns": ["titel"]}, "titel: no column of bibliographic"),
        ({"contents": "items", "format": "marc"}, "items are exported as csv"),
        ({"contents": "items", "format": "csv", "columns": ["price"]}, "is masked"),
    ],
)
def test_a_wrong_export_fails_at_start(tmp_path: Path, export: dict[str, Any], said: str) -> None:
    table = {"contents": "bibliographic", **export}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items())
    with pytest.raises(SettingsError, match=said):
        parse_settings(f'[library]\nname = "L"\n[sources.a]\n[exports.union]\n{text}\n')
