"""The idempotency filter: one Bloom filter a window, in Redis.

It says "surely new" or "perhaps seen" of a record's fingerprint; "perhaps" asks the ledger. It never says "surely new" of
what was added to it, so it may only save work: a false "perhaps" costs one question, and no record is dropped for it.
What Redis lost (it was replaced, a window expired, the last second before a power cut) it no longer knows: that nothing
is written twice is the promise of the ledger's unique key, not of this filter.

Where the server has Bloom filters of its own (Redis 8, or the module RedisBloom), a window is one of these; elsewhere it is
a bitmap. A bitmap's key holds 8 bytes that say how large the filter is, then its bits. So a change of `capacity` leaves the
filters that are there readable; and so does a server that got filters of its own since: a window's bitmap is asked, too.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import redis

from resources.redis import bloom
from resources.redis.bloom import Size
from resources.redis.client import Redis, Unreachable

_log = logging.getLogger(__name__)

# A script holds up everybody else in Redis: 2,000 fingerprints take it some twenty milliseconds.
_CHUNK = 2000
# What one bit costs in a script and in the append-only file. Beyond the filter's own size, it travels whole.
_BYTES_A_BIT = 64

# KEYS: the window, a key for the moment. ARGV: header, seconds until it expires (0: never), 'bits' or 'whole', and
# numbers of bits as packed uint32 or a whole filter. Answers the window's header; when it is another, nothing was added.
_ADD = """
local found = redis.call('GETRANGE', KEYS[1], 0, 7)
if found ~= '' and found ~= ARGV[1] then return found end
if ARGV[3] == 'whole' then
  if found == '' then
    redis.call('SET', KEYS[1], ARGV[4])
  else
    redis.call('SET', KEYS[2], ARGV[4])
    redis.call('BITOP', 'OR', KEYS[1], KEYS[1], KEYS[2])
    redis.call('DEL', KEYS[2])
  end
else
  if found == '' then redis.call('SETRANGE', KEYS[1], 0, ARGV[1]) end
  local numbers, at = ARGV[4], 1
  while at <= #numbers do
    local number
    number, at = struct.unpack('<I4', numbers, at)
    redis.call('SETBIT', KEYS[1], number, 1)
  end
end
local expiry = tonumber(ARGV[2])
if expiry > 0 then redis.call('EXPIRE', KEYS[1], expiry) end
return ARGV[1]
"""

# KEYS: the window. ARGV: header, number of hash functions, numbers of bits as packed uint32.
# Answers the window's header, empty when there is no such window, and a character '0' or '1' for each fingerprint.
_ASK = """
local found = redis.call('GETRANGE', KEYS[1], 0, 7)
if found ~= ARGV[1] then return {found, ''} end
local numbers, hashes, answers = ARGV[3], tonumber(ARGV[2]), {}
for each = 1, #numbers / (4 * hashes) do
  local at, answer = (each - 1) * 4 * hashes + 1, '1'
  for _ = 1, hashes do
    local number
    number, at = struct.unpack('<I4', numbers, at)
    if redis.call('GETBIT', KEYS[1], number) == 0 then answer = '0' break end
  end
  answers[each] = answer
end
return {found, table.concat(answers)}
"""


class _Refused(Exception):
    """The server's own filter did not take a fingerprint."""


class IdempotencyFilter:
    """One Bloom filter a window.

    With the defaults a window takes 360 kB and holds 200,000 fingerprints with one false "perhaps" in 1,000.
    Beyond its capacity it stays right and asks more: with twice as many, one in 17. `false_positive_rate` says how it is.

    Args:
        capacity: fingerprints that a window is made for.
        error_rate: share of new fingerprints that it calls "perhaps seen" when it holds `capacity`.
        expire_after_days: a window that nothing was added to for so long is dropped; 0: never.
    """

    def __init__(
        self,
        client: Redis,
        *,
        capacity: int = 200_000,
        error_rate: float = 0.001,
        expire_after_days: float = 90,
    ) -> None:
        if capacity < 1 or not 0 < error_rate < 1 or expire_after_days < 0:
            raise ValueError(
                f"capacity: found {capacity}, 1 at least; error_rate: found {error_rate}, between 0 and 1; "
                f"expire_after_days: found {expire_after_days}, 0 at least"
            )
        self.capacity = capacity
        self.error_rate = error_rate
        self._redis = client
        self._size = Size.for_capacity(capacity, error_rate)
        self._expiry = math.ceil(expire_after_days * 86_400)
        self._native: bool | None = None  # whether the server has filters of its own; null: nobody has asked it yet
        self._add = client.connection.register_script(_ADD)
        self._ask = client.connection.register_script(_ASK)

    def _key(self, window: str) -> str:
        return self._redis.key("filter", window)

    def _native_key(self, window: str) -> str:
        return self._redis.key("bloom", window)

    @property
    def native(self) -> bool:
        """Whether the server has Bloom filters of its own.

        Raises:
            redis.ConnectionError, redis.TimeoutError: Redis is away.
        """
        if self._native is None:
            self._native = has_bloom_filters(self._redis)
        return self._native

    def add_many(self, window: str, fingerprints: Sequence[str]) -> bool:
        """Add `fingerprints` to the window's filter; adding again changes nothing.

        Returns:
            Whether they are in. False when Redis is away, or its own filter takes no more (a warning is logged): add
            them again, or let the ledger tell.
        """
        try:
            if self.native:
                self._add_natively(window, fingerprints)
            elif self._travels_whole(fingerprints):
                self._add_chunk(window, fingerprints, whole=True)
            else:
                for chunk in _chunks(fingerprints):
                    self._add_chunk(window, chunk, whole=False)
        except Unreachable as error:
            _warn(window, "its fingerprints were not added", error)
            return False
        except _Refused as error:
            _log.warning("idempotency filter: window %s: not all of its fingerprints were added: %s", window, error)
            return False
        return True

    def _add_chunk(self, window: str, chunk: Sequence[str], *, whole: bool) -> None:
        keys = [self._key(window), self._redis.key("filter-adding", window)]
        size = self._size
        while True:
            numbers = bloom.positions(chunk, size)
            kind, content = ("whole", bloom.stored(numbers, size)) if whole else ("bits", bloom.packed(numbers))
            found: Any = self._add(keys=keys, args=[size.header, self._expiry, kind, content])
            if found == size.header:
                return
            # The window was made with another size: that one holds.
            size = Size.of(found)

    def _add_natively(self, window: str, fingerprints: Sequence[str]) -> None:
        if not fingerprints:
            return
        key = self._native_key(window)
        # One command makes the filter and adds to it: nobody's purge comes between. Beyond its capacity it grows by filters
        # of a smaller error rate each, so that the whole keeps the one given.
        made_as = ("CAPACITY", self.capacity, "ERROR", self.error_rate, "EXPANSION", 2, "ITEMS")
        for chunk in _chunks(fingerprints):
            with self._redis.connection.pipeline(transaction=True) as steps:
                steps.execute_command("BF.INSERT", key, *made_as, *chunk)
                if self._expiry:
                    steps.expire(key, self._expiry)
                answers: list[Any] = steps.execute()
            # The answer for one of many may be an error, which redis-py hands over and does not raise.
            for answer in answers[0]:
                if isinstance(answer, redis.exceptions.ResponseError):
                    raise _Refused(str(answer))

    def _ask_natively(self, window: str, fingerprints: Sequence[str]) -> list[bool]:
        key, connection = self._native_key(window), self._redis.connection
        return [
            bool(answer)
            for chunk in _chunks(fingerprints)
            for answer in connection.execute_command("BF.MEXISTS", key, *chunk)
        ]

    def perhaps_seen(self, window: str, fingerprints: Sequence[str]) -> list[bool]:
        """For each fingerprint: False when it surely was not added to the window, True when it perhaps was.

        All True when Redis is away (a warning is logged): the ledger is asked then.
        """
        try:
            if not self.native:
                return self._ask_bitmap(window, fingerprints)
            answers = self._ask_natively(window, fingerprints)
            if not self._redis.connection.exists(self._key(window)):
                return answers
            older = self._ask_bitmap(window, fingerprints)
            return [one or other for one, other in zip(answers, older, strict=True)]
        except Unreachable as error:
            _warn(window, "the ledger is asked for every record", error)
            return [True] * len(fingerprints)

    def _ask_bitmap(self, window: str, fingerprints: Sequence[str]) -> list[bool]:
        if self._travels_whole(fingerprints):
            return self._look_up(window, fingerprints)
        return [answer for chunk in _chunks(fingerprints) for answer in self._ask_chunk(window, chunk)]

    def _look_up(self, window: str, fingerprints: Sequence[str]) -> list[bool]:
        filter_bytes: Any = self._redis.connection.get(self._key(window))
        if not filter_bytes:
            return [False] * len(fingerprints)
        return bloom.held(bloom.positions(fingerprints, Size.of(filter_bytes)), filter_bytes)

    def _ask_chunk(self, window: str, chunk: Sequence[str]) -> list[bool]:
        size = self._size
        while True:
            numbers = bloom.packed(bloom.positions(chunk, size))
            found, answers = self._ask(keys=[self._key(window)], args=[size.header, size.hashes, numbers])
            if not found:
                return [False] * len(chunk)
            if found == size.header:
                return [answer == ord("1") for answer in answers]
            size = Size.of(found)

    def _travels_whole(self, fingerprints: Sequence[str]) -> bool:
        return len(fingerprints) * self._size.hashes * _BYTES_A_BIT > self._size.stored_bytes

    def seen_in_any(self, windows: Iterable[str], fingerprints: Sequence[str]) -> list[bool]:
        """For each fingerprint: whether it perhaps was added to one of the windows."""
        seen = [False] * len(fingerprints)
        unseen = list(range(len(fingerprints)))
        for window in windows:
            if not unseen:
                break
            answers = self.perhaps_seen(window, [fingerprints[place] for place in unseen])
            for place, answer in zip(unseen, answers, strict=True):
                seen[place] = answer
            unseen = [place for place in unseen if not seen[place]]
        return seen

    def knows(self, window: str) -> bool:
        """Whether there is a filter of the window; True while Redis is away, as then every answer is "perhaps"."""
        try:
            keys = [self._key(window), *([self._native_key(window)] if self.native else [])]
            return bool(self._redis.connection.exists(*keys))
        except Unreachable as error:
            _warn(window, "counts as known", error)
            return True

    def purge(self, window: str) -> bool:
        """Forget the window, and no other, for a replay; whether there was one.

        Raises:
            redis.ConnectionError, redis.TimeoutError: Redis is away, so the window is still there.
        """
        return bool(self._redis.connection.unlink(self._key(window), self._native_key(window)))

    def false_positive_rate(self, window: str) -> float:
        """Share of new fingerprints that the window calls "perhaps seen" as it is now; 0 for one that is not there.

        Raises:
            redis.ConnectionError, redis.TimeoutError: Redis is away.
        """
        if self.native and self._redis.connection.exists(self._native_key(window)):
            return self._native_rate(window)
        key = self._key(window)
        header: Any = self._redis.connection.getrange(key, 0, bloom.HEADER_BYTES - 1)
        if not header:
            return 0.0
        size = Size.of(header)
        ones: Any = self._redis.connection.bitcount(key, bloom.HEADER_BYTES, -1)
        return float((ones / size.bits) ** size.hashes)

    def _native_rate(self, window: str) -> float:
        """From what the server says it holds: its filters are sized as ours are, so the share of ones follows from it."""
        answer: Any = self._redis.connection.execute_command("BF.INFO", self._native_key(window))
        info = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))
        said = {_text(name): value for name, value in info.items()}
        size = Size.for_capacity(self.capacity, self.error_rate)
        # One that had to grow is near its error rate.
        items = min(int(said["Number of items inserted"]), self.capacity)
        return float((1 - math.exp(-size.hashes * items / size.bits)) ** size.hashes)


def has_bloom_filters(client: Redis) -> bool:
    """Whether the server knows BF.INSERT."""
    try:
        answer: Any = client.connection.execute_command("COMMAND INFO", "BF.INSERT")
    except redis.exceptions.NoPermissionError:
        return False
    return any(answer.values() if isinstance(answer, dict) else answer)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _chunks(fingerprints: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(fingerprints), _CHUNK):
        yield fingerprints[start : start + _CHUNK]


def _warn(window: str, consequence: str, error: Exception) -> None:
    # The kind only: the text of an error may hold an address.
    _log.warning("idempotency filter: window %s: Redis is away (%s); %s", window, type(error).__name__, consequence)
