"""Ask as a reader asks, while loads run, and let the loads be slower when readers have to wait.

One worker watches, whichever holds the lease in Redis; where it ends or dies another goes on within seconds. These
requests are a reader's: they take no part in the quota, and carry no login.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections import deque
from typing import Any

import httpx

from holdfast.quota import percentile
from holdfast.settings import Readers
from resources.governor.scripts import ELECT, SCALE
from resources.redis.client import Redis, Unreachable

log = logging.getLogger("holdfast.governor")

_SETTLED_SECONDS = 1.2  # after a cut, the time until it shows: what was sent before has to end
_ENOUGH = 3
_NO_CHANCE = 2  # of few requests one slow one is above any percentile
# Below this share of the limit there is room for more; between it and the limit the rate stays as it is.
_ROOM = 0.75
_STEP = 0.05
_STEP_SECONDS = 1.0


class ReadersWatch:
    """A thread that measures, and scales the shared rate."""

    def __init__(self, redis: Redis, name: str, readers: Readers) -> None:
        self._readers, self._name = readers, name
        self._keys = [redis.key("governor", name, each) for each in ("state", "watch")]
        self._elect, self._scale = (redis.connection.register_script(each) for each in (ELECT, SCALE))
        self._redis = redis
        self._id = uuid.uuid4().hex
        self._timeout = max(2 * readers.limit_ms / 1000, 1.0)
        self._lease = int(1000 * (self._timeout + 2 * readers.interval_seconds + 1))
        self._samples: deque[tuple[float, float]] = deque()  # when, milliseconds
        self._cut = self._raised = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="readers-watch")
            self._thread.start()

    def stop(self) -> None:
        """End, and leave the lease to the next."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=self._timeout) as http:
            while not self._stopping.is_set():
                begin = time.monotonic()
                try:
                    if self._call(self._elect, [self._id, self._lease]):
                        self._look(http)
                    else:
                        self._samples.clear()
                except Unreachable:
                    self._samples.clear()  # nobody can be told; the next look begins anew
                self._stopping.wait(max(self._readers.interval_seconds - (time.monotonic() - begin), 0.01))
        with contextlib.suppress(*Unreachable):  # else the lease ends by itself
            if self._redis.connection.get(self._keys[1]) == self._id.encode():
                self._redis.connection.delete(self._keys[1])

    def _look(self, http: httpx.Client) -> None:
        """One request, and what follows from it."""
        begin = time.monotonic()
        sample = measure(http, self._readers.url, self._timeout)
        now = time.monotonic()
        if begin - self._cut >= _SETTLED_SECONDS:
            self._samples.append((now, sample))
        while self._samples and self._samples[0][0] < now - self._readers.window_seconds:
            self._samples.popleft()
        p95 = percentile([each for _, each in self._samples], 0.95)
        factor, step = self._verdict(p95, now - max(self._cut, self._raised))
        scale = self._call(self._scale, [self._id, factor, step, self._readers.least_share, f"{p95:.0f}"]) / 1e6
        if scale < 0:  # another one watches by now
            self._samples.clear()
        elif factor < 1:
            log.warning(
                "%s: readers wait %.0f ms (95th percentile), the limit is %.0f: loads go on with %.0f%% of their rate",
                *(self._name, p95, self._readers.limit_ms, scale * 100),
            )
            self._cut = now
            self._samples.clear()  # they were of the rate before
        elif step:
            self._raised = now

    def _verdict(self, p95: float, since: float) -> tuple[float, float]:
        """By what the rate is multiplied, and what is added to its share."""
        slow = sum(each > self._readers.limit_ms for _, each in self._samples)
        if p95 > self._readers.limit_ms:
            return (0.5, 0.0) if slow >= _NO_CHANCE else (1.0, 0.0)
        room = len(self._samples) >= _ENOUGH and p95 < _ROOM * self._readers.limit_ms
        return 1.0, _STEP if room and since >= _STEP_SECONDS else 0.0

    def _call(self, script: Any, args: list[Any]) -> int:
        return int(script(keys=self._keys, args=args))


def measure(http: httpx.Client, url: str, timeout: float) -> float:
    """Milliseconds until the whole answer is there; no answer, or one of 500 and above, counts as the timeout."""
    begin = time.monotonic()
    try:
        failed = http.get(url).status_code >= 500
    except httpx.HTTPError:
        failed = True
    return 1000 * (max(timeout, time.monotonic() - begin) if failed else time.monotonic() - begin)
