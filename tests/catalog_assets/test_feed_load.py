"""Feeds, from the folder to the library system: patrons, items and holdings."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import psycopg
import pytest
import redis
from psycopg import sql

from catalog_assets.definitions import build_defs
from catalog_assets.partitions import SETTINGS
from demo.ils.patrons import GROUPS
from demo.samples import feeds
from holdfast.catalogue.plan_document import measures_of
from resources.ledger.client import Ledger
from resources.ledger.gate import APPLIED
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from tests.catalogue_load import DAY
from tests.demo_ils import DemoIls
from tests.feed_load import (
    ALL,
    HEAD,
    STAFF,
    UNDERGRAD,
    FeedLoaded,
    add_user,
    feed_load,
    feed_partition,
    fine_feed,
    lay_shelf,
    listed,
    location,
    put,
    student,
    users,
)
from tests.mfhd import LEADER, mfhd

pytestmark = [pytest.mark.services, pytest.mark.dagster]
READING_ROOM = "2e48e713-17f3-4c13-a9f8-23845bb210a4"


@pytest.fixture(autouse=True)
def groups(library: DemoIls) -> None:
    """mod-users' own patron groups."""
    for number, name in GROUPS.items():
        library.call("POST", "/groups", json={"id": number, "group": name}).raise_for_status()


def waiting(postgres: Postgres, feed: str = "students") -> list[tuple[str, str, str]]:
    found = Quarantine(postgres, "catalogue").waiting(feed_partition(feed))
    return [(each["code"], each["place"], each["rule"]) for each in found]


def test_patrons_are_added_changed_and_left_as_they_are(library: DemoIls, postgres: Postgres) -> None:
    add_user(library, 1)
    add_user(library, 2)
    put(
        HEAD
        + student(1)
        + student(2, "Newname")
        + student(3)
        + student(4, status="emeritus")
        + student(5, until="soon")
    )
    loaded = fine_feed()
    assert loaded.outcomes == {"committed": 2, "quarantined": 2, "unchanged": 1}
    there = users(library)
    assert there["M000002"]["personal"]["lastName"] == "Newname"
    assert there["M000002"]["personal"]["dateOfBirth"] == "2003-02-01T00:00:00.000+00:00"
    new = there["M000003"]
    assert (new["barcode"], new["active"], new["type"], new["patronGroup"]) == ("C000003", True, "patron", UNDERGRAD)
    changes = loaded.rows("feed_plan", "changes")
    assert changes.filter(changes["record"] == 2)["element"].to_list() == ["last_name"]
    codes = {code: (place, rule) for code, place, rule in waiting(postgres)}
    assert codes["feed.date"][0] == "students.csv row 5 line 6 element expires"
    assert "has no 'emeritus' (it has: faculty, graduate, staff, undergrad)" in codes["feed.reference"][1]
    # One request a page of keys, one a written patron and one to read it back.
    writes = [each for each in library.audit("USER") if each["user"] == "demo" and each["action"] != "DELETE"]
    assert len(writes) == 4  # two by this test

    again = fine_feed()
    assert again.outcomes == loaded.outcomes
    assert len([each for each in library.audit("USER") if each["user"] == "demo"]) == 4


def test_whom_a_full_feed_does_not_name_is_expired_once_and_only_in_its_groups(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 9):
        add_user(library, number)
    add_user(library, 20, STAFF)
    put(HEAD + "".join(student(number) for number in range(1, 6)))
    held = fine_feed()
    assert "3 of 8 patrons are missing" in held.waits_for and "missing_share is 20%" in held.waits_for
    assert held.outcomes == {"planned": 3, "unchanged": 5}
    feed = SETTINGS.feeds["students"].model_copy(update={"missing_share": 0.5})
    monkeypatch.setitem(SETTINGS.feeds, "students", feed)
    assert fine_feed().outcomes == {"committed": 3, "unchanged": 5}
    day = DAY.date().isoformat()
    ended = {each for each, user in users(library).items() if user["expirationDate"].startswith(day)}
    assert ended == {"M000006", "M000007", "M000008"}
    writes = len(library.audit("USER"))
    assert fine_feed().outcomes == {"committed": 3, "unchanged": 5}
    assert len(library.audit("USER")) == writes

    # A later file of the day holds everybody again: one is back, and one whose row is broken is not missing.
    put(HEAD + "".join(student(n) for n in (2, 3, 4, 5, 6)) + student(1, until="?"), "again.csv", later=60)
    last = fine_feed()
    assert last.outcomes == {"committed": 4, "duplicate": 5, "quarantined": 1, "unchanged": 4}
    there = users(library)
    assert there["M000006"]["expirationDate"].startswith("2031-09-30")
    assert there["M000001"]["expirationDate"].startswith("2031-09-30")


def test_nobody_is_expired_while_a_row_can_not_be_read(library: DemoIls, postgres: Postgres) -> None:
    for number in range(1, 9):
        add_user(library, number)
    put(HEAD + "".join(student(number) for number in range(1, 8)) + "M000008,only,three\n")
    held = fine_feed()
    assert "1 rows can't be read, and whom they name is not known" in held.waits_for
    assert held.outcomes == {"planned": 1, "quarantined": 1, "unchanged": 7}
    put(HEAD, "empty.csv", later=30)  # nobody is in it: that is no list of everybody
    assert not fine_feed().rows("feed_plan").height
    put(HEAD + "".join(student(number) for number in range(1, 8)), "mended.csv", later=60)
    mended = fine_feed()
    assert mended.waits_for == "everything that was planned is written"
    assert mended.outcomes == {"committed": 1, "duplicate": 7, "quarantined": 1, "unchanged": 7}
    assert users(library)["M000008"]["expirationDate"].startswith(DAY.date().isoformat())


def test_what_somebody_changed_after_the_plan_stays_and_a_new_plan_heals_it(
    library: DemoIls, postgres: Postgres
) -> None:
    first, second = add_user(library, 1), add_user(library, 2)
    put(HEAD + student(1, "Fromfeed") + student(2, "Fromfeed"))
    fine_feed(only=ALL[:2])
    first["personal"]["lastName"] = "Bylibrarian"
    library.call("PUT", f"/users/{first['id']}", json=first).raise_for_status()
    second["personal"]["phone"] = "1"  # another element
    library.call("PUT", f"/users/{second['id']}", json=second).raise_for_status()
    stopped = fine_feed(only=("feed_commits",))
    assert stopped.outcomes == {"committed": 1, "quarantined": 1}
    assert users(library)["M000001"]["personal"]["lastName"] == "Bylibrarian"
    kept = users(library)["M000002"]["personal"]
    assert (kept["lastName"], kept["phone"]) == ("Fromfeed", "1")
    ((code, place, _),) = waiting(postgres)
    assert code == "ils.conflicted" and "last_name: somebody changed it" in place and "Bylibrarian" not in place
    assert fine_feed().outcomes == {"committed": 2}
    assert users(library)["M000001"]["personal"]["lastName"] == "Fromfeed"


def test_what_the_system_refuses_stops_only_itself_and_says_no_value(library: DemoIls, postgres: Postgres) -> None:
    add_user(library, 1)
    put(HEAD + student(1) + student(2, login="login1") + student(3))
    assert fine_feed().outcomes == {"committed": 1, "quarantined": 1, "unchanged": 1}
    ((code, place, _),) = waiting(postgres)
    assert code == "ils.failed" and "username" in place and "login1" not in place


def decide(plan: str, decision: str = "approve") -> dg.ExecuteInProcessResult:
    day = DAY.date().isoformat()
    given = {"source": "students", "day": day, "plan": plan, "decision": decision, "who": "Ada", "why": "looked at it"}
    config = {"ops": {"decide_plan": {"config": given}}}
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs().resolve_job_def("approve_plan")
        return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def write_approved() -> FeedLoaded:
    """What the daemon does with the sensor's request."""
    key = dg.MultiPartitionKey({"feed": "students", "day": DAY.date().isoformat()})
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs().resolve_job_def("write_approved_feed")
        return FeedLoaded(
            job.execute_in_process(partition_key=key, instance=instance, raise_on_error=False), "students"
        )


def test_a_new_feed_shows_its_first_plan_and_a_plan_over_its_budget_waits_for_approval(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = SETTINGS.budget_of("students").model_copy(update={"changes": 1})
    monkeypatch.setitem(SETTINGS.budgets, "students", budget)
    feed = SETTINGS.feeds["students"].model_copy(update={"first_load": "ask"})
    monkeypatch.setitem(SETTINGS.feeds, "students", feed)
    put(HEAD + student(1) + student(2))
    held = fine_feed()
    assert held.outcomes == {"planned": 2} and "the budget is 1" in held.waits_for and "first_load" in held.waits_for
    assert not held.checks["feed_plan.within_budget"].passed and not users(library)
    sha = str(held.metadata("feed_plan")["plan_sha256"])
    assert f"source students, day {DAY.date().isoformat()} and plan {sha[:12]}" in held.waits_for
    said = held.metadata("feed_plan")
    page = Path(said["page"])
    assert f"plans/students/{page.name}" in held.waits_for and sha in page.read_text()
    assert held.checks["feed_plan.within_budget"].metadata["page"].value == str(page)
    assert (said["create"], said["expire"], said["requests"]) == (2, 0, 2)
    assert "| patron | create | last\\_name | added | 2 | 2 |" in said["changes_by_field"]
    assert fine_feed().rows("feed_plan", "document")["plan_sha256"].to_list() == [sha], "made again it is the same plan"

    assert not decide("0" * 12).success
    assert decide(sha[:12], "reject").success
    assert "rejected by Ada" in fine_feed().waits_for and not users(library)
    decided = decide(sha[:12])
    (observed,) = decided.get_asset_observation_events()
    assert observed.asset_observation_data.asset_observation.metadata["page"].value == str(page)
    assert [each.partition for each in Plans(postgres, "folio:demo").approved_after(0)] == [feed_partition()]
    written = write_approved()
    assert written.success and written.outcomes == {"committed": 2}, written.error
    assert sorted(users(library)) == ["M000001", "M000002"]
    assert written.lake.read(APPLIED, f"{feed_partition()}|{sha}").height == 2
    assert Plans(postgres, "folio:demo").history("students").measures[0].created == 2


def test_a_plan_of_a_feed_that_was_tampered_with_is_refused(library: DemoIls) -> None:
    put(HEAD + student(1))
    held = fine_feed(only=ALL[:2])
    (part,) = held.lake.parts("feed_plan", feed_partition(), "changes")
    pl.read_parquet(part).with_columns(pl.col("after").str.replace("undergrad", "staff")).write_parquet(part)
    refused = feed_load(only=("feed_commits",))
    assert not refused.success and "its rows and changes have the hash" in refused.error and not users(library)


# ---- items and holdings -----------------------------------------------------------------------------------------------

ITEMS = "barcode,signature,volume,copy,loan\n"


@pytest.fixture
def shelf(library: DemoIls) -> DemoIls:
    lay_shelf(library)
    return library


def test_items_are_changed_and_their_status_is_left_to_circulation(shelf: DemoIls, postgres: Postgres) -> None:
    put(
        ITEMS + "391,QA 1,v.1,2,Reading room\n392,old,,,\n393,QA 3,,,Can circulate\n391,QA 1,v.1,2,Reading room\n",
        "i.csv",
        "shelving",
    )
    loaded = fine_feed("shelving")
    assert loaded.outcomes == {"committed": 1, "duplicate": 1, "quarantined": 1, "unchanged": 1}
    assert measures_of(loaded.rows("feed_plan", "document")["measures"].item()).catalogue == 2
    item = next(each for each in listed(shelf, "/item-storage/items", "items") if each["barcode"] == "391")
    assert (item["itemLevelCallNumber"], item["volume"], item["copyNumber"]) == ("QA 1", "v.1", "2")
    assert item["status"]["name"] == "Checked out" and item["permanentLoanTypeId"] == READING_ROOM
    ((code, place, rule),) = waiting(postgres, "shelving")
    assert code == "feed.incomplete" and "i.csv row 3 line 4 element holdings" in place and "new" in rule
    assert fine_feed("shelving").outcomes == loaded.outcomes


def test_an_item_that_is_lent_between_plan_and_commit_is_no_conflict(shelf: DemoIls) -> None:
    put(ITEMS + "391,QA 1,,,\n392,QA 2,,,\n", "i.csv", "shelving")
    fine_feed("shelving", only=ALL[:2])
    first, second = sorted(listed(shelf, "/item-storage/items", "items"), key=lambda each: each["barcode"])
    shelf.call(
        "PUT", f"/item-storage/items/{first['id']}", json=first | {"status": {"name": "Available"}}
    ).raise_for_status()
    shelf.call(
        "PUT", f"/item-storage/items/{second['id']}", json=second | {"itemLevelCallNumber": "mine"}
    ).raise_for_status()
    assert fine_feed("shelving", only=("feed_commits",)).of_records == {1: "committed", 2: "quarantined"}
    numbers = {
        each["barcode"]: (each["itemLevelCallNumber"], each["status"]["name"])
        for each in listed(shelf, "/item-storage/items", "items")
    }
    assert numbers == {"391": ("QA 1", "Available"), "392": ("mine", "Checked out")}


def test_holdings_records_are_added_changed_and_hidden(shelf: DemoIls, postgres: Postgres) -> None:
    records = [
        mfhd("h-100", ("852", "$bML/STACKS$hQA 1"), ("866", "$av.1-")),
        mfhd("h-200", ("852", "$bML/RR$hQA 2"), ("853", "$81$av.$i(year)"), ("863", "$81.1$a1-9$i1990-1998")),
        mfhd("h-300", ("852", "$bATTIC")),
    ]
    put(b"".join(records), "h.mrc", "serials")
    loaded = fine_feed("serials")
    assert loaded.outcomes == {"committed": 2, "quarantined": 1}
    found = {each["formerIds"][0]: each for each in listed(shelf, "/holdings-storage/holdings", "holdingsRecords")}
    assert found["h-100"]["holdingsStatements"] == [{"statement": "v.1-"}]
    assert found["h-100"]["permanentLocationId"] == location(shelf, "ML/STACKS")
    assert found["h-200"]["holdingsStatements"] == [{"statement": "v.1-9 (1990-1998)"}]
    assert found["h-200"]["instanceId"] == found["h-100"]["instanceId"]
    ((code, place, rule),) = waiting(postgres, "serials")
    assert code == "feed.reference" and "h.mrc record 3 element location" in place and "ML/STACKS" in rule
    put(mfhd("h-200", leader=LEADER[:5] + "d" + LEADER[6:]), "later.mrc", "serials", later=60)
    assert fine_feed("serials").outcomes == {"committed": 2, "duplicate": 1, "quarantined": 1}
    found = {each["formerIds"][0]: each for each in listed(shelf, "/holdings-storage/holdings", "holdingsRecords")}
    assert found["h-200"]["discoverySuppress"] is True and not found["h-100"].get("discoverySuppress")


# ---- nothing of a patron anywhere -------------------------------------------------------------------------------------

NAMES = (
    "Quetzalcoatlova",
    "Xylophonia",
    "M777777",
    "CARD-777",
    "xylo.quetz",
    "xylo@quetz.example",
    "1977-07-07",
    "07.07.1977",
)


def _texts(url: str) -> Iterator[tuple[str, str]]:
    """(table, all of its rows as text) of every schema of the database."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'"
        ).fetchall()
        for schema, table in tables:
            name = sql.Identifier(schema, table)
            rows = connection.execute(sql.SQL("SELECT row_to_json(t)::text FROM {} AS t").format(name)).fetchall()
            yield f"{schema}.{table}", "\n".join(row[0] for row in rows)


def _content(path: Path) -> str:
    """Of Parquet, which is packed, the rows."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).write_json()
    return path.read_bytes().decode("latin-1")


def _redis(url: str) -> str:
    """Keys and values of the whole database; a dump would be packed."""
    read = {b"string": "get", b"hash": "hgetall", b"set": "smembers", b"list": "lrange", b"zset": "zrange"}
    with contextlib.closing(redis.Redis.from_url(url)) as client:
        found = [(key, read.get(client.type(key), "dump")) for key in client.scan_iter("*")]
        ends = {"lrange": (0, -1), "zrange": (0, -1)}
        return repr([(key, getattr(client, how)(key, *ends.get(how, ()))) for key, how in found])


def test_nothing_of_a_patron_is_kept_anywhere_but_in_the_library_system(
    library: DemoIls,
    postgres: Postgres,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Added, changed, expired, refused, in conflict and in quarantine: with names that nobody overlooks."""
    caplog.set_level(logging.INFO)
    person = {
        "family": NAMES[0],
        "given": NAMES[1],
        "card": NAMES[3],
        "login": NAMES[4],
        "mail": NAMES[5],
        "born": NAMES[7],
    }
    born = {"dateOfBirth": "1977-07-07T00:00:00.000+00:00", "lastName": NAMES[0], "firstName": NAMES[1]}
    gone = {"externalSystemId": "M777779", "barcode": "CARD-779", "username": "xylo.quetz9", "personal": born}
    changed = {"externalSystemId": "M777778", "barcode": "CARD-778", "username": "xylo.quetz8", "personal": born}
    for number, body in enumerate((gone, changed), 50):
        add_user(library, number, **body)
    for number in range(1, 9):
        add_user(library, number)
    rows = [
        student(777777, **person),
        f"M777778,CARD-778,xylo.quetz8,{NAMES[0]}x,{NAMES[1]},{NAMES[5]}8,{NAMES[7]},undergrad,30.09.2031\n",
        f"M777771,CARD-771,xylo.quetz,{NAMES[0]},{NAMES[1]},,{NAMES[7]},undergrad,30.09.2031\n",  # a login that is taken
        f"M777772,CARD-772,xylo.quetz2,{NAMES[0]},{NAMES[1]},,{NAMES[7]},nobility,30.09.2031\n",
        f"M777773,CARD-773,xylo.quetz3,{NAMES[0]},{NAMES[1]},,{NAMES[0]},undergrad,30.09.2031\n",  # no date
        f'M777774,"{NAMES[0]},{NAMES[1]}\n',
        *(student(number) for number in range(1, 9)),
    ]
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        put(HEAD + "".join(rows[:5] + rows[6:]))
        loaded = fine_feed(instance=instance)
        assert loaded.outcomes == {"committed": 3, "quarantined": 3, "unchanged": 8}
        put(HEAD + "".join(rows), "broken.csv", later=5)
        assert fine_feed(instance=instance).outcomes["quarantined"] >= 4
        runs = json.dumps([[run.tags, run.run_config] for run in instance.get_runs()])
        events = "".join(str(each) for run in instance.get_runs() for each in instance.all_logs(run.run_id))
    assert users(library)["M777777"]["personal"]["lastName"] == NAMES[0]
    assert users(library)["M777779"]["expirationDate"].startswith(DAY.date().isoformat())

    stores = dict(_texts(database_url))
    assert "pii:" in stores["holdfast.ledger"]  # the images before are there, and masked
    stores |= {
        "redis": _redis(redis_url),
        "runs": runs,
        "events": events,
        "log": caplog.text,
        "output": "".join(capfd.readouterr()),
    }
    for path in [*SETTINGS.var.rglob("*"), *(tmp_path / "dagster").rglob("*")]:
        # What the registry left in the drop folder is its own; the demo's database is the library system.
        if path.is_file() and not path.is_relative_to(SETTINGS.feed_drops):
            stores[str(path)] = _content(path)
    pages = [text for name, text in stores.items() if "/reports/plans/students/" in name]
    assert len(pages) == 2 and any("pii:" in page and "students.csv row 2" in page for page in pages)
    assert not re.search("pii:[0-9a-f]", "".join(pages)), "not even a token is passed around"
    assert any(each.endswith(".parquet") for each in stores) and len(
        Ledger(postgres).rows("folio:demo", "students", feed_partition())
    )
    assert NAMES[0] in "".join(repr(users(library)))  # what is looked for can be found
    leaks = {
        (name, store)
        for store, text in stores.items()
        for name in ("Quetzal", "Xyloph", "M77777", "CARD-77", "xylo", "1977")
        if name in text
    }
    assert not leaks


def test_the_samples_do_what_they_say(library: DemoIls, postgres: Postgres) -> None:
    for group in GROUPS:
        library.call("DELETE", f"/groups/{group}").raise_for_status()  # the sample library brings its own
    library.seed()
    put(feeds.students())
    students = fine_feed()
    known = sum(
        1 for each in listed(library, "/users", "users") if GROUPS.get(each.get("patronGroup", "")) in feeds.STUDENTS
    )
    assert students.outcomes == {
        "committed": feeds.GONE + feeds.CHANGED + feeds.NEW,
        "quarantined": 2,
        "unchanged": known - feeds.NEW - feeds.GONE - feeds.CHANGED,
    }
    assert {code for code, _, _ in waiting(postgres)} == {"feed.date", "feed.reference"}
    put(feeds.items(), "items.csv", "shelving")
    assert fine_feed("shelving").outcomes == {"committed": feeds.RECLASSIFIED, "quarantined": 1}
    put(feeds.serials(), "serials.mrc", "serials")
    assert fine_feed("serials").outcomes == {"committed": 2, "quarantined": 1}
