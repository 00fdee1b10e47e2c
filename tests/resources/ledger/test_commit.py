"""The committer against a library system that does what it likes: each change is written once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from threading import Thread

import pytest

from resources.ils.client import (
    IlsDownError,
    Unit,
    Written,
)
from resources.ledger.client import Ledger, Under
from resources.ledger.commit import Progress, mask_fields
from resources.postgres.client import Postgres
from resources.postgres.halts import HaltedError
from resources.redis.locks import BusyError, LockLostError, of_record
from tests.conftest import SALT
from tests.resources.ledger.committing import (
    LOAD,
    REDIS,
    RULES,
    Catalogue,
    PlainCatalogue,
    committer,
    contents,
    locks_of,
    under,
    unit,
)

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("redis_client")]


def test_a_change_is_written_once_however_often_it_is_committed(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    units = [unit(n) for n in range(5)]
    first = list(committer(catalogue, ledger).commit(units, contents(units)))
    second = list(committer(catalogue, ledger).commit(units, contents(units)))
    assert [each.state for each in first] == ["acknowledged"] * 5
    assert {each.answer for each in second} == {"settled before"}
    assert catalogue.written == dict.fromkeys(contents(units), 1)


def test_a_system_that_breaks_off_every_time_is_down_and_what_is_in_doubt_stays_so(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    catalogue.fate = ["never"] * 6
    units = [unit(0)]
    with pytest.raises(IlsDownError, match="6 times in a row"):
        list(committer(catalogue, ledger).commit(units, contents(units)))
    (row,) = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    assert (row["state"], row["attempts"]) == ("sent", 6)
    assert ledger.in_doubt(LOAD.ils, LOAD.source, LOAD.partition) == ["k0"]


def test_what_was_written_of_a_chunk_is_told_before_the_system_went_down(postgres: Postgres) -> None:
    """A chunk is a unit of progress, never of failure."""
    catalogue, ledger = Catalogue(), Ledger(postgres)
    catalogue.fate = ["done", "done", "down"]
    units = [unit(n) for n in range(8)]
    writing, done = committer(catalogue, ledger, chunk=2, progress=8), []
    with pytest.raises(IlsDownError):
        done.extend(writing.commit(units, contents(units)))
    assert [(each.idempotency_key, each.state) for each in done] == [(f"k{n}", "acknowledged") for n in range(4)]
    states = [row["state"] for row in ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)]
    assert states == ["acknowledged"] * 4 + ["sent"] * 2 + ["prepared"] * 2
    assert (writing.progress.done, writing.progress.chunks) == (4, 1)
    assert [each.state for each in committer(catalogue, ledger).commit(units, contents(units))] == ["acknowledged"] * 8


def test_the_log_says_how_far_a_load_is_and_how_long_it_takes(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    units = [unit(n) for n in range(4)]
    with caplog.at_level("INFO", "holdfast.commit"):
        list(committer(Catalogue(), Ledger(postgres)).commit(units, contents(units)))
    assert [each.split(": ")[1].split(",")[0] for each in caplog.messages if " a second" in each] == [
        "2 records written",
        "4 records written",
    ]
    assert str(Progress(total=20_000, done=5_000, seconds=100)) == (
        "5,000 of 20,000 records written, 50.0 a second, 5:00 min to go"
    )
    assert str(Progress(total=1_000_000, done=1_000, seconds=100)).endswith("27 h 45 min to go")


def test_a_refused_change_is_tried_again_by_the_next_run(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    catalogue.fate = ["refused"]
    units = [unit(0)]
    assert [each.state for each in committer(catalogue, ledger).commit(units, contents(units))] == ["failed"]
    assert [each.state for each in committer(catalogue, ledger).commit(units, contents(units))] == ["acknowledged"]


def test_a_refusal_after_a_doubt_is_believed_only_when_it_is_said_again(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    catalogue.fate = ["never", "refused", "done"]
    units = [unit(0)]
    assert [each.state for each in committer(catalogue, ledger).commit(units, contents(units))] == ["acknowledged"]
    catalogue.fate = ["never", "refused", "refused"]
    units = [unit(1)]
    assert [each.state for each in committer(catalogue, ledger).commit(units, contents(units))] == ["failed"]


def test_the_image_before_is_masked() -> None:
    fields = [("001", "x"), ("852", "  \x1fbMAIN\x1fxAsk Mrs. Ward"), ("583", "0 \x1faReturned damp")]
    masked = mask_fields(fields, RULES, SALT.encode())
    assert masked[0] == fields[0]
    assert masked[1][1].startswith("  \x1fbMAIN\x1fxpii:")
    assert masked[2][1].startswith("0 \x1fapii:")
    assert "Ward" not in str(masked) and "damp" not in str(masked)


def test_a_worker_that_lost_its_locks_takes_them_again_and_reads_before_it_writes(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    units = [unit(n) for n in range(4)]
    settle, struck = ledger.settle, []

    def forgetful(ils: str, written: Sequence[Written], under: Under | None = None) -> None:
        if not struck:
            struck.append(1)
            for key in REDIS[0].connection.scan_iter("holdfast:*"):
                REDIS[0].connection.delete(key)
            ledger.prepare(
                dataclasses.replace(LOAD, run_id="other"), [units[0]], contents(units), _taken(ledger, units[0])
            )
        settle(ils, written, under)

    ledger.settle = forgetful
    done = list(committer(catalogue, ledger, chunk=4).commit(units, contents(units)))
    assert struck and [each.state for each in done] == ["acknowledged"] * 4
    assert catalogue.written == dict.fromkeys(contents(units), 1)
    assert {row["state"] for row in ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)} == {"acknowledged"}


def _taken(ledger: Ledger, one: Unit) -> Under:
    """What another worker holds that takes the record, and goes."""
    with locks_of(ledger, "another").take([of_record("bib", one.target)]) as held:
        return Under(held.fence, {one.idempotency_key: held.names})


def test_locks_that_are_lost_again_and_again_end_the_run(postgres: Postgres) -> None:
    catalogue, ledger, units = Catalogue(), Ledger(postgres), [unit(0)]
    send = ledger.send

    def robbed(ils: str, images: dict, under: Under) -> None:
        send(ils, images, under)
        for key in REDIS[0].connection.scan_iter("holdfast:*"):
            REDIS[0].connection.delete(key)

    ledger.send = robbed
    with pytest.raises(LockLostError, match="5 times in a row"):
        list(committer(catalogue, ledger).commit(units, contents(units)))
    assert not catalogue.written


def test_what_another_worker_is_at_is_left_for_the_end_and_stops_nothing_else(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    units = [unit(n) for n in range(6)]
    with locks_of(ledger, "run-2 on another machine").take([of_record("bib", "t1")]):
        done: list[Written] = []
        with pytest.raises(BusyError, match="record:bib:t1 is locked by run-2 on another machine"):
            done.extend(committer(catalogue, ledger, chunk=3).commit(units, contents(units)))
        assert sorted(each.idempotency_key for each in done) == ["k0", "k2", "k3", "k4", "k5"]
    assert [each.state for each in committer(catalogue, ledger).commit(units[1:2], contents(units))] == ["acknowledged"]
    assert catalogue.written == dict.fromkeys(contents(units), 1)


def test_what_was_left_for_the_end_is_not_begun_once_it_is_halted(postgres: Postgres) -> None:
    catalogue, ledger, units = Catalogue(), Ledger(postgres), [unit(n) for n in range(2)]
    writing, said, done = committer(catalogue, ledger), iter(["", "halted by Anna because of noise"]), list[Written]()
    writing._halted = lambda: next(said)
    with locks_of(ledger, "another").take([of_record("bib", "t1")]), pytest.raises(HaltedError, match="by Anna"):
        done.extend(writing.commit(units, contents(units)))
    assert [each.idempotency_key for each in done] == ["k0"] and set(catalogue.written) == {"k0"}


def test_a_new_record_that_another_window_made_or_may_have_made_is_a_collision(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    other = dataclasses.replace(LOAD, source="own", partition="2026-03-10|own")
    units = [unit(n) for n in range(4)]
    isbn = {
        "k0": [("isbn", "978")],
        "k1": [("isbn", "979")],
        "k2": [("isbn", "978"), ("ocn", "5")],
        "k3": [("ocn", "6")],
    }
    theirs = committer(catalogue, ledger)
    theirs._load = other
    list(theirs.commit(units[:1], contents(units), isbn))
    ledger.prepare(other, units[1:2], contents(units), under(99, units), {"k1": ["ocn:6"]})
    ledger.send(other.ils, {"k1": None}, under(99, units))  # and its run died
    ours = committer(catalogue, ledger)
    done = {each.idempotency_key: each for each in ours.commit(units[2:], contents(units), isbn)}
    assert {key: each.state for key, each in done.items()} == {"k2": "conflicted", "k3": "conflicted"}
    assert "isbn 978: window 2026-03-10|own made a record with it, t0" in done["k2"].answer
    assert "ocn 6: window 2026-03-10|own may have made" in done["k3"].answer
    assert ours.collided == {"k2", "k3"} and set(catalogue.written) == {"k0"}


def test_two_workers_that_make_records_of_one_identifier_make_one(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    units, same = [unit(n) for n in range(8)], {f"k{n}": [("isbn", "978")] for n in range(8)}
    workers = []
    for number, each in enumerate(units):
        worker = committer(catalogue, ledger, owner=f"run-{number}")
        worker._load = dataclasses.replace(LOAD, partition=f"2026-03-1{number}|ebooks")
        worker._patience = 20
        workers.append(Thread(target=lambda w=worker, u=each: list(w.commit([u], contents(units), same))))
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len(catalogue.written) == 1


def test_the_id_that_the_system_gives_is_kept_also_when_the_answer_was_lost(postgres: Postgres) -> None:
    catalogue, ledger = PlainCatalogue(), Ledger(postgres)
    units = [unit(n, adds=[("245", f"10\x1faVolume {n}")]) for n in range(3)]
    catalogue.fate = ["done", "lost", "never"]
    done = list(committer(catalogue, ledger, chunk=3).commit(units, contents(units)))
    assert [each.state for each in done] == ["acknowledged"] * 3
    assert catalogue.written == {"k0": 1, "k1": 1, "k2": 1}
    rows = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    assert [row["target"] for row in rows] == ["id-1", "id-2", "id-3"]


def test_a_write_without_versions_is_read_just_before_and_read_back_together(postgres: Postgres) -> None:
    catalogue, ledger = PlainCatalogue(), Ledger(postgres)
    catalogue.records = {f"t{n}": [("500", "  \x1faOld"), ("590", "  \x1faOurs")] for n in range(3)}
    units = [unit(n, action="update", deletes=[("500", "  \x1faOld")], adds=[("500", "  \x1faNew")]) for n in range(3)]
    done = list(committer(catalogue, ledger, chunk=3).commit(units, contents(units)))
    assert [each.state for each in done] == ["acknowledged"] * 3
    assert catalogue.reads == [1, 1, 1, 3]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([("500", "  \x1faTheirs")], "500 is not as it was written"),
        ([("500", "  \x1faNew"), ("501", "  \x1faOld")], "501 is there"),
    ],
)
def test_who_wrote_at_the_same_moment_is_found_out_when_it_is_read_back(
    postgres: Postgres, there: list[tuple[str, str]], said: str
) -> None:
    catalogue, ledger = PlainCatalogue(), Ledger(postgres)
    catalogue.records = {"t0": [("501", "  \x1faOld")]}
    catalogue.meddler = there
    units = [unit(0, action="update", deletes=[("501", "  \x1faOld")], adds=[("500", "  \x1faNew")])]
    (done,) = committer(catalogue, ledger).commit(units, contents(units))
    assert done.state == "conflicted" and said in done.answer
    (row,) = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    assert row["state"] == "conflicted"
