"""When authority files are loaded, and what is linked after a load."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from holdfast.settings import Settings, parse_settings
from sensors.authority_sensors import build_authority_sensors, plan_files, plan_linking
from tests.authorities import authority

TEXT = '[library]\nname = "L"\n[sources.a]\n[authorities.lcsh]\n'
NOW = 1_000_000_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return parse_settings(TEXT, root=tmp_path)


def test_files_are_loaded_once_they_are_still() -> None:
    now = {"lcsh/a.mrc": (10, NOW - 10_000_000_000)}
    assert plan_files(now, now, NOW, {"lcsh": 3})[0].startswith("authorities:")
    assert plan_files({}, now, NOW, {"lcsh": 3}) == ("", "waits for lcsh/a.mrc")
    assert plan_files(now, now, NOW, {"lcsh": 30}) == ("", "waits for lcsh/a.mrc")
    assert plan_files({"lcsh/a.mrc": (9, now["lcsh/a.mrc"][1])}, now, NOW, {"lcsh": 3})[0] == ""
    assert plan_files({}, {}, NOW, {"lcsh": 3}) == ("", "no authority files")


def test_a_partition_that_was_normalized_twice_is_linked_once() -> None:
    assert plan_linking([(1, "a"), (2, "b"), (3, "a")]) == {"a": 3, "b": 2}


def test_without_authority_files_there_are_no_sensors() -> None:
    assert build_authority_sensors(parse_settings('[library]\nname = "L"\n[sources.a]\n')) == []


@pytest.mark.dagster
def test_a_new_file_asks_for_one_load(settings: Settings) -> None:
    folder = settings.authority_files / "lcsh"
    folder.mkdir(parents=True)
    (folder / "a.mrc").write_bytes(authority("sh1", ("150", "  ", "a", "Poetry")))
    os.utime(folder / "a.mrc", (1_700_000_000, 1_700_000_000))
    sensor = next(each for each in build_authority_sensors(settings) if each.name == "authority_file_sensor")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        first = sensor.evaluate_tick(context)
        assert not first.run_requests and "waits for" in str(first.skip_message)
        second = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        third = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=second.cursor))
    # The same run key again: Dagster starts nothing for it.
    assert len(second.run_requests) == 1
    assert second.run_requests[0].run_key == third.run_requests[0].run_key


@pytest.mark.dagster
def test_every_normalized_partition_asks_for_its_links(settings: Settings) -> None:
    sensor = next(each for each in build_authority_sensors(settings) if each.name == "authority_links_sensor")
    with dg.DagsterInstance.ephemeral() as instance:
        nothing = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        assert nothing.skip_message
        for partition in ("2026-01-05|ebooks", "2026-01-06|ebooks", "2026-01-05|ebooks"):
            instance.report_runless_asset_event(dg.AssetMaterialization("normalized_records", partition=partition))
        tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, definitions=build_defs()))
        assert sorted(each.partition_key for each in tick.run_requests) == ["2026-01-05|ebooks", "2026-01-06|ebooks"]
        again = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=tick.cursor))
        assert not again.run_requests
