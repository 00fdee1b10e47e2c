"""Files of a day are asked for once all of them are still."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from resources.museum_exports.client import DroppedFile
from sensors.still_files import ExportRequest, SeenExports, plan_exports

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
