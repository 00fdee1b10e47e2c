"""Write units to the library system, each once, whatever happens in between.

For every chunk: prepare in the ledger, read the live records where one is needed or in doubt, mark as sent with the image
before, write, settle. A worker that dies anywhere leaves rows from which the next one knows what to do.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from holdfast.privacy.masking import MaskingRules, token
from resources.ils.client import Fields, Ils, IlsDownError, InDoubtError, LiveRecord, Unit, Written
from resources.ledger.client import Ledger, Load
from resources.postgres.halts import HaltedError

log = logging.getLogger("holdfast.commit")

_DOUBTS = 6  # how often a chunk is read again and sent again before the system counts as down


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


class Committer:
    """Writes the units of one load. `rules` and `salt` mask the images before."""

    def __init__(
        self,
        ils: Ils,
        ledger: Ledger,
        load: Load,
        rules: MaskingRules,
        salt: bytes,
        *,
        chunk_records: int = 100,
        sleep: Callable[[float], None] = time.sleep,
        halted: Callable[[], str] = lambda: "",
    ) -> None:
        self._ils, self._ledger, self._load = ils, ledger, load
        self._rules, self._salt = rules, salt
        self._chunk = chunk_records
        self._sleep = sleep
        self._halted = halted

    def commit(self, units: Sequence[Unit], contents: dict[str, str]) -> Iterator[Written]:
        """What became of each unit, chunk by chunk; keys settled in an earlier run come back as they are.

        Raises:
            IlsDownError: the system does not answer; the rest stays prepared (or in doubt) for the next run.
            HaltedError: somebody halted it since; the chunk before is done, the next one not begun.
        """
        for at in range(0, len(units), self._chunk):
            if why := self._halted():
                raise HaltedError(why)
            chunk = units[at : at + self._chunk]
            states = self._ledger.prepare(self._load, chunk, contents)
            chunk = [dataclasses.replace(each, round=states[each.idempotency_key].round) for each in chunk]
            for unit in chunk:
                state = states[unit.idempotency_key].state
                if state in ("acknowledged", "rolled_back"):
                    yield Written(unit.idempotency_key, state, answer="settled before")
            doubtful = {key for key, each in states.items() if each.doubtful}
            todo = [unit for unit in chunk if states[unit.idempotency_key].state in ("prepared", "sent")]
            yield from self._write(todo, doubtful)

    def _write(self, units: list[Unit], doubtful: set[str]) -> list[Written]:
        if not units:
            return []
        done: list[Written] = []
        read_again: set[str] = set()
        for attempt in range(1, _DOUBTS + 1):
            # A new record has nothing to be read, unless an attempt may have created it already.
            reading = [each for each in units if each.action != "create" or each.idempotency_key in doubtful]
            live = (
                self._ils.fetch([each.target for each in reading], [each.correlation_id for each in reading])
                if reading
                else {}
            )
            hidden = [each for each in reading if each.target in live and live[each.target].suppressed]
            self._ledger.hidden_before(self._load.ils, [each.idempotency_key for each in hidden])
            self._ledger.send(
                self._load.ils, {each.idempotency_key: self._image(live.get(each.target), each) for each in units}
            )
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
                done += self._settle(units, [each for each in written if each.idempotency_key not in echoes])
                units = [each for each in units if each.idempotency_key in echoes]
                continue
            return done + self._settle(units, written)
        raise IlsDownError(
            f"{self._ils.name} broke off {_DOUBTS} times in a row; what is in doubt is read again by the next run"
        )

    def _settle(self, units: list[Unit], written: list[Written]) -> list[Written]:
        self._ledger.settle(self._load.ils, written)
        states = {each.idempotency_key: each.state for each in written}
        for unit in units:
            if state := states.get(unit.idempotency_key):
                log.info("record %d %s %s, correlation %s", unit.record, unit.action, state, unit.correlation_id)
        return written

    def _image(self, live: LiveRecord | None, unit: Unit) -> Fields | None:
        if unit.action == "create" or live is None:
            return None
        return mask_fields(live.fields, self._rules, self._salt)
