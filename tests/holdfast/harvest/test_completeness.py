"""What a comparison with the source finds: exactly the differences, whatever happened there in whatever order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.harvest.completeness import (
    COMPLETENESS,
    HELD,
    LISTED,
    TO_FETCH,
    VERDICTS,
    WINDOWS,
    compare,
    windows_to_fetch,
)
from holdfast.harvest.windows import Fetched, is_closed, plan_windows

FIRST = dt.date(2026, 3, 1)
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@dataclass
class World:
    """A source with its clock, and a library that harvests it; the simplest code that can be right."""

    now: dt.datetime = START
    source: dict[str, tuple[dt.datetime, bool]] = field(default_factory=dict)
    rows: list[tuple[str, str, bool, str, str, dt.date, dt.datetime]] = field(default_factory=list)
    windows: list[Fetched] = field(default_factory=list)
    # What we know: identifier → the last state that came in.
    known: dict[str, tuple[dt.datetime, bool]] = field(default_factory=dict)

    def harvest(self, day: dt.date) -> None:
        for name, (at, deleted) in sorted(self.source.items()):
            if at.date() == day:
                self.rows.append((name, stamp(at), deleted, "", "", day, self.now))
                if name not in self.known or self.known[name][0] <= at:
                    self.known[name] = (at, deleted)
        self.windows.append(Fetched(day, self.now))

    def report(self) -> pl.DataFrame:
        listed = pl.DataFrame(
            [(name, stamp(at), deleted) for name, (at, deleted) in self.source.items()], schema=LISTED, orient="row"
        )
        held = pl.DataFrame(self.rows, schema=HELD, orient="row")
        windows = pl.DataFrame([(w.day, is_closed(w)) for w in self.windows], schema=WINDOWS, orient="row")
        return compare(listed, held, windows)

    def expected(self) -> dict[str, str]:
        closed = {each.day for each in self.windows if is_closed(each)}
        verdicts = {}
        for name in self.source.keys() | self.known.keys():
            theirs, ours = self.source.get(name), self.known.get(name)
            if theirs is None and ours is not None:
                verdicts[name] = "held" if ours[1] else "silently_deleted"
            elif theirs is not None and ours is None:
                verdicts[name] = "held" if theirs[1] else "missing"
            elif theirs is not None and theirs == ours:
                verdicts[name] = "held"
            elif theirs is not None:
                verdicts[name] = "backdated" if theirs[0].date() in closed else "stale"
        return verdicts


def stamp(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


names = st.sampled_from("abcdefgh")
events = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("change"), names),
        st.tuples(st.just("backdate"), names, st.integers(1, 72)),
        st.tuples(st.just("delete"), names),
        st.tuples(st.just("forget"), names),
        st.tuples(st.just("harvest planned")),
        st.tuples(st.just("harvest today")),
        st.tuples(st.just("harvest"), st.integers(0, 6)),
    ),
    max_size=40,
)


def play(history: list[tuple]) -> World:
    world = World()
    for event in history:
        match event:
            case ("wait", hours):
                world.now += dt.timedelta(hours=hours)
            case ("change", name):
                world.source[name] = (world.now, False)
            case ("backdate", name, hours):
                at = max(START, world.now - dt.timedelta(hours=hours))
                # A datestamp that goes back is a source restored from a backup: `test_a_source_that_went_back`.
                if name not in world.source or world.source[name][0] < at:
                    world.source[name] = (at, False)
            case ("delete", name) if name in world.source:
                world.source[name] = (world.now, True)
            case ("forget", name):
                world.source.pop(name, None)
            case ("harvest planned",):
                for day in plan_windows(world.windows, FIRST, world.now):
                    world.harvest(day)
            case ("harvest today",):
                world.harvest(world.now.date())
            case ("harvest", days):
                world.harvest(FIRST + dt.timedelta(days=days))
    return world


@settings(max_examples=300)
@given(events)
def test_the_report_is_exactly_the_differences(history: list[tuple]) -> None:
    world = play(history)
    report = world.report()
    assert report.schema == COMPLETENESS
    assert dict(report.select("identifier", "verdict").iter_rows()) == world.expected()
    assert set(report["verdict"]) <= set(VERDICTS)


@settings(max_examples=300)
@given(events)
def test_fetching_just_the_windows_asked_for_leaves_only_silent_deletions(history: list[tuple]) -> None:
    world = play(history)
    wanted = windows_to_fetch(world.report())
    assert wanted.schema == TO_FETCH and wanted["day"].is_sorted() and wanted["day"].is_unique().all()
    for day in wanted["day"]:
        world.harvest(day)
    after = world.report()
    assert set(after["verdict"]) <= {"held", "silently_deleted"}
    assert windows_to_fetch(after).height == 0


@settings(max_examples=100)
@given(events)
def test_no_window_is_asked_for_that_would_bring_nothing(history: list[tuple]) -> None:
    world = play(history)
    for day, records, content in windows_to_fetch(world.report()).iter_rows():
        lacking = [n for n, (at, gone) in world.source.items() if at.date() == day and world.known.get(n) != (at, gone)]
        assert 0 < records <= len(lacking)
        assert len(content) == 64


def one(source: tuple[str, bool] | None, held: tuple[str, bool] | None, closed: bool = True) -> dict:
    listed = pl.DataFrame([("x", *source)] if source else [], schema=LISTED, orient="row")
    day = dt.date(2026, 3, 1)
    rows = [("x", *held, "", "", day, START)] if held else []
    windows = pl.DataFrame([(day, closed)], schema=WINDOWS, orient="row")
    (row,) = compare(listed, pl.DataFrame(rows, schema=HELD, orient="row"), windows).iter_rows(named=True)
    return row


def test_a_source_that_went_back_differs_and_its_window_is_wanted() -> None:
    row = one(("2026-03-01T08:00:00Z", False), ("2026-03-05T08:00:00Z", False))
    assert row["verdict"] == "backdated"
    assert row["window"] == dt.date(2026, 3, 1)


@pytest.mark.parametrize(
    ("source", "held", "closed", "verdict", "says"),
    [
        (
            ("2026-03-01", False),
            None,
            True,
            "missing",
            "at the source since 2026-03-01, in a window that was fetched after",
        ),
        (("2026-03-02", False), None, True, "missing", "not fetched whole"),
        (None, ("2026-03-01", False), True, "silently_deleted", "the source lists it no more"),
        (("2026-03-01", True), ("2026-02-01", False), True, "backdated", "held as of 2026-02-01"),
        (("2026-03-01", True), ("2026-02-01", False), False, "stale", "held as of 2026-02-01"),
        (("20260301120000.0", False), ("20260301120000.0", False), True, "held", ""),
        (("yesterday", False), None, True, "missing", "yesterday is no date"),
    ],
)
def test_the_detail_says_it_in_words(source, held, closed: bool, verdict: str, says: str) -> None:
    row = one(source, held, closed)
    assert row["verdict"] == verdict and says in row["detail"]


def test_the_same_lack_has_the_same_content_and_another_one_another() -> None:
    world = World(source={"a": (START, False), "b": (START, False)})
    (first,), (again,) = (windows_to_fetch(world.report())["content"] for _ in range(2))
    world.source["c"] = (START, False)
    (other,) = windows_to_fetch(world.report())["content"]
    assert first == again != other


def test_nothing_against_nothing_is_nothing() -> None:
    report = World().report()
    assert report.height == 0 and windows_to_fetch(report).schema == TO_FETCH
