"""How many requests a worker has in flight: one more while answers stay as quick as they were, half when they do not.

Source: additive increase, multiplicative decrease, after D.-M. Chiu and R. Jain, Analysis of the increase and decrease
algorithms for congestion avoidance in computer networks, Computer Networks and ISDN Systems 17 (1), 1989.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict, deque

from holdfast.quota import percentile

_SAMPLES = 64
_ENOUGH = 8  # latencies of a kind before they say anything
_SLOWER = 2.0  # times the usual latency that count as a server under load …
_AT_LEAST_SECONDS = 0.05  # … if it is so much more, too: below, it is this machine that was busy
_GENTLY = 0.8
_ID = re.compile(r"(?<=/)[^/]*\d[^/]*")


def kind_of(method: str, path: str) -> str:
    """Requests that should take the same time: 'GET /source-storage/records/*'."""
    return f"{method} {_ID.sub('*', path)}"


class Latencies:
    """What requests of each kind took lately, in seconds. Safe to share between threads."""

    def __init__(self) -> None:
        self._of: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_SAMPLES))
        self._lock = threading.Lock()

    def add(self, kind: str, seconds: float) -> None:
        with self._lock:
            self._of[kind].append(seconds)

    def least(self, kind: str) -> float:
        """The least of a kind; 0 while too few are known."""
        with self._lock:
            found = self._of.get(kind)
            return min(found) if found is not None and len(found) >= _ENOUGH else 0.0

    def usual(self, kind: str) -> float:
        """The latency of a kind while the server is at ease: its lower quartile; 0 while too few are known."""
        with self._lock:
            found = self._of.get(kind)
            return percentile(list(found), 0.25) if found is not None and len(found) >= _ENOUGH else 0.0


class AdaptiveLimit:
    """Lets at most `limit` requests of this process go side by side, between 1 and the most that is asked for."""

    def __init__(self) -> None:
        self.limit = 1.0
        self.in_flight = 0
        self._cuts = 0
        self._changed = threading.Condition()

    def enter(self, most: int) -> int:
        """Wait for a place. Returns what `leave` wants: how many cuts there were."""
        with self._changed:
            self.limit = min(self.limit, float(most))
            while self.in_flight >= int(self.limit):
                self._changed.wait()
            self.in_flight += 1
            return self._cuts

    def leave(self, entered: int, seconds: float, usual: float, most: int, *, overloaded: bool) -> None:
        """Give the place back. `overloaded`: 429, 503 or no answer. A request that began before the last cut asks for no
        second one: it says the same again."""
        slower = bool(usual) and seconds > _SLOWER * usual and seconds - usual > _AT_LEAST_SECONDS
        with self._changed:
            if overloaded or slower:
                if entered == self._cuts:
                    self._cuts += 1
                    self.limit = max(self.limit * (0.5 if overloaded else _GENTLY), 1.0)
            elif self.in_flight >= int(self.limit):
                self.limit = min(self.limit + 1 / self.limit, float(most))
            self.in_flight -= 1
            self._changed.notify_all()

    def give_back(self) -> None:
        """The place was not used."""
        with self._changed:
            self.in_flight -= 1
            self._changed.notify_all()
