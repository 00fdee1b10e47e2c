"""The ledger against the library system; and a window once more, after it was restored or rolled back."""

from __future__ import annotations

import polars as pl
import pytest

from resources.lake.client import Lake
from resources.ledger.client import Ledger
from resources.ledger.replaying import Recoveries
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from tests.catalogue_load import SETTINGS, drop, fine, partition
from tests.demo_ils import DemoIls
from tests.records import book
from tests.recovery_runs import run

pytestmark = [pytest.mark.services, pytest.mark.dagster]
LATER, LATEST = "20260201000000.0", "20260301000000.0"


def report(source: str = "ebooks") -> dict[str, tuple[str, str]]:
    """Title-less: record → (verdict, repair)."""
    rows = Lake(SETTINGS.var / "lake").read("reconcile_window", partition(source))
    return {row["record"]: (row["verdict"], row["repair"]) for row in rows.iter_rows(named=True)}


def ids(ils: DemoIls) -> dict[str, str]:
    return {each["title"]: each["id"] for each in ils.instances()}


def lay_out(count: int = 4) -> None:
    drop([book(str(n), f"Volume {n}") for n in range(count)], "a.mrc", "consortium")
    fine("consortium")
    drop([book(str(n), f"Volume {n} revised", date=LATER) for n in range(count)])
    fine()


def set_state(postgres: Postgres, record: int, state: str) -> None:
    """As a run that died leaves it, long ago."""
    with postgres.transaction() as connection:
        connection.execute(
            "UPDATE ledger SET state = %s, sent_at = now() - interval '1 hour' WHERE source = 'ebooks' AND record = %s",
            [state, record],
        )


def test_agreed_missing_foreign_and_who_it_was(library: DemoIls, postgres: Postgres) -> None:
    lay_out()
    live = ids(library)
    assert run("reconcile_window", "ebooks").success
    assert set(report().values()) == {("agreed", "")}

    library.edit(live["Volume 1 revised"], "500", "a", "A librarian's note")
    gone = live["Volume 2 revised"]
    library.call("DELETE", f"/source-storage/records/{gone}", params={"idType": "INSTANCE"}).raise_for_status()
    library.call("DELETE", f"/instance-storage/instances/{gone}").raise_for_status()
    library.edit(live["Volume 3 revised"], "245", "a", "Volume 3")
    library.edit(live["Volume 3 revised"], "005", "", "20260101000000.0")  # as from a backup
    done = run("reconcile_window", "ebooks")
    assert done.success, done.error
    assert report() == {1: ("agreed", ""), 2: ("foreign", ""), 3: ("missing", ""), 4: ("missing", "")}
    assert (done.metadata["agreed"], done.metadata["foreign"], done.metadata["missing"]) == (1, 1, 2)
    rows = Lake(SETTINGS.var / "lake").read("reconcile_window", partition())
    foreign = rows.filter(pl.col("verdict") == "foreign").row(0, named=True)
    assert foreign["changed_by"] and foreign["changed_at"] and "all that was written is there" in foreign["detail"]
    assert "replay_window" in rows.filter(pl.col("record") == 3)["detail"][0]
    # The consortium's window wrote these records before: that is no stranger.
    assert run("reconcile_window", "consortium").success
    assert report("consortium")[1] == ("agreed", "")


def test_what_is_in_doubt_is_settled_where_that_is_safe(library: DemoIls, postgres: Postgres) -> None:
    lay_out(5)
    live = ids(library)
    # 1: written, nobody saw it. 2: written, and edited since: it stayed in doubt for ever. 3: never written. 4: neither.
    library.edit(live["Volume 1 revised"], "500", "a", "A librarian's note")
    library.edit(live["Volume 2 revised"], "245", "a", "Volume 2")
    library.edit(live["Volume 2 revised"], "005", "", "20260101000000.0")
    library.edit(live["Volume 3 revised"], "245", "a", "A librarian's title")
    for record in (1, 2, 3, 4):
        set_state(postgres, record, "sent")
    written = len(library.audit())
    assert run("reconcile_window", "ebooks").success
    expected = {1: "acknowledged", 2: "acknowledged", 3: "prepared", 4: "conflicted"}
    assert {record: repair for record, (_, repair) in report().items() if repair} == expected
    states = {row["record"]: row["state"] for row in Ledger(postgres).rows("folio:demo", "ebooks", partition())}
    assert [states[n] for n in (1, 2, 3, 4)] == ["sent"] * 4  # a dry run

    done = run("reconcile_window", "ebooks", dry_run=False)
    assert done.success and done.metadata["repaired"] == 4
    rows = Ledger(postgres).rows("folio:demo", "ebooks", partition())
    assert {row["record"]: row["state"] for row in rows} == expected | {5: "acknowledged"}
    assert len(library.audit()) == written  # the ledger was mended, the library system left alone
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert entry["code"] == "ils.in_doubt" and "record 4" in entry["place"]
    assert Recoveries(postgres).history("folio:demo", rows[0]["idempotency_key"])[0]["row_before"]["state"] == "sent"
    counts = Quarantine(postgres, "catalogue").outcomes("ils_commits")[partition()]
    assert (counts["committed"], counts["planned"], counts["quarantined"], counts["in"]) == (3, 1, 1, 5)
    again = fine()
    assert again.outcomes == {"committed": 5}  # planned anew on what is there now


def test_what_was_sent_a_moment_ago_is_left_alone(library: DemoIls, postgres: Postgres) -> None:
    lay_out(1)
    with postgres.transaction() as connection:
        connection.execute("UPDATE ledger SET state = 'sent' WHERE source = 'ebooks'")
    done = run("reconcile_window", "ebooks", dry_run=False)
    assert done.metadata["in_doubt"] == 1 and done.metadata["repaired"] == 0


def test_a_library_system_that_was_reset_gets_the_window_again_under_the_same_keys(
    library: DemoIls, postgres: Postgres
) -> None:
    drop([book(str(n), f"Volume {n}") for n in range(3)])
    fine()
    keys = {
        row["idempotency_key"]: row["correlation_id"]
        for row in Ledger(postgres).rows("folio:demo", "ebooks", partition())
    }
    # Of a replay of what is there nothing is written.
    written = len(library.audit("MARC_BIB"))
    assert run("replay_window", "ebooks", reapply_missing=True).metadata["set_back"] == 0
    assert fine().outcomes == {"committed": 3} and len(library.audit("MARC_BIB")) == written

    library.reset()
    assert fine().outcomes == {"committed": 3}  # it counts what it had
    assert run("replay_window", "ebooks").metadata == {
        "missing": 3, "rolled_back": 0, "agreed": 0, "set_back": 0, "dry_run": False,
        "next": "asked_runs_sensor launches catalogue_load for the window",
    }  # fmt: skip
    assert fine().outcomes == {"committed": 3} and not library.instances()
    assert run("replay_window", "ebooks", reapply_missing=True).metadata["set_back"] == 3
    assert fine().outcomes == {"committed": 3}
    assert len(library.instances()) == 3 and len(library.audit("MARC_BIB")) == 3
    rows = Ledger(postgres).rows("folio:demo", "ebooks", partition())
    assert {row["idempotency_key"]: row["correlation_id"] for row in rows} == keys
    assert {row["state"] for row in rows} == {"acknowledged"}
    (history,) = Recoveries(postgres).history("folio:demo", rows[0]["idempotency_key"])
    assert (history["who"], history["row_before"]["state"]) == ("Anna", "acknowledged")
    asked = Recoveries(postgres).asked()
    assert {row["partition"] for row in asked} == {partition()} and len(asked) == 3
    assert fine().outcomes == {"committed": 3} and len(library.audit("MARC_BIB")) == 3


@pytest.mark.parametrize("created", ["suppress", "delete"])
def test_what_was_rolled_back_comes_back_by_a_replay_only(library: DemoIls, postgres: Postgres, created: str) -> None:
    drop([book(str(n), f"Volume {n}") for n in range(3)])
    fine()
    edited = ids(library)["Volume 1"]
    library.edit(edited, "500", "a", "A librarian's note")
    done = run("rollback_window", "ebooks", dry_run=False, created=created)
    assert done.success, done.error
    instances = {each["title"]: each.get("discoverySuppress", False) for each in library.instances()}
    # What a librarian edited is never deleted.
    assert instances == (
        {"Volume 1": True} if created == "delete" else dict.fromkeys((f"Volume {n}" for n in range(3)), True)
    )
    assert ("500", "$aA librarian's note") in library.marc(edited)
    written = len(library.audit())
    assert fine().outcomes == {"rolled_back": 3}
    assert run("replay_window", "ebooks").success
    assert fine().outcomes == {"rolled_back": 3} and len(library.audit()) == written

    assert run("replay_window", "ebooks", reapply_rolled_back=True).metadata["set_back"] == 3
    again = fine()
    assert again.outcomes.get("quarantined", 0) == 0 and "rolled_back" not in again.outcomes
    assert len(library.instances()) == 3


def test_the_next_drop_of_a_record_that_was_rolled_back_is_planned_and_flagged(
    library: DemoIls, postgres: Postgres
) -> None:
    lay_out(1)
    assert run("rollback_window", "ebooks", dry_run=False).success
    drop(book("0", "Volume 0 revised", date=LATEST), "next.mrc", "own")
    loaded = fine("own")
    assert loaded.outcomes == {"committed": 1}
    (detail,) = loaded.rows("matched_records")["detail"]
    assert "was rolled back on" in detail and "by Anna because ticket 7" in detail
