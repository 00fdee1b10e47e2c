"""The ledger's states, and the committer against a library system that does what it likes."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.privacy.masking import MaskingRules
from resources.ils.client import (
    AuditEntry,
    Capabilities,
    IlsDownError,
    InDoubtError,
    LiveRecord,
    Unit,
    Written,
    source_record_id,
)
from resources.ledger.client import FencedError, Ledger, Load, Under
from resources.ledger.commit import Committer, Progress, mask_fields
from resources.postgres.client import Postgres
from resources.redis.client import Redis
from resources.redis.locks import BusyError, Fence, LockLostError, Locks, of_record
from tests.conftest import SALT

RULES = MaskingRules(("852$x",), ("583",))
LOAD = Load("folio:test", "ebooks", "2026-03-10|ebooks", "run-1")


def unit(number: int, **changes: object) -> Unit:
    given = {"idempotency_key": f"k{number}", "correlation_id": f"c{number}", "record": number, "action": "create"}
    given |= {"target": f"t{number}", "version": 0}
    return Unit(**{**given, **changes})


def contents(units: Sequence[Unit]) -> dict[str, str]:
    return {each.idempotency_key: f"sha-{each.record}" for each in units}


class Catalogue:
    """A library system in memory. `fate` says what becomes of the next writes: 'done', 'lost' (done, no answer), 'never'
    (not done, no answer), 'half' (the first record done, no answer), 'down' or 'refused'."""

    name = "folio:test"
    capabilities = Capabilities(
        reads=frozenset({"bib"}),
        writes=frozenset({"bib"}),
        versioned=frozenset({"bib"}),
        chosen_ids=frozenset({"bib"}),
    )

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.fate: list[str] = []

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        yield from ()

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        have = {key.replace("k", "t"): key for key in self.written}
        return {
            each: LiveRecord(each, "", 1, {}, source_record_id(have[each]), [("245", "10\x1faT")], "")
            for each in targets
            if each in have
        }

    def find_created(self, units: Sequence[Unit]) -> dict[str, LiveRecord]:
        raise AssertionError("the client chooses ids")

    def audit(self, kind: str, targets: Sequence[str], since: str) -> Iterator[AuditEntry]:
        yield from ()

    def write(self, units: Sequence[Unit], live: dict[str, LiveRecord]) -> list[Written]:
        fate = self.fate.pop(0) if self.fate else "done"
        if fate == "down":
            raise IlsDownError("down")
        settled = [each for each in units if each.target in live]
        todo = [each for each in units if each.target not in live]
        if fate == "refused":
            return [Written(each.idempotency_key, "failed", answer="no") for each in units]
        for each in {"never": [], "half": todo[:1]}.get(fate, todo):
            self.written[each.idempotency_key] += 1
        if fate in ("lost", "never", "half"):
            raise InDoubtError(fate)
        return [Written(each.idempotency_key, "acknowledged", 1) for each in (*settled, *todo)]


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Redis]:
    """A library of its own."""
    client = Redis(redis_url, namespace=uuid.uuid4().hex)
    _redis[:] = [client]
    try:
        yield client
    finally:
        client.close()


_redis: list[Redis] = []
pytestmark = [pytest.mark.services, pytest.mark.usefixtures("redis_client")]


def locks_of(ledger: Ledger, owner: str = "run-1", ils: str = LOAD.ils) -> Locks:
    return Locks(_redis[0], ils, owner, lambda: ledger.highest_fence(ils))


def committer(
    catalogue: Catalogue, ledger: Ledger, chunk: int = 2, owner: str = "run-1", progress: int = 0
) -> Committer:
    return Committer(
        catalogue,
        ledger,
        LOAD,
        RULES,
        SALT.encode(),
        locks_of(ledger, owner),
        chunk_records=chunk,
        progress_records=progress or chunk,
        patience_seconds=0.2,
        sleep=lambda _: None,
    )


def under(number: int, units: Sequence[Unit], holder: str = "test") -> Under:
    return Under(Fence(number, holder), {each.idempotency_key: [of_record("bib", each.target)] for each in units})


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


def test_the_image_before_is_masked() -> None:
    fields = [("001", "x"), ("852", "  \x1fbMAIN\x1fxAsk Mrs. Ward"), ("583", "0 \x1faReturned damp")]
    masked = mask_fields(fields, RULES, SALT.encode())
    assert masked[0] == fields[0]
    assert masked[1][1].startswith("  \x1fbMAIN\x1fxpii:")
    assert masked[2][1].startswith("0 \x1fapii:")
    assert "Ward" not in str(masked) and "damp" not in str(masked)


def test_the_ledger_keeps_what_was_written_and_where(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    made = unit(0, adds=[("245", "10\x1faNul \0")])
    changed = unit(1, action="update", deletes=[("500", "  \x1faOld")], adds=[("500", "  \x1faNew")])
    list(committer(catalogue, ledger).commit([made, changed], contents([made, changed])))
    rows = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    assert [row["kind"] for row in rows] == ["bib", "bib"] and all(row["fence"] > 0 for row in rows)
    assert rows[0]["patch"] == {"deletes": [], "adds": [["245", "10\x1faNul \0"]]}
    assert rows[1]["patch"] == {"deletes": [["500", "  \x1faOld"]], "adds": [["500", "  \x1faNew"]]}


# ---- fences -------------------------------------------------------------------------------------------------------------


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


def test_a_worker_that_lost_its_locks_takes_them_again_and_reads_before_it_writes(postgres: Postgres) -> None:
    catalogue, ledger = Catalogue(), Ledger(postgres)
    units = [unit(n) for n in range(4)]
    settle, struck = ledger.settle, []

    def forgetful(ils: str, written: Sequence[Written], under: Under | None = None) -> None:
        if not struck:
            struck.append(1)
            for key in _redis[0].connection.scan_iter("holdfast:*"):
                _redis[0].connection.delete(key)
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
        for key in _redis[0].connection.scan_iter("holdfast:*"):
            _redis[0].connection.delete(key)

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


# ---- identifiers of new records ------------------------------------------------------------------------------------------


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


# ---- systems without versions and with ids of their own ------------------------------------------------------------------


class PlainCatalogue(Catalogue):
    """As Koha: it refuses no stale write, takes one record a request, and gives ids itself."""

    capabilities = Capabilities(reads=frozenset({"bib"}), writes=frozenset({"bib"}))

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, list[tuple[str, str]]] = {}
        self.reads: list[int] = []
        self.meddler: list[tuple[str, str]] | None = None

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        self.reads.append(len(targets))
        return {t: LiveRecord(t, "", 0, {}, "", list(self.records[t]), "") for t in targets if t in self.records}

    def find_created(self, units: Sequence[Unit]) -> dict[str, LiveRecord]:
        found = {}
        for each in units:
            for target, fields in self.records.items():
                if fields == each.adds:
                    found[each.idempotency_key] = LiveRecord(target, "", 0, {}, "", fields, "")
        return found

    def write(self, units: Sequence[Unit], live: dict[str, LiveRecord]) -> list[Written]:
        (one,) = units
        if one.action == "create" and one.target in live:
            return [Written(one.idempotency_key, "acknowledged", answer="found", target=live[one.target].target)]
        target = one.target if one.action != "create" else f"id-{len(self.records) + 1}"
        fate = self.fate.pop(0) if self.fate else "done"
        if fate != "never":
            self.written[one.idempotency_key] += 1
            before = live[target].fields if target in live else []
            self.records[target] = [each for each in before if each not in one.deletes] + one.adds
        if fate in ("lost", "never"):
            raise InDoubtError(fate)
        if self.meddler is not None:
            self.records[target] = self.meddler
        return [Written(one.idempotency_key, "acknowledged", target=target if one.action == "create" else "")]


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


# ---- any course of events -------------------------------------------------------------------------------------------------

FATES = ["done", "lost", "never", "half", "down", "refused"]
_postgres: list[Postgres] = []


class AnyCourse(RuleBasedStateMachine):
    """Runs that begin, meet any fate and die anywhere; each change is written once at most, and in the end exactly once."""

    @initialize()
    def begin(self) -> None:
        self.load = dataclasses.replace(LOAD, ils=f"folio:{uuid.uuid4()}")
        self.ledger = Ledger(_postgres[0])
        self.catalogue = Catalogue()
        self.catalogue.name = self.load.ils
        self.units = [unit(n) for n in range(5)]

    def committer(self, chunk: int) -> Committer:
        return Committer(
            self.catalogue,
            self.ledger,
            self.load,
            RULES,
            b"salt",
            locks_of(self.ledger, ils=self.load.ils),
            chunk_records=chunk,
            progress_records=chunk,
            sleep=lambda _: None,
        )

    @rule(fate=st.lists(st.sampled_from(FATES), max_size=8), chunk=st.integers(1, 5), chunks=st.integers(1, 5))
    def a_run(self, fate: list[str], chunk: int, chunks: int) -> None:
        """A run that is killed between two chunks after some of them."""
        self.catalogue.fate = list(fate)
        running = self.committer(chunk).commit(self.units, contents(self.units))
        try:
            for _, _ in zip(range(chunks), running, strict=False):
                pass
        except IlsDownError:
            pass

    @rule(count=st.integers(1, 5), done=st.booleans())
    def a_run_that_dies_before_it_settles(self, count: int, done: bool) -> None:
        chunk = self.units[:count]
        with locks_of(self.ledger, ils=self.load.ils).take([of_record("bib", each.target) for each in chunk]) as held:
            mine = Under(held.fence, under(0, chunk).locks)
        states = self.ledger.prepare(self.load, chunk, contents(chunk), mine)
        todo = [each for each in chunk if states[each.idempotency_key].state in ("prepared", "sent")]
        live = self.catalogue.fetch([each.target for each in todo if states[each.idempotency_key].doubtful], ())
        self.ledger.send(self.load.ils, {each.idempotency_key: None for each in todo}, mine)
        self.catalogue.fate = []
        if done and todo:
            self.catalogue.write(todo, live)

    @invariant()
    def nothing_is_written_twice(self) -> None:
        if hasattr(self, "catalogue"):
            assert all(count == 1 for count in self.catalogue.written.values())

    @invariant()
    def what_is_acknowledged_is_written(self) -> None:
        if hasattr(self, "ledger"):
            rows = self.ledger.rows(self.load.ils, self.load.source, self.load.partition)
            assert {r["idempotency_key"] for r in rows if r["state"] == "acknowledged"} <= set(self.catalogue.written)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.catalogue.fate = []
            written = list(self.committer(3).commit(self.units, contents(self.units)))
            assert [each.state for each in written] == ["acknowledged"] * 5
            assert self.catalogue.written == dict.fromkeys(contents(self.units), 1)


def test_any_course_of_events_ends_with_each_change_written_once(postgres: Postgres) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    _postgres[:] = [postgres]
    run_state_machine_as_test(AnyCourse, settings=settings(max_examples=25, stateful_step_count=8))
