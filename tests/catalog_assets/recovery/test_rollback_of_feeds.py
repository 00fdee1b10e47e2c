"""A window of a feed is taken back: all that was ours goes, all that is theirs stays, and no token is ever written."""

from __future__ import annotations

import contextlib
import json
import shutil
from typing import Any

import pytest

from catalog_assets.partitions import SETTINGS
from demo.ils.patrons import GROUPS
from holdfast.settings import Feed
from resources.ils.folio import FolioClient
from resources.lake.client import Lake
from resources.ledger import undoing
from resources.ledger.client import Ledger
from resources.ledger.commit import Committer
from resources.ledger.replaying import Recoveries
from resources.postgres.client import Postgres
from resources.redis.client import Redis, namespace_of
from resources.redis.locks import Locks, of_branch
from tests.demo_ils import DemoIls
from tests.demo_koha import DemoKoha
from tests.feed_load import HEAD, add_user, feed_partition, fine_feed, lay_shelf, listed, location, put, student, users
from tests.mfhd import mfhd
from tests.recovery_runs import Recovered, run

pytestmark = [pytest.mark.services, pytest.mark.dagster]


@pytest.fixture
def groups(library: DemoIls) -> None:
    for number, name in GROUPS.items():
        library.call("POST", "/groups", json={"id": number, "group": name}).raise_for_status()


def edit(ils: DemoIls, path: str, body: dict[str, Any], **more: Any) -> None:
    """A librarian saves a record."""
    ils.call("PUT", f"{path}/{body['id']}", json=body | more).raise_for_status()


def states(postgres: Postgres, ils: str, feed: str) -> set[str]:
    return {row["state"] for row in Ledger(postgres).rows(ils, feed, feed_partition(feed))}


def taken_back(feed: str, **form: Any) -> Recovered:
    done = run("rollback_window", feed, dry_run=False, **form)
    assert done.success, done.error
    return done


def stays(feed: str) -> list[tuple[str, str]]:
    rows = Lake(SETTINGS.var / "lake").read("rollback_window", feed_partition(feed), "conflicts")
    return sorted(rows.select("tag", "why").iter_rows())


@pytest.mark.usefixtures("groups")
def test_patrons_go_back_with_their_names_and_what_librarians_edited_stays(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = SETTINGS.feeds["students"].model_copy(update={"missing_share": 0.5})
    monkeypatch.setitem(SETTINGS.feeds, "students", feed)
    before = {f"M{n:06d}": add_user(library, n) for n in (1, 2, 3, 6)}
    rows = [student(1, "Newone", until="31.12.2032"), student(2, "Newtwo"), student(3, status="graduate"), student(4)]
    put(HEAD + "".join(rows))
    assert fine_feed().outcomes == {"committed": 5}  # with 6, who is not in it
    there = users(library)
    theirs = {**there["M000001"]["personal"], "phone": "1"}
    edit(library, "/users", there["M000001"], personal=theirs)
    edit(library, "/users", there["M000002"], personal={**there["M000002"]["personal"], "lastName": "Bylibrarian"})

    written = len(library.audit("USER"))
    shown = run("rollback_window", "students")
    assert shown.success, shown.error
    assert shown.metadata["dry_run"] and shown.metadata["planned"] == 5 and len(library.audit("USER")) == written
    done = taken_back("students")
    assert (done.metadata["rolled_back"], done.metadata["conflicts"]) == (5, 1)
    assert done.metadata["masked_not_restored"] == 0
    for told in (shown, done):
        text = json.dumps({name: str(value) for name, value in told.metadata.items()})
        assert not [each for each in ("Newone", "Newtwo", "Bylibrarian", "Family") if each in text]
    now = users(library)
    assert now["M000001"]["personal"]["lastName"] == "Family1" and now["M000001"]["personal"]["phone"] == "1"
    assert now["M000001"]["expirationDate"] == before["M000001"]["expirationDate"]
    assert now["M000002"]["personal"]["lastName"] == "Bylibrarian"
    assert now["M000003"]["patronGroup"] == before["M000003"]["patronGroup"]
    assert now["M000004"]["expirationDate"] < "2031"  # created: its account has ended
    assert now["M000006"]["expirationDate"] == before["M000006"]["expirationDate"]
    assert "pii:" not in json.dumps(now) and stays("students") == [("last_name", "edited")]
    assert states(postgres, "folio:demo", "students") == {"rolled_back"}

    # It does not come back by itself, and does where somebody says why.
    written = len(library.audit("USER"))
    assert fine_feed().outcomes == {"rolled_back": 5}
    assert run("replay_window", "students", reapply_rolled_back=True).metadata["set_back"] == 5
    (asked,) = Recoveries(postgres).asked()
    assert (asked["job"], asked["why"]) == ("feed_load", "ticket 7") and len(library.audit("USER")) == written
    assert fine_feed().outcomes == {"committed": 5}
    assert users(library)["M000001"]["personal"]["lastName"] == "Newone"


@pytest.mark.usefixtures("groups")
def test_holdings_and_items_go_back_and_what_is_lent_is_hidden_and_not_deleted(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_shelf(library)
    put(
        mfhd("h-100", ("852", "$bML/STACKS$hQA 1"), ("866", "$av.1-")) + mfhd("h-200", ("852", "$bML/RR$hQ")),
        "h.mrc",
        "serials",
    )
    assert fine_feed("serials").outcomes == {"committed": 2}
    columns = {**SETTINGS.feeds["shelving"].columns, "holdings": "held", "material_type": "type"}
    shelving = SETTINGS.feeds["shelving"].model_copy(update={"columns": columns})
    monkeypatch.setitem(SETTINGS.feeds, "shelving", shelving)
    new = "".join(f"39{n},QA {n},,,Can circulate,ho1,book\n" for n in (3, 4))
    put(f"barcode,signature,volume,copy,loan,held,type\n391,QA 1,v.1,,,,\n392,QA 2,v.2,,,,\n{new}", "i.csv", "shelving")
    assert fine_feed("shelving").outcomes == {"committed": 4}
    items = {each["barcode"]: each for each in listed(library, "/item-storage/items", "items")}
    edit(library, "/item-storage/items", items["391"], volume="mine", status={"name": "Available"})
    with contextlib.closing(FolioClient(library.url, "demo", "demo", "demo-secret")) as folio:
        edited = max(each.at for each in folio.audit("item", [items["391"]["id"]], "2026-01-01T00:00:00+00:00"))
    loan = {"itemId": items["393"]["id"], "userId": add_user(library, 1)["id"], "status": {"name": "Open"}}
    loan |= {"loanDate": "2026-03-11T10:00:00.000+00:00", "action": "checkedout"}
    library.call("POST", "/loan-storage/loans", json=loan).raise_for_status()

    done = taken_back("shelving", created="delete")
    assert (done.metadata["rolled_back"], done.metadata["not_deleted"]) == (4, 1)
    assert "it has 1 open loan" in done.metadata["records"]
    now = {each["barcode"]: each for each in listed(library, "/item-storage/items", "items")}
    assert (now["391"]["itemLevelCallNumber"], now["391"]["volume"]) == ("old", "mine")
    assert now["391"]["status"]["name"] == "Available"
    assert now["392"]["itemLevelCallNumber"] == "old" and "volume" not in now["392"]
    assert now["393"]["discoverySuppress"] is True and "394" not in now
    assert stays("shelving") == [("volume", "edited")]
    lake, key = Lake(SETTINGS.var / "lake"), feed_partition("shelving")
    assert lake.read("rollback_window", key, "conflicts")["changed_at"].item() == edited  # not the undo itself

    assert taken_back("serials").metadata["rolled_back"] == 2
    held = {each["formerIds"][0]: each for each in listed(library, "/holdings-storage/holdings", "holdingsRecords")}
    assert held["h-100"]["permanentLocationId"] == location(library, "E")
    assert not {"callNumber", "holdingsStatements"} & held["h-100"].keys()
    assert held["h-200"]["discoverySuppress"] is True


@pytest.mark.usefixtures("hurried")
def test_a_branch_is_shared_by_loads_and_held_alone_by_an_undo(
    library: DemoIls, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setitem(Committer.__init__.__kwdefaults__, "patience_seconds", 0.2)
    lay_shelf(library)
    (instance,) = listed(library, "/holdings-storage/holdings", "holdingsRecords")
    place = library.call("GET", f"/locations/{instance['permanentLocationId']}").json()
    branch = of_branch(place["libraryId"])
    put(mfhd("h-100", ("852", "$bML/STACKS$hQA 1")), "h.mrc", "serials")
    with contextlib.closing(Redis(redis_url, namespace=namespace_of(SETTINGS))) as redis:
        others = Locks(redis, "folio:demo", "another", lambda: 0)
        with others.take([branch]):
            held = fine_feed("serials")
            assert f"{branch} is locked by another" in held.waits_for and held.outcomes == {"planned": 1}
        with others.take([], shared=[branch]):
            assert fine_feed("serials").outcomes == {"committed": 1}
            refused = run("rollback_window", "serials", dry_run=False)
            assert not refused.success and f"waiting: {branch} is locked by another" in refused.error
        assert taken_back("serials").metadata["rolled_back"] == 1


@pytest.mark.usefixtures("groups")
def test_without_the_seal_what_is_open_goes_back_and_no_token_is_written(library: DemoIls) -> None:
    for number in (1, 2):
        add_user(library, number)
    put(HEAD + student(1, "Newone", until="31.12.2032") + student(2, "Newtwo"))
    fine_feed()
    shutil.rmtree(SETTINGS.var / "vault" / "images")
    done = taken_back("students")
    assert (done.metadata["rolled_back"], done.metadata["cannot"]) == (1, 1)
    assert done.metadata["masked_not_restored"] == 2 and "last_name: not put back" in done.metadata["records"]
    now = users(library)
    assert now["M000001"]["expirationDate"].startswith("2031-09-30")
    assert now["M000001"]["personal"]["lastName"] == "Newone" and "pii:" not in json.dumps(now)
    assert stays("students") == [("last_name", "masked")] * 2


@pytest.mark.faults
@pytest.mark.usefixtures("groups", "hurried")
@pytest.mark.parametrize("place", ["send", "settle"])
def test_an_undo_of_a_feed_that_dies_is_gone_on_with(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setitem(SETTINGS.__dict__, "ils", SETTINGS.ils.model_copy(update={"chunk_records": 2}))
    for number in range(6):
        add_user(library, number)
    put(HEAD + "".join(student(number, f"New{number}") for number in range(6)))
    fine_feed()
    written = len(library.audit("USER"))
    calls: list[int] = []
    known = getattr(Ledger, place)

    def die(self: Ledger, *args: object, **kwargs: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError("killed")
        known(self, *args, **kwargs)

    library.fault("drop_after", "PUT", "/users", times=1)
    with monkeypatch.context() as dying:
        dying.setattr(Ledger, place, die)
        assert not run("rollback_window", "students", dry_run=False).success
    taken_back("students")
    assert len(library.audit("USER")) == written + 6
    assert {each["personal"]["lastName"] for each in users(library).values()} == {f"Family{n}" for n in range(6)}
    assert states(postgres, "folio:demo", "students") == {"rolled_back"}
    undos = Ledger(postgres).rows("folio:demo", "students", f"rollback of {feed_partition()}")
    assert len(undos) == 6 and {row["state"] for row in undos} == {"acknowledged"}


def test_a_feed_of_items_and_one_of_patrons_of_koha(
    koha_library: DemoKoha, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    koha = koha_library
    koha.seed()
    columns = {"barcode": "barcode", "call_number": "signature", "staff_note": "note", "bib": "bib", "library": "at"}
    feed: dict[str, Any] = {"kind": "items", "key": "barcode", "first_load": "apply", "columns": columns}
    monkeypatch.setitem(SETTINGS.feeds, "shelving", Feed.model_validate(feed))
    first, second = koha.call("GET", "/items", params={"_per_page": 2, "_order_by": "+item_id"}).json()
    rows = [f"{each['external_id']},QA 1,Secretly,,\n" for each in (first, second)]
    rows += [f"new{n},QA 2,,{first['biblio_id']},{first['home_library_id']}\n" for n in (1, 2)]
    put("barcode,signature,note,bib,at\n" + "".join(rows), "i.csv", "shelving")
    assert fine_feed("shelving").outcomes == {"committed": 4}
    made = {each["external_id"]: each for each in koha.call("GET", "/items", params={"_per_page": -1}).json()}
    assert made[first["external_id"]]["internal_notes"] == "Secretly"
    path = f"/biblios/{second['biblio_id']}/items/{second['item_id']}"
    koha.call("PUT", path, json={"callnumber": "mine"}).raise_for_status()
    person = {"surname": "Reader", "library_id": first["home_library_id"], "category_id": "PT", "cardnumber": "Card1"}
    reader = koha.call("POST", "/patrons", json=person).json()
    lent = {"item_id": made["new1"]["item_id"], "patron_id": reader["patron_id"]}
    koha.call("POST", "/checkouts", json=lent).raise_for_status()
    done = taken_back("shelving", created="delete")
    assert (done.metadata["rolled_back"], done.metadata["not_deleted"], done.metadata["conflicts"]) == (4, 1, 1)
    now = {each["external_id"]: each for each in koha.call("GET", "/items", params={"_per_page": -1}).json()}
    names = ("callnumber", "internal_notes")
    assert [now[first["external_id"]][each] for each in names] == [first[each] for each in names]
    assert [now[second["external_id"]][each] for each in names] == ["mine", second["internal_notes"]]
    assert now["new1"]["withdrawn"] == 1 and "new2" not in now
    assert states(postgres, koha.name, "shelving") == {"rolled_back"}

    feed = {"kind": "patrons", "key": "barcode", "first_load": "apply"}
    feed["columns"] = {"barcode": "card", "last_name": "name", "expires": "until"}
    monkeypatch.setitem(SETTINGS.feeds, "students", Feed.model_validate(feed))
    put(f"card,name,until\n{reader['cardnumber']},Quetzal,2032-01-01\n")
    assert fine_feed().outcomes == {"committed": 1}
    assert taken_back("students").metadata["rolled_back"] == 1
    back = koha.call("GET", f"/patrons/{reader['patron_id']}").json()
    assert {**back, "updated_on": ""} == {**reader, "updated_on": ""}
