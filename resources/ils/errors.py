"""What can go wrong between Holdfast and a library system."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any


class IlsDownError(RuntimeError):
    """The system does not answer, or answers errors, also after the retries. Nothing is lost: materialize again later.

    `answers`: of `Session.many`, what became of each call; empty elsewhere.
    """

    answers: Sequence[Any] = ()


class CircuitOpenError(IlsDownError):
    """So many requests failed that the system is left alone for a while; `seconds` until one tries it again."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what)
        self.seconds = seconds


class WaitUntilError(IlsDownError):
    """Nothing is wrong, but nothing may be sent before `until`: the day's quota is spent, or the system asked for a long
    pause. What was planned waits; no run failed."""

    def __init__(self, what: str, until: dt.datetime) -> None:
        super().__init__(f"{what}; it goes on at {until.isoformat(timespec='minutes')}")
        self.until = until


class InDoubtError(RuntimeError):
    """The connection ended, or an error came, after the request was sent: the write may have happened or not.

    `answers`: of `Session.many`, what became of each call; empty elsewhere.
    """

    answers: Sequence[Any] = ()


class RefusedError(RuntimeError):
    """The system said no, for good: `status` and what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status
