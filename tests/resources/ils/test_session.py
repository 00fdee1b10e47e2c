"""What every request of every adapter passes: side by side, in doubt, logged, logged in."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from holdfast.environment import read_environment
from holdfast.settings import SettingsError
from resources.governor.client import Governor
from resources.ils.errors import IlsDownError, InDoubtError, RefusedError
from resources.ils.koha import KohaClient
from resources.ils.resource import connect
from resources.ils.session import Authorization, Call, Session
from resources.redis.client import Redis
from tests.catalogue_load import SETTINGS
from tests.governed_load import governor

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def session(redis_url: str) -> Iterator[Any]:
    """Makes sessions; `side_by_side` of them are with a governor that lets so many go together."""
    with contextlib.ExitStack() as stack:

        def make(handler: Handler, *, side_by_side: int = 1, log_in: Any = None, **more: Any) -> Session:
            governed: Governor | None = None
            if side_by_side > 1:
                governed = governor(redis_url, uuid.uuid4().hex, {"per_second": 1000, "concurrency": side_by_side})
                stack.callback(governed._redis.close)
            made = Session(
                "http://ils.test",
                log_in or (lambda _: {"Authorization": "Bearer token-1"}),
                headers={},
                request_id_header="X-Request-Id",
                governor=governed,
                transport=httpx.MockTransport(handler),
                retries=1,
                sleep=lambda _: None,
                **more,
            )
            stack.callback(made.close)
            return made

        yield make


def number(request: httpx.Request) -> int:
    return int(request.url.path.rpartition("/")[2])


def puts(count: int) -> list[Call]:
    return [Call("PUT", f"/biblios/{each}", [f"c-{each}"], {}) for each in range(count)]


@pytest.mark.services
def test_many_go_side_by_side_and_their_answers_stay_in_order(session: Any) -> None:
    together = threading.Barrier(2)

    def answer(request: httpx.Request) -> httpx.Response:
        if number(request) >= 20:  # by now the limit has risen: two at a time, or the barrier breaks
            together.wait(timeout=30)
        return httpx.Response(200, json={"n": number(request)})

    found = session(answer, side_by_side=8).many(puts(32))
    assert [each.json()["n"] for each in found] == list(range(32))


@pytest.mark.services
@pytest.mark.parametrize("at_login", [True, False])
def test_a_redirect_is_followed_nowhere_and_says_what_to_set(session: Any, at_login: bool) -> None:
    asked: list[str] = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(301, headers={"Location": "https://ils.test/api?card=2123"})

    if at_login:
        client = KohaClient("http://ils.test", "demo", "secret", transport=httpx.MockTransport(elsewhere))
        send = partial(client.fetch, ["1"], [])
    else:
        send = partial(session(elsewhere).send, Call("PUT", "/1"))
    with pytest.raises(RefusedError, match=r"301: it redirects to https://ils\.test: let HOLDFAST_ILS_URL") as error:
        send()
    assert len(asked) == 1 and "2123" not in str(error.value)


@pytest.mark.parametrize("side_by_side", [1, 4])
def test_a_refusal_stops_only_itself(session: Any, side_by_side: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422 if number(request) == 3 else 200, text="no")

    found = session(answer, side_by_side=side_by_side).many(puts(6))
    assert [isinstance(each, RefusedError) for each in found] == [each == 3 for each in range(6)]


@pytest.mark.services
@pytest.mark.parametrize("side_by_side", [1, 4])
def test_what_was_answered_is_not_lost_where_another_is_in_doubt(session: Any, side_by_side: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if number(request) == 2:
            raise httpx.ReadTimeout("slow")
        return httpx.Response(409 if number(request) == 4 else 201, text=f"{number(request)}")

    with pytest.raises(InDoubtError) as told:
        session(answer, side_by_side=side_by_side).many(puts(6))
    kinds = [type(each) for each in told.value.answers]
    assert kinds == [*[httpx.Response] * 2, InDoubtError, httpx.Response, RefusedError, httpx.Response]
    assert told.value.answers[5].text == "5"


@pytest.mark.services
@pytest.mark.parametrize("side_by_side", [1, 2])
def test_where_the_system_is_down_the_rest_is_not_sent(session: Any, side_by_side: int) -> None:
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(number(request))
        if number(request) >= 3:
            raise httpx.ConnectError("refused")
        return httpx.Response(200)

    with pytest.raises(IlsDownError) as told:
        session(answer, side_by_side=side_by_side).many(puts(40))
    assert [isinstance(each, httpx.Response) for each in told.value.answers] == [each < 3 for each in range(40)]
    assert len(set(asked)) <= 3 + side_by_side


# ---- the login ------------------------------------------------------------------------------------------------------


class Logins:
    """Gives tokens that are good for so many seconds; counts."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds, self.logins, self.renewals, self.refuses = seconds, 0, 0, False

    def log_in(self, _: httpx.Client) -> Authorization:
        self.logins += 1
        time.sleep(0.05)
        return Authorization({"Authorization": f"Bearer {self.logins}.{self.renewals}"}, self.seconds)

    def renew(self, http: httpx.Client) -> Authorization:
        self.renewals += 1
        if self.refuses:
            raise RefusedError(422, "spent")
        return Authorization({"Authorization": f"Bearer {self.logins}.{self.renewals}"}, self.seconds)


def ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


def in_threads(made: Session, count: int) -> None:
    threads = [threading.Thread(target=made.send, args=(Call("GET", "/a"),)) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_a_token_is_renewed_before_it_ends_by_one_thread_for_all(session: Any) -> None:
    logins = Logins(0.6)
    made = session(ok, log_in=logins.log_in, renew=logins.renew)
    in_threads(made, 6)
    assert (logins.logins, logins.renewals) == (1, 0)
    time.sleep(0.5)
    in_threads(made, 6)
    assert (logins.logins, logins.renewals) == (1, 1)


def test_where_it_cannot_be_renewed_it_logs_in_again(session: Any) -> None:
    logins = Logins(0.1)
    logins.refuses = True
    made = session(ok, log_in=logins.log_in, renew=logins.renew)
    made.send(Call("GET", "/a"))
    time.sleep(0.1)
    made.send(Call("GET", "/a"))
    assert (logins.logins, logins.renewals) == (2, 1)


def test_a_token_that_is_refused_is_replaced_once_for_all_threads(session: Any) -> None:
    logins = Logins(None)
    both = threading.Barrier(4)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer 1.0":
            both.wait(timeout=30)
            return httpx.Response(401)
        return httpx.Response(200)

    in_threads(session(answer, log_in=logins.log_in, renew=logins.renew), 4)
    assert (logins.logins, logins.renewals) == (2, 0)


def test_a_login_that_was_cut_off_leaves_no_doubt_about_the_write(session: Any) -> None:
    def log_in(_: httpx.Client) -> dict[str, str]:
        raise httpx.ReadTimeout("slow")

    with pytest.raises(IlsDownError, match="login for PUT"):
        session(ok, log_in=log_in).send(Call("PUT", "/biblios/1", ["c"], {}))


# ---- what is logged -------------------------------------------------------------------------------------------------


def test_every_request_is_a_line_without_query_payload_or_secret(
    session: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"Set-Cookie": "folioAccessToken=hidden-1", "X-Exl-Api-Remaining": "77", "X-Patron": "hidden-2"}
        return httpx.Response(200, headers=headers, json={"name": "hidden-3"})

    def log_in(http: httpx.Client) -> dict[str, str]:
        http.post("/login", json={"password": "hidden-4"})
        return {"Authorization": "Bearer hidden-5"}

    params = {"query": 'barcode=="hidden-6"'}
    session(answer, log_in=log_in).send(Call("POST", "/users", ["c-1", "c-2"], {"name": "hidden-7"}, params))
    lines = [each.getMessage() for each in caplog.records if each.name == "holdfast.ils"]
    assert len(lines) == 2 and lines[0].startswith("ils POST /login 200 in ")
    assert "ils POST /users 200 in " in lines[1] and "correlation c-1,c-2" in lines[1]
    assert "x-exl-api-remaining: 77" in lines[1] and "content-type: application/json" in lines[1]
    assert "hidden" not in caplog.text


# ---- production -----------------------------------------------------------------------------------------------------


@pytest.mark.services
def test_the_library_system_is_never_spoken_to_without_a_governor(redis_url: str) -> None:
    names = {"URL": "http://ils.test:9130", "TENANT": "t", "USER": "u", "PASSWORD": "p"}
    salt = {"HOLDFAST_MASKING_SALT": "a salt that is long enough"}
    environment = read_environment(salt | {f"HOLDFAST_ILS_{name}": value for name, value in names.items()})
    redis_ = Redis(redis_url, namespace=uuid.uuid4().hex)
    with contextlib.closing(redis_), contextlib.closing(connect(SETTINGS, environment, redis_)) as ils:
        assert ils._session.governor is not None
        assert ils._session.governor.name == "ils.test:9130"
    with pytest.raises(SettingsError, match="HOLDFAST_REDIS_URL is not set"):
        environment.need("HOLDFAST_REDIS_URL")
