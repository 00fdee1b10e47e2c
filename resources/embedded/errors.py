"""What can go wrong with a service, said so that the reader can mend it."""

from __future__ import annotations

from pathlib import Path


class ServiceError(RuntimeError):
    """A service could not be found, started, reached or stopped; the text says what would mend it, never a password."""


def tail(log: Path, lines: int = 15) -> str:
    """The last `lines` of a server's log, for an error; empty when there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
