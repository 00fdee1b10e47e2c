"""What other people and other runs do between the plan and its writing is a conflict, and never lost."""

from __future__ import annotations

import pytest

from resources.ledger import applying
from resources.ledger.commit import Committer
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from resources.redis.locks import of_record, of_window
from tests.catalogue_load import ALL, drop, fine, partition, start_load
from tests.demo_ils import DemoIls
from tests.faults.loads import assert_once, lay_out, locks_of
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster, pytest.mark.faults]


@pytest.mark.parametrize(("tag", "code", "value"), [("245", "a", "A librarian's title"), ("590", "a", "A note")])
def test_an_edit_between_plan_and_commit_is_a_conflict_that_a_new_plan_heals(
    library: DemoIls, postgres: Postgres, tag: str, code: str, value: str
) -> None:
    lay_out(2)
    fine(only=ALL[:-1])
    edited = {each["title"]: each["id"] for each in library.instances()}
    for title in ("Volume 0", "Volume 1"):
        library.edit(edited[title], tag, code, value)
    stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"committed": 2, "quarantined": 2}
    assert (tag, f"${code}{value}") in library.marc(edited["Volume 1"])
    entries = Quarantine(postgres, "catalogue").waiting(partition())
    assert {each["code"] for each in entries} == {"ils.conflicted"}
    assert all(edited[f"Volume {n}"] in " ".join(each["place"] for each in entries) for n in (0, 1))
    assert all("materialize catalog_snapshot and this partition again" in each["hint"] for each in entries)

    assert fine().outcomes == {"committed": 4}
    assert not Quarantine(postgres, "catalogue").waiting(partition())
    if tag == "590":  # a protected field
        assert (tag, f"${code}{value}") in library.marc(edited["Volume 1"])
    assert {"Volume 1 revised"} <= {each["title"] for each in library.instances()}


@pytest.mark.parametrize("whole", [True, False])
def test_a_record_that_is_deleted_between_plan_and_commit_is_a_conflict_that_a_new_plan_heals(
    library: DemoIls, postgres: Postgres, whole: bool
) -> None:
    lay_out(2)
    fine(only=ALL[:-1])
    gone = next(each["id"] for each in library.instances() if each["title"] == "Volume 1")
    path, kind = f"/source-storage/records/{gone}", {"idType": "INSTANCE"}
    library.call("DELETE", path, params=kind).raise_for_status()
    if whole:
        library.call("DELETE", f"/instance-storage/instances/{gone}").raise_for_status()
    stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"committed": 3, "quarantined": 1}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert "deleted in the library system" in entry["place"]
    # As its snapshot is fresh, the record is new.
    assert fine().outcomes == {"committed": 4}
    assert {"Volume 1 revised"} <= {each["title"] for each in library.instances()}


def test_a_record_that_somebody_else_created_since_is_a_conflict_that_a_new_plan_heals(
    library: DemoIls, postgres: Postgres
) -> None:
    lay_out(2)
    fine(only=ALL[:-1])
    drop(book("2", "Volume 2"), "again.mrc", "own")
    fine("own")
    stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"committed": 3, "quarantined": 1}
    assert len([each for each in library.instances() if each["title"] == "Volume 2"]) == 1
    assert fine().outcomes == {"committed": 3, "unchanged": 1}


def test_two_runs_of_one_partition_at_once_do_each_change_once(library: DemoIls, postgres: Postgres) -> None:
    lay_out(6)
    library.fault("slow", "POST", "/", times=-1, seconds=0.05)
    runs = [start_load(), start_load()]
    for run in runs:
        run.wait()
    library.clear_faults()
    loaded = fine()
    assert loaded.outcomes == {"committed": 12}
    assert_once(library, postgres, 6)


def test_a_run_that_finds_its_window_being_written_says_by_whom_and_waits(
    library: DemoIls, postgres: Postgres, redis_url: str
) -> None:
    lay_out(2)
    before = len(library.audit())
    with locks_of(postgres, redis_url, "run 4711 on another machine, process 12").take(
        [of_window("ebooks", partition())]
    ):
        busy = fine()
    assert busy.outcomes == {"planned": 4}
    assert len(library.audit()) == before
    check = busy.checks["ils_commits.all_planned_is_written"]
    assert "run 4711 on another machine, process 12 is writing this window" in (check.description or "")
    assert not check.passed and check.severity.value == "WARN"  # it waits, it did not fail
    assert fine().outcomes == {"committed": 4}
    assert_once(library, postgres, 2)


def test_records_that_another_run_is_at_stay_planned_and_stop_no_other(
    library: DemoIls, postgres: Postgres, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(3)
    monkeypatch.setitem(Committer.__init__.__kwdefaults__, "patience_seconds", 0.3)
    target = next(each["id"] for each in library.instances() if each["title"] == "Volume 1")
    with locks_of(postgres, redis_url, "run 4711").take([of_record("bib", target)]):
        busy = fine()
    assert busy.outcomes == {"committed": 5, "planned": 1}
    assert f"record:bib:{target} is locked by run 4711" in (
        busy.checks["ils_commits.all_planned_is_written"].description or ""
    )
    assert fine().outcomes == {"committed": 6}
    assert_once(library, postgres, 3)


def test_two_windows_that_make_the_same_record_at_once_make_one_and_name_each_other(
    library: DemoIls, postgres: Postgres
) -> None:
    """Both were planned when the catalogue had it not, and both looked again before either wrote."""
    drop([book("1", "Volume 1", fields=(("020", "a", "9780306406157"),))])
    drop([book("2", "Volume 1", fields=(("020", "a", "9780306406157"),))], "other.mrc", "own")
    fine(only=ALL[:-1])
    fine("own", only=ALL[:-1])
    fine("own", only=("ils_commits",))
    # As if the other window's record came after this one had looked at what is new.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(applying, "overtaken", lambda *_: {})
        stopped = fine(only=("ils_commits",))
    assert stopped.outcomes == {"quarantined": 1}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert entry["code"] == "ils.collision"
    assert "isbn 9780306406157" in entry["place"] and f"window {partition('own')} made" in entry["place"]
    assert len(library.instances()) == 1
    assert fine().outcomes in (
        {"committed": 1},
        {"unchanged": 1},
    )  # with a fresh snapshot it is an update of that record
    assert len(library.instances()) == 1
