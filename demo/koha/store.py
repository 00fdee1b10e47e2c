"""Koha's tables, as far as its API shows them: a row is an id, what is searched often, and the JSON as the API gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from demo.ils.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS biblio (
    id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, author TEXT, isbn TEXT, stamp TEXT NOT NULL,
    marc_stamp TEXT NOT NULL, body TEXT NOT NULL, marc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS biblio_marc_stamp ON biblio (marc_stamp, id);
CREATE INDEX IF NOT EXISTS biblio_isbn ON biblio (isbn);
CREATE INDEX IF NOT EXISTS biblio_title ON biblio (title, author);
CREATE TABLE IF NOT EXISTS deleted_biblio (
    id INTEGER PRIMARY KEY, stamp TEXT NOT NULL, marc_stamp TEXT NOT NULL, body TEXT NOT NULL, marc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS deleted_biblio_stamp ON deleted_biblio (marc_stamp, id);
CREATE TABLE IF NOT EXISTS item (
    id INTEGER PRIMARY KEY AUTOINCREMENT, biblio_id INTEGER NOT NULL, barcode TEXT UNIQUE, stamp TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS item_biblio ON item (biblio_id);
CREATE INDEX IF NOT EXISTS item_stamp ON item (stamp, id);
CREATE TABLE IF NOT EXISTS patron (
    id INTEGER PRIMARY KEY AUTOINCREMENT, cardnumber TEXT UNIQUE, userid TEXT UNIQUE, stamp TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS checkout (
    id INTEGER PRIMARY KEY AUTOINCREMENT, item_id INTEGER, patron_id INTEGER, checked_in INTEGER NOT NULL DEFAULT 0,
    stamp TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS checkout_item ON checkout (item_id, checked_in);
CREATE TABLE IF NOT EXISTS renewal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, checkout_id INTEGER NOT NULL, stamp TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS action_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stamp TEXT NOT NULL, object INTEGER, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS action_log_object ON action_log (object);
CREATE TABLE IF NOT EXISTS library (id TEXT PRIMARY KEY, stamp TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS item_type (id TEXT PRIMARY KEY, stamp TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, entity_type TEXT NOT NULL, entity_id TEXT NOT NULL,
    action TEXT NOT NULL, version INTEGER NOT NULL, user TEXT NOT NULL, correlation_ids TEXT NOT NULL,
    request_id TEXT NOT NULL, sha256 TEXT NOT NULL, diff TEXT);
CREATE TABLE IF NOT EXISTS request (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER, milliseconds REAL NOT NULL, request_id TEXT NOT NULL, correlation_ids TEXT NOT NULL,
    fault TEXT, headers TEXT NOT NULL);
"""
CONTENT = (
    *("biblio", "deleted_biblio", "item", "patron", "checkout", "renewal", "action_log"),
    *("library", "item_type", "audit", "request"),
)


def open_store(path: Path) -> Store:
    return Store(path, SCHEMA, CONTENT)


def seconds(iso: str) -> str:
    """A moment as Koha's tables keep it: to the second, here in UTC."""
    return datetime.fromisoformat(iso).astimezone(UTC).replace(microsecond=0).isoformat()
