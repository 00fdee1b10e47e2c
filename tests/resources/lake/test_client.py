"""The lake: a partition is replaced whole, or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resources.lake.client import Lake, NotMaterialized

ROOT = Path(__file__).resolve().parents[3]


def fill(lake: Lake, value: int, rows: int = 3, asset: str = "asset", partition: str = "p") -> None:
    with lake.replace(asset, partition) as writer:
        for _ in range(rows):
            writer.write("rows", pl.DataFrame({"value": [value]}))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_what_is_written_is_read_back_in_order_and_part_by_part(lake: Lake) -> None:
    with lake.replace("asset", "p") as writer:
        for part in range(12):
            writer.write("rows", pl.DataFrame({"value": [part, part]}))
        writer.write("empty", pl.DataFrame(schema={"text": pl.String}))
    assert lake.read("asset", "p")["value"].to_list() == [part for part in range(12) for _ in range(2)]
    assert [frame.height for frame in lake.batches("asset", "p")] == [2] * 12
    assert lake.rows("asset", "p") == 24
    assert lake.read("asset", "p", "empty").schema == {"text": pl.String}


def test_a_new_version_takes_the_place_of_the_old_one(lake: Lake) -> None:
    fill(lake, 1)
    before = lake.version("asset", "p")
    fill(lake, 2, rows=1)
    assert lake.version("asset", "p") != before
    assert lake.read("asset", "p")["value"].to_list() == [2]


def test_a_writer_that_fails_leaves_the_old_version_and_no_rubbish(lake: Lake) -> None:
    fill(lake, 1)
    with pytest.raises(RuntimeError, match="half-way"), lake.replace("asset", "p") as writer:
        writer.write("rows", pl.DataFrame({"value": [2]}))
        raise RuntimeError("half-way")
    assert lake.read("asset", "p")["value"].to_list() == [1, 1, 1]
    assert len([entry for entry in (lake.root / "asset" / "p").iterdir() if entry.is_dir()]) == 1


@pytest.mark.faults
def test_a_killed_writer_leaves_the_old_version_and_the_next_one_sweeps(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.lake.client.READING_SECONDS", 0.0)
    fill(lake, 1)
    program = (
        "import sys, time, pathlib, polars as pl; from resources.lake.client import Lake\n"
        "with Lake(pathlib.Path(sys.argv[1])).replace('asset', 'p') as writer:\n"
        "    writer.write('rows', pl.DataFrame({'value': [2]})); print('half-way', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(lake.root)], cwd=ROOT, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"half-way\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert Lake(lake.root).read("asset", "p")["value"].to_list() == [1, 1, 1]
    fill(lake, 3)
    fill(lake, 4)
    assert lake.read("asset", "p")["value"].to_list() == [4, 4, 4]
    versions = [entry.name for entry in (lake.root / "asset" / "p").iterdir() if entry.is_dir()]
    assert len(versions) <= 2 and lake.version("asset", "p") in versions


def test_a_reader_may_stay_for_a_while_in_a_version_that_two_have_followed(lake: Lake) -> None:
    fill(lake, 1)
    reading = lake.scan("asset", "p")
    fill(lake, 2)
    fill(lake, 3)
    assert reading.collect()["value"].to_list() == [1, 1, 1]


def test_readers_never_see_half_a_version(lake: Lake) -> None:
    fill(lake, 0)
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                values = lake.read("asset", "p")["value"].to_list()
            except Exception as error:
                wrong.append(error)
                return
            if len(values) != 3 or len(set(values)) != 1:
                wrong.append(values)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for value in range(1, 40):
        fill(lake, value)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_writers_at_once_leave_one_whole_version(lake: Lake) -> None:
    errors: list[BaseException] = []

    def write(value: int) -> None:
        try:
            for _ in range(10):
                fill(lake, value)
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=[value]) for value in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    values = lake.read("asset", "p")["value"].to_list()
    assert len(values) == 3 and len(set(values)) == 1


def test_a_slow_writer_is_not_swept_by_quick_ones(lake: Lake) -> None:
    with lake.replace("asset", "p") as slow:
        slow.write("rows", pl.DataFrame({"value": [7]}))
        for value in range(3):
            fill(lake, value)
        slow.write("rows", pl.DataFrame({"value": [7]}))
    assert lake.read("asset", "p")["value"].to_list() == [7, 7]


SKEWED = """
import sys, time
_clock, _clock_ns = time.time, time.time_ns
time.time = lambda: _clock() + {seconds}
time.time_ns = lambda: _clock_ns() + {seconds} * 10**9
import pathlib, polars as pl
from resources.lake import client
client.READING_SECONDS = {grace}
lake = client.Lake(pathlib.Path(sys.argv[1]))
for value in {values}:
    with lake.replace("asset", "p") as writer:
        writer.write("rows", pl.DataFrame({{"value": [value]}}))
"""


def write_skewed(lake: Lake, seconds: int, values: list[int], grace: float = 60.0) -> None:
    code = SKEWED.format(seconds=seconds, values=values, grace=grace)
    subprocess.run([sys.executable, "-c", code, str(lake.root)], cwd=ROOT, check=True)


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [-120, 120, 7200])
def test_a_writer_whose_clock_is_wrong_takes_nothing_from_a_reader(lake: Lake, seconds: int) -> None:
    fill(lake, 1)
    files = lake.parts("asset", "p")
    write_skewed(lake, seconds, [2, 3])
    assert pl.read_parquet(files)["value"].to_list() == [1, 1, 1]
    fill(lake, 4, rows=1)  # here the clock is right: the others' versions are in the past or the future
    assert lake.read("asset", "p")["value"].to_list() == [4]


@pytest.mark.faults
def test_a_version_that_is_read_stays_however_long_and_goes_when_its_reader_does(lake: Lake) -> None:
    fill(lake, 1)
    reader = Lake(lake.root)
    files = reader.parts("asset", "p")
    write_skewed(lake, 0, [2, 3, 4], grace=-1.0)
    assert pl.read_parquet(files)["value"].to_list() == [1, 1, 1]
    del reader
    write_skewed(lake, 0, [5], grace=-1.0)
    assert not any(file.exists() for file in files)


def test_a_run_sees_one_version_until_it_writes_its_own(lake: Lake) -> None:
    fill(lake, 1, rows=1)
    run = Lake(lake.root, steady=True)
    assert run.read("asset", "p")["value"].to_list() == [1]
    fill(lake, 2, rows=2)
    assert run.read("asset", "p")["value"].to_list() == [1] and run.rows("asset", "p") == 1
    assert run.version("asset", "p") != lake.version("asset", "p")
    fill(run, 3, rows=1)
    fill(lake, 4, rows=1)
    assert run.read("asset", "p")["value"].to_list() == [3]
    assert lake.read("asset", "p")["value"].to_list() == [4]


def test_what_is_not_there_says_what_to_materialize(lake: Lake) -> None:
    with pytest.raises(NotMaterialized, match=r"asset: partition p is not in the lake; materialize asset first"):
        lake.read("asset", "p")
    assert not lake.exists("asset", "p")
    fill(lake, 1)
    assert lake.exists("asset", "p")
    with pytest.raises(KeyError, match="no table 'other'"):
        lake.read("asset", "p", "other")


@given(partitions=st.lists(st.text(max_size=20), min_size=2, max_size=4, unique=True))
@example(partitions=["", "_", ".", "..", "%2E", "a/b", "a%2Fb"])
def test_partitions_of_any_name_lie_apart_and_below_the_lake(
    tmp_path_factory: pytest.TempPathFactory, partitions: list[str]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for number, partition in enumerate(partitions):
        fill(lake, number, rows=1, partition=partition)
    for number, partition in enumerate(partitions):
        assert lake.read("asset", partition)["value"].to_list() == [number]
    assert {entry.name for entry in lake.root.iterdir()} == {"asset"}
    assert len(list((lake.root / "asset").iterdir())) == len(partitions)
