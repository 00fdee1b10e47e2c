"""What did not change is not made again, and what comes out is what making all of it gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.marc.frames import Frames
from holdfast.marc.validation import Rules, load_rules, validate
from holdfast.marc.validation.local import LocalRule
from holdfast.marc.window import NormalizedPart, normalize_part
from resources.lake.client import Lake
from resources.lake.normalization import Normalized, normalize_window
from resources.lake.staleness import stale_partitions
from resources.lake.validation import Validated, validate_window
from tests.records import book
from tests.resources.lake.windows import DAY, PARTITION, SOURCE, harvest

TITLES = ("Bleak house", "Hard times", "Tab\there", "Little Dorrit ")
BAD_ISBN = "0-306-40615-3"
NORMALIZED, ISSUES = ("rows", "subfields", "unreadable"), ("rows", "stopped")


def upper(index: pl.DataFrame, *, source: str, window: str) -> NormalizedPart:
    """Code of another version: it makes other rows where a title has a capital H within it."""
    part = normalize_part(index, source=source, window=window)
    title = pl.when(pl.col("title").str.contains("Hard")).then(pl.col("title").str.to_uppercase()).otherwise("title")
    return part._replace(records=part.records.with_columns(title.alias("title")))


CODE: dict[str, Any] = {"2": normalize_part, "3": upper}
RULES = {
    "core": load_rules(),
    "local": load_rules(local=[LocalRule(name="no_isbn", fields=("020",), forbidden=True, severity="error")]),
}


def run(
    lake: Lake, code: str = "2", rules: str = "core", stop_on: tuple[str, ...] = ()
) -> tuple[Normalized, Validated]:
    """The two assets, one after the other."""
    normalized = normalize_window(lake, PARTITION, SOURCE, DAY, version=code, make=CODE[code])
    return normalized, validate_window(lake, PARTITION, RULES[rules], stop_on)


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    found = {f"normalized {name}": lake.read("normalized_records", PARTITION, name) for name in NORMALIZED}
    return found | {f"issues {name}": lake.read("record_issues", PARTITION, name) for name in ISSUES}


def said(got: Validated) -> tuple[Any, ...]:
    """What the second run must say as the first: all but how it came by it."""
    return got.records, got.issues, got.severities, got.with_errors, got.examples, got.rejections


def judged(lake: Lake, rules: str) -> pl.DataFrame:
    """The issues of all records, with nothing reused."""
    frames = [lake.batches("normalized_records", PARTITION, table) for table in ("rows", "subfields")]
    return pl.concat(validate(Frames(*part), RULES[rules]) for part in zip(*frames, strict=True))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def drop(*titles: str, first: int = 1, isbn: str = BAD_ISBN) -> list[bytes]:
    return [book(str(number), title, fields=(("020", "a", isbn),)) for number, title in enumerate(titles, start=first)]


records = st.builds(
    lambda number, title, isbn: book(str(number), title, fields=(("020", "a", isbn),) if isbn else ()),
    st.integers(1, 4),
    st.sampled_from(TITLES),
    st.sampled_from(["", "0306406152", BAD_ISBN]),
)
drops = st.lists(st.one_of(records, st.just(b"00026nam  no record\x1d")), min_size=1, max_size=7)
steps = st.lists(
    st.tuples(
        st.one_of(st.none(), drops),  # a drop that comes before the run; none: a retry
        st.sampled_from(sorted(CODE)),
        st.sampled_from(sorted(RULES)),
        st.sampled_from([(), ("isbn.check_digit",)]),
        st.booleans(),  # whether the first drop of the day is taken back, and all numbers change
    ),
    min_size=2,
    max_size=5,
)


@settings(max_examples=25)
@given(steps=steps)
def test_any_sequence_of_drops_and_versions_gives_what_making_all_of_it_gives(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept, came = Lake(Path(folder) / "kept"), []
        for number, (new, code, rules, stop_on, taken_back) in enumerate(steps):
            came += [new] if new else []
            came = came[1:] if taken_back else came
            harvest(kept, came)
            full = Lake(Path(folder) / f"full{number}")
            harvest(full, came)
            normalized, validated = run(kept, code, rules, stop_on)
            everything, all_validated = run(full, code, rules, stop_on)
            assert full.read("record_issues", PARTITION).equals(judged(full, rules))
            for name, frame in tables(full).items():
                assert tables(kept)[name].equals(frame), name
            assert said(validated) == said(all_validated)
            assert normalized.reused + normalized.computed == everything.computed == sum(map(len, came))
            again, validated_again = run(kept, code, rules, stop_on)
            assert (again.computed, validated_again.computed) == (0, 0)
            assert again.data_version == normalized.data_version


def test_a_second_drop_of_the_day_makes_only_its_own_records(lake: Lake) -> None:
    harvest(lake, [drop(*TITLES)])
    first = run(lake)
    assert (first[0].reused, first[0].computed) == (0, 4)
    harvest(lake, [drop(*TITLES), drop("Our mutual friend", first=9)])
    normalized, validated = run(lake)
    assert (normalized.reused, normalized.computed) == (4, 1)
    assert (validated.reused, validated.computed) == (4, 1)
    assert normalized.data_version != first[0].data_version


@pytest.mark.parametrize("turned", [False, True])
def test_a_corrected_drop_is_judged_where_it_differs_from_the_one_before(lake: Lake, turned: bool) -> None:
    records = drop(*TITLES, *TITLES, isbn=BAD_ISBN)
    harvest(lake, [records])
    run(lake)
    corrected = [*records[:3], book("4", "Little Dorrit"), *records[4:]]
    harvest(lake, [records, corrected[::-1] if turned else corrected])
    normalized, validated = run(lake)
    assert (normalized.reused, normalized.computed) == (8, 8)
    assert (validated.reused, validated.computed) == (15, 1)
    assert lake.read("record_issues", PARTITION).equals(judged(lake, "core"))
    # Of one run as well: what the first drop had is known when the second comes.
    _, validated = run(lake, rules="local")
    assert (validated.reused, validated.computed) == (7, 9)


def test_what_is_taken_over_is_the_file_itself_and_outlives_the_version_it_came_from(lake: Lake) -> None:
    harvest(lake, [drop(*TITLES)])
    run(lake)
    before = [path.stat().st_ino for path in lake.parts("normalized_records", PARTITION, "subfields")]
    for _ in range(4):
        run(lake)
    assert [path.stat().st_ino for path in lake.parts("normalized_records", PARTITION, "subfields")] == before
    assert lake.read("normalized_records", PARTITION)["title"][0] == "Bleak house"


def test_other_rules_judge_again_and_normalize_nothing(lake: Lake) -> None:
    harvest(lake, [drop(*TITLES)])
    run(lake)
    normalized, validated = run(lake, rules="local")
    assert (normalized.computed, validated.computed, validated.kept) == (0, 4, 0)
    assert validated.issues["local.no_isbn"] == 4


def test_code_that_makes_the_same_of_a_part_leaves_its_file_and_its_issues(lake: Lake) -> None:
    harvest(lake, [drop("Bleak house", "Little Dorrit"), drop("Hard times", first=5)])
    before = run(lake)
    inodes = [path.stat().st_ino for path in lake.parts("normalized_records", PARTITION)]
    normalized, validated = run(lake, code="3")
    assert (normalized.reused, normalized.computed, normalized.kept) == (0, 3, 2)
    # Only the part with 'Hard times' is written anew, and only its record is judged again.
    assert (validated.reused, validated.computed) == (2, 1)
    after = [path.stat().st_ino for path in lake.parts("normalized_records", PARTITION)]
    assert sum(one == other for one, other in zip(inodes, after, strict=True)) == len(inodes) - 1
    assert lake.read("normalized_records", PARTITION)["title"].to_list() == [
        "Bleak house",
        "Little Dorrit",
        "HARD TIMES",
    ]
    assert normalized.data_version != before[0].data_version


def test_code_that_changes_nothing_keeps_the_data_version_so_that_nothing_after_it_is_stale(lake: Lake) -> None:
    harvest(lake, [drop("Bleak house")])
    before, _ = run(lake)
    after, validated = run(lake, code="3")
    assert (after.data_version, after.kept, validated.computed) == (before.data_version, 1, 0)
    assert lake.facts("normalized_records", PARTITION)["made_with"] == "3"


def test_what_is_stopped_is_told_anew_of_issues_that_were_taken_over(lake: Lake) -> None:
    harvest(lake, [drop(*TITLES)])
    _, before = run(lake)
    _, validated = run(lake, stop_on=("isbn.check_digit",))
    assert (validated.computed, len(validated.rejections)) == (0, 4)
    assert lake.read("record_issues", PARTITION, "stopped")["record"].to_list() == [1, 2, 3, 4]
    assert validated.data_version != before.data_version


def test_a_partition_of_before_there_was_a_state_is_made_whole(lake: Lake) -> None:
    harvest(lake, [drop(*TITLES)])
    run(lake)
    for asset, names in (("normalized_records", NORMALIZED), ("record_issues", ISSUES)):
        frames = {name: lake.read(asset, PARTITION, name) for name in names}
        with lake.replace(asset, PARTITION) as writer:
            for name, frame in frames.items():
                writer.write(name, frame)
    assert validate_window(lake, PARTITION, RULES["core"]).computed == 4
    assert validate_window(lake, PARTITION, RULES["core"]).reused == 4
    assert run(lake)[0].computed == 4


def test_the_same_file_in_another_window_is_made_again(lake: Lake) -> None:
    harvest(lake, [drop(*TITLES)])
    run(lake)
    got = normalize_window(lake, PARTITION, SOURCE, "2026-01-06", version="2")
    assert got.computed == 4


# ---- which partitions are stale -------------------------------------------------------------------------------------------------


def stale(lake: Lake, code: str = "2", rules: Rules = RULES["core"]) -> list[tuple[str, str, str]]:
    found = stale_partitions(lake, {SOURCE: rules.version}, version=code)
    return found.select("partition", "asset", "why").rows()


def test_partitions_are_stale_by_code_by_rules_and_by_the_records_they_are_of(lake: Lake) -> None:
    harvest(lake, [drop(*TITLES)])
    run(lake)
    assert stale(lake) == []
    assert stale(lake, code="3") == [(PARTITION, "normalized_records", "code")]
    assert stale(lake, rules=RULES["local"]) == [(PARTITION, "record_issues", "rules")]
    normalize_window(lake, PARTITION, SOURCE, DAY, version="3", make=upper)
    assert stale(lake, code="3") == [(PARTITION, "record_issues", "records")]
    validate_window(lake, PARTITION, RULES["core"])
    assert stale(lake, code="3") == []


def test_the_newest_partition_comes_first_and_those_of_other_sources_not_at_all(lake: Lake) -> None:
    for partition in ("2026-01-04|ebooks", "2026-01-06|ebooks", "2026-01-05|gone"):
        with lake.replace("normalized_records", partition) as writer:
            writer.write("rows", pl.DataFrame({"record": [1]}))
    assert [row[0] for row in stale(lake)] == ["2026-01-06|ebooks", "2026-01-04|ebooks"]
