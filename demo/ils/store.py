"""The ILS's one SQLite file: tables, connections, and a clock that never says the same time twice.

Write-ahead log with `synchronous=NORMAL`: what was committed is there after the process was killed. One connection
writes, under a lock; readers have their own and see the last committed state.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS instance (
    id TEXT PRIMARY KEY, hrid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, title TEXT NOT NULL,
    title_words TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS instance_updated ON instance (updated, id);
CREATE TABLE IF NOT EXISTS instance_identifier (instance_id TEXT NOT NULL, type_id TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS identifier_instance ON instance_identifier (instance_id);
CREATE INDEX IF NOT EXISTS identifier_value ON instance_identifier (value, type_id);
CREATE TABLE IF NOT EXISTS holdings_record (
    id TEXT PRIMARY KEY, hrid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, instance_id TEXT NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS holdings_instance ON holdings_record (instance_id);
CREATE INDEX IF NOT EXISTS holdings_updated ON holdings_record (updated, id);
CREATE TABLE IF NOT EXISTS item (
    id TEXT PRIMARY KEY, hrid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, holdings_record_id TEXT NOT NULL,
    barcode TEXT UNIQUE, created TEXT NOT NULL, updated TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS item_holdings ON item (holdings_record_id);
CREATE INDEX IF NOT EXISTS item_updated ON item (updated, id);
CREATE TABLE IF NOT EXISTS snapshot (id TEXT PRIMARY KEY, status TEXT NOT NULL, started TEXT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source_record (
    id TEXT PRIMARY KEY, matched_id TEXT NOT NULL, generation INTEGER NOT NULL, state TEXT NOT NULL,
    record_type TEXT NOT NULL, snapshot_id TEXT NOT NULL, instance_id TEXT, hrid TEXT, leader_status TEXT,
    created TEXT NOT NULL, updated TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (matched_id, generation));
CREATE INDEX IF NOT EXISTS source_record_instance ON source_record (instance_id);
CREATE INDEX IF NOT EXISTS source_record_hrid ON source_record (hrid);
CREATE INDEX IF NOT EXISTS source_record_updated ON source_record (updated, id);
CREATE TABLE IF NOT EXISTS document (
    kind TEXT NOT NULL, id TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS document_user_barcode ON document (kind, json_extract(body, '$.barcode'));
CREATE INDEX IF NOT EXISTS document_loan_item ON document (kind, json_extract(body, '$.itemId'));
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, entity_type TEXT NOT NULL, entity_id TEXT NOT NULL,
    action TEXT NOT NULL, version INTEGER NOT NULL, user TEXT NOT NULL, correlation_ids TEXT NOT NULL,
    request_id TEXT NOT NULL, sha256 TEXT NOT NULL, diff TEXT);
CREATE INDEX IF NOT EXISTS audit_entity ON audit (entity_id, seq);
CREATE TABLE IF NOT EXISTS request (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER, milliseconds REAL NOT NULL, request_id TEXT NOT NULL, correlation_ids TEXT NOT NULL,
    fault TEXT, headers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spent_token (jti TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
"""
CONTENT = (
    "instance",
    "instance_identifier",
    "holdings_record",
    "item",
    "snapshot",
    "source_record",
    "document",
    "audit",
    "request",
)


def as_iso(milliseconds: int) -> str:
    """Milliseconds since 1970 as FOLIO writes a time: `2024-01-31T09:30:00.000+00:00`."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds")


def as_milliseconds(iso: str) -> int:
    moment = datetime.fromisoformat(iso)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


class Store:
    """Connections to the file. `writing()` gives a transaction and its time, `reading()` a connection to read from."""

    def __init__(self, path: Path, schema: str = SCHEMA, content: tuple[str, ...] = CONTENT) -> None:
        self.path = path
        self._content = content
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._writer = self._connect(cache_mib=32)
        self._writer.executescript(schema)
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._last = self._last_time()

    def _connect(self, cache_mib: int = 4) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA cache_size=-{cache_mib * 1024}")
        connection.execute("PRAGMA temp_store=MEMORY")
        return connection

    def _last_time(self) -> int:
        row = self._writer.execute("SELECT time FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        return as_milliseconds(row[0]) if row else 0

    @contextmanager
    def writing(self) -> Iterator[tuple[sqlite3.Connection, str]]:
        """A transaction, alone, and the time of all its writes; rolled back if an error leaves the block.

        Each transaction has a later time than the one before, and becomes visible in that order: whoever polls
        `metadata.updatedDate > last` misses nothing.
        """
        with self._lock:
            now = max(time.time_ns() // 1_000_000, self._last + 1)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer, as_iso(now)
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")
            self._last = now

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._readers.put(connection)

    def setting(self, name: str, default: str) -> str:
        """The stored value of a setting; `default` is stored if there is none yet."""
        with self.writing() as (connection, _):
            connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, default))
            return str(connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0])

    def reset(self) -> None:
        """Empty every table of content and start the audit's and the requests' numbers at 1 again."""
        with self.writing() as (connection, _):
            for table in self._content:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  names from our own list
            connection.execute("DELETE FROM sqlite_sequence")
            connection.execute("DELETE FROM settings WHERE name LIKE 'hrid.%'")

    def close(self) -> None:
        while not self._readers.empty():
            self._readers.get_nowait().close()
        self._writer.close()


def next_hrids(connection: sqlite3.Connection, kind: str, prefix: str, count: int) -> list[str]:
    """`count` human-readable ids that no record has, as FOLIO forms them: a prefix and eleven digits."""
    name = f"hrid.{kind}"
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    last = int(row[0]) if row else 0
    out: list[str] = []
    while len(out) < count:
        last += 1
        hrid = f"{prefix}{last:011d}"
        if not connection.execute(f"SELECT 1 FROM {kind} WHERE hrid = ?", (hrid,)).fetchone():  # noqa: S608
            out.append(hrid)
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, str(last)))
    return out
