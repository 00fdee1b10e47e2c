"""The catalogue's line end to end with a Koha: loads of one source, and what breaks meanwhile."""

from __future__ import annotations

import random
import time

import pytest

from catalog_assets.partitions import SETTINGS
from demo.samples import feeds
from holdfast.settings import load_settings
from resources.ledger.client import Ledger
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from tests.catalogue_load import drop, fine, partition, start_load
from tests.conftest import ROOT
from tests.demo_koha import DemoKoha
from tests.feed_load import feed_partition, fine_feed, put
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster]
LATER = "20260201000000.0"
ITEM_TYPE = (("942", "c", "BK"),)


def rows_of(koha: DemoKoha, postgres: Postgres, source: str = "ebooks") -> list[dict[str, object]]:
    return Ledger(postgres).rows(koha.name, source, partition(source))


def assert_audit_is_ledger(koha: DemoKoha, postgres: Postgres, *sources: str) -> None:
    """Each acknowledged row was written once, on the record that it names; nothing else was."""
    rows = [each for source in sources for each in rows_of(koha, postgres, source)]
    done = [each for each in rows if each["state"] == "acknowledged"]
    assert len(done) == len(rows)
    written = [each for each in koha.audit("BIBLIO") if each["user"] == "demo" and each["correlationIds"]]
    assert sorted((each["correlationIds"][0], each["entityId"]) for each in written) == sorted(
        (each["correlation_id"], each["target"]) for each in done
    )


def test_two_loads_of_a_source(koha_library: DemoKoha, postgres: Postgres) -> None:
    koha = koha_library
    drop([book(str(n), f"Volume {n}", fields=ITEM_TYPE) for n in range(5)], "first.mrc", "consortium")
    first = fine("consortium")
    assert first.outcomes == {"committed": 5}
    ids = {title: number for number, title in koha.titles().items()}
    assert len(ids) == 5
    # A librarian's own work: a note that no load brings, and another item type.
    koha.edit(ids["Volume 1"], "590", "a", "Shown in the reading room")
    koha.edit(ids["Volume 1"], "942", "c", "REF")

    second = [
        book("0", "Volume 0", fields=ITEM_TYPE),  # as it is
        book("1", "Volume 1 revised", date=LATER, fields=ITEM_TYPE),
        book("2", "Volume 2", date=LATER, status="d"),  # withdrawn by its supplier
        book("9", "Volume 9", fields=ITEM_TYPE),
    ]
    drop(second)
    loaded = fine()
    assert loaded.outcomes == {"committed": 2, "suppressed": 1, "unchanged": 1}
    assert_audit_is_ledger(koha, postgres, "consortium", "ebooks")
    marc = koha.marc(ids["Volume 1"])
    assert [text for tag, text in marc if tag == "942"] == ["$cREF"]
    assert ("245", "$aVolume 1 revised") in [(tag, text[:18]) for tag, text in marc]
    assert [text for tag, text in koha.marc(ids["Volume 2"]) if tag == "942"] == ["$cBK$n1"]
    assert len(koha.titles()) == 6 and koha.counts()["deletedBiblios"] == 0

    writes, asked = len(koha.audit()), len(koha.requests())
    assert fine().outcomes == loaded.outcomes
    drop(second, "again.mrc", "own")
    again = fine("own")
    assert set(again.outcomes) <= {"unchanged", "suppressed", "committed"}
    assert len(koha.audit()) == writes
    sent = {each["method"] for each in koha.requests()[asked:]}
    assert sent <= {"GET", "POST"} and not [
        each for each in koha.requests()[asked:] if each["method"] == "POST" and "/oauth/" not in each["path"]
    ]


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["drop_after", "cut_answer", "500"])
@pytest.mark.usefixtures("hurried")
def test_each_change_is_written_once_whatever_becomes_of_the_answers(
    koha_library: DemoKoha, postgres: Postgres, kind: str
) -> None:
    koha = koha_library
    olds = [koha.add(f"Volume {n}", _number(n)) for n in range(4)]
    drop(
        [book(str(n), f"Volume {n} revised", date=LATER) for n in range(4)]
        + [book(str(n), f"Volume {n}") for n in range(4, 8)]
    )
    for method in ("POST", "PUT"):
        koha.fault(kind, method, "/api/v1/biblios", times=2)
    assert fine().outcomes == {"committed": 8}
    assert koha.hits() == 4
    assert_audit_is_ledger(koha, postgres, "ebooks")
    titles = koha.titles()
    assert len(titles) == 8 and [titles[each] for each in olds] == [f"Volume {n} revised" for n in range(4)]


def _number(number: int) -> dict[str, object]:
    """035 as the load's records have it, once they are catalogued."""
    return {"035": {"ind1": " ", "ind2": " ", "subfields": [{"a": f"(XX-Test){number}"}]}}


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
def test_a_load_that_is_killed_goes_on_where_it_was(koha_library: DemoKoha, postgres: Postgres, seed: int) -> None:
    koha, chance = koha_library, random.Random(seed)
    drop([book(str(n), f"Volume {n}") for n in range(20)], "first.mrc", "consortium")
    fine("consortium")
    drop(
        [book(str(n), f"Volume {n} revised", date=LATER) for n in range(20)]
        + [book(str(n), f"Volume {n}") for n in range(20, 40)]
    )
    koha.fault("slow", "", "/api/v1/biblios", times=-1, seconds=0.02)
    start = len(koha.audit("BIBLIO"))
    stop_at = chance.randint(1, 38)
    process = start_load(ils='adapter = "koha"')
    end = time.monotonic() + 120
    while len(koha.audit("BIBLIO")) < start + stop_at and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.005)
    process.kill()
    process.wait()
    koha.clear_faults()
    done = len(koha.audit("BIBLIO")) - start
    # Planned anew, the catalogue shows what was written; by the old plan, it has to be looked for.
    loaded = fine() if seed == 1 else fine(only=("ils_commits",))
    assert sum(loaded.outcomes.values()) == 40 and loaded.outcomes["committed"] == 40, (done, loaded.outcomes)
    assert_audit_is_ledger(koha, postgres, "consortium", "ebooks")
    assert len(koha.titles()) == 40


def test_the_demo_feeds_for_a_koha_are_written_once(
    koha_library: DemoKoha, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    koha = koha_library
    koha.seed()
    monkeypatch.setitem(SETTINGS.__dict__, "feeds", load_settings(ROOT / "demo" / "koha" / "holdfast.toml").feeds)
    put(feeds.students())
    put(feeds.items(), "items.csv", "shelving")
    changed = feeds.CHANGED + feeds.NEW + feeds.GONE
    assert fine_feed("shelving").outcomes == {"committed": feeds.RECLASSIFIED, "quarantined": 1}
    for _ in range(2):
        students = fine_feed().outcomes
        assert (students["committed"], students["quarantined"]) == (changed, 2)
        for name, kind, count in (("students", "PATRON", changed), ("shelving", "ITEM", feeds.RECLASSIFIED)):
            rows, writes = Ledger(postgres).rows(koha.name, name, feed_partition(name)), koha.writes(kind)
            assert writes == {each["correlation_id"]: 1 for each in rows if each["state"] == "acknowledged"}
            assert len(writes) == count
    numbers = {each["external_id"]: each["callnumber"] for each in koha.call("GET", "/items?_per_page=-1").json()}
    assert sum(str(each).startswith("PN ") for each in numbers.values()) == feeds.RECLASSIFIED
    (refused,) = [
        each for each in Quarantine(postgres, "catalogue").waiting(feed_partition()) if each["code"] == "ils.failed"
    ]
    assert "Given category_id does not exist" in refused["place"]


def test_what_koha_refuses_is_quarantined_and_stops_only_itself(koha_library: DemoKoha, postgres: Postgres) -> None:
    koha = koha_library
    author = {"100": {"ind1": "1", "ind2": " ", "subfields": [{"a": "Sauer, Ida."}]}}
    there = koha.add("One", author)
    drop([book("1", "One", fields=(("100", "a", "Sauer, Ida."),)), book("2", "Two")])
    loaded = fine()
    assert loaded.outcomes == {"committed": 1, "quarantined": 1}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert entry["code"] == "ils.failed" and f"Duplicate biblio {there}" in entry["place"]
    assert sorted(koha.titles().values()) == ["One", "Two"]
