"""A rollback takes back all that was ours, keeps all that is theirs and lists what stays, on the demo library system."""

from __future__ import annotations

import os
import random

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
LATER = "20260201000000.0"
RECORDS = int(os.environ.get("UNDO_RECORDS") or 200)


def lay_out(count: int) -> None:
    """`count` records in the catalogue, by another source; a load that changes each of them."""
    drop(
        [book(str(n), f"Volume {n}", fields=(("500", "a", f"Note {n}"),)) for n in range(count)], "a.mrc", "consortium"
    )
    fine("consortium")
    drop([_changed(n) for n in range(count)])
    fine()


def _changed(n: int) -> bytes:
    return book(str(n), f"Volume {n} revised", date=LATER, fields=(("500", "a", f"Our note {n}"), ("650", "a", "Fogs")))


def marc(ils: DemoIls) -> dict[str, dict[str, list[str]]]:
    """Number of the volume → tag → texts, of all live records; `id` and `title` are the instance's."""
    titles = {each["id"]: each["title"] for each in ils.instances()}
    path, params = "/source-storage/source-records", {"limit": 10_000, "recordType": "MARC_BIB"}
    found = {}
    for each in ils.call("GET", path, params=params).json()["sourceRecords"]:
        fields: dict[str, list[str]] = {}
        for row in each["parsedRecord"]["content"]["fields"]:
            ((tag, value),) = row.items()
            if not isinstance(value, str):
                value = "".join(f"${code}{text}" for part in value["subfields"] for code, text in part.items())
            fields.setdefault(tag, []).append(value)
        number = next(text for text in fields["035"] if "(XX-Test)" in text).split(")")[1]
        instance = each["externalIdsHolder"]["instanceId"]
        found[number] = fields | {"id": [instance], "title": [titles[instance]]}
    return found


def test_all_of_ours_goes_and_all_of_theirs_stays(library: DemoIls, postgres: Postgres) -> None:
    lay_out(RECORDS)
    before = marc(library)
    chance = random.Random(7)
    edited = chance.sample(sorted(before), RECORDS // 20)
    same, other = edited[::2], edited[1::2]
    for number in same:  # the subfield that we changed, too
        library.edit(before[number]["id"][0], "245", "a", f"A librarian's title {number}")
    for number in other:
        library.edit(before[number]["id"][0], "590", "a", f"A librarian's note {number}")
        library.edit(before[number]["id"][0], "245", "c", f"A librarian's statement {number}")

    written = len(library.audit())
    shown = run("rollback_window", "ebooks")
    assert shown.success, shown.error
    assert shown.metadata["dry_run"] and shown.metadata["planned"] == RECORDS
    assert shown.metadata["conflicts"] == shown.metadata["records_with_conflicts"] == len(same)
    assert "A librarian's title" in shown.metadata["stays_as_it_is"]
    assert len(library.audit()) == written  # nothing was written

    done = run("rollback_window", "ebooks", dry_run=False)
    assert done.success, done.error
    assert done.metadata["rolled_back"] == RECORDS
    after = marc(library)
    for number, fields in after.items():
        titles = [f"$a{'A librarian' + chr(39) + 's title ' + number if number in same else 'Volume ' + number}"]
        if number in other:
            titles = [titles[0] + f"$cA librarian's statement {number}"]
            assert fields["590"] == [f"$aA librarian's note {number}"]
        assert fields["245"] == titles
        assert fields["500"] == [f"$aNote {number}"] and "650" not in fields
        assert fields["title"][0].startswith(titles[0][2:].split("$")[0])
    conflicts = fine_conflicts()
    assert sorted(conflicts["now"]) == sorted(f"A librarian's title {number}" for number in same)
    assert set(conflicts["tag"]) == {"245"} and set(conflicts["code"]) == {"a"} and all(conflicts["changed_by"])

    rows = Ledger(postgres).rows("folio:demo", "ebooks", partition())
    assert {row["state"] for row in rows} == {"rolled_back"}
    counts = Quarantine(postgres, "catalogue").outcomes("ils_commits")[partition()]
    assert (counts["rolled_back"], counts["in"]) == (RECORDS, RECORDS)
    (kept,) = Recoveries(postgres).latest()
    assert (kept["kind"], kept["who"], kept["why"]) == ("rollback", "Anna", "ticket 7")

    # Once more there is nothing left to be undone, and the window does not come back by itself.
    written = len(library.audit())
    assert run("rollback_window", "ebooks", dry_run=False).success
    again = fine()
    assert again.outcomes == {"rolled_back": RECORDS}
    assert len(library.audit()) == written


@pytest.mark.parametrize("place", ["send", "settle"])
def test_a_rollback_that_dies_is_gone_on_with_and_nothing_is_undone_twice(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"chunk_records": 4}))
    lay_out(10)
    written = len(library.audit("MARC_BIB"))
    calls: list[int] = []
    known = getattr(Ledger, place)

    def die(self: Ledger, *args: object, **kwargs: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError("killed")
        known(self, *args, **kwargs)

    with monkeypatch.context() as dying:
        dying.setattr(Ledger, place, die)
        assert not run("rollback_window", "ebooks", dry_run=False).success
    assert run("rollback_window", "ebooks", dry_run=False).success
    assert len(library.audit("MARC_BIB")) == written + 10
    assert all(fields["500"] == [f"$aNote {number}"] for number, fields in marc(library).items())
    assert {row["state"] for row in Ledger(postgres).rows("folio:demo", "ebooks", partition())} == {"rolled_back"}
    undos = Ledger(postgres).rows("folio:demo", "ebooks", f"rollback of {partition()}")
    assert len(undos) == 10 and {row["state"] for row in undos} == {"acknowledged"}


def test_what_two_windows_wrote_is_taken_back_in_any_order(library: DemoIls, postgres: Postgres) -> None:
    drop(book("1", "Volume 1"), "a.mrc", "consortium")
    fine("consortium")
    drop(book("1", "Volume 1 revised", date=LATER, fields=(("650", "a", "Fogs"),)))
    fine()
    drop(book("1", "Volume 1 again", date="20260301000000.0", fields=(("650", "a", "Fogs"),)), "b.mrc", "own")
    fine("own")
    first = run("rollback_window", "ebooks", dry_run=False)
    assert first.success and first.metadata["conflicts"] == 1  # the later window stands
    (fields,) = marc(library).values()
    assert fields["245"] == ["$aVolume 1 again"] and "650" not in fields
    assert run("rollback_window", "own", dry_run=False).success
    (fields,) = marc(library).values()
    assert fields["245"] == ["$aVolume 1"] and "650" not in fields


def test_records_that_are_to_be_kept_stay_written_in_the_ledger_too(library: DemoIls, postgres: Postgres) -> None:
    drop(book("1", "Volume 1"))
    fine()
    done = run("rollback_window", "ebooks", dry_run=False, created="keep")
    assert done.success and done.metadata["kept"] == 1 and "rolled_back" not in done.metadata
    assert [row["state"] for row in Ledger(postgres).rows("folio:demo", "ebooks", partition())] == ["acknowledged"]
    assert len(library.instances()) == 1 and fine().outcomes == {"committed": 1}


def fine_conflicts() -> pl.DataFrame:
    return Lake(SETTINGS.var / "lake").read("rollback_window", partition(), "conflicts")
