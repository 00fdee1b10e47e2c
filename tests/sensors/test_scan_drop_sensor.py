"""When a drop runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from holdfast.preservation.naming import batch_partition
from holdfast.settings import load_settings
from preservation_assets.definitions import build_defs
from sensors.scan_drop_sensor import DropListing, list_drops, plan_scans, scan_drop_sensor
from tests.preservation_drops import manifest_of, page_bytes, write_drop

STILL = {"bookeye": 3.0, "": 3.0}
PAGES = {"a.tif": b"one", "b.tif": b"two"}
MANIFEST = json.dumps(manifest_of(PAGES)).encode()
LENGTHS = {"a.tif": 3, "b.tif": 3}


def plan(seen: dict[str, Any], *listing: DropListing, now: float = 1000.0) -> Any:
    return plan_scans(seen, listing, now=now, still_seconds=STILL)


def a_drop(**changes: Any) -> DropListing:
    given = {"name": "atlas", "signature": "1|a", "manifest": MANIFEST, "lengths": LENGTHS, "quiet_seconds": 10.0}
    return DropListing(**{**given, **changes})


def test_a_complete_and_still_drop_runs_once() -> None:
    first = plan({}, a_drop())
    again = plan(first.seen, a_drop(), now=1010)

    assert [each.batch for each in first.requests] == ["atlas"]
    assert first.requests[0].run_key.startswith("atlas:")
    assert again.requests == () and again.waiting == ()


def test_a_corrected_drop_of_the_same_name_runs_again_and_a_touched_one_does_not() -> None:
    first = plan({}, a_drop())
    touched = plan(first.seen, a_drop(signature="2|a"))
    corrected = plan(touched.seen, a_drop(signature="3|a", manifest=MANIFEST.replace(b"b-1", b"b-2")))

    assert touched.requests == ()
    assert len(corrected.requests) == 1
    assert corrected.requests[0].run_key != first.requests[0].run_key


@pytest.mark.parametrize(
    ("drop", "wait"),
    [
        (a_drop(manifest=None), "manifest.json"),
        (a_drop(lengths={"a.tif": 3}), "b.tif (missing)"),
        (a_drop(lengths={"a.tif": 3, "b.tif": 2}), "b.tif (2 of 3 bytes)"),
        (a_drop(lengths={}), "a.tif (missing) and 1 more"),
        (a_drop(quiet_seconds=1.0), "still for 3 s"),
        (a_drop(quiet_seconds=-50.0), "still for 3 s"),
    ],
)
def test_a_drop_that_is_not_ready_is_named_with_what_it_waits_for(drop: DropListing, wait: str) -> None:
    planned = plan({}, drop)

    assert planned.requests == ()
    assert wait in planned.waiting[0] and planned.waiting[0].startswith("atlas: ")


def test_stillness_is_seen_by_our_own_clock_too() -> None:
    first = plan({}, a_drop(quiet_seconds=-50.0), now=1000)
    assert plan(first.seen, a_drop(quiet_seconds=-49.0), now=1002).requests == ()
    assert len(plan(first.seen, a_drop(quiet_seconds=-46.0), now=1004).requests) == 1
    assert plan(first.seen, a_drop(signature="9|z", quiet_seconds=0.0), now=1004).requests == ()


def test_a_file_longer_than_declared_goes_on_to_quarantine() -> None:
    assert len(plan({}, a_drop(lengths={"a.tif": 3, "b.tif": 9})).requests) == 1


def test_a_drop_that_stays_incomplete_for_an_hour_runs_as_it_is_and_again_when_complete() -> None:
    short = {"a.tif": 3}
    first = plan({}, a_drop(lengths=short, quiet_seconds=4000.0))
    again = plan(first.seen, a_drop(lengths=short, quiet_seconds=5000.0))
    later = plan(again.seen, a_drop(signature="2|b"))

    assert first.requests[0].run_key.endswith(":incomplete")
    assert again.requests == ()
    assert len(later.requests) == 1 and not later.requests[0].run_key.endswith(":incomplete")


@pytest.mark.parametrize("manifest", [b"no json", b"", b"{}", b"[]"])
def test_a_manifest_that_cannot_be_read_runs_and_ends_in_quarantine(manifest: bytes) -> None:
    assert len(plan({}, a_drop(manifest=manifest)).requests) == 1


def test_a_drop_with_an_invalid_name_runs_under_a_derived_one() -> None:
    (request,) = plan({}, a_drop(name="Karl der Große")).requests
    assert request.batch == batch_partition("Karl der Große") != "Karl der Große"


def test_more_drops_than_a_tick_can_take_wait_for_the_next_one() -> None:
    drops = [a_drop(name=f"b{number}") for number in range(30)]
    first = plan({}, *drops)
    second = plan(first.seen, *drops)

    assert len(first.requests) == 25 and len(first.waiting) == 5
    assert len(second.requests) == 5


def test_a_drop_that_was_removed_is_forgotten() -> None:
    assert plan(plan({}, a_drop()).seen).seen == {}


def test_the_listing_sees_drops_and_nothing_else(tmp_path: Path) -> None:
    write_drop(tmp_path, "atlas", PAGES)
    (tmp_path / ".rsync").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "atlas")

    (listed,) = list_drops(tmp_path, {}, 10**6)

    assert listed.name == "atlas" and listed.lengths == LENGTHS and listed.manifest
    assert list(list_drops(tmp_path / "nowhere", {}, 10)) == []
    assert next(iter(list_drops(tmp_path, {}, 10))).manifest == b""


def test_a_growing_file_changes_the_signature(tmp_path: Path) -> None:
    folder = write_drop(tmp_path, "atlas", PAGES)
    (before,) = list_drops(tmp_path, {}, 10**6)
    (folder / "a.tif").write_bytes(b"one and more")
    (after,) = list_drops(tmp_path, {}, 10**6)

    assert before.signature != after.signature


@pytest.mark.dagster
def test_a_drop_becomes_a_partition_and_a_run_in_one_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    settings = load_settings()
    folder = write_drop(settings.scans, "atlas", {"a.tif": page_bytes("Atlas")})
    write_drop(settings.scans, "later", {"a.tif": b"x"}, manifest_of({"a.tif": b"xyz"}))
    past = time.time() - 100
    for file in (*folder.iterdir(), folder):
        os.utime(file, (past, past))
    sensor = scan_drop_sensor(settings)

    def tick(instance: dg.DagsterInstance, cursor: str | None) -> Any:
        context = dg.build_sensor_context(
            instance=instance, instance_ref=instance.get_ref(), cursor=cursor, definitions=build_defs()
        )
        return sensor.evaluate_tick(context)

    (tmp_path / "dagster").mkdir()
    with dg.instance_for_test(temp_dir=str(tmp_path / "dagster")) as instance:
        first = tick(instance, None)
        assert "atlas: changed" in str(first.skip_message)
        # The change times of files cannot be set back: our own clock has to run.
        cursor = json.loads(first.cursor)
        for state in cursor.values():
            state["since"] -= 10
        second = tick(instance, json.dumps(cursor))
        third = tick(instance, second.cursor)

    (request,) = second.run_requests
    assert request.partition_key == "atlas" and request.run_key.startswith("atlas:")
    (addition,) = second.dynamic_partitions_requests
    assert addition.partitions_def_name == "batch" and list(addition.partition_keys) == ["atlas"]
    assert third.run_requests == [] and "later: waits for a.tif" in str(third.skip_message)


def test_the_sensor_names_a_job_that_is_there() -> None:
    defs = build_defs()
    job = defs.resolve_job_def("digitization")
    assert {node.name for node in job.graph.nodes} == {
        "batch_manifests", "verified_masters", "technical_metadata", "ocr_text", "enriched_metadata",
    }  # fmt: skip
