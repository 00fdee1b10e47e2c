"""Patrons and what they have borrowed."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from typing import Any

import orjson

from demo.ils import audit
from demo.ils.audit import Entry, Origin
from demo.ils.store import Store
from demo.koha import shapes
from demo.koha.catalogue import Body, log_action, record
from demo.koha.errors import KohaRefused, malformed, not_found
from demo.koha.reference import CATEGORIES
from demo.koha.store import seconds

LOAN_DAYS = 28
REQUIRED = ("surname", "library_id", "category_id")


class Patrons:
    def __init__(self, store: Store, user: int) -> None:
        self.store, self._user = store, user

    def add(self, given: Any, origin: Origin) -> Body:
        values = self._checked(given)
        with self.store.writing() as (connection, now):
            body = shapes.whole(shapes.PATRON, values, shapes.PATRON_DEFAULTS)
            self._free(connection, body, 0)
            body["date_enrolled"] = body["date_enrolled"] or now[:10]
            number = connection.execute("INSERT INTO patron (stamp, body) VALUES ('', '')").lastrowid
            assert number is not None  # noqa: S101
            body["patron_id"] = number
            return self._save(connection, now, number, body, "CREATE", origin)

    def _checked(self, given: Any) -> Body:
        values = shapes.check("patron", shapes.PATRON, given, REQUIRED)
        with self.store.reading() as connection:
            library = connection.execute("SELECT 1 FROM library WHERE id = ?", (values["library_id"],)).fetchone()
        if library is None:
            raise KohaRefused(400, "Given library_id does not exist")
        if values["category_id"] not in CATEGORIES:
            raise KohaRefused(400, "Given category_id does not exist")
        return values

    @staticmethod
    def _free(connection: sqlite3.Connection, body: Body, mine: int) -> None:
        for name in ("cardnumber", "userid"):
            taken = (
                body[name] is not None
                and connection.execute(
                    f"SELECT 1 FROM patron WHERE {name} = ? AND id <> ?",  # noqa: S608
                    (body[name], mine),
                ).fetchone()
            )
            if taken:
                raise KohaRefused(409, "Duplicate ID", conflict=name)

    def _save(
        self, connection: sqlite3.Connection, now: str, number: int, body: Body, action: str, origin: Origin
    ) -> Body:
        body["updated_on"] = seconds(now)
        connection.execute(
            "UPDATE patron SET cardnumber = ?, userid = ?, stamp = ?, body = ? WHERE id = ?",
            (body["cardnumber"], body["userid"], seconds(now), orjson.dumps(body).decode(), number),
        )
        record(connection, now, origin, "PATRON", number, action, orjson.dumps(body), self._user)
        return body

    def update(self, number: int, given: Any, origin: Origin) -> Body:
        values = self._checked(given)
        with self.store.writing() as (connection, now):
            body = orjson.loads(self._of(connection, number)) | values
            self._free(connection, body, number)
            return self._save(connection, now, number, body, "UPDATE", origin)

    @staticmethod
    def _of(connection: sqlite3.Connection, number: int) -> str:
        row = connection.execute("SELECT body FROM patron WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise not_found("Patron")
        return str(row[0])

    def of(self, number: int) -> str:
        with self.store.reading() as connection:
            return self._of(connection, number)

    def delete(self, number: int, origin: Origin) -> None:
        with self.store.writing() as (connection, now):
            self._of(connection, number)
            if connection.execute(
                "SELECT 1 FROM checkout WHERE patron_id = ? AND checked_in = 0", (number,)
            ).fetchone():
                raise KohaRefused(409, "Pending checkouts prevent deletion", "has_checkouts")
            connection.execute("DELETE FROM patron WHERE id = ?", (number,))
            record(connection, now, origin, "PATRON", number, "DELETE", b"", self._user)


class Checkouts:
    def __init__(self, store: Store, user: int) -> None:
        self.store, self._user = store, user

    def add(self, given: Any, origin: Origin) -> Body:
        values = shapes.check("checkout", shapes.CHECKOUT, given)
        if values.get("patron_id") is None or values.get("item_id") is None:
            raise malformed(("/body", "patron_id and item_id are needed."))
        with self.store.writing() as (connection, now):
            if connection.execute("SELECT 1 FROM patron WHERE id = ?", (values["patron_id"],)).fetchone() is None:
                raise KohaRefused(409, "Patron not found", "patron_not_found")
            item = connection.execute("SELECT body FROM item WHERE id = ?", (values["item_id"],)).fetchone()
            if item is None:
                raise KohaRefused(409, "Item not found", "item_not_found")
            if connection.execute(
                "SELECT 1 FROM checkout WHERE item_id = ? AND checked_in = 0", (values["item_id"],)
            ).fetchone():
                raise KohaRefused(412, "Confirmation error")
            moment = seconds(now)
            body = shapes.whole(shapes.CHECKOUT, values, shapes.CHECKOUT_DEFAULTS)
            body |= {"checkout_date": moment, "issuer_id": self._user}
            body["library_id"] = body["library_id"] or orjson.loads(item[0])["home_library_id"]
            body["due_date"] = body["due_date"] or _later(moment)
            number = connection.execute(
                "INSERT INTO checkout (item_id, patron_id, stamp, body) VALUES (?, ?, '', '')",
                (values["item_id"], values["patron_id"]),
            ).lastrowid
            assert number is not None  # noqa: S101
            body["checkout_id"] = number
            self._save(connection, now, body, origin, "CREATE", "ISSUE")
            return body

    def _save(
        self,
        connection: sqlite3.Connection,
        now: str,
        body: Body,
        origin: Origin,
        action: str,
        logged: str,
        done: int = 0,
    ) -> None:
        body["timestamp"] = seconds(now)
        number = body["checkout_id"]
        content = orjson.dumps(body)
        connection.execute(
            "UPDATE checkout SET stamp = ?, checked_in = ?, body = ? WHERE id = ?",
            (body["timestamp"], done, content.decode(), number),
        )
        audit.record(connection, now, origin, [Entry("CHECKOUT", str(number), action, 0, content)])
        log_action(connection, now, self._user, "CIRCULATION", logged, body["patron_id"], str(body["item_id"]))

    def renew(self, number: int, seen: bool, origin: Origin) -> Body:
        with self.store.writing() as (connection, now):
            body = self._open(connection, number)
            body["due_date"] = _later(body["due_date"])
            body["renewals_count"] += 1
            body["last_renewed_date"] = seconds(now)
            renewal = {
                "checkout_id": number,
                "interface": "api",
                "renewal_date": seconds(now),
                "renewal_type": "Manual",
            }
            renewal |= {"renewer_id": self._user, "seen": seen, "timestamp": seconds(now)}
            row = connection.execute(
                "INSERT INTO renewal (checkout_id, stamp, body) VALUES (?, ?, '')", (number, seconds(now))
            )
            renewal["renewal_id"] = row.lastrowid
            connection.execute(
                "UPDATE renewal SET body = ? WHERE id = ?", (orjson.dumps(renewal).decode(), row.lastrowid)
            )
            self._save(connection, now, body, origin, "UPDATE", "RENEWAL")
            return body

    def check_in(self, number: int, origin: Origin) -> Body:
        """The staff interface's: the API has no endpoint for it."""
        with self.store.writing() as (connection, now):
            body = self._open(connection, number)
            body["checkin_date"] = seconds(now)
            self._save(connection, now, body, origin, "UPDATE", "RETURN", 1)
            return body

    @staticmethod
    def _open(connection: sqlite3.Connection, number: int) -> Body:
        row = connection.execute("SELECT body FROM checkout WHERE id = ? AND checked_in = 0", (number,)).fetchone()
        if row is None:
            raise not_found("Checkout")
        body: Body = orjson.loads(row[0])
        return body

    def of(self, number: int) -> str:
        with self.store.reading() as connection:
            row = connection.execute("SELECT body FROM checkout WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise not_found("Checkout")
        return str(row[0])

    def renewals(self, number: int) -> list[Any]:
        self.of(number)
        with self.store.reading() as connection:
            rows = connection.execute(
                "SELECT body FROM renewal WHERE checkout_id = ? ORDER BY id", (number,)
            ).fetchall()
        return [orjson.loads(row[0]) for row in rows]


def _later(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(days=LOAN_DAYS)).isoformat()
