"""A day at the desks: check-outs, renewals and returns, some written down late, some by a clock that is wrong.

`POST /_demo/circulation/day`: `{"day": "2026-01-31", "loans": 20, "seed": 1, "late": 0.1, "skew_seconds": 60}`. The same
request on the same library makes the same events under other ids.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import Any

import orjson

from demo.ils.audit import Origin
from demo.ils.circulation import Circulation
from demo.ils.errors import Refused, bad_request
from demo.ils.reference import DESK_1, DESK_2

MOST_LOANS = 10_000


@dataclass(frozen=True)
class Day:
    """`late`: share of events that are written down hours after they happened (the desks were offline). `skew_seconds`:
    each desk's clock is off by up to so much. `backdated`: share of returns out of the book drop, dated before."""

    day: dt.date
    loans: int = 20
    seed: int = 1
    late: float = 0.1
    backdated: float = 0.1
    skew_seconds: float = 0


def read_day(request: Any) -> Day:
    try:
        given = dict(request)
        return Day(
            dt.date.fromisoformat(given["day"]),
            min(int(given.get("loans", 20)), MOST_LOANS),
            int(given.get("seed", 1)),
            float(given.get("late", 0.1)),
            float(given.get("backdated", 0.1)),
            float(given.get("skew_seconds", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise bad_request(
            f"day (YYYY-MM-DD), loans, seed, late, backdated, skew_seconds were expected: {error}"
        ) from error


def make_day(circulation: Circulation, day: Day) -> dict[str, int]:
    """Counts of what happened: `checkedout`, `renewed`, `checkedin`, `late`, `refused`."""
    chance = random.Random(f"{day.seed} {day.day}")
    items, cards = _barcodes(circulation)
    if not items or not cards:
        raise bad_request("the library has no items with a barcode, or no active patrons: seed it first")
    counts = dict.fromkeys(("checkedout", "renewed", "checkedin", "late", "refused"), 0)
    opening = dt.datetime.combine(day.day, dt.time(9), dt.UTC)
    skews = {desk: chance.uniform(-day.skew_seconds, day.skew_seconds) for desk in (DESK_1, DESK_2)}
    open_loans = _open_loans(circulation)
    for number in range(day.loans):
        happened = opening + dt.timedelta(seconds=number * 36_000 / day.loans + chance.uniform(0, 20))
        desk = chance.choice(sorted(skews))
        late = chance.random() < day.late
        written = happened + dt.timedelta(seconds=skews[desk] + (chance.uniform(600, 7200) if late else 0))
        wish = chance.random()
        try:
            if wish < 0.5 or not open_loans:
                free = [each for each in items if each not in open_loans]
                item, card = chance.choice(free or items), chance.choice(cards)
                request = {"itemBarcode": item, "userBarcode": card, "servicePointId": desk}
                circulation.check_out(request | {"loanDate": _iso(happened)}, _origin(desk), _iso(written))
                open_loans[item] = card
                counts["checkedout"] += 1
            elif wish < 0.65:
                item = chance.choice(sorted(open_loans))
                request = {"itemBarcode": item, "userBarcode": open_loans[item]}
                circulation.renew(request, _origin(desk), _iso(written))
                counts["renewed"] += 1
            else:
                item = chance.choice(sorted(open_loans))
                dropped = (
                    dt.timedelta(hours=chance.uniform(1, 14)) if chance.random() < day.backdated else dt.timedelta()
                )
                request = {"itemBarcode": item, "servicePointId": desk, "checkInDate": _iso(happened - dropped)}
                circulation.check_in(request, _origin(desk), _iso(written))
                del open_loans[item]
                counts["checkedin"] += 1
            counts["late"] += late
        except Refused:
            counts["refused"] += 1
    return counts


def _barcodes(circulation: Circulation) -> tuple[list[str], list[str]]:
    with circulation.store.reading() as connection:
        items = [row[0] for row in connection.execute("SELECT barcode FROM item WHERE barcode <> '' ORDER BY barcode")]
        users = [orjson.loads(row[0]) for row in connection.execute("SELECT body FROM document WHERE kind = 'user'")]
    return items, sorted(each["barcode"] for each in users if each.get("active") and each.get("barcode"))


def _open_loans(circulation: Circulation) -> dict[str, str]:
    """Item barcode → patron barcode of the loans that are open."""
    found = orjson.loads(circulation.find('status.name == "Open"', 1_000_000, 0))["loans"]
    return {
        each["item"]["barcode"]: each["borrower"]["barcode"]
        for each in found
        if each.get("item", {}).get("barcode") and each.get("borrower", {}).get("barcode")
    }


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _origin(desk: str) -> Origin:
    return Origin(user="desk 1" if desk == DESK_1 else "desk 2", request_id="circulation/day")
