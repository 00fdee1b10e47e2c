"""Locks on records, identifiers, branches and windows of one library system, in Redis.

All locks of a piece of work are taken at once, in sorted order, by one script: all of them or none, so two workers never
wait for each other in a circle. They are leases: a thread renews them while the work lives, and a worker that dies leaves
them to the others when the lease is over. With each taking comes a fencing number that only grows; the ledger refuses what
is written under an older one (`resources.ledger.client`), because a worker that slept through its lease does not know it.

Time is Redis' own, and here only how much of it has passed: clocks of machines may differ by as much as they like.
All keys of a library system have one hash tag, so that a Redis Cluster keeps them in one place.

Sources: M. Kleppmann, How to do distributed locking, 2016 (fencing); J. Gray et al., Granularity of Locks and Degrees of
Consistency in a Shared Data Base, 1976 (a record's worker shares its branch).
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from resources.redis.client import Redis, Unreachable

_log = logging.getLogger("holdfast.locks")

_LOOK = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

# KEYS: the counter, the whole locks, the shareable ones. ARGV: token, lease in ms, least number that may be given,
# how many whole ones, and 'x' (alone) or 's' (shared) for each shareable one.
# Answers {number} or {0, {place, holder, ms left}, …} of what others hold, with nothing taken.
_TAKE = (
    _LOOK
    + """
local token, lease, whole = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local answer = {0}
for at = 2, #KEYS do
  if at - 1 <= whole then
    local holder = redis.call('GET', KEYS[at])
    if holder and holder ~= token then answer[#answer + 1] = {at - 1, holder, redis.call('PTTL', KEYS[at])} end
  else
    local mode = ARGV[3 + at - whole]
    redis.call('ZREMRANGEBYSCORE', KEYS[at], '-inf', now)
    local held = redis.call('ZRANGE', KEYS[at], 0, -1, 'WITHSCORES')
    for place = 1, #held, 2 do
      local other = string.sub(held[place], 2)
      if other ~= token and (mode == 'x' or string.sub(held[place], 1, 1) == 'x') then
        answer[#answer + 1] = {at - 1, other, held[place + 1] - now}
        break
      end
    end
  end
end
if #answer > 1 then return answer end
for at = 2, #KEYS do
  if at - 1 <= whole then
    redis.call('SET', KEYS[at], token, 'PX', lease)
  else
    redis.call('ZADD', KEYS[at], now + lease, ARGV[3 + at - whole] .. token)
    if redis.call('PTTL', KEYS[at]) < lease then redis.call('PEXPIRE', KEYS[at], lease) end
  end
end
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[3]) then redis.call('SET', KEYS[1], ARGV[3]) end
return {redis.call('INCR', KEYS[1])}
"""
)

# KEYS: the whole locks, the shareable ones. ARGV: token, lease in ms, how many whole ones, 'x' or 's' of the others.
# Answers 0, or the place of a lock that is no longer ours; then none is renewed.
_RENEW = (
    _LOOK
    + """
local token, lease, whole = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for at = 1, #KEYS do
  if at <= whole then
    if redis.call('GET', KEYS[at]) ~= token then return at end
  else
    local over = redis.call('ZSCORE', KEYS[at], ARGV[3 + at - whole] .. token)
    if not over or tonumber(over) <= now then return at end
  end
end
for at = 1, #KEYS do
  if at <= whole then
    redis.call('PEXPIRE', KEYS[at], lease)
  else
    redis.call('ZADD', KEYS[at], now + lease, ARGV[3 + at - whole] .. token)
    if redis.call('PTTL', KEYS[at]) < lease then redis.call('PEXPIRE', KEYS[at], lease) end
  end
end
return 0
"""
)

# As _RENEW, without a lease: what is ours is given back, what is another's stays.
_GIVE_BACK = """
local token, whole = ARGV[1], tonumber(ARGV[2])
for at = 1, #KEYS do
  if at <= whole then
    if redis.call('GET', KEYS[at]) == token then redis.call('DEL', KEYS[at]) end
  else
    redis.call('ZREM', KEYS[at], ARGV[2 + at - whole] .. token)
  end
end
return 0
"""


class BusyError(RuntimeError):
    """Others hold some of the locks; none was taken. `holders`: lock → who, `left`: lock → seconds of its lease."""

    def __init__(self, holders: dict[str, str], left: dict[str, float]) -> None:
        name, holder = next(iter(holders.items()))
        others = f" (and {len(holders) - 1:,} more)" if len(holders) > 1 else ""
        super().__init__(f"{name} is locked by {holder}{others}")
        self.holders, self.left = holders, left


class LockLostError(RuntimeError):
    """A lock is no longer ours: another worker may be at it by now, so this one stops before its next write."""


class LocksAwayError(RuntimeError):
    """Redis is away, so nothing can be locked and nothing is written."""


class Fence(NamedTuple):
    """Under which number a lock is held, and by whom (two takings never have the same `holder`)."""

    number: int
    holder: str


def of_record(kind: str, target: str) -> str:
    return f"record:{kind}:{target}"


def of_identifier(kind: str, value: str) -> str:
    """Of a new record: whoever makes a record with this identifier holds it, so that two do not make the same one."""
    return f"identifier:{kind}:{value}"


def of_branch(code: str) -> str:
    """Of a library branch: shared by those who change one of its holdings or items, alone by who changes all of them."""
    return f"branch:{code}"


def of_window(source: str, partition: str) -> str:
    return f"window:{source}:{partition}"


def this_worker(run_id: str) -> str:
    """Who holds a lock, for people: the run, the machine, the process."""
    return f"run {run_id} on {socket.gethostname()}, process {os.getpid()}"


class Held:
    """Locks that are held. Use it as a context: they are given back at its end.

    Attributes:
        fence: number and holder for the ledger.
        names: of the locks, sorted.
    """

    def __init__(self, locks: Locks, whole: Sequence[str], shareable: Sequence[tuple[str, str]], token: str) -> None:
        self._locks, self._token = locks, token
        self._whole, self._shareable = whole, shareable
        self.fence = Fence(0, token)
        self.names = [*whole, *(name for name, _ in shareable)]
        self._keys = [locks.key(name) for name in self.names]
        self._modes = [mode for _, mode in shareable]
        self._until = 0.0  # by the monotonic clock: the lease is surely ours until then
        self._lost = ""
        self._one_at_a_time = threading.Lock()
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._keep, name="holdfast-lease", daemon=True)

    def _take(self, floor: int) -> None:
        began = self._locks.clock()
        answer: Any = self._locks.take_script(
            keys=[self._locks.counter, *self._keys],
            args=[self._token, self._locks.lease_ms, floor, len(self._whole), *self._modes],
        )
        if answer[0] == 0:
            places = [(self.names[place - 1], holder, left) for place, holder, left in answer[1:]]
            raise BusyError(
                {name: _people(holder.decode(errors="replace")) for name, holder, _ in places},
                {name: max(float(left), 0) / 1000 for name, _, left in places},
            )
        self.fence = Fence(int(answer[0]), self._token)
        self._until = began + self._locks.lease_ms / 1000
        self._renewing.start()

    def _keep(self) -> None:
        every = self._locks.lease_ms / 3000
        while not self._over.wait(every) and not self._lost:
            try:
                self._renew()
            except Unreachable:
                if self._locks.clock() >= self._until:
                    self._lost = "Redis was away for longer than the lease"

    def _renew(self) -> None:
        with self._one_at_a_time:
            if self._lost or self._over.is_set():
                return
            began = self._locks.clock()
            place: Any = self._locks.renew_script(
                keys=self._keys, args=[self._token, self._locks.lease_ms, len(self._whole), *self._modes]
            )
            if place:
                self._lost = f"{self.names[place - 1]} is no longer locked by this worker"
            else:
                self._until = began + self._locks.lease_ms / 1000

    def check(self) -> None:
        """To be called before each write: asks Redis whether all is still ours, and renews it.

        Raises:
            LockLostError: it is not, or Redis does not say so before the lease is over.
        """
        while True:
            try:
                self._renew()
                away = False
            except Unreachable:
                away = True
            if not self._lost and self._locks.clock() >= self._until:
                self._lost = "the lease was over before it was renewed"
            if self._lost:
                raise LockLostError(f"{self._lost}; nothing more is written under it")
            if not away:
                return
            self._locks.sleep(min(0.2, max(self._until - self._locks.clock(), 0.01)))

    def release(self) -> None:
        """Give back what is ours; what Redis does not hear of is over with its lease."""
        self._over.set()
        with self._one_at_a_time:
            try:
                self._locks.give_back_script(keys=self._keys, args=[self._token, len(self._whole), *self._modes])
            except Unreachable as error:
                _log.warning("locks are left to end with their lease: Redis is away (%s)", type(error).__name__)

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Locks:
    """The locks of one library system, for one worker.

    Args:
        owner: who this is, for people (`this_worker`).
        highest: the highest fencing number that the ledger knows (`Ledger.highest_fence`): a Redis that lost its data, or
            its last second, never gives a smaller one.
        lease_seconds: after which the locks of a worker that died are free.
    """

    def __init__(
        self,
        redis: Redis,
        ils: str,
        owner: str,
        highest: Callable[[], int],
        *,
        lease_seconds: float = 30,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis, self._ils, self._owner, self._highest = redis, ils, owner, highest
        self.lease_ms = max(int(lease_seconds * 1000), 1)
        self.clock, self.sleep = clock, sleep
        self.counter = redis.tagged_key(ils, "fence")
        self.take_script = redis.connection.register_script(_TAKE)
        self.renew_script = redis.connection.register_script(_RENEW)
        self.give_back_script = redis.connection.register_script(_GIVE_BACK)

    def key(self, name: str) -> str:
        return self._redis.tagged_key(self._ils, "lock", name)

    def take(self, names: Iterable[str], *, shared: Iterable[str] = ()) -> Held:
        """All of these locks, or none; `shared` (of branches) may be shared with others who share them.

        Raises:
            BusyError: others hold some of them.
            LocksAwayError: Redis does not answer.
        """
        alone, together = sorted(set(names)), sorted(set(shared))
        whole = [each for each in alone if not each.startswith("branch:")]
        shareable = [(each, "x") for each in alone if each.startswith("branch:")] + [(each, "s") for each in together]
        if wrong := [each for each in together if not each.startswith("branch:") or each in alone]:
            raise ValueError(f"{wrong[0]}: only a branch can be shared, and not while it is held alone")
        held = Held(self, whole, sorted(shareable), f"{self._owner}#{uuid.uuid4().hex}")
        try:
            held._take(self._highest())
        except Unreachable as error:
            raise LocksAwayError(
                f"Redis is away ({type(error).__name__}), so no record can be locked and nothing is written; "
                "materialize again when it is back"
            ) from error
        return held

    def wait_for(
        self, names: Iterable[str], seconds: float, *, shared: Iterable[str] = (), only_the_dead: bool = False
    ) -> Held:
        """As `take`, trying again for so long, at moments that chance chooses.

        Args:
            only_the_dead: give up as soon as a holder was seen to renew its lease: it lives.
        """
        names, shared = list(names), list(shared)
        end = self.clock() + seconds
        latest: dict[tuple[str, str], float] = {}  # when the lease that was seen first is over at the latest
        while True:
            began = self.clock()
            try:
                return self.take(names, shared=shared)
            except BusyError as error:
                now = self.clock()
                holders = {(name, who): error.left[name] for name, who in error.holders.items()}
                renewed = any(began + left > latest.get(each, now + left) for each, left in holders.items())
                latest = {each: now + left for each, left in holders.items()} | latest
                if now >= end or (only_the_dead and renewed):
                    raise
                wait = min(max(error.left.values()), 0.5)
            except LocksAwayError:
                if self.clock() >= end:
                    raise
                wait = 0.2
            # Jitter of a share of itself: who waited together does not come back together.
            self.sleep(max(0.01, min(wait, end - self.clock())) * random.uniform(0.5, 1))  # noqa: S311


def _people(token: str) -> str:
    return token.rsplit("#", 1)[0]
