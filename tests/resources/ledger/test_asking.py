"""Runs that are asked for are numbered in the order in which a sensor can see them."""

from __future__ import annotations

from threading import Thread

import pytest

from resources.ledger.replaying import Order, Recoveries
from resources.postgres.client import Postgres

pytestmark = pytest.mark.services


def test_no_run_is_seen_before_one_with_a_smaller_number(postgres: Postgres) -> None:
    """A sensor asks for what came after the last one: it would never see the smaller one."""
    recoveries, order = Recoveries(postgres), Order("Anna", "ticket 7")
    later = Thread(target=recoveries.ask, args=("catalogue_load", "own", "2026-01-05|own", "second", order))
    with postgres.transaction() as connection:
        connection.execute(
            "INSERT INTO asked_runs (job, source, partition, run_key, who, why) VALUES ('catalogue_load', 'ebooks', "
            "'2026-01-05|ebooks', 'first', 'Anna', 'ticket 7')"
        )
        later.start()
        later.join(0.3)
        assert later.is_alive() and not recoveries.asked()
    later.join()
    assert [row["run_key"] for row in recoveries.asked()] == ["first", "second"]
