"""The FOLIO client against answers as they come, and against a real demo ILS."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from resources.ils import folio
from resources.ils.client import IlsDownError, InDoubtError, LiveRecord, RefusedError, Unit, source_record_id
from resources.ils.folio import FolioClient
from tests.demo_ils import DemoIls
from tests.resources.ils import contract

SECRET = "correct-horse-battery"
ID = "11111111-1111-4111-8111-111111111111"
Answer = Callable[[httpx.Request], httpx.Response]


class Folio:
    """A FOLIO that logs in and else answers as it is told, in turn; the last answer is repeated."""

    def __init__(self, *answers: httpx.Response | Exception, retries: int = 3) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.logins = 0
        self.waits: list[float] = []
        self.client = FolioClient(
            "http://folio.test",
            "diku",
            "loader",
            SECRET,
            retries=retries,
            transport=httpx.MockTransport(self._answer),
            sleep=self.waits.append,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/authn/login-with-expiry":
            self.logins += 1
            assert json.loads(request.content) == {"username": "loader", "password": SECRET}
            return httpx.Response(201, headers={"Set-Cookie": f"folioAccessToken=token-{self.logins}; Path=/"})
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def read(ils: Folio) -> httpx.Response:
    return ils.client._request("GET", "/instance-storage/instances")


def write(ils: Folio) -> httpx.Response:
    return ils.client._request("POST", "/instance-storage/batch/synchronous", ["c-1"], body={"instances": []})


OK = httpx.Response(200, json={"instances": []})
BUSY = httpx.Response(429)


@pytest.mark.parametrize("request_", [read, write])
@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_it_is_asked_to(request_: Any, status: int) -> None:
    ils = Folio(httpx.Response(status, headers={"Retry-After": "7"}), OK)
    assert request_(ils).status_code == 200
    assert ils.waits == [7.0]


def test_it_reads_a_date_to_wait_for_and_never_waits_longer_than_two_minutes() -> None:
    soon = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(hours=3), usegmt=True)
    ils = Folio(httpx.Response(429, headers={"Retry-After": soon}), OK)
    read(ils)
    assert ils.waits == [120.0]


@pytest.mark.parametrize("value", ["", "1.2.3", "soon", "-5", "\xb2"])
def test_a_retry_after_that_says_nothing_is_no_reason_to_fail(value: str) -> None:
    ils = Folio(httpx.Response(429, headers=[(b"Retry-After", value.encode("latin-1"))]), OK)
    assert read(ils).status_code == 200
    assert len(ils.waits) == 1 and 0.4 <= ils.waits[0] <= 0.6


def test_it_waits_longer_each_time_and_gives_up_in_the_end_with_what_to_do() -> None:
    ils = Folio(BUSY, retries=3)
    with pytest.raises(IlsDownError, match=r"GET .*: 429, 4 times\. Is http://folio\.test up\?"):
        read(ils)
    assert all(low <= wait <= low + 0.2 for wait, low in zip(ils.waits, [0.4, 0.8, 1.6], strict=True))
    assert len(ils.requests) == 4


def test_a_token_that_is_over_is_replaced_and_the_request_sent_again() -> None:
    ils = Folio(httpx.Response(401), OK)
    assert write(ils).status_code == 200
    assert ils.logins == 2 and len(ils.requests) == 2
    assert "token-2" in ils.requests[1].headers["Cookie"]


def test_a_server_that_takes_no_token_is_not_asked_forever() -> None:
    ils = Folio(httpx.Response(401), retries=2)
    with pytest.raises(RefusedError):
        read(ils)
    assert len(ils.requests) <= 4


@pytest.mark.parametrize("failure", [httpx.ReadError("gone"), httpx.ReadTimeout("slow"), httpx.Response(500)])
def test_only_a_write_can_be_in_doubt(failure: Any) -> None:
    reading = Folio(failure, OK)
    assert read(reading).status_code == 200
    assert reading.client._request("POST", "/source-storage/source-records", body=[]).status_code == 200

    writing = Folio(failure, OK)
    with pytest.raises(InDoubtError):
        write(writing)
    assert len(writing.requests) == 1


def test_a_connection_that_did_not_come_about_is_in_no_doubt() -> None:
    ils = Folio(httpx.ConnectError("refused"), OK)
    assert write(ils).status_code == 200
    assert len(ils.requests) == 2


def test_a_refusal_is_for_good() -> None:
    ils = Folio(httpx.Response(422, text="no"))
    with pytest.raises(RefusedError, match="422: no"):
        write(ils)
    assert len(ils.requests) == 1


def test_neither_secrets_nor_what_is_written_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ils = Folio(httpx.Response(429), httpx.Response(401), OK)
    ils.client._request("POST", "/instance-storage/batch/synchronous", ["c-1"], body={"title": "Mrs. Ward's card"})
    assert "c-1" in caplog.text
    for secret in (SECRET, "token-1", "token-2", "Ward"):
        assert secret not in caplog.text


# ---- what is written ----------------------------------------------------------------------------------------------------


def unit(**changes: Any) -> Unit:
    given: dict[str, Any] = {"idempotency_key": "k", "correlation_id": "c", "record": 1, "action": "update"}
    given |= {"target": ID, "version": 3, "source_id": "s-1"}
    return Unit(**given | {"deletes": [("245", "10\x1faOld")], "adds": [("245", "10\x1faNew")]} | changes)


def record(**changes: Any) -> LiveRecord:
    instance = {"id": ID, "hrid": "in1", "_version": 3, "title": "Old", "source": "MARC", "instanceTypeId": "map"}
    given: dict[str, Any] = {"target": ID, "hrid": "in1", "version": 3, "instance": instance, "source_id": "s-1"}
    given |= {"fields": [("LDR", "l" * 24), ("245", "10\x1faOld")], "updated": ""}
    return LiveRecord(**given | changes)


def test_a_record_whose_marc_somebody_else_changed_is_a_conflict_and_nothing_is_sent() -> None:
    ils = Folio(OK)
    (written,) = ils.client.write([unit()], {ID: record(source_id="s-2")})
    assert written.state == "conflicted" and "changed in the library system" in written.answer
    assert not ils.requests


def test_a_record_whose_instance_somebody_else_changed_is_a_conflict_where_the_change_shows_in_it() -> None:
    ils = Folio(OK)
    live = record()
    (written,) = ils.client.write([unit()], {ID: record(version=4, instance={**live.instance, "_version": 4})})
    assert written.state == "conflicted" and "version 3 was planned on" in written.answer
    assert not ils.requests


def test_what_an_earlier_attempt_wrote_whole_is_acknowledged_and_not_sent_again() -> None:
    ils = Folio(OK)
    (written,) = ils.client.write([unit()], {ID: record(version=4, source_id=source_record_id("k"))})
    assert (written.state, written.version, written.answer) == ("acknowledged", 4, "found written")
    assert not ils.requests


def test_a_field_that_is_gone_is_a_conflict() -> None:
    ils = Folio(OK)
    (written,) = ils.client.write([unit()], {ID: record(fields=[("LDR", "l" * 24), ("245", "10\x1faOther")])})
    assert written.state == "conflicted"
    assert not ils.requests


@pytest.mark.parametrize("live", [{}, {ID: record(fields=[], source_id="")}])
def test_a_record_that_is_gone_is_a_conflict(live: dict[str, LiveRecord]) -> None:
    (written,) = Folio(OK).client.write([unit()], live)
    assert written.state == "conflicted" and "deleted" in written.answer


def test_no_record_is_asked_for_where_there_is_none() -> None:
    ils = Folio(OK)
    assert ils.client.fetch([ID], ["c"]) == {}
    assert len(ils.requests) == 1


# ---- the feed of changes, on the demo ILS --------------------------------------------------------------------------------


def test_a_record_that_is_changed_while_the_feed_is_read_hides_no_other(
    demo_ils: DemoIls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folio, "_PAGE", 2)
    client = FolioClient(demo_ils.url, "demo", "demo", "demo-secret")
    bodies = [{"id": f"{n:08d}-1111-4111-8111-111111111111", "source": "MARC", "title": "T"} for n in range(6)]
    for body in bodies:
        body["instanceTypeId"] = ID
        demo_ils.call("POST", "/instance-storage/instances", json=body).raise_for_status()
    instances = client._instances
    turn = iter(range(100))

    def reading(query: str, limit: int, offset: int = 0) -> list[dict[str, Any]]:
        page = instances(query, limit, offset)
        if next(turn) < 3:  # somebody changes what was just read: it moves to the end of the feed
            live = page[0]
            path = f"/instance-storage/instances/{live['id']}"
            demo_ils.call("PUT", path, json={**live, "title": "Changed"}).raise_for_status()
        return page

    monkeypatch.setattr(client, "_instances", reading)
    monkeypatch.setattr(client, "clock", lambda: dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
    read = [each for page in client.live_records("2020-01-01T00:00:00.000+00:00") for each in page]
    client.close()
    assert {each.target for each in read} == {each["id"] for each in bodies} and len(read) == len(bodies)
    # What is changed meanwhile counts as changed when the reading began: the next one begins before it.
    assert {each.updated for each in read} == {"2021-01-01T00:00:00.000+00:00"}


def test_the_feed_ends_where_many_records_have_the_same_moment(
    demo_ils: DemoIls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folio, "_PAGE", 2)
    client = FolioClient(demo_ils.url, "demo", "demo", "demo-secret")
    bodies: list[dict[str, Any]] = [
        {"id": f"{n:08d}-1111-4111-8111-111111111111", "source": "MARC", "title": "T", "instanceTypeId": ID}
        for n in range(5)
    ]
    path = "/instance-storage/batch/synchronous"
    demo_ils.call("POST", path, json={"instances": bodies}).raise_for_status()
    (moment,) = {each["metadata"]["updatedDate"] for each in demo_ils.instances()}
    read_ids = {each.target for page in client.live_records(moment) for each in page}
    client.close()
    assert read_ids == {each["id"] for each in bodies}


def test_an_undo_of_a_record_whose_marc_is_gone_meanwhile_deletes_the_instance(demo_ils: DemoIls) -> None:
    client = FolioClient(demo_ils.url, "demo", "demo", "demo-secret")
    made = contract.unit(1)
    contract.settle(client, [made])
    plan = contract.change(contract.live_of(client, made.target), 2, "", action="delete", deletes=[], adds=[])
    live = client.fetch([made.target], [])
    path = f"/source-storage/records/{made.target}"
    demo_ils.call("DELETE", path, params={"idType": "INSTANCE"}).raise_for_status()
    assert [each.state for each in client.write([plan], live)] == ["acknowledged"] and not demo_ils.instances()
    client.close()
