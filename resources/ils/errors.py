"""What can go wrong between Holdfast and a library system."""

from __future__ import annotations


class IlsDownError(RuntimeError):
    """The system does not answer, or answers errors, also after the retries. Nothing is lost: materialize again later."""


class InDoubtError(RuntimeError):
    """The connection ended, or an error came, after the request was sent: the write may have happened or not."""


class RefusedError(RuntimeError):
    """The system said no, for good: `status` and what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status
