"""The ledger's rows and their states: what was written stays told, and nobody writes under an older number."""

from __future__ import annotations

import dataclasses

import pytest

from resources.ils.client import (
    Written,
)
from resources.ledger.client import FencedError, Ledger
from resources.postgres.client import Postgres
from tests.resources.ledger.committing import (
    LOAD,
    Catalogue,
    committer,
    contents,
    under,
    unit,
)

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("redis_client")]


def test_what_one_system_took_another_one_has_not(postgres: Postgres) -> None:
    ledger, units = Ledger(postgres), [unit(0)]
    list(committer(Catalogue(), ledger).commit(units, contents(units)))
    other = dataclasses.replace(LOAD, ils="folio:production")
    assert ledger.prepare(other, units, contents(units), under(1, units))["k0"][:2] == ("prepared", False)
    assert ledger.prepare(LOAD, units, contents(units), under(9, units))["k0"][:2] == ("acknowledged", True)
    assert ledger.count("folio:production", LOAD.source, LOAD.partition) == 0
    assert ledger.acknowledged(LOAD.ils, ["c0"]).keys() == {("c0", "sha-0")}
    assert not ledger.acknowledged("folio:production", ["c0"])


def test_an_acknowledged_row_never_changes_again(postgres: Postgres) -> None:
    ledger, units = Ledger(postgres), [unit(0)]
    list(committer(Catalogue(), ledger).commit(units, contents(units)))
    (before,) = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    ledger.prepare(dataclasses.replace(LOAD, run_id="run-2"), units, contents(units), under(9, units))
    ledger.send(LOAD.ils, {"k0": [("245", "10\x1faOther")]}, under(9, units))
    ledger.settle(LOAD.ils, [Written("k0", "failed", answer="late")], under(9, units))
    ledger.settle(LOAD.ils, [Written("k0", "failed", answer="late")])
    assert ledger.rows(LOAD.ils, LOAD.source, LOAD.partition) == [before]


def test_the_first_image_before_is_kept_and_any_text_can_be_in_it(postgres: Postgres) -> None:
    ledger, units = Ledger(postgres), [unit(0)]
    ledger.prepare(LOAD, units, contents(units), under(1, units))
    image = [("245", "10\x1faNul \0 and \u2028 and \U0001f4da")]
    ledger.send(LOAD.ils, {"k0": image}, under(1, units))
    ledger.send(LOAD.ils, {"k0": [("245", "10\x1faOurs")]}, under(1, units))
    ledger.settle(LOAD.ils, [Written("k0", "failed", answer="said \0")])
    (row,) = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    assert [tuple(each) for each in row["image_before"]] == image


def test_the_ledger_keeps_what_was_written_and_where(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    made = unit(0, adds=[("245", "10\x1faNul \0")])
    changed = unit(1, action="update", deletes=[("500", "  \x1faOld")], adds=[("500", "  \x1faNew")])
    list(committer(catalogue, ledger).commit([made, changed], contents([made, changed])))
    rows = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    assert [row["kind"] for row in rows] == ["bib", "bib"] and all(row["fence"] > 0 for row in rows)
    assert rows[0]["patch"] == {"deletes": [], "adds": [["245", "10\x1faNul \0"]]}
    assert rows[1]["patch"] == {"deletes": [["500", "  \x1faOld"]], "adds": [["500", "  \x1faNew"]]}


def test_a_write_under_an_older_number_is_refused_at_every_step(postgres: Postgres) -> None:
    ledger, units = Ledger(postgres), [unit(0), unit(1)]
    old, new = under(4, units), under(5, units[:1])
    ledger.prepare(LOAD, units, contents(units), old)
    ledger.prepare(dataclasses.replace(LOAD, run_id="run-2"), units[:1], contents(units), new)
    assert ledger.highest_fence(LOAD.ils) == 5 and ledger.highest_fence("another") == 0
    for refused in (
        lambda: ledger.prepare(LOAD, units, contents(units), old),
        lambda: ledger.send(LOAD.ils, {"k0": None, "k1": None}, old),
        lambda: ledger.settle(LOAD.ils, [Written("k0", "acknowledged", 1)], old),
    ):
        with pytest.raises(FencedError, match=r"record:bib:t0 was taken by another worker after number 4"):
            refused()
    assert [row["state"] for row in ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)] == ["prepared", "prepared"]
    ledger.send(LOAD.ils, {"k1": None}, old)  # of that record nobody took the lock
    ledger.send(LOAD.ils, {"k0": None}, new)
    ledger.settle(LOAD.ils, [Written("k0", "acknowledged", 1)], new)
    rows = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    assert [(row["state"], row["fence"]) for row in rows] == [("acknowledged", 5), ("sent", 4)]


def test_one_number_that_was_given_twice_serves_one_worker(postgres: Postgres) -> None:
    ledger, units = Ledger(postgres), [unit(0)]
    ledger.prepare(LOAD, units, contents(units), under(7, units, "one"))
    with pytest.raises(FencedError):
        ledger.prepare(LOAD, units, contents(units), under(7, units, "two"))
    ledger.send(LOAD.ils, {"k0": None}, under(7, units, "one"))
