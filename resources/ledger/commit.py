"""Write units to the library system, each once, whatever happens in between.

Some hundreds of units are a chunk: their records are locked at once, prepared in the ledger in one transaction, and one
line of the log says how far the load is. Within it, as many as one request takes: read the live records where one is needed
or in doubt, mark as sent with the image before, write, read back where the system refuses no stale write by itself, settle.
A worker that dies anywhere leaves rows from which the next one knows what to do.

What others are at is left for the end; one record stops only itself.
"""

from __future__ import annotations

import dataclasses
import logging
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.privacy.masking import MaskingRules, token
from resources.ils.client import Fields, Ils, IlsDownError, InDoubtError, LiveRecord, Unit, Written
from resources.ledger.client import Claim, FencedError, Ledger, Load, Under
from resources.postgres.halts import HaltedError
from resources.redis.locks import BusyError, Held, LockLostError, Locks, of_identifier, of_record

log = logging.getLogger("holdfast.commit")

_DOUBTS = 6  # how often a chunk is read again and sent again before the system counts as down
_LOSSES = 5  # how often the locks of a chunk may be lost before the run gives up
_PATIENCE_SECONDS = 60.0  # for Redis to come back, and for records that others are at

Identifiers = Mapping[str, Sequence[tuple[str, str]]]  # idempotency key → (kind, value) by which others would find it
Collisions = Callable[[Sequence[Unit], Sequence[Claim]], dict[str, str]]


def mask_fields(fields: Fields, rules: MaskingRules, salt: bytes) -> Fields:
    """The image before as it may be stored."""
    masked: Fields = []
    for tag, text in fields:
        if tag != "LDR" and not tag.startswith("00"):
            pieces = text[2:].split("\x1f")[1:]
            text = text[:2] + "".join(
                "\x1f" + piece[:1] + (token(piece[1:], salt) if rules.masks(tag, text[:1], piece[:1]) else piece[1:])
                for piece in pieces
            )
        masked.append((tag, text))
    return masked


@dataclass
class Progress:
    """How far a load is. `total`: 0 where it is not known."""

    total: int = 0
    done: int = 0
    chunks: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.done / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        left = max(self.total - self.done, 0)
        share = f" of {self.total:,}" if self.total else ""
        eta = f", {_duration(left / self.rate)} to go" if left and self.rate else ""
        return f"{self.done:,}{share} records written, {self.rate:,.1f} a second{eta}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes}:{rest:02d} min"


class Committer:
    """Writes the units of one load. `rules` and `salt` mask the images before.

    Args:
        chunk_records: most records in one request.
        progress_records: records that are locked and prepared at once.
        total: records of the load, where it is known, for the estimate of how long it takes.
        patience_seconds: for what others are at, and for Redis to come back.
    """

    def __init__(
        self,
        ils: Ils,
        ledger: Ledger,
        load: Load,
        rules: MaskingRules,
        salt: bytes,
        locks: Locks,
        *,
        chunk_records: int = 100,
        progress_records: int = 500,
        total: int = 0,
        patience_seconds: float = _PATIENCE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        halted: Callable[[], str] = lambda: "",
    ) -> None:
        self._ils, self._ledger, self._load = ils, ledger, load
        self._rules, self._salt, self._locks = rules, salt, locks
        self._chunk, self._progress_records = chunk_records, progress_records
        self._patience = patience_seconds
        self._sleep = sleep
        self._halted = halted
        self._guarded = "bib" in ils.capabilities.versioned | ils.capabilities.compares
        self._chosen_ids = "bib" in ils.capabilities.chosen_ids
        self.progress = Progress(total)
        self.collided: set[str] = set()  # idempotency keys of new records that another window has made

    def commit(
        self,
        units: Sequence[Unit],
        contents: dict[str, str],
        identifiers: Identifiers | None = None,
        collisions: Collisions | None = None,
    ) -> Iterator[Written]:
        """What became of each unit, chunk by chunk; keys settled in an earlier run come back as they are.

        Args:
            contents: idempotency key → the record's content_sha256.
            identifiers: of new records. Who makes a record holds them, so that no two workers make the same one.
            collisions: which of these new records are in the catalogue already, given what other windows made or may have
                made: idempotency key → by what. By default each of them is.

        Raises:
            IlsDownError: the system does not answer; the rest stays prepared (or in doubt) for the next run.
            BusyError: others are still at some of the records when everything else is done.
            LocksAwayError: Redis does not come back.
            LockLostError: the locks were lost again and again.
            HaltedError: somebody halted it since; the chunk before is done, the next one not begun.
        """
        known = identifiers or {}
        late: list[Unit] = []
        for at in range(0, len(units), self._progress_records):
            if why := self._halted():
                raise HaltedError(why)
            chunk = units[at : at + self._progress_records]

            def what_is_free(done: dict[str, Written], chunk: Sequence[Unit] = chunk) -> None:
                late.extend(self._commit_free(chunk, contents, known, collisions, done))

            yield from self._whatever_comes(what_is_free)
        # One by one: a record that stays locked stops only itself.
        end, still = time.monotonic() + self._patience, None
        for unit in late:
            if why := self._halted():
                raise HaltedError(why)

            def this_one(done: dict[str, Written], unit: Unit = unit) -> None:
                self._chunk_under_locks([unit], contents, known, collisions, done, end - time.monotonic())

            try:
                yield from self._whatever_comes(this_one)
            except BusyError as error:
                still = error
        if still is not None:
            raise still

    def _whatever_comes(self, work: Callable[[dict[str, Written]], None]) -> Iterator[Written]:
        """What `work` got done, also where it ended with an error, which comes after it."""
        began, done = time.monotonic(), dict[str, Written]()
        try:
            work(done)
        except Exception:
            if done:
                self._count(len(done), began)
                yield from done.values()
            raise
        self._count(len(done), began)
        yield from done.values()

    def _count(self, count: int, began: float) -> None:
        self.progress.done += count
        self.progress.chunks += 1
        self.progress.seconds += time.monotonic() - began
        log.info("%s: %s", self._load.partition, str(self.progress))

    def _commit_free(
        self,
        units: Sequence[Unit],
        contents: dict[str, str],
        identifiers: Identifiers,
        collisions: Collisions | None,
        done: dict[str, Written],
    ) -> list[Unit]:
        """Units that others are at; what became of the rest is put into `done`."""
        busy: list[Unit] = []
        free = list(units)
        while free:
            try:
                self._chunk_under_locks(free, contents, identifiers, collisions, done, 0)
                break
            except BusyError as error:
                log.info("left for the end: %s", error)
                taken = error.holders.keys()
                held = {
                    each.idempotency_key
                    for each in free
                    if {*self._names(each, identifiers), *self._branches_of(each)} & taken
                }
                busy += [each for each in free if each.idempotency_key in held]
                free = [each for each in free if each.idempotency_key not in held]
        return busy

    def _names(self, unit: Unit, identifiers: Identifiers) -> list[str]:
        """Locks that the unit is written under."""
        own = [of_identifier(*each) for each in identifiers.get(unit.idempotency_key, ())]
        return [of_record("bib", unit.target), *(own if unit.action == "create" else [])]

    def _branches_of(self, unit: Unit) -> Sequence[str]:
        """Locks that are shared with others who change a record of the same branch. They are under no fence: sharers have
        different numbers."""
        return ()

    def _chunk_under_locks(
        self,
        units: Sequence[Unit],
        contents: dict[str, str],
        identifiers: Identifiers,
        collisions: Collisions | None,
        done: dict[str, Written],
        patience: float,
    ) -> None:
        names = {each.idempotency_key: self._names(each, identifiers) for each in units}
        everything = {name for each in names.values() for name in each}
        branches = {name for each in units for name in self._branches_of(each)}
        for loss in range(_LOSSES + 1):
            # After a loss, Redis may be on its way back; what was sent under the lost locks is read again.
            with self._locks.wait_for(everything, self._patience if loss else patience, shared=branches) as held:
                try:
                    for each in self._commit_chunk(units, contents, names, identifiers, collisions, held):
                        done.setdefault(each.idempotency_key, each)
                    return
                except (LockLostError, FencedError) as error:
                    log.warning("locks lost (%d of %d), taking them again: %s", loss + 1, _LOSSES, error)
                    lost = error
            self._sleep(min(0.1 * 2**loss, 5))
        raise LockLostError(f"{self._load.partition}: {_LOSSES} times in a row: {lost}") from lost

    def _commit_chunk(
        self,
        chunk: Sequence[Unit],
        contents: dict[str, str],
        names: Mapping[str, Sequence[str]],
        identifiers: Identifiers,
        collisions: Collisions | None,
        held: Held,
    ) -> Iterator[Written]:
        under = Under(held.fence, names)
        creates = [each for each in chunk if each.action == "create"]
        claims = {
            each.idempotency_key: [f"{kind}:{value}" for kind, value in identifiers.get(each.idempotency_key, ())]
            for each in creates
        }
        states = self._ledger.prepare(self._load, chunk, contents, under, claims)
        chunk = [dataclasses.replace(each, round=states[each.idempotency_key].round) for each in chunk]
        for unit in chunk:
            state = states[unit.idempotency_key].state
            if state in ("acknowledged", "rolled_back"):
                yield Written(unit.idempotency_key, state, answer="settled before")
        doubtful = {key for key, each in states.items() if each.doubtful}
        todo = [unit for unit in chunk if states[unit.idempotency_key].state in ("prepared", "sent")]
        made = self._made_elsewhere([each for each in todo if each.action == "create"], doubtful, collisions)
        if made:
            yield from self._settle(
                todo, [Written(key, "conflicted", answer=text) for key, text in made.items()], under
            )
            todo = [each for each in todo if each.idempotency_key not in made]
        for at in range(0, len(todo), self._chunk):
            yield from self._write(todo[at : at + self._chunk], doubtful, under, held)

    def _made_elsewhere(
        self, creates: Sequence[Unit], doubtful: set[str], collisions: Collisions | None
    ) -> dict[str, str]:
        """New records that another window made since the plan: idempotency key → what to say. What was begun is finished."""
        new = [each for each in creates if each.idempotency_key not in doubtful]
        claims = self._ledger.claimed_elsewhere(self._load, [each.idempotency_key for each in new]) if new else []
        if not claims:
            return {}
        found = collisions(new, claims) if collisions else {each.idempotency_key: say(each) for each in claims}
        self.collided |= found.keys()
        return found

    def _write(self, units: list[Unit], doubtful: set[str], under: Under, held: Held) -> list[Written]:
        """Write as many as one request takes. Where the system refuses no stale write by itself, as little as it allows lies
        between reading and writing a record, and what is there in the end is read back."""
        if self._guarded:
            done, _ = self._attempt(units, doubtful, under, held)
        else:
            most = max(self._ils.capabilities.batches.get("bib", 1), 1)
            done, before = [], dict[str, LiveRecord]()
            for at in range(0, len(units), most):
                written, live = self._attempt(units[at : at + most], doubtful, under, held)
                done += written
                before |= live
            done = self._read_back(units, done, before)
        return self._settle(units, done, under)

    def _attempt(
        self, units: list[Unit], doubtful: set[str], under: Under, held: Held
    ) -> tuple[list[Written], dict[str, LiveRecord]]:
        """(what became of them, the live records that nothing of these units was in: by target)."""
        done: list[Written] = []
        before: dict[str, LiveRecord] = {}
        read_again: set[str] = set()
        for attempt in range(1, _DOUBTS + 1):
            live = self._live(units, doubtful)
            sure = {each.target for each in units if each.idempotency_key not in doubtful}
            before |= {target: each for target, each in live.items() if target in sure}
            self._ledger.hidden_before(self._load.ils, self._hidden(units, live))
            self._send(units, live, under)
            held.check()
            try:
                written = self._ils.write(units, live)
            except InDoubtError as error:
                log.warning("in doubt, reading again (%d of %d): %s", attempt, _DOUBTS, error)
                doubtful = {each.idempotency_key for each in units}
                self._sleep(min(0.2 * 2**attempt, 10))
                continue
            echoes = {each.idempotency_key for each in written if each.state != "acknowledged"} & doubtful - read_again
            if echoes:
                # An attempt that was on its way when it was given up may have been done since, and be what is refused now.
                read_again |= echoes
                done += [each for each in written if each.idempotency_key not in echoes]
                units = [each for each in units if each.idempotency_key in echoes]
                continue
            return done + written, before
        raise IlsDownError(
            f"{self._ils.name} broke off {_DOUBTS} times in a row; what is in doubt is read again by the next run"
        )

    def _send(self, units: Sequence[Unit], live: Mapping[str, LiveRecord], under: Under) -> None:
        """Down in the ledger, with what is there before."""
        images = {each.idempotency_key: self._image(live.get(each.target), each) for each in units}
        self._ledger.send(self._load.ils, images, under)

    def _live(self, units: Sequence[Unit], doubtful: set[str]) -> dict[str, LiveRecord]:
        """A new record has nothing to be read, unless an attempt may have created it already."""
        perhaps = [each for each in units if each.action == "create" and each.idempotency_key in doubtful]
        reading = [each for each in units if each.action != "create"] + (perhaps if self._chosen_ids else [])
        live: dict[str, LiveRecord] = {}
        if reading:
            live = self._ils.fetch([each.target for each in reading], [each.correlation_id for each in reading])
        if perhaps and not self._chosen_ids:
            found = self._ils.find_created(perhaps)
            live |= {each.target: found[each.idempotency_key] for each in perhaps if each.idempotency_key in found}
        return live

    def _read_back(
        self, units: Sequence[Unit], written: list[Written], before: Mapping[str, LiveRecord]
    ) -> list[Written]:
        """Someone who wrote between our reading and our writing was not refused: what is there now says who won."""
        by_key = {each.idempotency_key: each for each in units}
        new = {each.idempotency_key: each for each in written if each.state == "acknowledged"}
        targets = {key: each.target or by_key[key].target for key, each in new.items()}
        live = (
            self._ils.fetch(list(targets.values()), [by_key[key].correlation_id for key in targets]) if targets else {}
        )
        checked = []
        for each in written:
            target = targets.get(each.idempotency_key)
            if target is None:
                checked.append(each)
                continue
            unit = by_key[each.idempotency_key]
            if wrong := _not_there(unit, before.get(unit.target), live.get(target)):
                checked.append(dataclasses.replace(each, state="conflicted", answer=f"read back: {wrong}"))
            else:
                checked.append(dataclasses.replace(each, version=each.version or live[target].version))
        return checked

    def _settle(self, units: Iterable[Unit], written: list[Written], under: Under) -> list[Written]:
        self._ledger.settle(self._load.ils, written, under)
        states = {each.idempotency_key: each.state for each in written}
        for unit in units:
            if state := states.get(unit.idempotency_key):
                log.info("record %d %s %s, correlation %s", unit.record, unit.action, state, unit.correlation_id)
        return written

    def _hidden(self, units: Sequence[Unit], live: Mapping[str, LiveRecord]) -> list[str]:
        """Keys of those whose live record is suppressed."""
        return [each.idempotency_key for each in units if each.target in live and live[each.target].suppressed]

    def _image(self, live: LiveRecord | None, unit: Unit) -> Fields | None:
        if unit.action == "create" or live is None:
            return None
        return mask_fields(live.fields, self._rules, self._salt)


def say(claim: Claim) -> str:
    """A collision with another window, for people."""
    done = "made" if claim.state == "acknowledged" else "may have made (its run died before it knew)"
    return (
        f"{claim.identifier.replace(':', ' ', 1)}: window {claim.partition} {done} a record with it, {claim.target} "
        f"(record {claim.record} there), after this window was planned: materialize catalog_snapshot and this window again"
    )


def _not_there(unit: Unit, before: LiveRecord | None, live: LiveRecord | None) -> str:
    """Why the change is not what the live record shows; '' where it is. Systems keep control fields and leader themselves,
    and add fields of their own: of the others those count that the patch names."""
    if live is None:
        return "the record is not there"
    there, was = _counted(live.fields), _counted(before.fields if before else [])
    adds, deletes = _counted(unit.adds), _counted(unit.deletes)
    for (tag, text), count in adds.items():
        if there[tag, text] < count:
            return f"{tag} is not as it was written: someone wrote at the same moment"
    for (tag, text), count in (deletes - adds).items():
        if before is not None and there[tag, text] > max(was[tag, text] - count, 0):
            return f"{tag} is there again: someone wrote at the same moment"
    return ""


def _counted(fields: Fields) -> Counter[tuple[str, str]]:
    own = [each for each in fields if each[0] != "LDR" and not each[0].startswith("00")]
    return Counter((tag, unicodedata.normalize("NFC", text)) for tag, text in own)
