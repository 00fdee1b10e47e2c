"""Biblios and items: what Koha does with what is written."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

from demo.ils import audit
from demo.ils.audit import Entry, Origin
from demo.ils.store import Store
from demo.koha import marc, shapes
from demo.koha.errors import KohaRefused, not_found
from demo.koha.marc import Content
from demo.koha.store import seconds

Body = dict[str, Any]
_BIBLIO_ROW = ("title", "subtitle", "author", "copyright_date", "notes")


def log_action(
    connection: sqlite3.Connection,
    now: str,
    user: int,
    module: str,
    action: str,
    object_id: int,
    info: str,
    diff: Any = None,
) -> None:
    """A row of Koha's `action_logs`."""
    number = connection.execute(
        "INSERT INTO action_log (stamp, object, body) VALUES (?, ?, '')", (seconds(now), object_id)
    ).lastrowid
    body = {"action_id": number, "timestamp": seconds(now), "user": user, "module": module, "action": action}
    body |= {"object": object_id, "info": info, "interface": "api", "script": None, "trace": None}
    body["diff"] = orjson.dumps(diff).decode() if diff is not None else None
    connection.execute("UPDATE action_log SET body = ? WHERE id = ?", (orjson.dumps(body).decode(), number))


def record(
    connection: sqlite3.Connection,
    now: str,
    origin: Origin,
    kind: str,
    key: int,
    action: str,
    content: bytes,
    user: int,
) -> None:
    """In both logs: Koha's own, and the demo's audit with the correlation ids."""
    audit.record(connection, now, origin, [Entry(kind, str(key), action, 0, content)])
    module = "MEMBERS" if kind == "PATRON" else "CATALOGUING"
    names = {"CREATE": "CREATE" if kind == "PATRON" else "ADD", "UPDATE": "MODIFY", "DELETE": "DELETE"}
    info = {"BIBLIO": "biblio", "ITEM": "item", "PATRON": ""}[kind]
    log_action(connection, now, user, module, names[action], key, info)


class Biblios:
    def __init__(self, store: Store, user: int, control_number: bool) -> None:
        self.store, self._user, self._control_number = store, user, control_number

    def add(self, content: Content, framework: str, confirmed: bool, origin: Origin) -> int:
        """The number that it got. 400 where Koha holds another record for the same, unless that is confirmed."""
        with self.store.writing() as (connection, now):
            if not confirmed and (twin := self._duplicate(connection, content)):
                raise KohaRefused(400, f"Duplicate biblio {twin}")
            number = connection.execute(
                "INSERT INTO biblio (stamp, marc_stamp, body, marc) VALUES ('', '', '', '')"
            ).lastrowid
            assert number is not None  # noqa: S101
            self._save(connection, now, number, content, framework, None)
            record(connection, now, origin, "BIBLIO", number, "CREATE", orjson.dumps(content), self._user)
        return number

    def _duplicate(self, connection: sqlite3.Connection, content: Content) -> int | None:
        """As C4::Search::FindDuplicate: by ISBN where there is one, else by title and author."""
        shown = marc.columns(content)
        if shown["isbn"]:
            row = connection.execute("SELECT id FROM biblio WHERE isbn = ? LIMIT 1", (shown["isbn"],)).fetchone()
        elif shown["title"] and shown["author"]:
            wanted = (shown["title"], shown["author"])
            row = connection.execute("SELECT id FROM biblio WHERE title = ? AND author = ? LIMIT 1", wanted).fetchone()
        else:
            return None
        return int(row[0]) if row else None

    def _save(
        self,
        connection: sqlite3.Connection,
        now: str,
        number: int,
        content: Content,
        framework: str,
        before: Body | None,
    ) -> None:
        moment = seconds(now)
        saved = marc.as_saved(content, number, now, self._control_number)
        shown = marc.columns(saved)
        row = connection.execute("SELECT stamp FROM biblio WHERE id = ?", (number,)).fetchone()
        old = before or {}
        # Two rows of two tables, each with a timestamp that moves only when a column of its own does.
        biblio_same = before is not None and all(old[name] == shown[name] for name in _BIBLIO_ROW)
        rest_same = before is not None and all(old[name] == shown[name] for name in shown if name not in _BIBLIO_ROW)
        body = {"biblio_id": number, **shown, "framework_id": framework}
        body["creation_date"] = old.get("creation_date", moment[:10])
        body["timestamp"] = old["timestamp"] if rest_same else moment
        connection.execute(
            "UPDATE biblio SET title = ?, author = ?, isbn = ?, stamp = ?, marc_stamp = ?, body = ?, marc = ? WHERE id = ?",
            (
                *(shown["title"], shown["author"], shown["isbn"], row[0] if biblio_same else moment, moment),
                *(orjson.dumps(body).decode(), orjson.dumps(saved).decode(), number),
            ),
        )

    def update(self, number: int, content: Content, framework: str | None, origin: Origin) -> None:
        """The last one wins: there is nothing to refuse a stale write by."""
        with self.store.writing() as (connection, now):
            before = self._body(connection, number)
            self._save(connection, now, number, content, framework or before["framework_id"], before)
            record(connection, now, origin, "BIBLIO", number, "UPDATE", orjson.dumps(content), self._user)

    @staticmethod
    def _body(connection: sqlite3.Connection, number: int) -> Body:
        row = connection.execute("SELECT body FROM biblio WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise not_found("Bibliographic record")
        body: Body = orjson.loads(row[0])
        return body

    def get(self, number: int, table: str = "biblio") -> tuple[str, str]:
        """(JSON, MARC) of one."""
        with self.store.reading() as connection:
            row = connection.execute(f"SELECT body, marc FROM {table} WHERE id = ?", (number,)).fetchone()  # noqa: S608
        if row is None:
            raise not_found("Bibliographic record")
        return str(row[0]), str(row[1])

    def delete(self, number: int, origin: Origin) -> None:
        """409 while items are attached."""
        with self.store.writing() as (connection, now):
            self._body(connection, number)
            if connection.execute("SELECT 1 FROM item WHERE biblio_id = ?", (number,)).fetchone():
                text = f"Error deleting biblio {number}: This Biblio has items attached, please delete them first"
                raise KohaRefused(409, text)
            connection.execute(
                "INSERT INTO deleted_biblio SELECT id, ?, ?, body, marc FROM biblio WHERE id = ?",
                (seconds(now), seconds(now), number),
            )
            connection.execute("DELETE FROM biblio WHERE id = ?", (number,))
            record(connection, now, origin, "BIBLIO", number, "DELETE", b"", self._user)


class Items:
    def __init__(self, store: Store, user: int) -> None:
        self.store, self._user = store, user

    def add(self, biblio: int, given: Any, origin: Origin) -> Body:
        values = shapes.check("item", shapes.ITEM, given)
        with self.store.writing() as (connection, now):
            if connection.execute("SELECT 1 FROM biblio WHERE id = ?", (biblio,)).fetchone() is None:
                raise not_found("Bibliographic record")
            body = shapes.whole(shapes.ITEM, values, shapes.ITEM_DEFAULTS)
            self._barcode_free(connection, body["external_id"], 0)
            number = connection.execute(
                "INSERT INTO item (biblio_id, barcode, stamp, body) VALUES (?, ?, '', '')",
                (biblio, body["external_id"]),
            ).lastrowid
            assert number is not None  # noqa: S101
            body |= {"item_id": number, "biblio_id": biblio}
            return self._save(connection, now, number, body, "CREATE", origin)

    def _save(
        self, connection: sqlite3.Connection, now: str, number: int, body: Body, action: str, origin: Origin
    ) -> Body:
        body |= {"timestamp": seconds(now), "extended_subfields": None}
        body["holding_library_id"] = body["holding_library_id"] or body["home_library_id"]
        body["effective_item_type_id"] = body["item_type_id"]
        body["effective_not_for_loan_status"] = body["not_for_loan_status"]
        connection.execute(
            "UPDATE item SET barcode = ?, stamp = ?, body = ? WHERE id = ?",
            (body["external_id"], seconds(now), orjson.dumps(body).decode(), number),
        )
        record(connection, now, origin, "ITEM", number, action, orjson.dumps(body), self._user)
        return body

    @staticmethod
    def _barcode_free(connection: sqlite3.Connection, barcode: str | None, mine: int) -> None:
        if barcode is None:
            return
        row = connection.execute("SELECT id FROM item WHERE barcode = ? AND id <> ?", (barcode, mine)).fetchone()
        if row:
            raise KohaRefused(409, "Duplicate barcode.")

    def update(self, biblio: int, number: int, given: Any, origin: Origin) -> Body:
        values = shapes.check("item", shapes.ITEM, given)
        with self.store.writing() as (connection, now):
            row = connection.execute(
                "SELECT body FROM item WHERE id = ? AND biblio_id = ?", (number, biblio)
            ).fetchone()
            if row is None:
                raise not_found("Item")
            body = orjson.loads(row[0]) | values
            self._barcode_free(connection, body["external_id"], number)
            return self._save(connection, now, number, body, "UPDATE", origin)

    def delete(self, number: int, origin: Origin) -> None:
        with self.store.writing() as (connection, now):
            if connection.execute("SELECT 1 FROM item WHERE id = ?", (number,)).fetchone() is None:
                raise not_found("Item")
            if connection.execute("SELECT 1 FROM checkout WHERE item_id = ? AND checked_in = 0", (number,)).fetchone():
                raise KohaRefused(409, "The item is checked out", "book_on_loan")
            connection.execute("DELETE FROM item WHERE id = ?", (number,))
            record(connection, now, origin, "ITEM", number, "DELETE", b"", self._user)

    def of(self, number: int) -> str:
        with self.store.reading() as connection:
            row = connection.execute("SELECT body FROM item WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise not_found("Item")
        return str(row[0])
