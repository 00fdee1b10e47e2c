"""The governor of one library system: every request to it, of whichever worker, waits here for its turn.

What the workers agree on is in Redis (resources/governor/scripts.py). While Redis is away a worker goes on with its share of
the quota, if one is surely left for it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.quota import Limits, limits_at, share_of
from holdfast.settings import Circuit, Quota, Readers
from resources.governor.concurrency import AdaptiveLimit, Latencies
from resources.governor.scripts import ACQUIRE, PULSE, SETTLE, SILENCE, STATE
from resources.governor.watch import ReadersWatch
from resources.ils.errors import CircuitOpenError, IlsDownError, WaitUntilError
from resources.redis.client import Redis, Unreachable

log = logging.getLogger("holdfast.governor")

_LATE = 0.2  # seconds that a worker may oversleep its turn: later, it asks for another
_CREDIT = 0.7  # of the least time that the server takes for a kind of request, so much surely passed since the arrival
_TRY_REDIS = 0.5
_PATIENCE = 60.0  # seconds that a worker waits for Redis, or for the day's end, before it says so and ends
_LONG_PAUSE = 120.0
_PAUSE = 1.0  # after a 429 that does not say how long
_DOWN = (502, 503, 504)


@dataclass(frozen=True)
class GovernorState:
    """What all workers go by.

    Attributes:
        rate: requests a second that are left by the watch on readers.
        used: requests of the day. remaining: what the server said is left; None: it says nothing.
        circuit: 'closed', 'open' (until `opens_in` seconds passed) or 'half-open' (the next request is the probe).
        paused: seconds for which the server asked for quiet.
        readers_ms: the last 95th percentile of the watched request; None where nobody watches.
    """

    limits: Limits
    rate: float
    used: int
    remaining: int | None
    circuit: str
    opens_in: float
    paused: float
    in_flight: int
    workers: int
    readers_ms: float | None


@dataclass
class Turn:
    """Leave to send one request. Exactly one of `answered` and `failed` ends it."""

    governor: Governor
    id: str
    kind: str
    kept: int  # microseconds that the slot is kept after the arrival
    probe: bool
    most: int
    alone: bool
    entered: int = 0
    began: float = field(default_factory=time.monotonic)

    def answered(self, status: int, headers: Mapping[str, str], at: float, retry_after: float | None) -> None:
        """`at`: when the answer began, by time.monotonic; `retry_after`: seconds that it asks for."""
        how, pause = "ok", 0.0
        if status == 429 or (status == 503 and retry_after is not None):
            how, pause = "busy", _PAUSE if retry_after is None else retry_after
        elif status in _DOWN:
            how = "failed"
        remaining = headers.get(self.governor.quota.remaining_header or " ", "")
        self._end(how, at, pause, remaining if remaining.isdecimal() else "")

    def failed(self) -> None:
        """No answer, or not all of it."""
        self._end("failed", time.monotonic(), 0.0, "")

    def _end(self, how: str, at: float, pause: float, remaining: str) -> None:
        governor, seconds = self.governor, at - self.began
        credit = 0.0
        governor.limit.leave(
            self.entered, seconds, governor.latencies.usual(self.kind), self.most, overloaded=how != "ok"
        )
        if how == "ok":
            credit = min(_CREDIT * governor.latencies.least(self.kind), seconds)
            governor.latencies.add(self.kind, seconds)
        governor._end(self, how, time.monotonic() - at + credit, pause, remaining)


class Governor:
    """One per process and library system; safe to share between threads.

    Args:
        name: of the library system: all who use this name in this Redis share one quota.
        readers: the watch, which runs in a thread from the first request to `close` wherever no other worker watches.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        quota: Quota,
        circuit: Circuit | None = None,
        readers: Readers | None = None,
        *,
        timezone: str = "UTC",
        sleep: Callable[[float], None] = time.sleep,
        patience: float | None = None,
    ) -> None:
        self.quota, self.name, self.limit, self.latencies = quota, name, AdaptiveLimit(), Latencies()
        self.requests, self.waited = 0, 0.0
        self._redis, self._circuit, self._timezone = redis, circuit or Circuit(), timezone
        self._sleep, self._patience = sleep, _PATIENCE if patience is None else patience
        self._acquire, self._settling, self._state, self._pulse = (
            redis.connection.register_script(each) for each in (ACQUIRE, SETTLE, STATE, PULSE)
        )
        self._worker = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._limits: Limits | None = None
        self._moment_at = (0.0, 0.0)  # Redis' clock in seconds, time.monotonic when it said so
        self._known: tuple[str, int] = ("", 0)  # the state's name and its highest number
        self._workers = self._used = self._slots = 0
        self._in_flight: dict[str, float] = {}
        # Alone, without Redis:
        self._away_since: float | None = None
        self._tried = 0.0
        self._own: deque[float] = deque(maxlen=64)
        self._own_count = -1
        self._own_turn = threading.Lock()
        self._own_pause = 0.0
        self._closing = threading.Event()
        self._pulsing: threading.Thread | None = None
        watched = readers is not None and bool(readers.url)
        self._watched = "1" if watched else "0"
        self._watch = ReadersWatch(redis, name, readers) if readers is not None and watched else None

    def close(self) -> None:
        if self._closing.is_set():  # an adapter can have two sessions
            return
        self._closing.set()
        if self._watch is not None:
            self._watch.stop()
        if self._pulsing is not None:
            self._pulsing.join()
        if self.requests:
            log.info("%s: %d requests, %.1f s waited for their turn", self.name, self.requests, self.waited)

    # ---- a turn -----------------------------------------------------------------------------------------------------

    def turn(self, kind: str) -> Turn:
        """Wait for leave to send a request of a kind (`kind_of`).

        Raises:
            CircuitOpenError: the system counts as down; at once.
            WaitUntilError: the day's quota is spent, or the system asked for a pause longer than two minutes.
            IlsDownError: Redis is away for long, and no share of the quota is surely left for this worker.
        """
        self._start()
        began = time.monotonic()
        most = self._limits.concurrency if self._limits else self.quota.concurrency
        entered = self.limit.enter(most)
        try:
            turn = self._take(kind)
        except BaseException:
            self.limit.give_back()
            raise
        turn.entered, turn.most, turn.began = entered, most, time.monotonic()
        with self._lock:
            self.requests += 1
            self.waited += turn.began - began
        return turn

    def _take(self, kind: str) -> Turn:
        while True:
            turn = None
            if not self._is_away() or time.monotonic() - self._tried >= _TRY_REDIS:
                try:
                    turn = self._ask(kind)
                except Unreachable as error:
                    self._went_away(error)
                    continue
            else:
                turn = self._take_alone(kind)
            if turn is not None:
                return turn

    def _ask(self, kind: str) -> Turn | None:
        """Ask Redis once, and wait as long as it says; None: ask again."""
        limits, turn_id = self._limits or self._look_up(), uuid.uuid4().hex
        with self._lock:
            self._tried = time.monotonic()
            count, own = self._own_count, list(self._own) if self._own_count >= 0 else []
            name, number = self._known
        ages = [_micro(max(time.monotonic() - each, 0)) for each in own]
        asked = time.monotonic()
        answer: Any = self._acquire(
            keys=self._keys(limits),
            args=[
                *(turn_id, self._worker, limits.per_second, limits.concurrency, limits.per_day),
                *(_micro(limits.since), _micro(limits.until), _micro(limits.day_ends), self.quota.left_to_others),
                *(self._watched, name, number, count),
                *ages,
            ],
        )
        word, moment = answer[0].decode(), int(answer[-1]) / 1e6
        self._came_back(count)
        with self._lock:
            self._moment_at = (moment, time.monotonic())
        if word == "calendar":
            self._limits = limits_at(self.quota, self._timezone, moment)
            return None
        with self._lock:
            told = (answer[2].decode(), int(answer[3]))
            # Threads are answered in an order of their own: of one state the highest number counts.
            self._known = max(self._known, told) if self._known[0] == told[0] else told
        wait = int(answer[1]) / 1e6
        if word == "open":
            raise CircuitOpenError(
                f"{self.name} failed too often and is left alone; it is tried again in {wait:.0f} s "
                "(ils.circuit in holdfast.toml). What was not written stays planned.",
                wait,
            )
        if word == "spent" and wait > self._patience:
            raise WaitUntilError(f"the day's quota of {self.name} is spent", self._in(moment, wait))
        if word == "wait" and wait > _LONG_PAUSE:
            raise WaitUntilError(f"{self.name} asked for a pause", self._in(moment, wait))
        if word != "go":
            self._sleep(max(wait, 0.005))
            return None
        with self._lock:
            self._workers, self._used, self._slots = int(answer[6]), int(answer[7]), int(answer[8])
            self._in_flight[turn_id] = time.monotonic() + wait
        turn = Turn(self, turn_id, kind, int(answer[4]), answer[5] == b"1", 1, False)
        if wait > 0:
            try:
                self._sleep(wait)
            except BaseException:
                self._end(turn, "unsent", 0.0, 0.0, "")
                raise
        if time.monotonic() - asked > wait + _LATE:
            self._end(turn, "unsent", 0.0, 0.0, "")
            return None
        return turn

    def _look_up(self) -> Limits:
        answer: Any = self._redis.connection.time()
        moment = answer[0] + answer[1] / 1e6
        with self._lock:
            self._moment_at = (moment, time.monotonic())
        self._limits = limits = limits_at(self.quota, self._timezone, moment)
        return limits

    def _keys(self, limits: Limits) -> list[str]:
        parts = ("state", "slots", "flights", "workers", f"day-{limits.day}", "remaining")
        return [self._redis.key("governor", self.name, each) for each in parts]

    @staticmethod
    def _in(moment: float, seconds: float) -> dt.datetime:
        return dt.datetime.fromtimestamp(moment + seconds, dt.UTC)

    def _end(self, turn: Turn, how: str, ago: float, pause: float, remaining: str) -> None:
        if turn.alone:
            with self._lock:
                self._own.append(time.monotonic())
                self._own_count = max(self._own_count, 0) + (how != "unsent")
                self._own_pause = max(self._own_pause, time.monotonic() + pause if pause else 0.0)
            self._own_turn.release()
            return
        with self._lock:
            self._in_flight.pop(turn.id, None)
        self._settle(turn, how, ago, pause, remaining)

    def _settle(self, turn: Turn, how: str, ago: float, pause: float = 0.0, remaining: str = "") -> None:
        limits = self._limits
        if limits is None:
            return
        circuit = self._circuit
        spans = (_micro(circuit.window_seconds), _micro(circuit.probe_seconds))
        try:
            said: Any = self._settling(
                keys=self._keys(limits),
                args=[
                    *(turn.id, turn.kept, _micro(ago), how, _micro(pause), remaining),
                    *("1" if turn.probe else "0", circuit.failures, *spans),
                ],
            )
        except Unreachable as error:
            self._went_away(error)
            return
        if said == b"opened":
            log.error("%s counts as down: its circuit is open for all workers", self.name)
        elif said == b"closed":
            log.warning("%s answers again: its circuit is closed", self.name)
        if pause:
            log.warning("%s asked all workers to wait %.1f s", self.name, pause)

    # ---- without Redis ----------------------------------------------------------------------------------------------

    def _is_away(self) -> bool:
        return self._away_since is not None

    def _went_away(self, error: Exception) -> None:
        with self._lock:
            self._tried = time.monotonic()
            if self._away_since is not None:
                return
            self._away_since = time.monotonic()
            self._own.clear()
            self._own_count = 0
            share = share_of(self._slots, self._workers) if self._workers else 0
        # The kind only: the text of an error may hold an address.
        log.warning("Redis is away (%s): this worker sends at most %d requests a second", type(error).__name__, share)

    def _came_back(self, reported: int) -> None:
        with self._lock:
            if reported < 0:
                return
            # What another thread sent by itself meanwhile is told the next time.
            self._own_count = self._own_count - reported or -1
            if self._away_since is not None:
                self._away_since = None
                log.warning("Redis is back: the quota is shared again")

    def _take_alone(self, kind: str) -> Turn | None:
        """A turn from this worker's own share, one request at a time; None: look for Redis again."""
        with self._lock:
            away, limits, (moment, said) = self._away_since, self._limits, self._moment_at
            workers, slots, used, own = self._workers, self._slots, self._used, self._own_count
        now = time.monotonic()
        if away is None:
            return None
        share = 0
        if limits is not None and workers:
            limits = limits_at(self.quota, self._timezone, moment + now - said)
            share = share_of(min(slots, limits.per_second), workers)
        if limits is None or share == 0:
            if now - away > self._patience:
                raise IlsDownError(
                    "Redis is away, and without it the workers cannot share the quota of "
                    f"{self.name}: start it (HOLDFAST_REDIS_URL), then materialize again"
                )
            self._sleep(_TRY_REDIS)
            return None
        if limits.per_day and used + own * workers >= limits.per_day:
            raise WaitUntilError(
                f"Redis is away and the day's quota of {self.name} may be spent",
                dt.datetime.fromtimestamp(limits.day_ends, dt.UTC),
            )
        if not self._own_turn.acquire(timeout=_TRY_REDIS):
            return None
        now = time.monotonic()
        last = self._own[-1] if self._own else 0.0
        start = max(away + SILENCE / 1e6, last + 1 / share, self._own_pause)
        if start - now > _TRY_REDIS or self._away_since is None:
            self._own_turn.release()
            self._sleep(min(max(start - now, 0.0), _TRY_REDIS))
            return None
        try:
            self._sleep(max(start - now, 0.0))
        except BaseException:
            self._own_turn.release()
            raise
        return Turn(self, "", kind, 0, False, 1, True)

    # ---- what runs beside -------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._pulsing is not None:
            return
        with self._lock:
            if self._pulsing is not None:
                return
            self._pulsing = threading.Thread(target=self._keep_in_flight, daemon=True, name="governor-pulse")
            self._pulsing.start()
        if self._watch is not None:
            self._watch.start()

    def _keep_in_flight(self) -> None:
        """Say once a second which requests still wait for their answer; those of a worker that died are soon no longer counted."""
        while not self._closing.wait(1.0):
            limit = time.monotonic() - 1.0
            with self._lock:
                long = [each for each, since in self._in_flight.items() if since < limit]
            if long:
                with contextlib.suppress(*Unreachable):
                    self._pulse(keys=[self._redis.key("governor", self.name, "flights")], args=long)

    def state(self) -> GovernorState:
        """How it stands for all workers.

        Raises:
            redis.ConnectionError, redis.TimeoutError: Redis is away.
        """
        answer: Any = self._state(keys=[self._redis.key("governor", self.name, "state")])
        moment = int(answer[0]) / 1e6
        pairs = [each.decode() for each in answer[1]]
        known = dict(zip(pairs[::2], pairs[1::2], strict=True))
        limits = limits_at(self.quota, self._timezone, moment)
        _, _, flights, workers, day, left = self._keys(limits)
        connection: Any = self._redis.connection
        remaining = connection.get(left)
        open_for = int(known.get("open_until", 0)) / 1e6 - moment if known.get("circuit") == "open" else 0.0
        watched = self._watched == "1" and "scale" in known and moment - int(known["scaled_at"]) / 1e6 < 60
        return GovernorState(
            limits=limits,
            rate=limits.per_second * (float(known["scale"]) if watched else 1.0),
            used=int(connection.get(day) or 0),
            remaining=int(remaining) if remaining else None,
            circuit="closed" if known.get("circuit") != "open" else "open" if open_for > 0 else "half-open",
            opens_in=max(open_for, 0.0),
            paused=max(int(known.get("paused_until", 0)) / 1e6 - moment, 0.0),
            in_flight=connection.zcount(flights, int(moment * 1e6), "+inf"),
            workers=connection.zcount(workers, int((moment - 60) * 1e6), "+inf"),
            readers_ms=float(known["readers_ms"]) if watched else None,
        )


def _micro(seconds: float) -> int:
    return round(seconds * 1e6)
