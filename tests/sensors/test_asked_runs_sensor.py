"""What waited for a moment is launched when it has come, a few times at most, and never while it is halted."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from resources.ledger.replaying import TRIES, Order, Recoveries
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts
from sensors.asked_runs_sensor import plan_asked

pytestmark = [pytest.mark.services, pytest.mark.dagster]
ORDER, PLAN, WINDOW = Order("Holdfast", "the day's quota is spent"), "ab" * 32, "2026-01-05|students"
HOUR = dt.timedelta(hours=1)


def tick(postgres: Postgres, cursor: str | None = None) -> dg.SensorResult:
    defs = build_defs()
    (sensor,) = [each for each in defs.sensors or () if each.name == "asked_runs_sensor"]
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance, cursor=cursor, definitions=defs, resources={"postgres": postgres}
        ) as context,
    ):
        return sensor.evaluate_tick(context)


def test_what_waits_for_a_moment_is_launched_once_it_has_come(
    postgres: Postgres, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_POSTGRES_URL", database_url)
    recoveries, now = Recoveries(postgres), dt.datetime.now(dt.UTC)
    assert recoveries.ask_later("write_approved_feed", "students", WINDOW, PLAN, now - HOUR, ORDER)
    assert recoveries.ask_later("write_approved_plan", "ebooks", "2026-01-05|ebooks", PLAN, now + HOUR, ORDER)
    assert not recoveries.ask_later("write_approved_plan", "ebooks", "2026-01-05|ebooks", PLAN, now + HOUR, ORDER)
    Halts(postgres).halt("source", "students", "Anna", "noise")
    halted = tick(postgres)
    assert not halted.run_requests
    Halts(postgres).resume("source", "students", "Anna", "done")
    launched = tick(postgres, halted.cursor)
    (request,) = launched.run_requests or ()
    assert (request.job_name, request.partition_key) == ("write_approved_feed", WINDOW)
    last = tick(postgres, launched.cursor)
    assert not last.run_requests and "has not come" in (last.skip_message or "")


def test_a_plan_is_tried_a_few_times_and_another_plan_anew(postgres: Postgres) -> None:
    recoveries, past = Recoveries(postgres), dt.datetime.now(dt.UTC) - HOUR
    asked = [
        recoveries.ask_later("write_approved_feed", "students", WINDOW, PLAN, past, ORDER) for _ in range(TRIES + 2)
    ]
    assert asked == [True] * TRIES + [False] * 2
    assert len({row["run_key"] for row in recoveries.asked()}) == TRIES
    assert recoveries.ask_later("write_approved_feed", "students", WINDOW, "cd" * 32, past, ORDER)


def test_what_a_halt_stopped_is_launched_once_and_never_beside_another_run() -> None:
    load = {"job": "catalogue_load", "source": "ebooks", "partition": "a", "run_key": "replay:1", "due": True}
    stopped = [
        {"job": "write_approved_plan", "source": source, "partition": name, "run_key": f"halted:{name}:7", "due": True}
        for name, source in (("a", "ebooks"), ("b", "ebooks"), ("c", "ebooks"), ("d", "own"), ("e", "ebooks"))
    ]
    standing = {row["run_key"] for row in stopped} - {"halted:b:7"}
    launch, wait = plan_asked([*stopped, load], {("write_approved_plan", "own"): "noise"}, standing, {"c"})
    # a: its load is launched now; b: somebody went on with it; c: has a run already; d: is halted still.
    assert launch == [load, stopped[4]] and [row["partition"] for row in wait] == ["a", "c", "d"]
