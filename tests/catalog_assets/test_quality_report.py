"""`quality_report` after a load: figures that Dagster plots, and a page that the UI links to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from catalog_assets.records.quality_report import numbers
from holdfast.marc.encoding import FOUND
from holdfast.quality.expected import FOLLOWED
from holdfast.quality.figures import SUMMARY, TABLES
from resources.lake.client import Lake
from tests.catalogue_load import DAY, SETTINGS, drop, fine, partition
from tests.demo_ils import DemoIls
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster]
RECORDS = [
    book("1", "Bleak <b>house</b>", fields=(("020", "a", "0-306-40615-3"), ("852", "x", "Ask Mrs. Ward"))),
    book("2", "Tab\there", fields=(("020", "a", "9780306406157"),)),
    book("3", "Little Dorrit"),
    b"00050nonsense\x1d",
]


def report() -> dict[str, dg.MetadataValue]:
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_defs()
            .resolve_job_def("quality_reporting")
            .execute_in_process(
                partition_key=dg.MultiPartitionKey({"source": "ebooks", "day": DAY.date().isoformat()}),
                instance=instance,
            )
        )
        assert result.success
        (event,) = result.asset_materializations_for_node("quality_report")
    return dict(event.metadata)


def values(metadata: dict[str, dg.MetadataValue]) -> dict[str, Any]:
    return {name: each.value for name, each in metadata.items()}


def test_a_load_gets_its_report_and_the_ui_its_numbers(library: DemoIls) -> None:
    drop(RECORDS, "vendor.mrc")
    fine(only=("harvested_marc", "normalized_records", "record_issues"))
    metadata = report()
    said = values(metadata)
    assert (said["records"], said["readable"], said["rejected"]) == (4, 3, 1)
    assert said["errors"] >= 1 and said["with_errors"] == 1
    assert said["share_with_errors"] == pytest.approx(1 / 3) and said["share_rejected"] == 0.25
    assert said["completeness_isbn"] == pytest.approx(2 / 3) and said["completeness_subject"] == 0
    assert said["found_ascii"] + said["found_unknown"] + said["found_utf_8"] == 4 and said["not_as_claimed"] == 0
    plotted = [name for name, each in metadata.items() if isinstance(each, dg.IntMetadataValue | dg.FloatMetadataValue)]
    assert {*SUMMARY.names(), "share_with_errors", "not_as_claimed"} <= set(plotted)
    assert {f"completeness_{name}" for name in FOLLOWED} <= set(plotted)
    assert {f"found_{name.replace('-', '_')}" for name in FOUND} <= set(plotted)
    lake = Lake(SETTINGS.var / "lake")
    for name, schema in TABLES.items():
        assert lake.read("quality_report", partition(), name).schema == schema
    assert "value.control_character" in said["summary"]
    page = Path(said["page"])
    assert page == SETTINGS.var / "reports" / "quality" / "ebooks" / f"{DAY.date()}.html"
    text = page.read_text()
    assert "vendor.mrc" in text and "Bleak &lt;b&gt;house" in text
    assert "Ward" not in text and not re.search("pii:[0-9a-f]", text)


def test_the_page_is_a_link_where_the_reports_are_served(library: DemoIls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_REPORTS_URL", "http://127.0.0.1:3080/")
    drop(RECORDS[:1])
    fine(only=("harvested_marc", "normalized_records", "record_issues"))
    page = report()["page"]
    assert isinstance(page, dg.UrlMetadataValue)
    assert page.url == f"http://127.0.0.1:3080/quality/ebooks/{DAY.date()}.html"


def test_a_load_of_nothing_has_a_report_without_shares(library: DemoIls) -> None:
    fine(only=("harvested_marc", "normalized_records", "record_issues"))
    said = values(report())
    assert said["records"] == 0 and "share_with_errors" not in said and "completeness_isbn" not in said
    assert "Nothing came in" in Path(said["page"]).read_text()


def test_what_is_stopped_is_in_the_report(library: DemoIls, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SETTINGS.sources["ebooks"].model_copy(update={"stop_on": ("isbn.check_digit",)})
    monkeypatch.setitem(SETTINGS.sources, "ebooks", source)
    drop(RECORDS[:3])
    fine(only=("harvested_marc", "normalized_records", "record_issues"))
    said = values(report())
    assert said["stopped"] == 1
    assert "stop_on</code> stopped 1 record" in Path(said["page"]).read_text()


def test_the_numbers_keys_stay_the_same() -> None:
    """Dagster plots by key: a key that changes begins a new plot."""
    import polars as pl

    from holdfast.quality.expected import MARC21
    from holdfast.quality.figures import Counting

    empty = Counting(MARC21).figures("s", "2026-01-05", pl.DataFrame(schema={"record": pl.UInt32}))
    assert sorted(numbers(empty)) == sorted(
        "records readable rejected stopped errors warnings notes with_errors with_issues not_as_claimed found_ascii found_utf_8 "
        "found_utf_8_twice found_marc_8 found_iso_5426 found_latin_1 found_cp1252 found_mixed found_unknown".split()
    )
