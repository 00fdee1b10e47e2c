"""Whatever the library system does while a load is written, each change is done once."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from resources.postgres.client import Postgres
from tests.catalogue_load import SETTINGS, fine, load
from tests.conftest import point_at
from tests.demo_ils import DemoIls
from tests.faults.loads import BATCH, KINDS, MARC, PLACES, SNAPSHOTS, assert_once, lay_out, wait_for

pytestmark = [pytest.mark.services, pytest.mark.dagster, pytest.mark.faults]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_ils_does_once_everywhere_each_change_is_done_once(
    library: DemoIls, postgres: Postgres, kind: str
) -> None:
    lay_out(4)
    for method, path in PLACES.values():
        library.fault(kind, method, path, retry_after=0.01, seconds=0.05)
    loaded = fine()
    assert library.hits() == len(PLACES)
    assert loaded.outcomes == {"committed": 8}
    assert_once(library, postgres, 4)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["drop_after", "cut_answer", "500"])
@pytest.mark.parametrize("place", ["the inventory's batch", "the MARC batch"])
def test_a_write_whose_answer_is_lost_twice_is_done_once(
    library: DemoIls, postgres: Postgres, kind: str, place: str
) -> None:
    lay_out(3)
    library.fault(kind, *PLACES[place], times=2)
    assert fine().outcomes == {"committed": 6}
    assert library.hits() >= 1  # what was written before its answer was lost is found, and not sent a second time
    assert_once(library, postgres, 3)


@pytest.mark.usefixtures("hurried")
def test_an_ils_that_fails_at_random_gets_each_change_once_in_the_end(library: DemoIls, postgres: Postgres) -> None:
    lay_out(10)
    seed = int(os.environ.get("HOLDFAST_TEST_SEED") or random.randrange(10**6))
    print(f"HOLDFAST_TEST_SEED={seed}")
    for number, kind in enumerate(KINDS):
        library.fault(kind, probability=0.07, times=-1, seed=seed + number, seconds=0.01, retry_after=0)
    for _ in range(10):
        loaded = load()
        if loaded.success and loaded.outcomes == {"committed": 20}:
            break
    library.clear_faults()
    assert fine().outcomes == {"committed": 20}
    assert_once(library, postgres, 10)


@pytest.mark.usefixtures("hurried")
def test_an_ils_that_stays_down_leaves_the_rest_planned_and_a_later_run_writes_it(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"chunk_records": 3}))
    lay_out(3)
    library.fault("slow", "POST", MARC, times=1, seconds=0)
    library.fault("503", "POST", BATCH, times=-1)
    away = fine()
    assert away.outcomes == {"planned": 6}
    check = away.checks["ils_commits.all_planned_is_written"]
    assert not check.passed and check.severity.value == "ERROR"
    assert library.url in (check.description or "") and "stays planned" in (check.description or "")

    library.clear_faults()
    assert fine().outcomes == {"committed": 6}
    assert_once(library, postgres, 3)


@pytest.mark.usefixtures("hurried")
def test_a_new_record_whose_marc_was_refused_is_written_by_a_later_run(library: DemoIls, postgres: Postgres) -> None:
    lay_out(2)
    # The system takes the instances, and nothing of the MARC, whichever way it is asked.
    library.fault("500", "POST", SNAPSHOTS, times=-1)
    assert fine().outcomes == {"planned": 4}
    library.clear_faults()
    with postgres.transaction() as connection:
        connection.execute("UPDATE ledger SET state = 'failed' WHERE state = 'sent'")
    assert fine().outcomes == {"committed": 4}
    assert_once(library, postgres, 2)


def test_a_token_that_is_over_in_the_middle_is_replaced(
    library: DemoIls, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = DemoIls(tmp_path / "brief-ils", "--token-seconds", "1")
    try:
        point_at(brief, monkeypatch)
        monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"chunk_records": 2}))
        lay_out(2)
        brief.fault("slow", "POST", MARC, times=1, seconds=1.1)
        assert fine().outcomes == {"committed": 4}
        statuses = [each["status"] for each in brief.requests()]
        assert 401 in statuses
        assert_once(brief, postgres, 2)
    finally:
        brief.kill()


@pytest.mark.usefixtures("hurried")
def test_a_storm_of_429_costs_time_and_nothing_else(library: DemoIls, postgres: Postgres) -> None:
    lay_out(3)
    writing = [place for name, place in PLACES.items() if name != "the login"]  # whose attempts count as the request's
    for number, (method, path) in enumerate(writing):
        library.fault("429", method, path, times=5, retry_after=number % 2 and 0.01)
    assert fine().outcomes == {"committed": 6}
    assert library.hits() == 5 * len(writing)
    assert_once(library, postgres, 3)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("place", ["the inventory's batch", "the MARC batch"])
def test_a_time_out_after_which_the_write_happens_is_found_out_by_reading(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"timeout_seconds": 0.5}))
    lay_out(3)
    library.fault("slow", *PLACES[place], times=1, seconds=0.8)
    assert fine().outcomes.keys() <= {"committed", "quarantined"}
    wait_for(lambda: any(each["fault"] for each in library.requests()))
    assert fine().outcomes == {"committed": 6}
    assert_once(library, postgres, 3)
