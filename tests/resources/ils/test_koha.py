"""What Koha's adapter sends, held against the published specification, and what only Koha has. See also contract.py."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.ils.client import EntityUnit, InDoubtError, RefusedError, Written
from resources.ils.koha import KohaClient, fingerprint
from tests.demo_koha import DemoKoha
from tests.resources.ils.contract import LONG_AGO, change, live_of, settle, unit
from tests.resources.ils.koha_spec import Specification, Watched, folder


@pytest.fixture
def koha(demo_koha: DemoKoha) -> DemoKoha:
    return demo_koha


@pytest.fixture
def client(koha: DemoKoha) -> Iterator[KohaClient]:
    opened = koha.client()
    yield opened
    opened.close()


def entity(number: int, kind: str, action: str, target: str, **changes: tuple[Any, Any]) -> EntityUnit:
    pointers = {f"/{name}": pair for name, pair in changes.items()}
    return EntityUnit(f"k{number}", f"c{number}", number, kind, action, target, 0, pointers)


def new(**values: Any) -> dict[str, tuple[Any, Any]]:
    return {name: (None, value) for name, value in values.items()}


READER = {"surname": "Reader", "library_id": "MAIN", "category_id": "PT"}


def test_every_request_is_in_the_specification(koha: DemoKoha, data: Path) -> None:
    watched = Watched(Specification(folder(data)))
    client = koha.client(transport=watched)
    target = koha.add("Book")
    plan, made = change(live_of(client, target), 1, "Better"), unit(2)
    settle(client, [plan, made])
    client.find_created([unit(3)])
    assert [*client.live_records(), *client.live_records(LONG_AGO), *client.audit("bib", [target], LONG_AGO)]
    item = entity(4, "item", "create", "", **new(biblio_id=int(target), external_id="b1", home_library_id="MAIN"))
    patron = entity(5, "patron", "create", "", **new(cardnumber="p1", **READER))
    ids = [each.target for each in client.write_entities([item, patron], {})]
    for kind, number, name, value in (("item", ids[0], "callnumber", "QA 76"), ("patron", ids[1], "city", "Wien")):
        live = client.fetch_entities(kind, [number], ["c"])
        unit_ = entity(6, kind, "update", number, **{name: (None, value)})
        assert [each.state for each in client.write_entities([unit_], live)] == ["acknowledged"]
        assert [*client.entities(kind, LONG_AGO, "2100-01-01T00:00:00+00:00"), *client.audit(kind, [number], LONG_AGO)]
    koha.call("POST", "/checkouts", json={"patron_id": int(ids[1]), "item_id": int(ids[0])}).raise_for_status()
    assert list(client.circulation(LONG_AGO, "2100-01-01T00:00:00+00:00"))
    koha.check_in(1)
    client.clock()
    settle(client, [change(live_of(client, koha.add("Gone")), 8, "", action="delete", deletes=[], adds=[])])
    for kind, number in (("item", ids[0]), ("patron", ids[1])):
        live = client.fetch_entities(kind, [number], ["c"])
        assert [each.state for each in client.write_entities([entity(7, kind, "delete", number)], live)] == [
            "acknowledged"
        ]
    client.close()
    assert not watched.faults
    assert watched.seen == set(
        "tokenOAuth listBiblio addBiblio updateBiblio deleteBiblio listLibraries listItems addBiblioItem updateBiblioItem deleteItem listPatrons "
        "addPatron updatePatron deletePatron listCheckouts listActionLogs".split()
    )


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (httpx.Request("GET", "http://k/api/v1/biblios", params={"limit": 1}), "limit is not declared"),
        (httpx.Request("PATCH", "http://k/api/v1/biblios/1"), "not in the specification"),
        (httpx.Request("GET", "http://k/api/v1/biblios", headers={"x-koha-request-id": "a"}), "no integer"),
        (httpx.Request("GET", "http://k/api/v1/items", headers={"x-marc-schema": "MARC21"}), "x-marc-schema"),
        (httpx.Request("POST", "http://k/api/v1/biblios", json={}), "Content-Type"),
        (httpx.Request("POST", "http://k/api/v1/patrons", json={"surname": 1}), "is not of type"),
        (httpx.Request("GET", "http://k/api/v1/items", headers={"Accept": "text/plain"}), "Accept"),
        (httpx.Request("POST", "http://k/api/v1/oauth/token", data={"client_id": "a"}), "grant_type"),
    ],
)
def test_the_watch_sees_what_is_not_in_the_specification(data: Path, request_: httpx.Request, fault: str) -> None:
    assert fault in str(Specification(folder(data)).check(request_))


def test_a_changed_record_costs_one_write_and_little_reading(koha: DemoKoha, client: KohaClient) -> None:
    targets = [koha.add(f"Book {n}") for n in range(50)]
    live = client.fetch(targets, [])
    plans = [change(live[each], n, f"Better {n}") for n, each in enumerate(targets)]
    before = len(koha.requests())
    settle(client, plans)
    sent = [(each["method"], each["path"].split("?")[0]) for each in koha.requests()[before:]]
    assert (
        sent.count(("GET", "/api/v1/biblios")) == 1 + 5 + 1
    )  # to see it, ten at once before the write, to read it back
    assert len([each for each in sent if each[0] == "PUT"]) == 50 and len(sent) == 57


def test_kohas_own_fields_stay_as_they_are(koha: DemoKoha, client: KohaClient) -> None:
    kind = {"942": {"ind1": " ", "ind2": " ", "subfields": [{"c": "BK"}]}}
    target = koha.add("Book", kind)
    assert not {"952", "999", "948"} & {tag for tag, _ in live_of(client, target).fields}
    settle(
        client, [change(live_of(client, target), 1, "Better", adds=[("245", "10\x1faBetter"), ("999", "  \x1fc77")])]
    )
    marc = koha.marc(target)
    assert ("942", "$cBK") in marc and ("999", f"$c{target}$d{target}") in marc
    assert [text for tag, text in marc if tag == "948"] and len([tag for tag, _ in marc if tag == "999"]) == 1


def test_an_edit_takes_the_marks_word_back(koha: DemoKoha, client: KohaClient) -> None:
    made = unit(1)
    (written,) = settle(client, [made]).values()
    now = live_of(client, written.target)
    assert not now.source_id.startswith("sha256:") and now.created == made.target
    koha.edit(now.target, "245", "a", "Mine")
    edited = live_of(client, now.target)
    assert edited.source_id == f"sha256:{fingerprint(edited.fields)}"
    live = client.find_created([made])
    (again,) = client.write([made], {made.target: live[made.idempotency_key]})
    assert (again.state, again.answer, again.target) == ("acknowledged", "found written, edited since", now.target)
    assert koha.titles() == {now.target: "Mine"}


@pytest.mark.parametrize("kind", ["", "drop_before", "drop_after", "500"])
def test_an_undo_deletes_what_it_made_once_and_nothing_with_items(
    koha: DemoKoha, client: KohaClient, kind: str
) -> None:
    lone, kept = koha.add("Lone"), item(koha, "b1")[0]
    edited = live_of(client, koha.add("Edited"))
    plans = [
        change(live_of(client, each), n, "", action="delete", deletes=[], adds=[])
        for n, each in enumerate((lone, kept))
    ]
    plans.append(change(edited, 3, "", action="delete", deletes=[], adds=[]))
    koha.edit(edited.target, "245", "a", "Mine")
    if kind:
        koha.fault(kind, "DELETE", "/api/v1/biblios")
    states = [each.state for _, each in sorted(settle(client, plans).items(), key=lambda each: each[0])]
    assert sorted(states) == ["acknowledged", "conflicted", "conflicted"]
    assert sorted(koha.titles().values()) == ["Book of b1", "Mine"]


def test_a_hidden_record_is_shown_again_and_a_second_round_is_another_change(
    koha: DemoKoha, client: KohaClient
) -> None:
    target = koha.add("Book")
    hide = change(live_of(client, target), 1, "", action="suppress", deletes=[], adds=[])
    settle(client, [hide])
    assert live_of(client, target).suppressed
    settle(client, [change(live_of(client, target), 2, "", action="unsuppress", deletes=[], adds=[])])
    assert not live_of(client, target).suppressed and koha.titles() == {target: "Book"}
    again = dataclasses.replace(hide, source_id=live_of(client, target).source_id, round=1)
    (written,) = settle(client, [again]).values()
    assert (written.state, written.answer) == ("acknowledged", "") and live_of(client, target).suppressed


def test_what_koha_has_otherwise_is_said(koha: DemoKoha, client: KohaClient, monkeypatch: pytest.MonkeyPatch) -> None:
    target = koha.add("Book")
    plan = change(live_of(client, target), 1, "Better")
    many = client._session.many

    def overruled(calls: Any) -> Any:
        answers = many(calls)
        koha.edit(target, "500", "a", "By an overlay rule")
        return answers

    monkeypatch.setattr(client._session, "many", overruled)
    (written,) = settle(client, [plan]).values()
    assert written.state == "acknowledged" and "otherwise: 500;" in written.answer


def test_an_edit_while_the_chunk_is_written_is_a_conflict(
    koha: DemoKoha, client: KohaClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = [koha.add(f"Book {n}") for n in range(12)]
    live = client.fetch(targets, [])
    plans = [change(live[each], n, f"Better {n}") for n, each in enumerate(targets)]
    many, turns = client._session.many, iter((True, False))

    def editing(calls: Any) -> Any:
        if next(turns):
            koha.edit(targets[11], "590", "a", "Mine")
        return many(calls)

    monkeypatch.setattr(client._session, "many", editing)
    states = [each.state for each in settle(client, plans).values()]
    assert states.count("conflicted") == 1 and koha.titles()[targets[11]] == "Book 11"


@pytest.mark.parametrize("check", [True, False])
def test_what_koha_holds_for_a_duplicate_is_refused_where_it_is_asked(koha: DemoKoha, check: bool) -> None:
    isbn = {"020": {"ind1": " ", "ind2": " ", "subfields": [{"a": "9780000000002"}]}}
    there, client = koha.add("Printed", isbn), koha.client(duplicate_check=check)
    new_ = unit(1)
    new_.adds.append(("020", "  \x1fa9780000000002"))
    (written,) = settle(client, [new_]).values()
    client.close()
    assert written.state == ("failed" if check else "acknowledged")
    assert len(koha.titles()) == (1 if check else 2)
    assert (f"Duplicate biblio {there}" in written.answer) == check


def test_a_token_that_ends_is_replaced(tmp_path: Path) -> None:
    koha = DemoKoha(tmp_path / "koha", "--token-seconds", "0.3")
    try:
        client = koha.client(retries=8)
        written = settle(client, [unit(n) for n in range(40)])
        client.close()
        tokens = [each for each in koha.requests() if each["path"] == "/api/v1/oauth/token"]
        refused = [each for each in koha.requests() if each["status"] == 401]
        assert {each.state for each in written.values()} == {"acknowledged"}
        assert len(koha.audit("BIBLIO")) == 40 and len(tokens) == len(refused) + 1
        assert koha.process.poll() is None
    finally:
        koha.kill()


def test_neither_the_secret_nor_a_token_is_logged(koha: DemoKoha, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = koha.client()
    settle(client, [unit(1)])
    authorization = client._session._authorization
    assert authorization is not None
    token = authorization.headers["Authorization"].split()[1]
    client.close()
    assert "POST /api/v1/biblios" in caplog.text and "demo-secret" not in caplog.text and token not in caplog.text
    wrong = KohaClient(koha.url, "demo", "wrong", retries=0)
    with pytest.raises(RefusedError, match="HOLDFAST_ILS_USER"):
        wrong.fetch(["1"], [])
    wrong.close()


def test_the_feed_has_pages_and_goes_on_where_a_token_is_gone(koha: DemoKoha) -> None:
    ids = {koha.add(f"Book {n}") for n in range(120)}
    client = koha.client()
    assert {each.target for page in client.live_records(LONG_AGO) for each in page} == ids
    pages = client.live_records(LONG_AGO)
    read = {each.target for each in next(pages)}
    koha.fault("500", "GET", "/cgi-bin/koha/oai.pl")  # a page that has to be asked for again
    assert read | {each.target for page in pages for each in page} == ids
    client.close()


def test_a_record_that_changes_while_the_feed_is_read_hides_no_other() -> None:
    """Koha's tokens are offsets: what changes goes to the end, and all behind it move up by one. What was changed after it
    was read is for the next reading, with all that came later."""
    stamps = {number: f"2026-03-01T10:00:{number // 2:02d}Z" for number in range(2, 12)}
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        given = request.url.params
        first, _, offset = given.get("resumptionToken", given.get("from", "")).partition("/")
        asked.append(request)
        found = sorted((stamp, number) for number, stamp in stamps.items() if stamp >= first)[int(offset or 0) :]
        records = "".join(
            f'<record><header status="deleted"><identifier>K:{number}</identifier><datestamp>{stamp}</datestamp></header></record>'
            for stamp, number in found[:3]
        )
        token = f"<resumptionToken>{first}/{int(offset or 0) + 3}</resumptionToken>" if len(found) > 3 else ""
        if len(asked) < 4:
            stamps[min(stamps, key=lambda each: stamps[each])] = f"2026-03-01T10:01:0{len(asked)}Z"
        body = f"<ListRecords>{records}{token}</ListRecords>" if found else '<error code="noRecordsMatch"/>'
        return httpx.Response(200, text=f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{body}</OAI-PMH>')

    client = KohaClient("http://koha.example", "demo", "secret", transport=httpx.MockTransport(answer))
    first = [each for page in client.live_records(LONG_AGO) for each in page]
    second = [each for page in client.live_records(max(each.updated for each in first)) for each in page]
    client.close()
    for read in (first, second):
        assert len(read) == len({each.target for each in read})
    assert {each.target for each in first} == {str(number) for number in stamps} and len(asked) < 12
    last = {each.target: each.updated[:19] + "Z" for each in [*first, *second]}
    assert last == {str(number): stamp for number, stamp in stamps.items()}


def test_the_feed_and_the_list_give_the_same_of_every_record(tmp_path: Path) -> None:
    koha = DemoKoha(tmp_path / "koha", "--seed")
    try:
        odd = {
            "500": {
                "ind1": "<",
                "ind2": '"',
                "subfields": [{"a": " <b>&amp; \u1e9e\U0001f4d5 e\u0301 "}, {"b": ""}, {"a": "x\ny"}],
            }
        }
        koha.add("Odd & ends", odd, {"009": "  a  "})
        client = koha.client()
        settle(client, [unit(1)])
        listed = {each.target: each for page in client.live_records() for each in page}
        fed = {each.target: each for page in client.live_records(LONG_AGO) for each in page}
        client.close()
        assert len(fed) > 190 and fed.keys() == listed.keys()
        for number, each in fed.items():
            assert (each.fields, each.source_id, each.created) == (
                listed[number].fields,
                listed[number].source_id,
                listed[number].created,
            )
    finally:
        koha.kill()


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["245", "500", "650", "942"]), st.text("ae\u0301 .\u00e9", max_size=5)), max_size=6
    ),
    st.randoms(),
)
def test_a_fingerprint_is_of_the_content_alone(values: list[tuple[str, str]], chance: random.Random) -> None:
    """Order, composition of letters, empty subfields and what Koha writes anew at every save do not change it."""
    fields = [("LDR", "01234nam a2200181 i 4500"), *((tag, f"  \x1fa{text}") for tag, text in values)]
    shuffled = chance.sample(fields, len(fields))
    other = [(tag, unicodedata.normalize("NFD", text)) for tag, text in shuffled]
    own = [("005", "20260101000000.0"), ("999", "  \x1fc1"), ("942", "  \x1fcBK"), ("500", "  \x1fa")]
    assert fingerprint(fields) == fingerprint([*other, *own])
    assert fingerprint(fields) != fingerprint([*fields, ("500", "  \x1faMore")])


def test_a_record_without_kohas_number_is_left_out_and_said(
    client: KohaClient, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"leader": "0" * 24, "fields": [{"245": {"ind1": " ", "ind2": " ", "subfields": [{"a": "T"}]}}]}]
    assert client._page(rows, "") == [] and "999 $c" in caplog.text


# ---- items, patrons, loans ------------------------------------------------------------------------------------------------


def item(koha: DemoKoha, barcode: str, **more: Any) -> tuple[str, str]:
    """(biblio, item)."""
    biblio = koha.add(f"Book of {barcode}")
    answer = koha.call(
        "POST", f"/biblios/{biblio}/items", json={"external_id": barcode, "home_library_id": "MAIN", **more}
    )
    answer.raise_for_status()
    return biblio, str(answer.json()["item_id"])


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "cut_answer", "500"])
def test_a_new_item_whose_answer_is_lost_is_made_once(koha: DemoKoha, client: KohaClient, kind: str) -> None:
    biblio = koha.add("Book")
    new_ = entity(1, "item", "create", "", **new(biblio_id=int(biblio), external_id="b1", home_library_id="MAIN"))
    koha.fault(kind, "POST", "/api/v1/biblios/")
    written = _again(client, [new_])
    assert [each.state for each in written] == ["acknowledged"]
    assert koha.writes("ITEM") == {"c1": 1}
    assert set(client.fetch_entities("item", [written[0].target], [])) == {written[0].target}


def _again(client: KohaClient, units: list[EntityUnit]) -> list[Written]:
    for _ in range(3):
        live = client.fetch_entities(units[0].kind, [each.target for each in units if each.target], [])
        try:
            return client.write_entities(units, live)
        except InDoubtError:
            continue
    raise AssertionError("in doubt again and again")


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "cut_answer", "500"])
def test_a_change_of_an_item_whose_answer_is_lost_is_done_once(koha: DemoKoha, client: KohaClient, kind: str) -> None:
    _, number = item(koha, "b1", callnumber="QA", public_notes="Kept")
    koha.fault(kind, "PUT", "/api/v1/biblios/")
    (written,) = _again(client, [entity(1, "item", "update", number, callnumber=("QA", "QB"))])
    assert written.state == "acknowledged" and koha.writes("ITEM")["c1"] == 1
    body = client.fetch_entities("item", [number], [])[number].body
    assert (body["callnumber"], body["public_notes"], body["external_id"]) == ("QB", "Kept", "b1")


def test_what_an_item_has_that_was_not_planned_on_is_a_conflict(koha: DemoKoha, client: KohaClient) -> None:
    biblio, number = item(koha, "b1", callnumber="QC")
    live = client.fetch_entities("item", [number], [])
    values = new(biblio_id=int(biblio), external_id="b1", callnumber="other")
    units = [
        entity(1, "item", "update", number, callnumber=("QA", "QB")),
        entity(2, "item", "update", "4711", callnumber=("QA", "QB")),
        entity(3, "item", "create", "", **values),
        entity(4, "item", "create", "", **new(biblio_id=int(biblio))),
        entity(5, "item", "delete", "4711"),
    ]
    states = {each.idempotency_key: (each.state, each.answer) for each in client.write_entities(units, live)}
    assert states["k1"] == ("conflicted", "changed in Koha after it was planned: callnumber")
    assert states["k2"][0] == "conflicted" and "deleted" in states["k2"][1]
    assert states["k3"] == ("conflicted", f"item_id {number} has the same external_id")
    assert states["k4"][0] == "failed" and "external_id" in states["k4"][1]
    assert states["k5"] == ("acknowledged", "found deleted")
    assert len(koha.audit("ITEM")) == 1


def test_an_item_with_subfields_that_koha_would_clear_is_left_alone(koha: DemoKoha, client: KohaClient) -> None:
    _, number = item(koha, "b1")
    live = client.fetch_entities("item", [number], [])
    live[number].body["extended_subfields"] = "<collection/>"
    (written,) = client.write_entities([entity(1, "item", "update", number, callnumber=(None, "QB"))], live)
    assert written.state == "failed" and "extended_subfields" in written.answer


def test_a_masked_before_is_not_compared(koha: DemoKoha, client: KohaClient) -> None:
    answer = koha.call("POST", "/patrons", json={**READER, "cardnumber": "p1", "city": "Graz"})
    number = str(answer.json()["patron_id"])
    live = client.fetch_entities("patron", [number], [])
    (written,) = client.write_entities([entity(1, "patron", "update", number, city=("pii:" + "0" * 64, "Wien"))], live)
    assert written.state == "acknowledged"
    assert client.fetch_entities("patron", [number], [])[number].body["city"] == "Wien"


def test_loans_are_given_as_they_stand(koha: DemoKoha, client: KohaClient) -> None:
    numbers = [item(koha, f"b{n}")[1] for n in range(3)]
    patron = koha.call("POST", "/patrons", json={**READER, "cardnumber": "p1"}).json()["patron_id"]
    for number in numbers:
        koha.call("POST", "/checkouts", json={"patron_id": patron, "item_id": int(number)}).raise_for_status()
    koha.call("POST", "/checkouts/2/renewals").raise_for_status()
    koha.check_in(3)
    events = [each for page in client.circulation(LONG_AGO, "2100-01-01T00:00:00+00:00") for each in page]
    assert [(each.loan, each.item_barcode, each.action) for each in events] == [
        ("1", "b0", "checkout"),
        ("2", "b1", "renewal"),
        ("3", "b2", "checkin"),
    ]
    assert [each.ended for each in events] == [False, False, True] and all(each.began for each in events)
    assert abs(client.clock() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=30)
    assert {each.patron for each in events} == {str(patron)} and all(each.at and each.due for each in events)
    assert not list(client.circulation("2100-01-01T00:00:00+00:00", "2101-01-01T00:00:00+00:00"))


def test_there_are_no_holdings(client: KohaClient) -> None:
    assert "holdings" not in client.capabilities.reads | client.capabilities.writes
    with pytest.raises(ValueError, match="Koha's API has no holdings"):
        list(client.entities("holdings"))
