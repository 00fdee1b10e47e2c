"""What asks whether it is halted before it asks for runs: every sensor and schedule that starts ingestion.

A tick that is halted leaves the cursor as it is: once the halt is lifted, the next one finds what came meanwhile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from typing import Any, ParamSpec, TypeVar

import dagster as dg

from holdfast.environment import read_environment
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def halted(*, source: str = "", queue: str = "") -> str:
    """Why it is halted, or ''. Where no PostgreSQL is set, nothing can be halted and nothing be loaded."""
    return halted_of([source], queue=queue).get(source, "")


def halted_of(sources: list[str], *, queue: str = "") -> dict[str, str]:
    """Source → why, of those that are halted."""
    url = read_environment().get("HOLDFAST_POSTGRES_URL")
    if not url or not sources:
        return {}
    with closing(Postgres(url, connections=1)) as postgres:
        standing = Halts(postgres).standing()
    found: dict[str, str] = {}
    for source in sources:
        for each in standing:
            if each.scope == "all" or (each.scope, each.name) in (("source", source), ("queue", queue)):
                found.setdefault(source, each.sentence)
    return found


def unless_halted(
    *, source: str = "", queue: str = ""
) -> Callable[[Callable[_Asked, _Answer]], Callable[_Asked, _Answer | dg.SkipReason]]:
    """A tick that skips, and says who halted it and why, while its source or the queue of its runs is halted. Stands below
    `@dg.sensor` or `@dg.schedule`."""

    def asks(tick: Callable[_Asked, _Answer]) -> Callable[_Asked, _Answer | dg.SkipReason]:
        @functools.wraps(tick)
        def asking(*args: Any, **kwargs: Any) -> _Answer | dg.SkipReason:
            why = halted(source=source, queue=queue)
            return dg.SkipReason(why) if why else tick(*args, **kwargs)

        asking.__dict__["asks_for_halts"] = queue
        return asking

    return asks
