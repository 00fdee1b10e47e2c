"""Days of circulation and of holdings, read from a real demo ILS into a real lake and a real PostgreSQL."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from demo.ils.patrons import sample_user
from holdfast.circulation.folding import fold
from holdfast.deltas.windows import NEVER_READ, NOT_OVER, window_of
from resources.deltas import circulation, holdings
from resources.deltas.circulation import LATE, read_circulation_day
from resources.deltas.holdings import Rules, TooManyGoneError, read_holdings_day
from resources.deltas.log import DeltaLog
from resources.ils.folio import FolioClient
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from tests.demo_ils import DemoIls
from tests.resources.ils.test_folio_inventory import BOOK, CAN_CIRCULATE, HOLDINGS, INSTANCE, PLACE, id_of, item

SALT = b"salt"
TEN = dt.timedelta(minutes=10)
JAN = dt.date(2026, 1, 29)
RULES = Rules(TEN, dt.timedelta(days=7), 0.2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def client(demo_ils: DemoIls) -> Iterator[FolioClient]:
    made = FolioClient(demo_ils.url, "demo", "demo", "demo-secret")
    yield made
    made.close()


@pytest.fixture
def shelf(demo_ils: DemoIls) -> DemoIls:
    """Thirty items and five patrons."""
    instance = {"id": INSTANCE, "source": "FOLIO", "title": "T", "instanceTypeId": BOOK}
    held = {"id": HOLDINGS, "instanceId": INSTANCE, "sourceId": PLACE, "permanentLocationId": PLACE}
    for path, body in (("/instance-storage/instances", instance), ("/holdings-storage/holdings", held)):
        demo_ils.call("POST", path, json=body).raise_for_status()
    items = [{"id": id_of(n), **item(n), "permanentLoanTypeId": CAN_CIRCULATE} for n in range(30)]
    demo_ils.call("POST", "/item-storage/batch/synchronous", json={"items": items}).raise_for_status()
    for number in range(5):
        demo_ils.call("POST", "/users", json=sample_user(number)).raise_for_status()
    return demo_ils


def desks(ils: DemoIls, day: dt.date, **more: Any) -> dict[str, int]:
    answer = httpx.post(
        f"{ils.url}/_demo/circulation/day", json={"day": day.isoformat(), "loans": 30, **more}, timeout=30
    )
    answer.raise_for_status()
    return dict(answer.json())


def window(day: dt.date) -> Any:
    return window_of(day, "UTC", TEN)


def test_days_of_circulation_in_any_order_and_again_end_in_the_same_state(
    shelf: DemoIls, client: FolioClient, lake: Lake, postgres: Postgres
) -> None:
    days = [JAN + dt.timedelta(days=n) for n in range(3)]
    for day in days:
        made = desks(shelf, day, seed=day.day, late=0.4, skew_seconds=60)
        assert made["late"] and made["checkedin"] and not made["refused"]
    first = {}
    for day in (days[2], days[0], days[1], days[0]):
        read = read_circulation_day(lake, postgres, client, window(day), SALT, TEN)
        rows = lake.read(circulation.ASSET, day.isoformat())
        assert first.setdefault(day, rows).equals(rows), "a day that is read again gives the same rows"
        assert read.rows == rows.height and not read.lacks and not read.late
    events = [lake.read(circulation.ASSET, day.isoformat()) for day in days]
    whole = fold(pl.concat(events).drop("in_window"))
    assert circulation.read_states(postgres, client.name).equals(whole)
    # It is what the library system itself says of each item.
    lent = {
        each["id"]
        for page in client.entities("item")
        for each in [e.body for e in page]
        if each["status"]["name"] == "Checked out"
    }
    assert set(whole.filter(pl.col("state") == "on loan")["item"]) == lent
    for number in range(5):
        assert sample_user(number)["id"] not in str(whole.to_dicts())


def test_gaps_are_days_that_were_not_read_and_days_that_were_not_over(
    shelf: DemoIls, client: FolioClient, lake: Lake, postgres: Postgres
) -> None:
    def read(day: dt.date) -> dict[dt.date, str]:
        return read_circulation_day(lake, postgres, client, window(day), SALT, TEN).gaps

    today = dt.datetime.now(dt.UTC).date()
    ago = [today - dt.timedelta(days=n) for n in range(5)]
    assert read(ago[4]) == {}
    assert read(ago[1]) == {ago[3]: NEVER_READ, ago[2]: NEVER_READ} | ({ago[1]: NOT_OVER} if _just_over() else {})
    assert read(ago[0])[today] == NOT_OVER
    for day in (ago[3], ago[2]):
        read(day)
    assert set(read(ago[0])) <= {today, ago[1]}


def _just_over() -> bool:
    """Whether the day before is not settled yet: the ten minutes after midnight."""
    return (dt.datetime.now(dt.UTC) - TEN).date() != dt.datetime.now(dt.UTC).date()


def test_what_was_written_down_after_a_day_was_read_makes_it_a_gap(
    shelf: DemoIls, client: FolioClient, lake: Lake, postgres: Postgres
) -> None:
    desks(shelf, JAN, late=0)
    read_circulation_day(lake, postgres, client, window(JAN), SALT, TEN)
    # A clock that was off: it comes into the last minutes of a day that was read.
    loan = {
        "id": id_of(99),
        "userId": sample_user(1)["id"],
        "itemId": id_of(1),
        "loanDate": "2026-01-29T10:00:00.000+00:00",
    }
    shelf.call("POST", "/loan-storage/loans", json={**loan, "action": "checkedout"}).raise_for_status()
    late = shelf.call("GET", "/loan-storage/loan-history", params={"query": f'loan.id == "{id_of(99)}"'}).json()[
        "loansHistory"
    ]
    assert len(late) == 1
    next_day = window(JAN + dt.timedelta(days=1))
    shifted = next_day.start - dt.timedelta(minutes=1)

    class Late:
        name, capabilities, clock = client.name, client.capabilities, client.clock
        entities, fetch_entities, write_entities = client.entities, client.fetch_entities, client.write_entities

        def circulation(self, since: str, until: str) -> Any:
            for page in client.circulation("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
                yield [_moved(each, shifted) for each in page if each.loan == id_of(99)]

    read = read_circulation_day(lake, postgres, Late(), next_day, SALT, TEN)
    assert read.late == 1 and read.gaps == {JAN: LATE}
    assert [each.lacks for each in DeltaLog(postgres, circulation.ASSET, client.name).readings()] == [LATE, ""]


def _moved(event: Any, moment: dt.datetime) -> Any:
    return dataclasses.replace(event, updated=moment.isoformat())


def test_a_day_of_holdings_says_what_changed_and_a_whole_comparison_what_is_gone(
    shelf: DemoIls, client: FolioClient, lake: Lake, postgres: Postgres
) -> None:
    today = dt.datetime.now(dt.UTC).date()

    def read(rules: Rules = RULES) -> holdings.DayRead:
        return read_holdings_day(lake, postgres, client, window(today), SALT, rules)

    first = read()
    assert (first.baseline, first.whole, first.rows, first.read) == (True, True, 31, 31)
    assert first.changes == {"added": 0, "changed": 0, "removed": 0} and first.lacks == NOT_OVER
    live = {each.id: each.body for page in client.entities("item") for each in page}
    note = {"noteType": "Check out", "note": "Owed by card 21"}
    changed = {**live[id_of(3)], "status": {"name": "Missing"}, "circulationNotes": [note], "enumeration": "v.1"}
    shelf.call("PUT", f"/item-storage/items/{id_of(3)}", json=changed).raise_for_status()
    shelf.call("POST", "/item-storage/items", json={"id": id_of(70), **item(70)}).raise_for_status()
    shelf.call("DELETE", f"/item-storage/items/{id_of(5)}").raise_for_status()

    second = read()
    assert not second.whole and second.changes == {"added": 1, "changed": 1, "removed": 0} and second.rows == 32
    deltas = lake.read(holdings.ASSET, today.isoformat(), "deltas")
    changes = deltas.filter(pl.col("change") == "changed").select("pointer", "before", "after").rows()
    assert ("/status/name", '"Available"', '"Missing"') in changes and ("/enumeration", "", '"v.1"') in changes
    assert "Owed" not in str(deltas.to_dicts()) and "pii:" in str(changes)

    third = read(Rules(TEN, dt.timedelta(0), 0.2))
    assert third.whole and third.changes == {"added": 1, "changed": 1, "removed": 1}
    assert lake.read(holdings.ASSET, today.isoformat()).filter(pl.col("id") == id_of(3)).height == 1
    deltas = lake.read(holdings.ASSET, today.isoformat(), "deltas")
    assert deltas.filter(pl.col("change") == "removed")["id"].to_list() == [id_of(5)]
    assert sum(frame.height for frame in holdings.read_states(postgres, client.name, "item")) == 30
    # Other rules of masking: nothing that was kept unmasked by the ones before is kept on.
    stricter = dataclasses.replace(RULES, masking=(*RULES.masking, "item:/enumeration"))
    fourth = read(stricter)
    assert fourth.baseline and not any(fourth.changes.values()) and fourth.rows == 31
    assert '"v.1"' not in str(
        [frame["body"].to_list() for frame in holdings.read_states(postgres, client.name, "item")]
    )
    for table in ("rows", "deltas"):
        assert '"v.1"' not in str(lake.read(holdings.ASSET, today.isoformat(), table).to_dicts())
    # Nothing changed since: it gives the same.
    rows = lake.read(holdings.ASSET, today.isoformat()).sort("id")
    assert read(stricter).changes == fourth.changes
    assert lake.read(holdings.ASSET, today.isoformat()).sort("id").equals(rows)


def test_a_library_system_that_shows_nothing_any_more_is_not_a_library_without_items(
    shelf: DemoIls, client: FolioClient, lake: Lake, postgres: Postgres
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    often = Rules(TEN, dt.timedelta(0), 0.2)
    read_holdings_day(lake, postgres, client, window(today), SALT, often)
    version = lake.version(holdings.ASSET, today.isoformat())
    shelf.call("DELETE", "/item-storage/items", params={"query": "cql.allRecords=1"}).raise_for_status()
    with pytest.raises(TooManyGoneError, match=r"30 of 31 .* raise it and materialize again"):
        read_holdings_day(lake, postgres, client, window(today), SALT, often)
    assert lake.version(holdings.ASSET, today.isoformat()) == version
    assert sum(frame.height for frame in holdings.read_states(postgres, client.name, "item")) == 30


def test_a_run_that_dies_between_lake_and_states_finds_the_same_changes_once(
    shelf: DemoIls, client: FolioClient, lake: Lake, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    read_holdings_day(lake, postgres, client, window(today), SALT, RULES)
    body = client.fetch_entities("item", [id_of(3)], [])[id_of(3)].body
    shelf.call("PUT", f"/item-storage/items/{id_of(3)}", json={**body, "volume": "2"}).raise_for_status()
    replace = lake.replace

    class Dies(Lake):
        def replace(self, asset: str, partition: str = "") -> Any:
            @contextlib.contextmanager
            def dying() -> Iterator[Any]:
                with replace(asset, partition) as writer:
                    yield writer
                raise KeyboardInterrupt

            return dying()

    with pytest.raises(KeyboardInterrupt):
        read_holdings_day(Dies(lake.root), postgres, client, window(today), SALT, RULES)
    again = read_holdings_day(lake, postgres, client, window(today), SALT, RULES)
    assert again.changes == {"added": 0, "changed": 1, "removed": 0}
    assert lake.rows(holdings.ASSET, today.isoformat(), "deltas") == 1
