"""A write that a halt stopped stands until somebody went on with it, or took its window another way."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest

from resources.ledger.applying import Applied
from resources.ledger.client import Load
from resources.ledger.plans import Plans
from resources.ledger.replaying import Order, Recoveries
from resources.ledger.stopping import StoppedWrites
from resources.postgres.client import Postgres

pytestmark = pytest.mark.services
JOB, PLAN, ORDER = "write_approved_plan", "ab" * 32, Order("Anna", "ticket 7")
WINDOW = "2026-01-05|ebooks"
LOAD = Load("folio:test", "ebooks", WINDOW, "run-1")
HALTED = Applied(waiting="waiting: halted by Anna because of noise", halted=True)


def standing(postgres: Postgres) -> list[str]:
    return [each.partition for each in StoppedWrites(postgres).standing()]


def test_a_stop_stands_until_the_window_is_written_to_another_end(postgres: Postgres) -> None:
    plans = Plans(postgres, LOAD.ils)
    plans.ended(JOB, LOAD, Applied(), PLAN, 1.0, lambda: "")
    assert not standing(postgres)
    for _ in range(2):  # who runs it while it is halted is stopped once more
        plans.ended(JOB, LOAD, HALTED, PLAN, 1.0, lambda: "still")
    (stop,) = StoppedWrites(postgres).standing()
    assert (stop.job, stop.source, stop.partition) == (JOB, "ebooks", WINDOW) and not Recoveries(postgres).asked()
    assert not StoppedWrites(postgres).standing(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))
    plans.ended(JOB, LOAD, Applied(now=3), PLAN, 1.0, lambda: "")
    assert not standing(postgres)


def test_a_halt_that_is_lifted_while_its_write_ends_is_answered_by_that_write(postgres: Postgres) -> None:
    Plans(postgres, LOAD.ils).ended(JOB, LOAD, HALTED, PLAN, 1.0, lambda: "")
    (asked,) = Recoveries(postgres).asked()
    (stop,) = StoppedWrites(postgres).standing()
    assert (asked["job"], asked["partition"], asked["run_key"]) == (JOB, WINDOW, stop.run_key)


def test_what_was_rolled_back_or_is_loaded_anew_is_not_gone_on_with(postgres: Postgres) -> None:
    stopped, recoveries = StoppedWrites(postgres), Recoveries(postgres)
    for source in ("ebooks", "own", "consortium"):
        stopped.keep(JOB, Load(LOAD.ils, source, f"2026-01-05|{source}", "run-1"), PLAN, "halted")
    recoveries.keep("rollback", LOAD.ils, "ebooks", WINDOW, ORDER, {"rolled_back": 2})
    recoveries.keep("reconcile", LOAD.ils, "own", "2026-01-05|own", ORDER, {"agreed": 2})
    recoveries.ask("catalogue_load", "consortium", "2026-01-05|consortium", "replay:1", ORDER)
    assert standing(postgres) == ["2026-01-05|own"]
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"), postgres.transaction() as connection:
        connection.execute("DELETE FROM stopped_writes")
