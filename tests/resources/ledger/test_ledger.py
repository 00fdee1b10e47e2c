"""The ledger's states, and the committer against a library system that does what it likes."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.privacy.masking import MaskingRules
from resources.ils.client import IlsDownError, InDoubtError, LiveRecord, Unit, Written, source_record_id
from resources.ledger.client import Ledger, Load, WriterBusyError, WriterLostError
from resources.ledger.commit import Committer, mask_fields
from resources.postgres.client import Postgres
from tests.conftest import SALT

pytestmark = pytest.mark.services
RULES = MaskingRules(("852$x",), ("583",))
LOAD = Load("folio:test", "ebooks", "2026-03-10|ebooks", "run-1")


def unit(number: int, **changes: object) -> Unit:
    given = {"idempotency_key": f"k{number}", "correlation_id": f"c{number}", "record": number, "action": "create"}
    given |= {"target": f"t{number}", "version": 0}
    return Unit(**{**given, **changes})  # type: ignore[arg-type]


def contents(units: Sequence[Unit]) -> dict[str, str]:
    return {each.idempotency_key: f"sha-{each.record}" for each in units}


class Catalogue:
    """A library system in memory. `fate` says what becomes of the next writes: 'done', 'lost' (done, no answer), 'never'
    (not done, no answer), 'half' (the first record done, no answer), 'down' or 'refused'."""

    name = "folio:test"

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


def committer(catalogue: Catalogue, ledger: Ledger, chunk: int = 2) -> Committer:
    return Committer(catalogue, ledger, LOAD, RULES, SALT.encode(), chunk_records=chunk, sleep=lambda _: None)


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
    assert ledger.prepare(other, units, contents(units))["k0"][:2] == ("prepared", False)
    assert ledger.prepare(LOAD, units, contents(units))["k0"][:2] == ("acknowledged", True)
    assert ledger.count("folio:production", LOAD.source, LOAD.partition) == 0
    assert ledger.acknowledged(LOAD.ils, ["c0"]).keys() == {("c0", "sha-0")}
    assert not ledger.acknowledged("folio:production", ["c0"])


def test_an_acknowledged_row_never_changes_again(postgres: Postgres) -> None:
    ledger, units = Ledger(postgres), [unit(0)]
    list(committer(Catalogue(), ledger).commit(units, contents(units)))
    (before,) = ledger.rows(LOAD.ils, LOAD.source, LOAD.partition)
    ledger.prepare(dataclasses.replace(LOAD, run_id="run-2"), units, contents(units))
    ledger.send(LOAD.ils, {"k0": [("245", "10\x1faOther")]})
    ledger.settle(LOAD.ils, [Written("k0", "failed", answer="late")])
    assert ledger.rows(LOAD.ils, LOAD.source, LOAD.partition) == [before]


def test_the_first_image_before_is_kept_and_any_text_can_be_in_it(postgres: Postgres) -> None:
    ledger, units = Ledger(postgres), [unit(0)]
    ledger.prepare(LOAD, units, contents(units))
    image = [("245", "10\x1faNul \0 and \u2028 and \U0001f4da")]
    ledger.send(LOAD.ils, {"k0": image})
    ledger.send(LOAD.ils, {"k0": [("245", "10\x1faOurs")]})
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


def test_one_writer_at_a_time_and_a_dead_one_is_out_of_the_way(postgres: Postgres, database_url: str) -> None:
    ledger, other = Ledger(postgres), Postgres(database_url)
    with ledger.writing("folio:test"):
        with pytest.raises(WriterBusyError, match="another run is writing"), Ledger(other).writing("folio:test"):
            pass
        with Ledger(other).writing("folio:other"):
            pass
    with Ledger(other).writing("folio:test"):
        pass
    other.close()


def test_a_writer_that_lost_its_lock_writes_nothing_more(postgres: Postgres, database_url: str) -> None:
    catalogue, ledger, other = Catalogue(), Ledger(postgres), Postgres(database_url)
    units = [unit(n) for n in range(4)]
    with pytest.raises(WriterLostError, match="materialize ils_commits again"), ledger.writing("folio:test"):
        writing = committer(catalogue, ledger).commit(units, contents(units))
        next(writing)
        with other.transaction() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        list(writing)
    assert set(catalogue.written) == {"k0", "k1"}
    with Ledger(other).writing("folio:test"):
        pass
    other.close()


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
            self.catalogue, self.ledger, self.load, RULES, b"salt", chunk_records=chunk, sleep=lambda _: None
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
        states = self.ledger.prepare(self.load, chunk, contents(chunk))
        todo = [each for each in chunk if states[each.idempotency_key].state in ("prepared", "sent")]
        live = self.catalogue.fetch([each.target for each in todo if states[each.idempotency_key].doubtful], ())
        self.ledger.send(self.load.ils, {each.idempotency_key: None for each in todo})
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
