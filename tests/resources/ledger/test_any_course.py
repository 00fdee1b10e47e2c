"""Runs that begin, meet any fate and die anywhere."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from resources.ils.client import (
    IlsDownError,
)
from resources.ledger.client import Ledger, Under
from resources.ledger.commit import Committer
from resources.postgres.client import Postgres
from resources.redis.locks import of_record
from tests.resources.ledger.committing import (
    LOAD,
    RULES,
    Catalogue,
    contents,
    locks_of,
    under,
    unit,
)

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("redis_client")]
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
