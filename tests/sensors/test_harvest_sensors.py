"""Missed drops, gaps and what a comparison finds lacking: each is said or asked for once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from catalog_assets.records.harvest_completeness import harvest_completeness
from holdfast.harvest.completeness import COMPLETENESS, TO_FETCH
from holdfast.settings import Settings, parse_settings
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from resources.postgres.harvest_log import HarvestLog, WindowFetch
from sensors.completeness_schedules import build_completeness_schedules
from sensors.completeness_sensor import build_completeness_sensor, plan_backfill
from sensors.drop_rhythm_sensor import build_drop_rhythm_sensor, plan_rhythm
from sensors.harvest_gap_sensor import AT_ONCE, build_harvest_gap_sensor
from tests.demo_repository import running
from tests.resources.repositories.test_windows import DAY, NAME, NOON, Harvester

TODAY = dt.datetime.now(dt.UTC).date()


def settings_of(text: str, first_day: dt.date = TODAY - dt.timedelta(days=4)) -> Settings:
    return parse_settings(f'[library]\nname = "L"\n[partitions]\nfirst_day = {first_day}\n{text}')


class Ticks:
    def __init__(self, sensor: dg.SensorDefinition, **resources: Any) -> None:
        self._sensor, self._resources, self._cursor = sensor, resources, None

    def __call__(self) -> Any:
        with dg.build_sensor_context(cursor=self._cursor, resources=self._resources) as context:
            result = self._sensor(context)
            self._cursor = result.cursor if isinstance(result, dg.SensorResult) else context.cursor
        return result

    def requests(self) -> list[Any]:
        result = self()
        return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []


# ---- rhythm -----------------------------------------------------------------------------------------------------------------

DAILY = settings_of('[sources.ebooks]\nrhythm = "daily"\ngrace_hours = 6\n[sources.own]\n').sources


def test_a_missed_date_is_said_once_and_a_drop_that_comes_after_all_takes_it_back() -> None:
    day = dt.date(2026, 3, 3)
    came = {"ebooks": {dt.date(2026, 3, 2)}}

    def at(hour: int, cursor: Any, came: Any = came) -> Any:
        now = dt.datetime(2026, 3, 4, hour, tzinfo=dt.UTC)
        return plan_rhythm(cursor, DAILY, came, now=now, timezone="UTC")

    early = at(5, {})
    assert (early.news, early.changed) == ([], False)
    late = at(7, early.cursor)
    assert (late.news, late.missed, late.changed) == ([("ebooks", day)], {"ebooks": [day]}, True)
    again = at(8, late.cursor)
    assert (again.news, again.changed) == ([], False)
    after_all = at(9, again.cursor, {"ebooks": {dt.date(2026, 3, 2), day}})
    assert (after_all.news, after_all.missed, after_all.changed) == ([], {}, True)


def test_a_source_that_never_sent_anything_is_missed_from_when_it_was_first_expected() -> None:
    def at(day: int, cursor: Any) -> Any:
        return plan_rhythm(
            cursor, DAILY, {"ebooks": set()}, now=dt.datetime(2026, 3, day, 12, tzinfo=dt.UTC), timezone="UTC"
        )

    first = at(2, {})
    assert first.news == []
    assert at(3, first.cursor).news == [("ebooks", dt.date(2026, 3, 2))]


def test_what_was_missed_long_ago_is_no_storm() -> None:
    came = {"ebooks": {dt.date(2020, 1, 1)}}
    found = plan_rhythm({}, DAILY, came, now=dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC), timezone="UTC")
    assert len(found.missed["ebooks"]) == 62


@pytest.mark.dagster
@pytest.mark.services
def test_the_rhythm_sensor_shows_what_is_missed_on_the_asset(postgres: Postgres) -> None:
    settings = settings_of('[sources.ebooks]\nrhythm = "daily"\ngrace_hours = 0\n')
    drops, day = Drops(postgres), TODAY - dt.timedelta(days=3)
    with drops.window("ebooks", day):
        drops.register("ebooks", day, "a.mrc", "0" * 64, 1)
    tick = Ticks(build_drop_rhythm_sensor(settings), postgres=postgres)
    *observed, check = tick().asset_events
    missed = [TODAY - dt.timedelta(days=2), TODAY - dt.timedelta(days=1)]
    assert [each.partition for each in observed] == [f"{each}|ebooks" for each in missed]
    assert (check.asset_key.to_user_string(), check.check_name, check.passed) == (
        "harvested_marc",
        "drops_come_as_expected",
        False,
    )
    assert all(str(each) in check.description for each in missed)
    assert isinstance(tick(), dg.SkipReason)

    for each in missed:
        drops.register("ebooks", each, "b.mrc", "1" * 64, 1)
    (back,) = tick().asset_events
    assert back.passed


@pytest.mark.dagster
def test_the_check_that_the_sensor_writes_is_there_and_no_part_of_a_load() -> None:
    defs = build_defs()
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().asset_check_keys}
    assert "harvested_marc:drops_come_as_expected" in keys
    assert not [node.name for node in defs.resolve_job_def("catalogue_load").graph.nodes if "expected" in node.name]


@pytest.mark.dagster
@pytest.mark.services
def test_the_check_can_be_run_by_hand(library: Any) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [*build_defs().assets, *build_defs().asset_checks],
            selection=dg.AssetSelection.checks(
                dg.AssetCheckKey(dg.AssetKey("harvested_marc"), "drops_come_as_expected")
            ),
            resources=build_defs().resources,
            instance=instance,
        )
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed and evaluation.description == "every drop that was due came"


# ---- gaps -------------------------------------------------------------------------------------------------------------------

UNION = '[sources.union]\nkind = "oai-pmh"\nurl = "http://127.0.0.1:9/oai"\n'


def entered(day: dt.date, at: dt.datetime, state: str = "whole") -> WindowFetch:
    return WindowFetch("union", day, "", "", at, state=state)


@pytest.mark.dagster
@pytest.mark.services
def test_gaps_are_asked_for_once_a_day(postgres: Postgres) -> None:
    first = TODAY - dt.timedelta(days=5)
    log, now = HarvestLog(postgres), dt.datetime.now(dt.UTC)
    log.enter(entered(first + dt.timedelta(days=1), now))
    log.enter(entered(first + dt.timedelta(days=2), now, "failed"))
    log.enter(entered(first + dt.timedelta(days=3), now - dt.timedelta(days=2)))  # before it was over
    tick = Ticks(build_harvest_gap_sensor(settings_of(UNION, first)), postgres=postgres)
    wanted = [first + dt.timedelta(days=n) for n in (0, 2, 3, 4)]
    last_is_over = now - dt.timedelta(minutes=30) >= dt.datetime.combine(TODAY, dt.time(), dt.UTC)
    assert [each.partition_key for each in tick.requests()] == [
        f"{day}|union" for day in (wanted if last_is_over else wanted[:-1])
    ]
    assert tick.requests() == []


@pytest.mark.dagster
@pytest.mark.services
def test_years_of_gaps_come_in_turns_and_none_is_left_out(postgres: Postgres) -> None:
    first = TODAY - dt.timedelta(days=25)
    tick = Ticks(build_harvest_gap_sensor(settings_of(UNION, first)), postgres=postgres)
    turns = [tick.requests() for _ in range(4)]
    assert len(turns[0]) == AT_ONCE
    asked = [each.partition_key for turn in turns for each in turn]
    assert len(asked) == len(set(asked)) in (24, 25)
    assert asked == sorted(asked)


@pytest.mark.dagster
@pytest.mark.services
def test_a_source_starts_on_its_own_first_day_and_sru_without_a_day_has_no_gaps(postgres: Postgres) -> None:
    own = f"{UNION}harvest_from = {TODAY - dt.timedelta(days=2)}\n"
    whole = '[sources.small]\nkind = "sru"\nurl = "http://127.0.0.1:9/sru"\nquery = "cql.allRecords = 1"\n'
    settings = settings_of(own + whole, TODAY - dt.timedelta(days=30))
    asked = [each.partition_key for each in Ticks(build_harvest_gap_sensor(settings), postgres=postgres).requests()]
    assert asked[0] == f"{TODAY - dt.timedelta(days=2)}|union"
    assert all(key.endswith("|union") for key in asked)


# ---- completeness -----------------------------------------------------------------------------------------------------------


def test_a_lack_is_asked_for_by_what_is_lacking() -> None:
    windows = [(DAY, 3, "aa"), (dt.date(2019, 1, 1), 2, "bb")]
    requests, outside = plan_backfill("union", windows, (dt.date(2026, 1, 1), dt.date(2026, 12, 31)))
    assert requests == [("2026-03-10", "lack:union:2026-03-10:aa")]
    assert outside == ["union 2019-01-01: 2 records lie outside of the partitions"]


@pytest.mark.dagster
@pytest.mark.services
def test_from_a_backdated_change_to_the_one_window_that_brings_it(tmp_path: Path, postgres: Postgres) -> None:
    with running(page_items=3) as repository:
        harvest = Harvester(tmp_path, postgres, f'kind = "oai-pmh"\nurl = "{repository.url}"\n')
        days = [DAY, DAY + dt.timedelta(days=1), DAY + dt.timedelta(days=2)]
        for number, day in enumerate(days):
            for n in range(4):
                repository.book(f"{number}{n}", dt.datetime.combine(day, dt.time(9, n), dt.UTC))
        for day in days:
            harvest(day)

        def compare() -> Any:
            context = dg.build_asset_context(partition_key=NAME)
            return harvest_completeness(
                context, lake=harvest.lake, postgres=postgres, repositories=harvest.repositories
            )

        (check,) = compare().check_results
        assert check.passed, check.description

        repository.book("00", NOON, "Backdated")
        repository.book("late", dt.datetime.combine(days[1], dt.time(20), dt.UTC))
        repository.store.forget("oai:test:20")
        repository.store.delete("oai:test:21", dt.datetime.combine(days[2], dt.time(21), dt.UTC))
        result = compare()
        (check,) = result.check_results
        assert not check.passed and check.severity == dg.AssetCheckSeverity.WARN
        counts = {
            name: check.metadata[name].value for name in ("held", "missing", "backdated", "stale", "silently_deleted")
        }
        assert counts == {"held": 9, "missing": 1, "backdated": 2, "stale": 0, "silently_deleted": 1}
        assert "oai:test:late" in check.metadata["differences"].value
        rows = harvest.lake.read("harvest_completeness", NAME)
        assert rows.schema == COMPLETENESS and rows.height == 13

        settings = parse_settings(
            f'[library]\nname = "L"\n[partitions]\nfirst_day = {days[0]}\n[sources.{NAME}]\nkind = "oai-pmh"\nurl = "http://x/"\n'
        )
        tick = Ticks(build_completeness_sensor(settings), lake=harvest.lake)
        asked = tick.requests()
        assert [each.partition_key for each in asked] == [f"{day}|{NAME}" for day in days]
        assert tick.requests() == []
        compare()
        assert [each.run_key for each in tick.requests()] == [each.run_key for each in asked]  # Dagster runs a key once

        for day in days:
            harvest(day)
        result = compare()
        (check,) = result.check_results
        assert {name: check.metadata[name].value for name in counts} == {
            **counts, "held": 12, "missing": 0, "backdated": 0,
        }  # fmt: skip
        assert harvest.lake.read("harvest_completeness", NAME, "windows").schema == TO_FETCH
        assert tick.requests() == []
        assert harvest.records(days[2])[-1]["status"] == "d"


@pytest.mark.dagster
@pytest.mark.services
def test_sru_is_compared_by_all_that_it_has(tmp_path: Path, postgres: Postgres) -> None:
    with running(page_items=3) as repository:
        table = f'kind = "sru"\nurl = "{repository.sru_url}"\nquery = "rec.changeDate = {{day}}"\nall_query = "cql.allRecords = 1"\n'
        harvest = Harvester(tmp_path, postgres, table)
        for n in range(5):
            repository.book(str(n), NOON)
        harvest()
        repository.store.forget("oai:test:3")
        context = dg.build_asset_context(partition_key=NAME)
        result = harvest_completeness(context, lake=harvest.lake, postgres=postgres, repositories=harvest.repositories)
        rows = harvest.lake.read("harvest_completeness", NAME)
        assert dict(rows.group_by("verdict").len().iter_rows()) == {"held": 4, "silently_deleted": 1}
        assert not result.check_results[0].passed


@pytest.mark.dagster
@pytest.mark.services
def test_a_list_that_breaks_off_is_compared_with_nothing(tmp_path: Path, postgres: Postgres) -> None:
    from resources.oai_pmh.client import RepositoryError

    with running(page_items=2) as repository:
        harvest = Harvester(tmp_path, postgres, f'kind = "oai-pmh"\nurl = "{repository.url}"\n')
        for n in range(6):
            repository.book(str(n), NOON)
        harvest()
        repository.expire_after = [2]
        context = dg.build_asset_context(partition_key=NAME)
        with pytest.raises(RepositoryError):
            harvest_completeness(context, lake=harvest.lake, postgres=postgres, repositories=harvest.repositories)
        assert not harvest.lake.exists("harvest_completeness", NAME)


@pytest.mark.dagster
def test_every_source_that_can_be_listed_has_its_schedule() -> None:
    text = UNION + (
        '[sources.bysru]\nkind = "sru"\nurl = "http://h/"\nquery = "x = {day}"\n'
        '[sources.whole]\nkind = "sru"\nurl = "http://h/"\nquery = "cql.allRecords = 1"\n[sources.files]\n'
    )
    schedules = build_completeness_schedules(settings_of(text))
    assert [each.name for each in schedules] == ["completeness_union", "completeness_whole"]
    moment = dt.datetime(2026, 3, 8, 6, tzinfo=dt.UTC)
    request = schedules[0](dg.build_schedule_context(scheduled_execution_time=moment))
    assert (request.partition_key, request.run_key) == ("union", "completeness:union:2026-03-08")
