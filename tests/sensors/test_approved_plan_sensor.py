"""Which windows are written after approvals; tests/catalog_assets/test_plan_approval.py follows them to the library system."""

from __future__ import annotations

from types import SimpleNamespace

import dagster as dg
import pytest

from catalog_assets.jobs import WRITE_APPROVED_FEED, WRITE_APPROVED_PLAN
from catalog_assets.partitions import SETTINGS
from resources.ledger.plans import Decision, Plans
from resources.postgres.client import Postgres
from sensors.approved_plan_sensor import build_approved_plan_sensor, job_of, plan_writing


def approval(number: int, partition: str, sha: str) -> Decision:
    return Decision(number, partition, sha, "approve", "Ada", "looked at it", "2026-01-05 10:00 UTC")


def test_a_window_is_written_once_for_its_last_approval() -> None:
    first, second, other = approval(1, "A", "1"), approval(2, "A", "2"), approval(3, "B", "3")
    assert plan_writing([first, second, other]) == {"A": second, "B": other}


def test_a_feed_has_a_job_of_its_own() -> None:
    assert job_of("2026-01-05|students", SETTINGS) == "write_approved_feed"
    assert job_of("2026-01-05|ebooks", SETTINGS) == "write_approved_plan"


def test_what_is_halted_waits_and_is_asked_for_after(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = Plans(postgres, "folio:demo")
    for source in ("ebooks", "own"):
        document = {"partition": f"2026-01-05|{source}", "plan_sha256": "ab" * 32, "measures": "{}"}
        plans.decide(source, document, "approve", "Ada", "looked at it")
    sensor = build_approved_plan_sensor(SETTINGS, [WRITE_APPROVED_PLAN, WRITE_APPROVED_FEED])

    def tick(cursor: str | None, halted: dict[str, str]) -> dg.SensorResult:
        monkeypatch.setattr("sensors.approved_plan_sensor.halted_of", lambda _: halted)
        resources = {"postgres": postgres, "ils": SimpleNamespace(name="folio:demo")}
        found = sensor(dg.build_sensor_context(cursor=cursor, resources=resources))
        assert isinstance(found, dg.SensorResult)
        return found

    first = tick(None, {"ebooks": "halted by Anna"})
    assert [each.run_key for each in first.run_requests or []] == ["approved:2"]
    # Dagster starts a run key once.
    lifted = tick(first.cursor, {})
    assert [each.run_key for each in lifted.run_requests or []] == ["approved:1", "approved:2"]
    assert lifted.cursor == "2"


def test_an_approval_that_was_taken_back_asks_for_nothing(postgres: Postgres) -> None:
    plans = Plans(postgres, "folio:demo")
    document = {"partition": "2026-01-05|ebooks", "plan_sha256": "ab" * 32, "measures": "{}"}
    plans.decide("ebooks", document, "approve", "Ada", "looked at it")
    assert [each.number for each in plans.approved_after(0)] == [1]
    assert Plans(postgres, "koha:demo").approved_after(0) == []
    plans.decide("ebooks", document, "reject", "Bo", "it was another vendor's")
    assert plans.approved_after(0) == []
    decision = plans.decision("2026-01-05|ebooks", "ab" * 32)
    assert decision is not None and decision.sentence.startswith("rejected by Bo on 20")
    assert plans.decision("2026-01-05|ebooks", "cd" * 32) is None and not plans.has_written("ebooks")
