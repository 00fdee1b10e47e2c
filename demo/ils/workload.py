"""How busy the ILS is: when requests of programs came, a limit on them, and readers who wait longer while much is written.

The model is a server with one queue: a search takes `base_ms`, and `write_ms` more for each write of the last second (and with
`jitter`, up to that share more or less). The limit counts programs' requests in any one second, not in the seconds of a
clock; what is over it gets 429 with Retry-After and is not counted. Readers' searches are no part of it.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, fields
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.ils.errors import bad_request

SEARCH = "/search/"
# Reads that FOLIO has as POST, because a list of ids does not fit into an address, and logins.
_READING = ("/source-storage/source-records", "/source-storage/batch/parsed-records/fetch", "/authn/")
_KEPT = 500_000


@dataclass
class Model:
    """`per_second`: of programs, 0 for no limit; `retry_after`: seconds that a 429 asks for; `remaining`: requests that the
    day has left, told in X-Exl-Api-Remaining, -1 for none told. `write_ms` and `base_ms`: of a reader's search."""

    per_second: float = 0
    retry_after: float = 1
    remaining: float = -1
    base_ms: float = 0
    write_ms: float = 0
    jitter: float = 0
    service_ms: float = 0

    @classmethod
    def read(cls, given: Any) -> Model:
        names = [each.name for each in fields(cls)]
        if not isinstance(given, dict) or given.keys() - set(names):
            raise bad_request(f"an object was expected with some of {', '.join(names)}")
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in given.values()):
            raise bad_request(f"numbers were expected for {', '.join(given)}")
        return cls(**given)


class Workload:
    """Arrivals are seconds since the process began, by a clock that only goes forward."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chance = random.Random(0)
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self.model = Model()
            self._arrivals: deque[tuple[float, str, int]] = deque(maxlen=_KEPT)
            self._counted: deque[float] = deque()
            self._writes: deque[float] = deque()
            self._searches: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def set(self, model: Model) -> None:
        with self._lock:
            self.model = model

    def arrived(self, method: str, path: str) -> bool:
        """Whether it may go on."""
        now = time.monotonic()
        with self._lock:
            while self._counted and self._counted[0] <= now - 1:
                self._counted.popleft()
            limited = 0 < self.model.per_second <= len(self._counted)
            self._arrivals.append((now, f"{method} {path}", 429 if limited else 0))
            if limited:
                return False
            self._counted.append(now)
            if method != "GET" and not path.startswith(_READING):
                self._writes.append(now)
            self.model.remaining -= self.model.remaining > 0
            return True

    def search_seconds(self) -> float:
        """How long a reader waits now."""
        now = time.monotonic()
        with self._lock:
            while self._writes and self._writes[0] <= now - 1:
                self._writes.popleft()
            model = self.model
            wait = (model.base_ms + model.write_ms * len(self._writes)) / 1000
            return wait * (1 + model.jitter * self._chance.uniform(-1, 1))

    def searched(self, began: float) -> None:
        with self._lock:
            self._searches.append((began, 1000 * (time.monotonic() - began)))

    def shown(self) -> dict[str, Any]:
        """The model; `arrivals`: [seconds, request, status: 0 for let through]; `searches`: [seconds, milliseconds]."""
        with self._lock:
            return {
                "model": asdict(self.model),
                "now": time.monotonic(),
                "arrivals": [list(each) for each in self._arrivals],
                "searches": [list(each) for each in self._searches],
            }


class WorkloadMiddleware:
    """Before everything else but the log, as a rate limit stands at the gateway."""

    def __init__(self, app: ASGIApp, workload: Workload) -> None:
        self.app = app
        self.workload = workload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/_demo/", "/admin/")):
            await self.app(scope, receive, send)
            return
        workload, model = self.workload, self.workload.model
        if scope["path"].startswith(SEARCH):
            began = time.monotonic()
            await asyncio.sleep(workload.search_seconds())
            await self.app(scope, receive, send)
            workload.searched(began)
        elif not workload.arrived(scope["method"], scope["path"]):
            headers = {"Retry-After": f"{model.retry_after:g}"}
            await Response("Too Many Requests", 429, headers, "text/plain")(scope, receive, send)
        else:
            if model.service_ms:
                await asyncio.sleep(model.service_ms / 1000)
            await self.app(scope, receive, _telling(send, model.remaining))


def _telling(send: Send, remaining: float) -> Send:
    """As Alma tells what the day has left."""
    if remaining < 0:
        return send

    async def told(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-exl-api-remaining", b"%d" % remaining)]
        await send(message)

    return told
