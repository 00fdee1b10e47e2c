"""What is halted is not begun, what writes ends after its chunk, and what was missed is run once it is resumed."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.test_utils import create_run_for_test
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG

from catalog_assets.definitions import build_defs
from catalog_assets.recovery.resume_ingestion import plan_continued, plan_missed
from resources.lake.client import Lake
from resources.ledger.client import Load
from resources.ledger.replaying import Recoveries
from resources.ledger.stopping import Stopped, StoppedWrites
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts
from tests.catalogue_load import SETTINGS, drop, fine, partition
from tests.demo_ils import DemoIls
from tests.records import book
from tests.recovery_runs import run

pytestmark = [pytest.mark.services, pytest.mark.dagster]
WHY = "halted by Anna because ticket 7"


def tick(name: str, instance: dg.DagsterInstance, postgres: Postgres, cursor: str | None = None) -> SensorExecutionData:
    defs = build_defs()
    resources = {"postgres": postgres, "lake": Lake(SETTINGS.var / "lake")}
    with dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs, resources=resources) as context:
        return defs.resolve_sensor_def(name).evaluate_tick(context)


def halt_all_a_day_ago(postgres: Postgres) -> None:
    with postgres.transaction() as connection:
        connection.execute(
            "INSERT INTO halts (action, scope, name, who, why, run_id, at) "
            "VALUES ('halt', 'all', '', 'Anna', 'ticket 7', '', now() - interval '24 hours')"
        )


def test_a_halted_source_is_not_begun_and_taken_up_after(library: DemoIls, postgres: Postgres) -> None:
    assert run("halt_ingestion", scope="source", source="ebooks").success
    drop(book("1"))
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick("marc_drop_sensor", instance, postgres)
        halted = tick("marc_drop_sensor", instance, postgres, first.cursor)
        assert not halted.run_requests and WHY in (halted.skip_message or "")
        resumed = run("resume_ingestion", scope="source", source="ebooks")
        assert resumed.success and resumed.metadata["lifted"].startswith(WHY)
        taken = tick("marc_drop_sensor", instance, postgres, halted.cursor)
    assert [each.partition_key for each in taken.run_requests or ()] == [partition()]


def test_a_run_by_hand_stops_before_it_writes_and_says_who_halted_it(library: DemoIls, postgres: Postgres) -> None:
    drop([book(str(n)) for n in range(3)])
    assert run("halt_ingestion", scope="queue", queue="ils.sync.holdings").success
    halted = fine()
    assert halted.outcomes == {"planned": 3} and not library.audit("MARC_BIB")
    check = halted.checks["ils_commits.all_planned_is_written"]
    assert not check.passed and check.severity.value == "WARN"
    assert (check.description or "").startswith(f"waiting: {WHY}")
    assert run("resume_ingestion", scope="queue", queue="ils.sync.holdings", run_missed=False).success
    assert fine().outcomes == {"committed": 3}


def test_a_run_that_writes_ends_after_its_chunk(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"chunk_records": 2, "progress_records": 2})
    )
    drop([book(str(n)) for n in range(5)])
    asked = []

    def reason(self: Halts, **_: str) -> str:
        asked.append(1)
        return "halted by Anna because of noise" if len(asked) > 2 else ""

    monkeypatch.setattr(Halts, "reason", reason)
    stopped = fine()
    assert stopped.outcomes == {"committed": 2, "planned": 3}
    check = stopped.checks["ils_commits.all_planned_is_written"]
    assert check.description == "waiting: halted by Anna because of noise"


def test_what_a_halt_stopped_is_gone_on_with_once_it_is_resumed(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = {"chunk_records": 2, "progress_records": 2}
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update=pace))
    drop([book(str(n)) for n in range(5)])
    asked, reason = [], Halts.reason

    def halted_after_a_chunk(self: Halts, **asking: str) -> str:
        asked.append(1)
        if len(asked) == 3:
            self.halt("source", "ebooks", "Anna", "ticket 7")
        return reason(self, **asking)

    monkeypatch.setattr(Halts, "reason", halted_after_a_chunk)
    assert fine().outcomes == {"committed": 2, "planned": 3}
    with dg.DagsterInstance.ephemeral() as instance:
        assert not tick("asked_runs_sensor", instance, postgres).run_requests
        resumed = run("resume_ingestion", scope="source", source="ebooks", run_missed=False)
        assert resumed.metadata["continued"] == [partition()]
        # Somebody launched a load of the window meanwhile: it is waited for, and gone on with only where it comes to nothing.
        tags = {"dagster/partition": partition()}
        other = create_run_for_test(instance, job_name="catalogue_load", status=dg.DagsterRunStatus.STARTED, tags=tags)
        waiting = tick("asked_runs_sensor", instance, postgres)
        assert not waiting.run_requests and "has a run already" in (waiting.skip_message or "")
        instance.report_run_failed(other)
        (request,) = tick("asked_runs_sensor", instance, postgres, waiting.cursor).run_requests or ()
        assert (request.job_name, request.partition_key) == ("write_approved_plan", partition())
        assert fine(only=("ils_commits",)).outcomes == {"committed": 5}
        assert not tick("asked_runs_sensor", instance, postgres, waiting.cursor).run_requests


def test_of_what_was_stopped_a_resume_asks_for_what_its_halt_held_up(library: DemoIls, postgres: Postgres) -> None:
    stopped = [Stopped(1, "write_approved_plan", "ebooks", "a"), Stopped(2, "write_approved_feed", "students", "b")]
    for scope in (("all", ""), ("queue", "ils.sync.holdings")):
        assert plan_continued(stopped, *scope) == stopped
    assert plan_continued(stopped, "source", "students") == stopped[1:]
    assert not plan_continued(stopped, "queue", "ingestion_high")
    assert not plan_continued([Stopped(3, "write_approved_plan", "no more in holdfast.toml", "c")], "all", "")
    # A night whose load was stopped is gone on with, not loaded anew; who halts a second time halts no later.
    halt_all_a_day_ago(postgres)
    now = dt.datetime.now(dt.UTC)
    ((_, _, night),) = plan_missed("source", "ebooks", now - dt.timedelta(hours=24), now)
    StoppedWrites(postgres).keep("write_approved_plan", Load("ils", "ebooks", night, "run"), "ab" * 32, "halted")
    assert run("halt_ingestion", scope="all").success
    resumed = run("resume_ingestion", scope="all")
    assert resumed.metadata["continued"] == [night]
    (row,) = [row for row in Recoveries(postgres).asked() if row["partition"] == night]
    assert row["job"] == "write_approved_plan" and resumed.metadata["asked_for"]
    assert night not in resumed.metadata["asked_for"]


def test_schedules_and_sensors_skip_while_all_is_halted(library: DemoIls, postgres: Postgres) -> None:
    assert run("halt_ingestion", scope="all").success
    defs = build_defs()
    schedule = defs.resolve_schedule_def("nightly_ebooks")
    context = dg.build_schedule_context(scheduled_execution_time=dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC))
    skipped = schedule(context)
    assert isinstance(skipped, dg.SkipReason) and WHY in (skipped.skip_message or "")
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("marc_drop_sensor", "museum_export_sensor", "stale_partitions_sensor", "quality_report_sensor"):
            halted = tick(name, instance, postgres)
            assert not halted.run_requests and WHY in (halted.skip_message or ""), name


def test_every_sensor_and_schedule_that_asks_for_runs_asks_whether_it_is_halted() -> None:
    import preservation_assets.definitions

    # These start no ingestion, or ask source by source.
    exempt = {"drop_rhythm_sensor", "run_failure_sensor", "asked_runs_sensor", "asked_batches_sensor"}
    for defs in (build_defs(), preservation_assets.definitions.build_defs()):
        for each in [*(defs.sensors or ()), *(defs.schedules or ())]:
            tick_ = getattr(each, "_raw_fn", None) or getattr(each, "_execution_fn", None)
            tick_ = getattr(tick_, "decorated_fn", tick_)
            if each.name in exempt:
                continue
            jobs = (
                [each.job_name] if isinstance(each, dg.ScheduleDefinition) else [job.job_name for job in each.targets]
            )
            queues = {defs.resolve_job_def(job).tags[DAGSTER_CELERY_QUEUE_TAG] for job in jobs}
            assert {getattr(tick_, "asks_for_halts", "")} == queues, each.name


def test_a_halt_is_written_down_once_for_good(postgres: Postgres) -> None:
    halts = Halts(postgres)
    halts.halt("source", "ebooks", "Anna", "noise")
    halts.halt("all", "", "Ben", "migration")
    assert "Anna" in halts.reason(source="ebooks") and "Ben" in halts.reason(source="own")
    assert halts.resume("all", "", "Ben", "done") and not halts.reason(source="own")
    assert "noise" in halts.reason(source="ebooks")  # each halt is lifted by its own
    assert halts.resume("queue", "default", "Ben", "done") is None
    for statement in ("UPDATE halts SET who = 'x'", "DELETE FROM halts", "TRUNCATE halts"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"), postgres.transaction() as connection:
            connection.execute(statement)


def test_a_form_that_names_nothing_says_what_is_missing(library: DemoIls) -> None:
    wrong = run("halt_ingestion", scope="source")
    assert not wrong.success and "name a source" in wrong.error
    wrong = run("halt_ingestion", scope="all", source="ebooks")
    assert not wrong.success and "scope: source" in wrong.error
    wrong = run("resume_ingestion", scope="all")
    assert not wrong.success and "nothing is halted" in wrong.error


def test_the_nights_that_were_skipped_are_asked_for_once(library: DemoIls, postgres: Postgres) -> None:
    evening, noon = (dt.datetime(2026, 3, day, hour, tzinfo=dt.UTC) for day, hour in ((9, 22), (12, 12)))
    missed = plan_missed("source", "ebooks", evening, noon)
    assert missed == [("catalogue_load", "ebooks", f"2026-03-{day}|ebooks") for day in ("09", "10", "11")]
    assert not plan_missed("source", "ebooks", evening, evening + dt.timedelta(hours=1)), "no night came"
    assert not plan_missed("queue", "io_bound", evening, noon)
    halt_all_a_day_ago(postgres)
    resumed = run("resume_ingestion", scope="all")
    asked = Recoveries(postgres).asked()
    assert [row["partition"] for row in asked] == resumed.metadata["asked_for"] and len(asked) == len(SETTINGS.sources)
    with dg.DagsterInstance.ephemeral() as instance:
        launched = tick("asked_runs_sensor", instance, postgres)
        requests = launched.run_requests or []
        assert [(each.job_name, each.partition_key) for each in requests] == [
            (row["job"], row["partition"]) for row in asked
        ]
        assert all(each.tags["holdfast/asked-by"] == "Anna" for each in requests)
        assert not tick("asked_runs_sensor", instance, postgres, launched.cursor).run_requests
        # What is asked for while it is halted waits, and is launched after.
        run("halt_ingestion", scope="source", source="own")
        waiting = tick("asked_runs_sensor", instance, postgres)
        assert len(waiting.run_requests or []) == len(asked) - 1
        run("resume_ingestion", scope="source", source="own", run_missed=False)
        last = tick("asked_runs_sensor", instance, postgres, waiting.cursor)
        own = [row["partition"] for row in asked if row["source"] == "own"]
        assert [each.partition_key for each in last.run_requests or ()] == own
