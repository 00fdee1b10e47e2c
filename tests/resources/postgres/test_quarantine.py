"""Where the rejected wait: once each, until a person decides."""

from __future__ import annotations

import dataclasses

import psycopg
import pytest

from holdfast.outcomes import Conservation, Rejection
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine

pytestmark = pytest.mark.services
REJECTION = Rejection("marc.length", "a.mrc record 7 byte 2048", "leader/00-04 is the length", "ask the vendor")


@pytest.fixture
def quarantine(postgres: Postgres) -> Quarantine:
    return Quarantine(postgres, "catalogue")


def rejections(count: int) -> list[Rejection]:
    return [dataclasses.replace(REJECTION, place=f"a.mrc record {number}") for number in range(count)]


def test_what_is_rejected_waits_with_place_rule_and_hint(quarantine: Quarantine) -> None:
    assert quarantine.replace("harvested_marc", "vendor|2026-01-05", [REJECTION], run_id="run") == 1
    (row,) = quarantine.waiting()
    assert {name: row[name] for name in ("code", "place", "rule", "hint", "unit")} == {
        "code": REJECTION.code,
        "place": REJECTION.place,
        "rule": REJECTION.rule,
        "hint": REJECTION.hint,
        "unit": "record",
    }
    assert (row["asset"], row["partition"], row["run_id"], row["state"]) == (
        "harvested_marc",
        "vendor|2026-01-05",
        "run",
        "waiting",
    )


def test_materializing_again_replaces_what_waits_and_nothing_of_other_partitions(quarantine: Quarantine) -> None:
    quarantine.replace("a", "p", rejections(5))
    quarantine.replace("a", "q", rejections(2))
    quarantine.replace("b", "p", rejections(1))
    assert quarantine.replace("a", "p", rejections(3)) == 3
    assert len(quarantine.waiting("p")) == 4
    assert len(quarantine.waiting("q")) == 2
    assert quarantine.replace("a", "p", []) == 0
    assert len(quarantine.waiting()) == 3


@pytest.mark.parametrize("decision", ["released", "replayed", "discarded"])
def test_what_a_person_decided_does_not_come_back(quarantine: Quarantine, postgres: Postgres, decision: str) -> None:
    quarantine.replace("a", "p", rejections(2))
    with postgres.transaction() as connection:
        connection.execute("UPDATE quarantine SET state = %s WHERE place = 'a.mrc record 0'", [decision])
    quarantine.replace("a", "p", rejections(2))
    assert [row["place"] for row in quarantine.waiting()] == ["a.mrc record 1"]


def test_the_same_rejection_twice_waits_once(quarantine: Quarantine) -> None:
    quarantine.replace("a", "p", [REJECTION, REJECTION])
    assert len(quarantine.waiting()) == 1


def test_flows_do_not_see_each_other(quarantine: Quarantine, postgres: Postgres) -> None:
    museum = Quarantine(postgres, "museum")
    museum.replace("a", "p", rejections(2))
    quarantine.replace("a", "p", [])
    assert quarantine.waiting() == []
    assert len(museum.waiting()) == 2


def test_thousands_of_rejections_are_kept_from_an_iterator(quarantine: Quarantine) -> None:
    assert quarantine.replace("a", "p", iter(rejections(2500))) == 2500
    assert len(quarantine.waiting(limit=5000)) == 2500
    assert len(quarantine.waiting(limit=10)) == 10


def test_a_preview_with_a_zero_byte_is_kept(quarantine: Quarantine) -> None:
    quarantine.replace("a", "p", [dataclasses.replace(REJECTION, preview="a\0b")])
    assert quarantine.waiting()[0]["preview"] == "a␀b"


def test_a_rejection_that_cant_be_stored_leaves_what_waited(quarantine: Quarantine) -> None:
    quarantine.replace("a", "p", rejections(2))
    with pytest.raises(psycopg.errors.CheckViolation):
        quarantine.replace("a", "p", [REJECTION, dataclasses.replace(REJECTION, unit="shelf")])
    assert len(quarantine.waiting()) == 2


def test_outcomes_of_a_partition_take_the_place_of_its_last_ones(quarantine: Quarantine) -> None:
    quarantine.count_outcomes("a", "p", Conservation(3, {"committed": 2, "quarantined": 1}))
    quarantine.count_outcomes("a", "p", Conservation(2, {"committed": 2}))
    quarantine.count_outcomes("a", "q", Conservation(1, {"duplicate": 1}))
    assert quarantine.outcomes("a") == {"p": {"in": 2, "committed": 2}, "q": {"in": 1, "duplicate": 1}}
    assert quarantine.outcomes("b") == {}
