"""Faults on demand: the ILS misbehaves as it is told, at the connection where it has to.

| kind | what happens |
|---|---|
| `429`, `503`, `500` | the write is not done; with `retry_after`, that header |
| `slow` | waits `seconds`, then goes on (and other rules may strike) |
| `drop_before` | the connection is closed without an answer, the write is not done |
| `drop_after` | the write is done, the connection is closed without an answer |
| `cut_answer` | the write is done, half of the answer is sent; of an answer without body, nothing |
"""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.ils.answers import as_json, json_of
from demo.ils.errors import bad_request
from demo.ils.transport import cut

KINDS = ("429", "500", "503", "slow", "drop_before", "drop_after", "cut_answer")
MESSAGES = {"429": "Too Many Requests", "500": "Internal server error", "503": "Service Unavailable"}


@dataclass
class Rule:
    """When to do what. `times`: how often still, -1 without end; `probability` is drawn from `seed`."""

    kind: str
    method: str = ""
    path_prefix: str = ""
    times: int = 1
    probability: float = 1.0
    seed: int = 0
    retry_after: float | None = None
    seconds: float = 1.0
    hits: int = 0
    seen: int = 0
    chance: random.Random = field(default_factory=random.Random, repr=False)

    @classmethod
    def read(cls, given: Any) -> Rule:
        if not isinstance(given, dict) or str(given.get("kind")) not in KINDS:
            raise bad_request(f"a rule needs a kind: one of {', '.join(KINDS)}")
        unknown = given.keys() - {"kind", "match", "times", "probability", "seed", "retry_after", "seconds"}
        match = given.get("match") or {}
        if unknown or not isinstance(match, dict) or match.keys() - {"method", "path_prefix"}:
            raise bad_request(f"unknown part of a rule: {', '.join(sorted(unknown)) or 'in match'}")
        try:
            rule = cls(
                kind=str(given["kind"]),
                method=str(match.get("method") or "").upper(),
                path_prefix=str(match.get("path_prefix") or ""),
                times=int(given.get("times", 1)),
                probability=float(given.get("probability", 1.0)),
                seed=int(given.get("seed", 0)),
                retry_after=None if given.get("retry_after") is None else float(given["retry_after"]),
                seconds=float(given.get("seconds", 1.0)),
            )
        except (TypeError, ValueError) as error:
            raise bad_request(f"a rule's number cannot be read: {error}") from error
        rule.chance.seed(rule.seed)
        return rule

    def strikes(self, method: str, path: str) -> bool:
        if self.times == 0 or (self.method and self.method != method) or not path.startswith(self.path_prefix):
            return False
        self.seen += 1
        if self.probability < 1 and self.chance.random() >= self.probability:
            return False
        self.times -= self.times > 0
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "match": {"method": self.method, "path_prefix": self.path_prefix},
            "times": self.times,
            "probability": self.probability,
            "seed": self.seed,
            "retry_after": self.retry_after,
            "seconds": self.seconds,
            "seen": self.seen,
            "hits": self.hits,
        }


class Faults:
    """The rules in force, in order: the first that strikes is what happens, after those that are `slow`."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, given: Any) -> None:
        if not isinstance(given, list):
            raise bad_request("a list of rules was expected")
        rules = [Rule.read(entry) for entry in given]
        with self._lock:
            self.rules.extend(rules)

    def clear(self) -> None:
        with self._lock:
            self.rules.clear()

    def shown(self) -> list[dict[str, Any]]:
        return [rule.shown() for rule in self.rules]

    def choose(self, method: str, path: str) -> tuple[float, Rule | None]:
        """How long to wait, and which rule strikes then."""
        wait = 0.0
        with self._lock:
            for rule in self.rules:
                if rule.strikes(method, path):
                    if rule.kind != "slow":
                        return wait, rule
                    wait += rule.seconds
        return wait, None


def fault_routes(faults: Faults) -> list[Route]:
    """By which the rules are given, seen and taken away."""

    async def add_faults(request: Request) -> Response:
        faults.add(await json_of(request))
        return as_json(faults.shown(), 201)

    async def read_faults(_: Request) -> Response:
        return as_json(faults.shown())

    async def clear_faults(_: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    return [
        Route("/_demo/faults", add_faults, methods=["POST"]),
        Route("/_demo/faults", read_faults, methods=["GET"]),
        Route("/_demo/faults", clear_faults, methods=["DELETE"]),
    ]


class FaultsMiddleware:
    """Lets the rules strike on every path but the demo's own. Leaves what struck in `scope["state"]["fault"]`."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_demo/") or not self.faults.rules:
            await self.app(scope, receive, send)
            return
        wait, rule = self.faults.choose(scope["method"], scope["path"])
        if wait:
            scope["state"]["fault"] = "slow"
            await asyncio.sleep(wait)
        if rule is None:
            await self.app(scope, receive, send)
            return
        scope["state"]["fault"] = rule.kind
        if rule.kind in MESSAGES:
            headers = {} if rule.retry_after is None else {"Retry-After": f"{rule.retry_after:g}"}
            answer = Response(MESSAGES[rule.kind], int(rule.kind), headers, "text/plain")
            await answer(scope, receive, send)
        elif rule.kind == "drop_before":
            await cut(scope["client"], flush=False)
        else:
            await self._spoil(scope, receive, send, half=rule.kind == "cut_answer")

    async def _spoil(self, scope: Scope, receive: Receive, send: Send, half: bool) -> None:
        """Run the request, but send nothing, or the head and the first half of the (first part of the) body."""
        start: Message = {}
        done = False

        async def spoiled(message: Message) -> None:
            nonlocal start, done
            if message["type"] == "http.response.start":
                start = message
            elif half and not done and len(message.get("body", b"")) > 1:
                done = True
                await send(start)
                body = message["body"]
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

        await self.app(scope, receive, spoiled)
        await cut(scope["client"], flush=done)
