"""Loans: FOLIO mod-circulation (check-out, check-in, renewal by barcode) over mod-circulation-storage (loans and their history).

Every write of a loan leaves a snapshot in the loan history and a line in the circulation log. Loans have no `_version`;
the item that they are about has, and each of these changes raises it.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import uuid
from typing import Any

import orjson

from demo.ils import audit
from demo.ils.audit import Entry, Origin
from demo.ils.documents import COLUMNS, Body, DocumentKind, Documents
from demo.ils.errors import Refused, bad_request, invalid, not_found
from demo.ils.inventory import ITEM, Inventory
from demo.ils.patrons import USER
from demo.ils.store import Store

_TEXT, _OBJECT, _FLAG, _NUMBER = (str,), (dict,), (bool,), (int,)
LOAN_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        "id userId proxyUserId itemId itemEffectiveLocationIdAtCheckOut loanDate dueDate returnDate systemReturnDate action"
        " actionComment itemStatus loanPolicyId checkoutServicePointId checkinServicePointId patronGroupIdAtCheckout"
        " declaredLostDate claimedReturnedDate overdueFinePolicyId lostItemPolicyId".split(),
        _TEXT,
    ),
    **dict.fromkeys(("status", "forUseAtLocation", "metadata", "agedToLostDelayedBilling", "reminders"), _OBJECT),
    **dict.fromkeys(("dueDateChangedByRecall", "isDcb"), _FLAG),
    "renewalCount": _NUMBER,
}
LOAN = DocumentKind("loan", "loans", LOAN_TYPES, required=("itemId", "loanDate", "action"))
HISTORY = DocumentKind(
    "loan_history",
    "loansHistory",
    with_metadata=False,
    # The module sorts by createdDate, the published schema has creationDate: both are there.
    columns={"id": "id", "createdDate": "created", "creationDate": "created"},
)
LOG = DocumentKind("circulation_log", "logRecords", with_metadata=False, columns=COLUMNS | {"date": "created"})
ROLLING = "d9cd0bed-1b49-4b5e-a7bd-064b8d177231"  # the loan policy of mod-circulation-storage's reference data
LOAN_DAYS = 21
MOST_RENEWALS = 6
_LOGGED = {"checkedout": "Checked out", "renewed": "Renewed", "checkedin": "Closed loan", "deleted": "Deleted"}


class Circulation:
    """All raise Refused with the status that FOLIO gives; `when`, where it is given, is the moment of the system's clock
    that is written (the demo's own control makes days that are over)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.loans = Documents(store, LOAN)
        self.history = Documents(store, HISTORY)
        self.log = Documents(store, LOG)
        self.users = Documents(store, USER)
        self.items = Inventory(store, ITEM)

    # -- business logic

    def check_out(self, request: Any, origin: Origin, when: str | None = None) -> bytes:
        wanted = _texts(request, "itemBarcode", "userBarcode", "servicePointId")
        with self.store.writing() as (connection, now):
            stamp = when or now
            user = self._user(connection, wanted["userBarcode"])
            if not user.get("active"):
                raise invalid("Cannot check out to inactive user", "userBarcode", wanted["userBarcode"])
            item = self._item(connection, wanted["itemBarcode"])
            if item["status"]["name"] not in ("Available", "In transit", "Awaiting pickup", "Paged"):
                status = item["status"]["name"]
                raise invalid(f"{wanted['itemBarcode']} has the item status {status}", "itemBarcode", status)
            if self._open_loan(connection, item["id"]):
                raise invalid("Cannot check out item that already has an open loan", "itemId", item["id"])
            began = _moment(request.get("loanDate"), "loanDate") or stamp
            loan: Body = {
                "id": str(uuid.uuid4()),
                "userId": user["id"],
                "itemId": item["id"],
                "loanDate": began,
                "dueDate": _later(began, LOAN_DAYS),
                "status": {"name": "Open"},
                "action": "checkedout",
                "itemStatus": "Checked out",
                "renewalCount": 0,
                "loanPolicyId": ROLLING,
                "checkoutServicePointId": wanted["servicePointId"],
            }
            if user.get("patronGroup"):
                loan["patronGroupIdAtCheckout"] = user["patronGroup"]
            self._move_item(connection, now, origin, item, "Checked out", stamp)
            self._write(connection, now, stamp, origin, loan, "I", item, user)
        return orjson.dumps(self._shown(loan, item, user))

    def renew(self, request: Any, origin: Origin, when: str | None = None) -> bytes:
        wanted = _texts(request, "itemBarcode", "userBarcode")
        with self.store.writing() as (connection, now):
            stamp = when or now
            user, item = self._user(connection, wanted["userBarcode"]), self._item(connection, wanted["itemBarcode"])
            loan = self._open_loan(connection, item["id"])
            if loan is None or loan.get("userId") != user["id"]:
                raise invalid("Cannot renew item checked out to different user", "userBarcode", wanted["userBarcode"])
            if int(loan["renewalCount"]) >= MOST_RENEWALS:
                raise invalid("loan at maximum renewal number", "renewalCount", loan["renewalCount"])
            loan |= {"action": "renewed", "renewalCount": int(loan["renewalCount"]) + 1}
            loan["dueDate"] = _later(stamp, LOAN_DAYS)
            self._write(connection, now, stamp, origin, loan, "U", item, user)
        return orjson.dumps(self._shown(loan, item, user))

    def check_in(self, request: Any, origin: Origin, when: str | None = None) -> bytes:
        wanted = _texts(request, "itemBarcode", "servicePointId", "checkInDate")
        returned = _moment(wanted["checkInDate"], "checkInDate")
        with self.store.writing() as (connection, now):
            stamp = when or now
            item = self._item(connection, wanted["itemBarcode"])
            loan = self._open_loan(connection, item["id"])
            user = self.users.stored(connection, str(loan.get("userId"))) if loan else None
            if loan is None:
                self._log(connection, stamp, "Checked in", "CheckIn/CheckOut", item, None, "", wanted["servicePointId"])
            else:
                loan |= {
                    "status": {"name": "Closed"},
                    "action": "checkedin",
                    "itemStatus": "Available",
                    "returnDate": returned,
                    "systemReturnDate": stamp,
                    "checkinServicePointId": wanted["servicePointId"],
                }
                self._write(connection, now, stamp, origin, loan, "U", item, user)
            item["lastCheckIn"] = {"dateTime": returned, "servicePointId": wanted["servicePointId"]}
            item["lastCheckIn"]["staffMemberId"] = origin.user_id
            self._move_item(connection, now, origin, item, "Available", stamp)
        answer: Body = {"item": self._item_shown(item), "inHouseUse": loan is None}
        if loan is not None:
            answer["loan"] = self._shown(loan, item, user)
        return orjson.dumps(answer)

    def find(self, query: str | None, limit: int, offset: int) -> bytes:
        """`/circulation/loans`: stored loans with what mod-circulation adds of item and borrower."""
        found = orjson.loads(self.loans.find(query, limit, offset))
        with self.store.reading() as connection:
            for number, loan in enumerate(found["loans"]):
                item = self._item_by_id(connection, loan["itemId"])
                user = self.users.stored(connection, loan["userId"]) if loan.get("userId") else None
                found["loans"][number] = self._shown(loan, item, user)
        return orjson.dumps(found)

    def get(self, loan_id: str) -> bytes:
        with self.store.reading() as connection:
            loan = self.loans.stored(connection, loan_id)
            if loan is None:
                raise not_found()
            item = self._item_by_id(connection, loan["itemId"])
            user = self.users.stored(connection, loan["userId"]) if loan.get("userId") else None
        return orjson.dumps(self._shown(loan, item, user))

    # -- storage

    def create_loan(self, body: Any, origin: Origin) -> bytes:
        loan = LOAN.check(body)
        with self.store.writing() as (connection, now):
            loan["id"] = str(loan.get("id") or uuid.uuid4()).lower()
            if self.loans.stored(connection, loan["id"]) is not None:
                raise invalid(f"id value already exists in table loan: {loan['id']}", "id", loan["id"])
            self._refuse_second_open(connection, loan)
            self._write(connection, now, now, origin, loan, "I", None, None)
        return orjson.dumps(loan)

    def replace_loan(self, loan_id: str, body: Any, origin: Origin) -> None:
        loan = LOAN.check(body)
        if loan.setdefault("id", loan_id) != loan_id:
            raise bad_request("the id in the path and in the body differ")
        with self.store.writing() as (connection, now):
            if self.loans.stored(connection, loan_id) is None:
                raise not_found()
            self._refuse_second_open(connection, loan)
            self._write(connection, now, now, origin, loan, "U", None, None)

    def delete_loan(self, loan_id: str, origin: Origin) -> None:
        """The history keeps it, with the action `deleted`."""
        with self.store.writing() as (connection, now):
            loan = self.loans.stored(connection, loan_id)
            if loan is None:
                raise not_found()
            connection.execute("DELETE FROM document WHERE kind = 'loan' AND id = ?", (loan_id,))
            self._remember(connection, now, loan | {"action": "deleted"}, "D")
            audit.record(connection, now, origin, [Entry("LOAN", loan_id, "DELETE", 0, orjson.dumps(loan))])

    def _refuse_second_open(self, connection: sqlite3.Connection, loan: Body) -> None:
        if (loan.get("status") or {}).get("name") != "Open":
            return
        if not loan.get("userId"):
            raise invalid("Open loan must have a user ID", "userId", "null")
        other = self._open_loan(connection, loan["itemId"])
        if other is not None and other["id"] != loan["id"]:
            raise invalid("Cannot have more than one open loan for the same item", "itemId", loan["itemId"])

    def _write(
        self,
        connection: sqlite3.Connection,
        now: str,
        stamp: str,
        origin: Origin,
        loan: Body,
        operation: str,
        item: Body | None,
        user: Body | None,
    ) -> None:
        self.loans.put(connection, stamp, origin, loan)
        self._remember(connection, stamp, loan, operation)
        action = "CREATE" if operation == "I" else "UPDATE"
        own = orjson.dumps({name: value for name, value in loan.items() if name != "metadata"})
        audit.record(connection, now, origin, [Entry("LOAN", loan["id"], action, 0, own, None, own)])
        if item is not None:
            desk = str(loan.get("checkinServicePointId") or loan.get("checkoutServicePointId") or "")
            self._log(connection, stamp, _LOGGED[loan["action"]], "Loan", item, user, loan["id"], desk)

    def _remember(self, connection: sqlite3.Connection, stamp: str, loan: Body, operation: str) -> None:
        snapshot = {"id": str(uuid.uuid4()), "operation": operation, "loan": loan}
        snapshot |= {"creationDate": stamp, "createdDate": stamp}
        self.history.put(connection, stamp, Origin(), snapshot)

    def _log(
        self,
        connection: sqlite3.Connection,
        stamp: str,
        action: str,
        what: str,
        item: Body,
        user: Body | None,
        loan_id: str,
        desk: str,
    ) -> None:
        entry: Body = {
            "id": str(uuid.uuid4()),
            "eventId": str(uuid.uuid4()),
            "items": [
                {
                    "itemBarcode": item.get("barcode", ""),
                    "itemId": item["id"],
                    "holdingId": item["holdingsRecordId"],
                    **({"loanId": loan_id} if loan_id else {}),
                }
            ],
            "object": what,
            "action": action,
            "date": stamp,
            "servicePointId": desk,
            "source": "Demo",
            "description": f"{action}.",
        }
        if user:
            entry |= {"userBarcode": user.get("barcode", ""), "linkToIds": {"userId": user["id"]}}
        self.log.put(connection, stamp, Origin(), entry)

    # -- what a loan points to

    def _user(self, connection: sqlite3.Connection, barcode: str) -> Body:
        user = self.users.one(connection, f'barcode == "{_quoted(barcode)}"')
        if user is None:
            raise invalid(f"Could not find user with matching barcode {barcode}", "userBarcode", barcode)
        return user

    def _item(self, connection: sqlite3.Connection, barcode: str) -> Body:
        row = connection.execute("SELECT body FROM item WHERE barcode = ?", (barcode,)).fetchone()
        if row is None:
            raise invalid(f"No item with barcode {barcode} exists", "itemBarcode", barcode)
        return dict(orjson.loads(row[0]))

    def _item_by_id(self, connection: sqlite3.Connection, item_id: str) -> Body | None:
        row = connection.execute("SELECT body FROM item WHERE id = ?", (item_id,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def _open_loan(self, connection: sqlite3.Connection, item_id: str) -> Body | None:
        row = connection.execute(
            "SELECT body FROM document WHERE kind = 'loan' AND json_extract(body, '$.itemId') = ?"
            " AND json_extract(body, '$.status.name') = 'Open'",
            (item_id,),
        ).fetchone()
        return orjson.loads(row[0]) if row else None

    def _move_item(
        self, connection: sqlite3.Connection, now: str, origin: Origin, item: Body, status: str, stamp: str
    ) -> None:
        item["status"] = {"name": status, "date": stamp}
        entries = self.items.write(connection, now, origin, [item], upsert=True)
        audit.record(connection, now, origin, entries)

    def _item_shown(self, item: Body) -> Body:
        names = ("id", "barcode", "holdingsRecordId", "enumeration", "chronology", "volume", "displaySummary")
        return {name: item[name] for name in names if name in item} | {"status": item["status"]}

    def _shown(self, loan: Body, item: Body | None, user: Body | None) -> Body:
        shown = {name: value for name, value in loan.items() if name not in ("itemStatus", "patronGroupIdAtCheckout")}
        if item is not None:
            shown["item"] = self._item_shown(item)
        if user is not None:
            personal = user.get("personal") or {}
            names = ("firstName", "lastName", "middleName", "preferredFirstName")
            shown["borrower"] = {name: personal[name] for name in names if name in personal}
            if user.get("barcode"):
                shown["borrower"]["barcode"] = user["barcode"]
        return shown


def _texts(request: Any, *names: str) -> dict[str, str]:
    if not isinstance(request, dict):
        raise bad_request("a JSON object was expected")
    for name in names:
        if not isinstance(request.get(name), str) or not request[name]:
            raise invalid("must not be null", name, "null")
    return {name: request[name] for name in names}


def _moment(text: Any, name: str) -> str:
    """A moment in UTC with milliseconds; '' for none."""
    if text is None:
        return ""
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Refused(422, "must be a date and time", {name: str(text)}) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")


def _later(moment: str, days: int) -> str:
    return (dt.datetime.fromisoformat(moment) + dt.timedelta(days=days)).isoformat(timespec="milliseconds")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*").replace("?", "\\?")
