"""Plan, budget, approval: what waits is written once a person says so, just as it was shown, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl
import psycopg
import pytest

from catalog_assets.definitions import build_defs
from holdfast.catalogue.merging import MergeRule
from resources.lake.client import Lake
from resources.ledger.gate import APPLIED
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.reports.client import ReportFolder
from tests.catalogue_load import DAY, SETTINGS, Loaded, drop, fine, load, partition
from tests.demo_ils import DemoIls
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster]
TODAY = DAY.date().isoformat()


def books(count: int, title: str = "Volume {} of the collected works", **more: Any) -> bytes:
    return b"".join(book(str(n), title.format(n), **more) for n in range(1, count + 1))


def set_budget(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    monkeypatch.setitem(SETTINGS.budgets, "default", SETTINGS.budgets["default"].model_copy(update=limits))


def set_source(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    monkeypatch.setitem(SETTINGS.sources, "ebooks", SETTINGS.sources["ebooks"].model_copy(update=values))


def decide(plan: str, decision: str = "approve", **more: Any) -> dg.ExecuteInProcessResult:
    given = {"source": "ebooks", "day": TODAY, "plan": plan, "decision": decision, "who": "Ada", "why": "looked at it"}
    with dg.DagsterInstance.ephemeral() as instance:
        return (
            build_defs()
            .resolve_job_def("approve_plan")
            .execute_in_process(
                run_config={"ops": {"decide_plan": {"config": {**given, **more}}}},
                instance=instance,
                raise_on_error=False,
            )
        )


def refusal(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = result.get_step_failure_events()
    return str(event.step_failure_data.user_failure_data.description)


@pytest.fixture
def tick(postgres: Postgres) -> Iterator[Any]:
    """One tick of approved_plan_sensor, with the cursor of the tick before."""
    definitions, state = build_defs(), {"cursor": None}
    (sensor,) = [each for each in definitions.sensors if each.name == "approved_plan_sensor"]

    class Named:
        name = "folio:demo"

    with dg.DagsterInstance.ephemeral() as instance:

        def once() -> list[dg.RunRequest]:
            with dg.build_sensor_context(
                instance=instance,
                cursor=state["cursor"],
                definitions=definitions,
                resources={"postgres": postgres, "ils": Named()},
            ) as context:
                data = sensor.evaluate_tick(context)
            state["cursor"] = data.cursor or state["cursor"]
            return list(data.run_requests or [])

        yield once


def write(request: dg.RunRequest) -> Loaded:
    """What the daemon does with the sensor's request."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_defs()
            .resolve_job_def("write_approved_plan")
            .execute_in_process(
                partition_key=request.partition_key, tags=request.tags, instance=instance, raise_on_error=False
            )
        )
    return Loaded(result, "ebooks")


def test_a_new_source_shows_its_first_plan_and_is_written_when_it_is_approved(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tick: Any
) -> None:
    set_source(monkeypatch, first_load="ask")
    drop(books(3))
    waits = fine()
    assert waits.outcomes == {"planned": 3} and not library.audit()
    plan, said = waits.metadata("change_plan"), waits.metadata("ils_commits")
    assert plan["create"] == 3 and plan["requests"] == 2
    assert "first_load" in plan["waiting_for"] and "approve_plan" in said["waiting_for"]
    assert said["decision"] == "none yet"
    for check in ("change_plan.within_budget", "ils_commits.all_planned_is_written"):
        assert not waits.checks[check].passed and waits.checks[check].severity == dg.AssetCheckSeverity.WARN
    assert tick() == []

    sha = plan["plan_sha256"]
    assert decide(sha[:12]).success
    (request,) = tick()
    assert request.partition_key == partition() and tick() == []
    written = write(request)
    assert written.success, written.error
    assert written.outcomes == {"committed": 3} and len(library.audit()) >= 3
    assert written.checks["ils_commits.all_planned_is_written"].passed
    assert "approved by Ada" in written.metadata("ils_commits")["decision"]

    # The source is no new one any more; the plan that was written is kept when the window is planned again.
    drop(books(3, "Volume {} of the works", date="20260201000000.0"))
    assert fine().outcomes == {"committed": 6}
    assert Lake(SETTINGS.var / "lake").read(APPLIED, f"{partition()}|{sha}")["action"].to_list() == ["create"] * 3
    assert [each["written"] for each in Plans(postgres, "folio:demo").written_plans(partition())] == [3, 3]
    pages = ReportFolder(SETTINGS.var / "reports").plan_pages()["ebooks"]
    assert len(pages) == 2 and f"{TODAY}-{sha[:12]}" in pages


def test_what_is_decided_holds_for_one_plan_alone(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tick: Any
) -> None:
    set_budget(monkeypatch, new_records=1)
    drop(books(2))
    first = fine().metadata("change_plan")["plan_sha256"]
    assert fine().metadata("change_plan")["plan_sha256"] == first, "the same plan made again is the same plan"
    assert decide(first, "reject", why="not this vendor").success
    rejected = fine()
    assert rejected.outcomes == {"planned": 2} and tick() == []
    assert "rejected by Ada" in rejected.metadata("ils_commits")["waiting_for"]

    # The last word holds.
    assert decide(first).success
    drop(books(3)[len(books(2)) :], "more.mrc")
    waits = fine()
    assert waits.outcomes == {"planned": 3}, "another plan needs another approval"
    (request,) = tick()
    assert write(request).outcomes == {"planned": 3}
    assert not library.audit()
    assert "made anew since" in refusal(decide(first))
    assert "mistyped" in refusal(decide("abc"))
    assert "allowed: sources consortium, ebooks, own; feeds serials, shelving, students" in refusal(
        decide(first, source="ebook")
    )
    assert decide(waits.metadata("change_plan")["plan_sha256"]).success
    assert write(tick()[0]).outcomes == {"committed": 3}
    with postgres.transaction() as connection:
        rows = connection.execute("SELECT decision, who, why FROM plan_decisions ORDER BY id").fetchall()
    assert [row["decision"] for row in rows] == ["reject", "approve", "approve"]
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"), postgres.transaction() as connection:
        connection.execute("UPDATE plan_decisions SET who = 'Eve'")


def test_a_plan_that_was_tampered_with_is_refused(library: DemoIls, monkeypatch: pytest.MonkeyPatch) -> None:
    set_budget(monkeypatch, new_records=1)
    drop(books(2))
    sha = fine().metadata("change_plan")["plan_sha256"]
    assert decide(sha).success
    lake = Lake(SETTINGS.var / "lake")
    (patches,) = [each for each in lake.parts("change_plan", partition(), "patches") if pl.read_parquet(each).height]
    pl.read_parquet(patches).with_columns(pl.col("text").str.replace("collected", "Collected")).write_parquet(patches)
    refused = load(only=("ils_commits",))
    assert not refused.success and not library.audit()
    assert "its rows, patches and changes have the hash" in refused.error and "nothing was written" in refused.error
    assert "have the hash" in refusal(decide(sha))

    # Measures that would be within the budget do not help whoever has no key.
    fine(only=("change_plan",))
    (document,) = lake.parts("change_plan", partition(), "document")
    frame = pl.read_parquet(document)
    frame.with_columns(pl.col("measures").str.replace('"created": 2', '"created": 1')).write_parquet(document)
    refused = load(only=("ils_commits",))
    assert not refused.success and "the signature is not of this plan" in refused.error
    assert not library.audit()


def test_a_plan_larger_than_the_source_ever_had_waits(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_budget(monkeypatch, usual_after=2, usual_from=5)
    plans = Plans(postgres, "folio:demo")
    for day, changes in (("2026-01-02", 3), ("2026-01-03", 4)):
        sha = f"{changes:064x}"
        measures = f'{{"came_in": 9, "created": {changes}}}'
        document = {"partition": f"{day}|ebooks", "plan_sha256": sha, "signature": "", "measures": measures}
        counts = pl.DataFrame(
            schema={"action": pl.String, "tag": pl.String, "code": pl.String, "kind": pl.String, "subfields": pl.UInt32}
        )
        plans.keep("ebooks", {**document, "waiting_for": ""}, counts)
        plans.wrote("ebooks", f"{day}|ebooks", sha, changes, 2.0, "run")
    drop(books(9))
    waits = fine()
    assert waits.outcomes == {"planned": 9}
    assert "9 changes are more than the source ever had" in waits.metadata("ils_commits")["waiting_for"]
    assert "about 4 s" in waits.metadata("change_plan")["cost"], "what the last load took: half a second a record"


def test_merge_rules_of_the_source_hold_in_a_load(library: DemoIls, monkeypatch: pytest.MonkeyPatch) -> None:
    set_source(
        monkeypatch,
        protected=("020$c", "59X"),
        merge=(MergeRule(fields=("5XX",), rule="keep"), MergeRule(fields=("650",), rule="add")),
    )
    first = (("020", "a", "9780141439600"), ("500", "a", "Ours"), ("650", "a", "Courts"))
    drop(book("1", fields=first))
    fine()
    second = (("020", "a", "9780141439600"), ("500", "a", "Theirs"), ("650", "a", "Fog"))
    drop(book("1", "Bleak House", date="20260201000000.0", fields=second), "second.mrc")
    loaded = fine()
    changes = loaded.rows("change_plan", "changes").filter(pl.col("tag") != "005")
    assert changes.select("kind", "tag", "code", "before", "after").rows() == [
        ("changed", "245", "a", "Bleak house", "Bleak House"),
        ("added", "650", "a", None, "Fog"),
    ]
    assert loaded.outcomes == {"committed": 2}, "the first one is known, the second was written"
