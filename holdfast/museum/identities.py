"""Which identifiers an export has already had, on disk: memory does not grow with the export."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Seen(NamedTuple):
    """The first object with an identifier: the hash of its content, and where it stands."""

    content_sha256: str
    place: str


class Identities:
    """Takes objects in the order of the export and says of each whether its identifier was there before."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;"
            "CREATE TABLE seen (identifier TEXT PRIMARY KEY, content_sha256 TEXT, place TEXT) WITHOUT ROWID"
        )

    def first_or_seen(self, identifier: str, content_sha256: str, place: str) -> Seen | None:
        """None where the identifier comes for the first time, else the object that had it first."""
        row = (identifier, content_sha256, place)
        if self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", row).rowcount:
            return None
        found = "SELECT content_sha256, place FROM seen WHERE identifier = ?"
        return Seen(*self._connection.execute(found, [identifier]).fetchone())


@contextmanager
def open_identities() -> Iterator[Identities]:
    with tempfile.TemporaryDirectory(prefix="holdfast-identities-") as folder:
        connection = sqlite3.connect(Path(folder) / "seen.sqlite", isolation_level=None)
        try:
            yield Identities(connection)
        finally:
            connection.close()
