from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.settings import Settings, parse_settings
from resources.museum_exports.client import DroppedFile
from sensors.museum_export_sensor import ExportRequest, SeenExports, build_museum_export_sensor, plan_exports
from sensors.museum_schedules import build_museum_schedule, plan_night

DAY = dt.date(2026, 11, 20)
DAYS = (dt.date(2026, 1, 1), DAY)
NOW = 1_800_000_000.0


def file(name: str, *, age: float = 60, size: int = 1, day: dt.date = DAY, content: str = "") -> DroppedFile:
    return DroppedFile("prints", day, name, Path(content or name), size, int((NOW - age) * 1e9))


def plan(seen: SeenExports, *listing: DroppedFile, now: float = NOW) -> tuple[list[ExportRequest], SeenExports]:
    return plan_exports(
        seen, listing, now=now, days=DAYS, still_seconds={"prints": 3}, hash_of=lambda each: f"hash of {each.path}"
    )


def test_a_still_export_is_asked_for_once() -> None:
    (request,), seen = plan(SeenExports(), file("a.csv"))
    assert (request.collection, request.day) == ("prints", "2026-11-20")
    assert plan(seen, file("a.csv"))[0] == []


def test_an_export_waits_until_all_its_files_are_still() -> None:
    requests, seen = plan(SeenExports(), file("a.csv"), file("b.csv", age=1))
    assert requests == []
    assert len(plan(seen, file("a.csv"), file("b.csv", age=1), now=NOW + 5)[0]) == 1


def test_the_run_key_is_the_content_whatever_the_time_of_change() -> None:
    (one,), _ = plan(SeenExports(), file("a.csv"), file("b.csv"))
    (other,), _ = plan(SeenExports(), file("b.csv", age=99), file("a.csv", age=77))
    assert one.run_key == other.run_key


def test_a_file_that_was_touched_only_is_not_asked_for_again() -> None:
    _, seen = plan(SeenExports(), file("a.csv"))
    assert plan(seen, file("a.csv", age=30))[0] == []


def test_other_content_is_asked_for_and_an_earlier_one_that_came_back_too() -> None:
    (one,), seen = plan(SeenExports(), file("a.csv", age=90, content="x"))
    (two,), seen = plan(seen, file("a.csv", age=60, content="y"))
    (three,), seen = plan(seen, file("a.csv", age=30, content="x"))
    assert len({one.run_key, two.run_key, three.run_key}) == 3


def test_a_file_is_hashed_once_for_each_of_its_states() -> None:
    hashed: list[str] = []

    def hash_of(each: DroppedFile) -> str:
        hashed.append(each.name)
        return each.name

    seen = SeenExports()
    for listing in ([file("a.csv")], [file("a.csv")], [file("a.csv", size=2)]):
        _, seen = plan_exports(seen, listing, now=NOW, days=DAYS, still_seconds={"prints": 3}, hash_of=hash_of)
        seen = SeenExports.from_cursor(seen.to_cursor())
    assert hashed == ["a.csv", "a.csv"]


def test_a_time_of_change_in_the_future_counts_from_when_it_was_first_seen() -> None:
    requests, seen = plan(SeenExports(), file("a.csv", age=-1000))
    assert requests == []
    assert len(plan(seen, file("a.csv", age=-1000), now=NOW + 4)[0]) == 1


def test_days_that_are_no_partitions_are_left_alone() -> None:
    requests, seen = plan(
        SeenExports(), file("a.csv", day=dt.date(2025, 12, 31)), file("b.csv", day=DAY + dt.timedelta(1))
    )
    assert (requests, seen) == ([], SeenExports())


def test_what_left_the_folder_leaves_the_cursor() -> None:
    _, seen = plan(SeenExports(), file("a.csv"))
    assert plan(seen)[1] == SeenExports()


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 3)), max_size=4), max_size=8)
)
def test_no_key_is_ever_asked_for_twice(ticks: list[list[tuple[str, int, int]]]) -> None:
    seen, keys = SeenExports(exports={"prints|2026-11-20": ["", 0]}), []
    for number, tick in enumerate(ticks):
        listing = [file("always"), *(file(name, age=age, size=size) for name, age, size in dict.fromkeys(tick))]
        unique = {each.name: each for each in listing}
        requests, seen = plan(seen, *unique.values(), now=NOW + number)
        keys += [request.run_key for request in requests]
    assert len(keys) == len(set(keys))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    text = '[library]\nname = "L"\n[sources.s]\n[collections.prints]\nformat = "lido"\nschedule = "15 4 * * *"\n'
    return parse_settings(text, root=tmp_path)


def test_the_sensor_asks_for_the_partition_of_what_lies_there(settings: Settings) -> None:
    folder = settings.museum_exports / "prints"
    folder.mkdir(parents=True)
    (folder / "a.xml").write_text("<a/>")
    os.utime(folder / "a.xml", (time.time() - 60, time.time() - 60))
    day = dt.datetime.fromtimestamp(time.time() - 60, dt.UTC).date().isoformat()
    sensor = build_museum_export_sensor(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        (request,) = result.run_requests or []
        assert request.partition_key == dg.MultiPartitionKey({"collection": "prints", "day": day})
        assert request.tags["holdfast/writes-to"] == "museum_index/prints"
        again = sensor(dg.build_sensor_context(instance=instance, cursor=result.cursor))
    assert isinstance(again, dg.SensorResult)
    assert not again.run_requests


def test_the_night_loads_what_lies_there_for_the_day() -> None:
    assert plan_night(DAY, [file("a.csv")]) == ""
    assert "newest is of 2026-11-20" in plan_night(DAY + dt.timedelta(1), [file("a.csv")])
    assert "no export" in plan_night(DAY, [])


def test_each_collection_has_its_own_night(settings: Settings) -> None:
    schedule = build_museum_schedule(settings, "prints")
    assert (schedule.name, schedule.cron_schedule) == ("museum_prints_nightly", "15 4 * * *")
    context = dg.build_schedule_context(scheduled_execution_time=dt.datetime(2026, 11, 20, 4, 15, tzinfo=dt.UTC))
    assert isinstance(schedule(context), dg.SkipReason)
    (settings.museum_exports / "prints").mkdir(parents=True)
    path = settings.museum_exports / "prints/a.xml"
    path.write_text("<a/>")
    os.utime(path, (1_795_147_200, 1_795_147_200))  # 2026-11-20 04:00 UTC
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == dg.MultiPartitionKey({"collection": "prints", "day": "2026-11-20"})
