"""A load that the day's quota does not let through waits: it did not fail, and it goes on where it was."""

from __future__ import annotations

import pytest

from catalog_assets import definitions
from catalog_assets.partitions import SETTINGS
from resources.ledger.replaying import Recoveries
from resources.postgres.client import Postgres
from tests.catalogue_load import ALL, drop, fine, load, partition
from tests.demo_ils import DemoIls
from tests.records import book

pytestmark = pytest.mark.services


def limited(monkeypatch: pytest.MonkeyPatch, per_day: int) -> None:
    quota = SETTINGS.ils.quota.model_copy(update={"per_day": per_day})
    ils = SETTINGS.ils.model_copy(update={"quota": quota})
    monkeypatch.setattr(definitions, "SETTINGS", SETTINGS.model_copy(update={"ils": ils}))


def test_a_load_whose_day_is_spent_waits_and_writes_the_next_day(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop([book(str(number), f"Volume {number}") for number in (1, 2)])
    fine(only=ALL[:-1])
    assert library.arrivals() and not library.audit()

    limited(monkeypatch, per_day=len(library.arrivals()))
    waiting = load(only=ALL[-1:])
    assert waiting.success and waiting.outcomes == {"planned": 2}
    check = waiting.checks["ils_commits.all_planned_is_written"]
    assert not check.passed and check.severity.value == "WARN"
    assert "the day's quota" in (check.description or "") and "it goes on at" in (check.description or "")
    assert not library.audit()
    (asked,) = Recoveries(postgres).asked()
    assert (asked["job"], asked["partition"], asked["due"]) == ("write_approved_plan", partition(), False)
    assert "A run of write_approved_plan is asked for at" in (check.description or "")

    # The snapshot is kept as it is, and the whole load waits.
    again = load()
    assert again.success, again.error
    assert "it goes on at" in again.metadata("catalog_snapshot")["waiting"]

    limited(monkeypatch, per_day=0)
    assert fine().outcomes == {"committed": 2}
