"""When a MARC drop is loaded."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_assets.definitions import build_defs
from holdfast.settings import load_settings, parse_settings
from sensors.marc_drop_sensor import (
    Hashing,
    Listed,
    Seen,
    Window,
    build_marc_drop_sensor,
    content_key,
    hash_on,
    list_drops,
    plan_drops,
    wait_of,
)

STILL = {"ebooks": 3.0, "own": 3.0}
SECOND = 10**9
DAY = "2026-03-10"


def listed(name: str = "a.mrc", source: str = "ebooks", day: str = DAY, size: int = 5, changed: int = 0) -> Listed:
    return Listed(source, name, day, size, changed * SECOND)


def seen(*files: Listed) -> Seen:
    return {f"{each.source}/{each.name}": (each.size, each.changed_ns) for each in files}


def plan(before: Seen, *files: Listed, now: int = 100) -> tuple[list[Window], list[str]]:
    return plan_drops(before, files, now * SECOND, STILL, ("2026-01-01", "2026-03-11"))


def test_a_file_that_is_as_it_was_and_still_is_loaded() -> None:
    assert plan(seen(listed()), listed()) == ([Window("ebooks", DAY, ("a.mrc",))], [])


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ((), listed()),  # never seen
        ((listed(size=4),), listed()),  # it grew
        ((listed(changed=1),), listed(changed=2)),  # rewritten with the same length
        ((listed(changed=98),), listed(changed=98)),  # two seconds ago
        ((listed(changed=400),), listed(changed=400)),  # in the future: the clocks differ
    ],
)
def test_a_restless_file_waits_and_is_named(before: tuple[Listed, ...], now: Listed) -> None:
    assert plan(seen(*before), now) == ([], [f"ebooks {DAY}: waits for a.mrc"])


def test_a_restless_file_holds_its_own_window_only() -> None:
    still, other, restless = listed("a.mrc"), listed("b.mrc", day="2026-03-09"), listed("c.mrc", size=9)
    own = listed("d.mrc", source="own")
    ready, waiting = plan(seen(still, other, own), still, other, restless, own)
    assert ready == [Window("ebooks", "2026-03-09", ("b.mrc",)), Window("own", DAY, ("d.mrc",))]
    assert waiting == [f"ebooks {DAY}: waits for c.mrc"]


@pytest.mark.parametrize("name", ["b.mrc.part", "B.MRC.PARTIAL", "b.filepart", "b.tmp", "b.crdownload"])
def test_an_unfinished_name_holds_its_window_however_still_it_is(name: str) -> None:
    files = (listed("a.mrc"), listed(name))
    assert plan(seen(*files), *files) == ([], [f"ebooks {DAY}: waits for {name}"])


@pytest.mark.parametrize("day", ["2019-07-01", "2025-12-31", "2026-03-12"])
def test_a_file_of_a_day_that_is_no_partition_waits_for_a_person_and_stops_nobody(day: str) -> None:
    odd, fine = listed("old.mrc", day=day), listed("a.mrc")
    ready, (waiting,) = plan(seen(odd, fine), odd, fine)
    assert ready == [Window("ebooks", DAY, ("a.mrc",))]
    assert "old.mrc" in waiting and "touch" in waiting


def test_a_name_that_is_not_utf8_can_be_said() -> None:
    _, (waiting,) = plan({}, listed("caf\udce9.mrc"))
    assert waiting.encode()


def test_nothing_is_nothing() -> None:
    assert plan({}) == ([], [])


# ---- the folder ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Path:
    path = load_settings().drops / "ebooks"
    path.mkdir(parents=True)
    return path


def put(path: Path, data: bytes = b"marc", seconds_ago: float = 100) -> Path:
    path.write_bytes(data)
    moment = time.time() - seconds_ago
    os.utime(path, (moment, moment))
    return path


def test_the_listing_has_the_pattern_s_files_and_unfinished_ones_and_no_hidden_ones(folder: Path) -> None:
    for name in ("a.mrc", "b.mrc.part", ".c.mrc", "readme.txt"):
        put(folder / name)
    (folder / "d.mrc").mkdir()
    names = [each.name for each in list_drops(load_settings())]
    assert names == ["a.mrc", "b.mrc.part"]


def test_the_day_is_that_of_the_last_change_in_the_library_s_time_zone(folder: Path) -> None:
    path = put(folder / "a.mrc")
    moment = dt.datetime(2026, 3, 10, 23, 30, tzinfo=dt.UTC).timestamp()
    os.utime(path, (moment, moment))
    settings = load_settings()
    vienna = settings.model_copy(update={"library": settings.library.model_copy(update={"timezone": "Europe/Vienna"})})
    assert [each.day for each in list_drops(settings)] == ["2026-03-10"]
    assert [each.day for each in list_drops(vienna)] == ["2026-03-11"]


def test_the_key_is_the_content_and_not_the_name(tmp_path: Path) -> None:
    a, b, c = (put(tmp_path / name, data) for name, data in (("a", b"1"), ("b", b"1"), ("c", b"2")))
    assert content_key([a]) == content_key([b]) != content_key([c])
    assert content_key([a, c]) != content_key([c, a])
    assert content_key([a, b]) != content_key([a])


@given(st.lists(st.binary(max_size=40), max_size=4), st.lists(st.integers(1, 5), max_size=60))
def test_hashing_in_many_ticks_is_hashing_in_one(
    tmp_path_factory: Any, contents: list[bytes], ticks: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("hashed")
    paths = [folder / str(number) for number in range(len(contents))]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    hashing, done = Hashing(), False
    for chunks in [*ticks, 10**6]:
        left = iter(range(chunks - 1))
        hashing, done = hash_on(paths, hashing, lambda left=left: next(left, None) is not None, chunk=7)
        if done:
            break
    assert done and hashing.state == hash_on(paths, Hashing(), lambda: True, chunk=7)[0].state


def test_two_files_are_not_the_one_that_they_make_together(tmp_path: Path) -> None:
    a, b, both = put(tmp_path / "a", b"1"), put(tmp_path / "b", b"2"), put(tmp_path / "c", b"12")
    assert content_key([a, b]) != content_key([both])


def test_a_source_with_an_address_has_no_folder_here_and_a_day_in_the_name_counts(tmp_path: Path) -> None:
    settings = parse_settings(
        '[library]\nname = "L"\n[sources.ebooks]\nfile_day = "_(?P<day>[0-9]{8})"\n'
        '[sources.away]\nurl = "ftp://h/x"\n[sources.asked]\nkind = "oai-pmh"\nurl = "http://h/"\n',
        root=tmp_path,
    )
    for name in settings.sources:
        (settings.drops / name).mkdir(parents=True)
        put(settings.drops / name / "x_20260228.mrc")
    put(settings.drops / "ebooks" / "y.mrc")
    assert [(each.source, each.day) for each in list_drops(settings)] == [("ebooks", "2026-02-28"), ("ebooks", "")]
    _, waiting = plan_drops({}, list_drops(settings), time.time_ns(), {"ebooks": 3.0})
    assert "ebooks: file_day finds no day in the name, so these will not be loaded: y.mrc" in waiting


def test_a_delay_holds_a_drop_longer_than_its_stillness() -> None:
    sources = parse_settings(
        '[library]\nname = "L"\n[sources.a]\ndelay_seconds = 60\n[sources.b]\nstill_seconds = 90\n'
    ).sources
    assert [wait_of(each) for each in sources.values()] == [60, 90]


# ---- through Dagster ------------------------------------------------------------------------------------------------------


class Ticks:
    """Ticks of the sensor, each with the cursor of the one before."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._cursor: str | None = None
        self._sensor = build_marc_drop_sensor(load_settings())
        self._definitions = build_defs()

    def __call__(self) -> tuple[list[Any], str]:
        with dg.build_sensor_context(
            instance=self._instance, cursor=self._cursor, definitions=self._definitions
        ) as context:
            tick = self._sensor.evaluate_tick(context)
        self._cursor = tick.cursor
        return list(tick.run_requests or []), str(tick.skip_message or "")


@pytest.fixture
def tick(tmp_path: Path) -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(instance)


@pytest.mark.dagster
def test_a_drop_runs_once_and_a_corrected_one_again(folder: Path, tick: Ticks) -> None:
    day = dt.datetime.fromtimestamp(time.time() - 100, dt.UTC).date().isoformat()
    put(folder / "a.mrc")
    first = tick()
    assert first[0] == [] and "waits for a.mrc" in first[1]
    (request,), _ = tick()
    assert request.partition_key == f"{day}|ebooks"
    assert request.run_key.startswith(f"marc:ebooks:{day}:")
    assert tick() == ([], "1 files, nothing new")

    put(folder / "a.mrc", b"corrected", 90)
    assert tick()[0] == []
    (again,), _ = tick()
    assert again.partition_key == request.partition_key and again.run_key != request.run_key

    os.utime(folder / "a.mrc")  # touched, and not changed: the same key, which Dagster runs once
    put(folder / "a.mrc", b"corrected", 80)
    tick()
    (touched,), _ = tick()
    assert touched.run_key == again.run_key


@pytest.mark.dagster
def test_a_large_drop_is_hashed_over_several_ticks_and_asked_for_once(
    folder: Path, tick: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a.mrc", b"x" * (20 << 20))
    clock = iter(range(0, 10**6, 100))  # each look at it is 100 seconds later: a chunk a tick
    tick._sensor = build_marc_drop_sensor(load_settings(), clock=lambda: next(clock))
    tick()
    said = []
    for _ in range(8):
        requests, why = tick()
        said.append(len(requests))
        if not requests and sum(said) == 0:
            assert "hashing, 0 of 1 files done" in why
    assert said.count(1) == 1 and said.index(1) == 3
    monkeypatch.undo()


@pytest.mark.dagster
def test_the_cursor_of_a_version_that_hashed_in_one_go_is_understood(folder: Path, tick: Ticks) -> None:
    day = dt.datetime.fromtimestamp(time.time() - 100, dt.UTC).date().isoformat()
    path = put(folder / "a.mrc")
    tick()
    tick()
    state = json.loads(tick._cursor or "")
    (key,) = state["keys"]
    assert key == f"{day}|ebooks"
    state["keys"][key] = [state["keys"][key][0], "0" * 64]
    tick._cursor = json.dumps(state)
    assert tick() == ([], "1 files, nothing new")
    assert path.exists()


@pytest.mark.dagster
def test_a_file_with_an_old_date_stops_no_other_drop(folder: Path, tick: Ticks) -> None:
    put(folder / "a.mrc")
    put(folder / "old.mrc", seconds_ago=20 * 365 * 86_400)
    put(folder / "future.mrc", seconds_ago=-10 * 86_400)
    tick()
    requests, _ = tick()
    assert len(requests) == 1
    assert "old.mrc will not be loaded" in tick()[1]


@pytest.mark.dagster
def test_a_file_that_is_removed_is_forgotten(folder: Path, tick: Ticks) -> None:
    put(folder / "a.mrc")
    tick()
    (folder / "a.mrc").unlink()
    assert tick() == ([], "0 files, nothing new")
    assert json.loads(tick._cursor or "") == {"seen": {}, "keys": {}}


@pytest.mark.dagster
def test_the_sensor_names_a_job_that_is_there() -> None:
    job = build_defs().resolve_job_def("catalogue_load")
    assert {"harvested_marc", "ils_commits"} <= {node.name for node in job.graph.nodes}
