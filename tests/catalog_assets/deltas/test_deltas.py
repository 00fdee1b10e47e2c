"""The assets of holdings and circulation, materialized as a run does it."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import dagster as dg
import httpx
import polars as pl

from catalog_assets.definitions import build_defs
from demo.ils.patrons import sample_user
from resources.lake.client import Lake
from tests.demo_ils import DemoIls

DAY = "2026-01-29"


def run(job: str, day: str) -> dg.ExecuteInProcessResult:
    defs = build_defs()
    return defs.resolve_job_def(job).execute_in_process(partition_key=day)


def test_a_day_of_circulation_and_of_holdings_is_in_the_lake_with_no_patron_in_it(library: DemoIls) -> None:
    library.seed()
    body = {"day": DAY, "loans": 20, "late": 0.2}
    httpx.post(f"{library.url}/_demo/circulation/day", json=body, timeout=30).raise_for_status()
    result = run("circulation_reading", DAY)
    (event,) = result.asset_materializations_for_node("circulation_deltas")
    lake = Lake(Path(os.environ["HOLDFAST_VAR"]) / "lake")
    rows = lake.read("circulation_deltas", DAY)
    assert event.metadata["dagster/row_count"].value == rows.height == 20
    assert rows["patron"].str.starts_with("pii:").all()
    assert sample_user(1)["id"] not in str(rows.to_dicts())
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == "no_gaps" and check.passed

    today = dt.datetime.now(dt.UTC).date().isoformat()
    result = run("holdings_reading", today)
    rows = lake.read("holdings_deltas", today)
    assert set(rows["kind"]) == {"holdings", "item"}
    assert rows.filter(pl.col("item_status") == "Checked out").height
    assert "Owed by card" not in str(rows.to_dicts())
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed and check.severity == dg.AssetCheckSeverity.WARN
    assert "read before the day was over" in str(check.metadata["days"].value)
