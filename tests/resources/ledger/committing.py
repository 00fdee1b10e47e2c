"""Library systems in memory, and a committer that writes to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

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
from resources.ledger.client import Ledger, Load, Under
from resources.ledger.commit import Committer
from resources.redis.client import Redis
from resources.redis.locks import Fence, Locks, of_record
from tests.conftest import SALT

RULES = MaskingRules(("852$x",), ("583",))
LOAD = Load("folio:test", "ebooks", "2026-03-10|ebooks", "run-1")
REDIS: list[Redis] = []  # of the test that runs


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


def locks_of(ledger: Ledger, owner: str = "run-1", ils: str = LOAD.ils) -> Locks:
    return Locks(REDIS[0], ils, owner, lambda: ledger.highest_fence(ils))


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
