"""Stale partitions are asked for once a version, the newest first, and the job makes no more than differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from catalog_assets.definitions import build_defs
from catalog_assets.partitions import SETTINGS
from catalog_assets.records.record_issues import RULES
from holdfast.marc.normalize import VERSION
from resources.lake.client import Lake
from resources.lake.normalization import normalize_window
from resources.lake.staleness import stale_partitions
from resources.lake.validation import validate_window
from sensors.stale_partitions_sensor import AT_ONCE, build_stale_partitions_sensor, plan_stale
from tests.demo_ils import DemoIls
from tests.records import book
from tests.resources.lake.windows import DAY, PARTITION, SOURCE, harvest

VERSIONS = {name: rules.version for name, rules in RULES.items()}


def test_each_partition_is_asked_for_once_a_version_some_at_a_time() -> None:
    stale = [(f"2026-01-{day:02}|ebooks", "normalized_records", "3") for day in range(9, 0, -1)]
    first, told = plan_stale(stale, [], at_once=4)
    assert [partition for partition, _ in first] == [row[0] for row in stale[:4]]
    second, told = plan_stale(stale, told, at_once=4)
    third, told = plan_stale(stale, told, at_once=4)
    assert [partition for partition, _ in second + third] == [row[0] for row in stale[4:]]
    assert plan_stale(stale, told) == ([], told)
    # What is done leaves the cursor; what is stale again, by another version, is asked for again.
    again, told = plan_stale([(stale[0][0], "normalized_records", "4")], told)
    assert len(again) == 1 and again[0][1] != first[0][1] and told == [again[0][1]]
    assert plan_stale([], told) == ([], [])


def test_both_assets_of_a_partition_are_one_run() -> None:
    requests, _ = plan_stale([(PARTITION, "normalized_records", "3"), (PARTITION, "record_issues", "r")], [])
    assert len(requests) == 1


def test_the_sensor_asks_newest_first_and_leaves_out_what_is_no_partition(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    days = [f"2026-01-{day:02}" for day in range(1, AT_ONCE + 3)]
    for partition in [*(f"{day}|ebooks" for day in days), "2020-01-01|ebooks", "2026-01-01|gone"]:
        with lake.replace("normalized_records", partition) as writer:
            writer.write("rows", pl.DataFrame({"record": [1]}))
    sensor = build_stale_partitions_sensor(SETTINGS, VERSIONS)
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    asked, cursor = [], None
    while True:
        with dg.build_sensor_context(cursor=cursor, resources={"lake": lake}) as context:
            result: Any = sensor(context)
        if isinstance(result, dg.SkipReason):
            break
        assert len(result.run_requests) <= AT_ONCE
        asked += [request.partition_key.keys_by_dimension["day"] for request in result.run_requests]
        cursor = result.cursor
    assert asked == sorted(days, reverse=True)


@pytest.mark.services
@pytest.mark.dagster
def test_the_job_makes_a_stale_partition_current_and_leaves_what_does_not_differ(library: DemoIls) -> None:
    lake = Lake(SETTINGS.var / "lake")
    harvest(lake, [[book("1"), book("2", "Hard times")]])
    before = normalize_window(lake, PARTITION, SOURCE, DAY, version="0")
    validate_window(lake, PARTITION, RULES[SOURCE])
    assert stale_partitions(lake, VERSIONS)["why"].to_list() == ["code"]
    key = dg.MultiPartitionKey({"source": SOURCE, "day": DAY})
    with dg.DagsterInstance.ephemeral() as instance:
        result = build_defs().resolve_job_def("changed_rules").execute_in_process(partition_key=key, instance=instance)
    assert result.success
    events = {each: result.asset_materializations_for_node(each)[0] for each in ("normalized_records", "record_issues")}
    said = {
        name: {key: event.metadata[key].value for key in ("reused", "computed", "kept")}
        for name, event in events.items()
    }
    assert said == {
        "normalized_records": {"reused": 0, "computed": 2, "kept": 2},
        "record_issues": {"reused": 2, "computed": 0, "kept": 0},
    }
    assert events["normalized_records"].tags["dagster/data_version"] == before.data_version
    assert (
        stale_partitions(lake, VERSIONS).height == 0
        and lake.facts("normalized_records", PARTITION)["made_with"] == VERSION
    )
    assert not library.instances()
