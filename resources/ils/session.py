"""Requests to a library system: sent again where that is safe, logged without what they carry.

An adapter says which of its requests may be repeated and how it logs in; waiting, giving up and doubt are the same for all.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import math
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import tenacity

from holdfast.identity import NAMESPACE
from resources.governor.client import Governor
from resources.governor.concurrency import kind_of
from resources.ils.errors import IlsDownError, InDoubtError, RefusedError

log = logging.getLogger("holdfast.ils")
# httpx logs whole addresses and httpcore the headers of answers: identifiers and tokens. Outbound logs instead of them.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        correlation_ids: of the records that it is about.
        body: JSON where it is no bytes.
        repeatable: sent twice it does what it does once; by default reads are, writes are not.
        settled: answers of 400 and above that the adapter reads itself instead of having them raised.
    """

    method: str
    path: str
    correlation_ids: Sequence[str] = ()
    body: Any = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool | None = None
    settled: Callable[[httpx.Response], bool] | None = None

    @property
    def may_repeat(self) -> bool:
        return self.method == "GET" if self.repeatable is None else self.repeatable

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Authorization:
    """What a login gave.

    Attributes:
        headers: of later requests; cookies stay in the client.
        seconds: how long it is good for; None: the system does not say.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None


Login = Callable[[httpx.Client], Mapping[str, str] | Authorization]
Answer = httpx.Response | RefusedError | InDoubtError | IlsDownError

# A token is renewed when so little of its life is left: by share, and by seconds at most.
_RENEW_SHARE = 0.2
_RENEW_SECONDS = 60.0
# The rest may hold a token, a patron or a price.
_SHOWN_HEADERS = (
    *("content-type", "content-length", "retry-after", "date", "server", "x-okapi-request-id", "x-okapi-tenant"),
    *("x-request-id", "x-exl-api-remaining", "ratelimit-remaining"),
)
_LONGEST_WAIT = 120.0
_BACKOFF = tenacity.wait_exponential_jitter(multiplier=0.4, max=10, jitter=0.2)


class _Again(Exception):
    """It was surely not done, or may be done twice: another attempt is safe."""

    def __init__(self, what: str, retry_after: str | None = None) -> None:
        super().__init__(what)
        self.seconds = retry_after_seconds(retry_after)


class Session:
    """A login at one library system; safe to share between threads.

    `log_in` asks for what later requests need, on the client that it gets. `renew`, if there is one, does so before the
    authorization ends; where it fails, `log_in` is called again. Both are called by one thread at a time.

    With a governor every request, logins too, waits for its turn among all workers, and `many` sends side by side.
    """

    def __init__(
        self,
        url: str,
        log_in: Login,
        *,
        headers: Mapping[str, str],
        request_id_header: str,
        renew: Login | None = None,
        governor: Governor | None = None,
        timeout_seconds: float = 60,
        retries: int = 5,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log_in, self._renew = log_in, renew
        self._authorization: Authorization | None = None
        self._renew_at = math.inf
        self._logging_in = threading.Lock()
        self._request_id_header = request_id_header
        self._retries = retries
        self._sleep = sleep
        self.governor = governor
        self._side_by_side = governor.quota.most_concurrency if governor else 1
        self._pool: ThreadPoolExecutor | None = None
        self._http = httpx.Client(
            base_url=url,
            timeout=timeout_seconds,
            transport=Outbound(transport or httpx.HTTPTransport(), governor, request_id_header),
            headers=dict(headers),
        )

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._http.close()
        if self.governor is not None:
            self.governor.close()

    def many(self, calls: Sequence[Call]) -> list[httpx.Response | RefusedError]:
        """The answer of each, in their order; sent side by side as far as the governor lets them. A refusal stops only itself.

        Nothing that was answered is lost where another call fails: all that were begun are waited for, then the error is
        raised with `answers`, in the order of the calls: a response, a RefusedError, an InDoubtError, or an IlsDownError
        (surely not done). A caller that keeps what was answered settles that, and reads the others again.

        Raises:
            InDoubtError: at least one may have been done or not; it goes before IlsDownError.
            IlsDownError: the system does not answer; what was not begun yet is not sent.
        """
        down = threading.Event()

        def answer(call: Call) -> Answer:
            if down.is_set():
                return IlsDownError(f"{call.name}: not sent, as the one before had no answer")
            try:
                return self.send(call)
            except (RefusedError, InDoubtError) as error:
                return error
            except IlsDownError as error:
                down.set()
                return error

        if self._side_by_side == 1 or len(calls) < 2:
            answers = [answer(call) for call in calls]
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._side_by_side, thread_name_prefix="ils")
            answers = list(self._pool.map(answer, calls))
        for kind in (InDoubtError, IlsDownError):
            for each in answers:
                if isinstance(each, kind):
                    each.answers = answers
                    raise each
        return [each for each in answers if not isinstance(each, InDoubtError | IlsDownError)]

    def send(self, call: Call) -> httpx.Response:
        """Send, and send again where that is safe: what may be repeated always, the rest only if the server surely did not
        do it.

        Raises:
            RefusedError: an answer of 400 or above that no repetition mends.
            InDoubtError: it may have been done or not.
            WaitUntilError: it may not be sent before a moment that it names.
            CircuitOpenError: the system counts as down for all workers.
            IlsDownError: no answer, or none that helps, also after the retries.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            stop=tenacity.stop_after_attempt(self._retries + 1),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=_say_wait,
            reraise=True,
        )
        try:
            return retrying(self._attempt, call)
        except _Again as error:
            raise IlsDownError(
                f"{error}, {self._retries + 1} times. Is {self._http.base_url} up? What was not written stays planned."
            ) from error

    def _attempt(self, call: Call) -> httpx.Response:
        for _ in range(self._retries + 1):
            try:
                authorization = self._authorized()
            except httpx.HTTPError as error:
                raise _Again(f"login for {call.name}: {type(error).__name__} ({error})") from error
            try:
                response = self._once(call, authorization)
            except httpx.ConnectError as error:
                raise _Again(f"{call.name}: no connection ({error})") from error
            except httpx.HTTPError as error:
                if not call.may_repeat:
                    raise InDoubtError(f"{call.name}: {type(error).__name__}: {error}") from error
                raise _Again(f"{call.name}: {type(error).__name__}") from error
            if response.status_code != 401:
                break
            self._withdraw(authorization)
        return self._judge(call, response)

    @staticmethod
    def _judge(call: Call, response: httpx.Response) -> httpx.Response:
        status = response.status_code
        if status in (429, 503):
            raise _Again(f"{call.name}: {status}", response.headers.get("Retry-After"))
        if call.settled is not None and status >= 400 and call.settled(response):
            return response
        if status >= 500 and call.may_repeat:
            raise _Again(f"{call.name}: {status}")
        if status >= 500:
            raise InDoubtError(f"{call.name}: {status}")
        if status >= 400:
            raise RefusedError(status, said(response))
        refuse_redirect(response)
        return response

    # ---- the login --------------------------------------------------------------------------------------------------

    def _authorized(self) -> Authorization:
        """What is good for a request that is sent now; one thread at a time asks for a new one."""
        held = self._authorization
        if held is not None and time.monotonic() < self._renew_at:
            return held
        # While one renews in time, the others go on with what is good still.
        if not self._logging_in.acquire(blocking=held is None) and held is not None:
            return held
        try:
            held = self._authorization
            if held is None or time.monotonic() >= self._renew_at:
                held = self._ask_for_authorization(expired=held is None)
            return held
        finally:
            self._logging_in.release()

    def _ask_for_authorization(self, *, expired: bool) -> Authorization:
        began, given = time.monotonic(), None
        if self._renew is not None and not expired:
            try:
                given = self._renew(self._http)
            except (httpx.HTTPError, RefusedError) as error:
                log.warning("ils renews no token (%s): logging in again", type(error).__name__)
        given = self._log_in(self._http) if given is None else given
        held = given if isinstance(given, Authorization) else Authorization(dict(given))
        if held.seconds is None:
            self._renew_at = math.inf
        else:
            self._renew_at = began + held.seconds - min(_RENEW_SHARE * held.seconds, _RENEW_SECONDS)
        self._authorization = held
        return held

    def _withdraw(self, refused: Authorization) -> None:
        """The system no longer takes it. What another thread got meanwhile stays."""
        with self._logging_in:
            if self._authorization is refused:
                self._authorization = None

    def _once(self, call: Call, authorization: Authorization) -> httpx.Response:
        ids = ",".join(call.correlation_ids)
        request_id = str(uuid.uuid5(NAMESPACE, ids)) if ids else str(uuid.uuid4())
        headers = {self._request_id_header: request_id, **authorization.headers}
        if ids:
            headers["X-Correlation-ID"] = ids
        content = None
        if call.body is not None:
            content = call.body if isinstance(call.body, bytes) else orjson.dumps(call.body)
            headers["Content-Type"] = "application/json"
        return self._http.request(
            call.method, call.path, params=call.params, content=content, headers={**headers, **call.headers}
        )


class Outbound(httpx.BaseTransport):
    """What every request passes on its way out: its turn among all workers, and a line in the log.

    The line has method, path (without the query: its values may be a patron's), status, milliseconds, correlation ids, and
    of the headers those that are known to hold no secret; never a payload.
    """

    def __init__(self, inner: httpx.BaseTransport, governor: Governor | None, request_id_header: str) -> None:
        self._inner, self._governor, self._request_id_header = inner, governor, request_id_header

    def close(self) -> None:
        self._inner.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        turn = self._governor.turn(kind_of(request.method, request.url.path)) if self._governor else None
        began = time.monotonic()
        try:
            response = self._inner.handle_request(request)
            answered = time.monotonic()
            response.read()  # an answer is there when all of it is; a session's are never streamed
        except BaseException as error:
            if turn is not None:
                turn.failed()
            self._log(request, type(error).__name__, began, httpx.Headers())
            raise
        if turn is not None:
            waits = retry_after_seconds(response.headers.get("Retry-After"))
            turn.answered(response.status_code, response.headers, answered, waits)
        self._log(request, str(response.status_code), began, response.headers)
        return response

    def _log(self, request: httpx.Request, status: str, began: float, headers: httpx.Headers) -> None:
        log.info(
            "ils %s %s %s in %d ms, request %s, correlation %s, sent %s, got %s",
            *(request.method, request.url.path, status, (time.monotonic() - began) * 1000),
            *(request.headers.get(self._request_id_header, "-"), request.headers.get("X-Correlation-ID", "-")),
            *(_shown(request.headers), _shown(headers)),
        )


def _shown(headers: httpx.Headers) -> str:
    return "; ".join(f"{name}: {headers[name][:100]}" for name in _SHOWN_HEADERS if name in headers) or "-"


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    seconds = error.seconds if isinstance(error, _Again) else None
    return min(_BACKOFF(state) if seconds is None else seconds, _LONGEST_WAIT)


def _say_wait(state: tenacity.RetryCallState) -> None:
    log.warning("ils waits %.1f s: %s", state.upcoming_sleep, state.outcome.exception() if state.outcome else "")


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds that a Retry-After asks for, in either of its forms; None where it says nothing. RFC 9110 §10.2.3."""
    if not value:
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max((moment - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)


def refuse_redirect(response: httpx.Response) -> None:
    """
    Raises:
        RefusedError: what is asked for is elsewhere; login and writes go to no address that nobody set.
    """
    if response.has_redirect_location:
        elsewhere = urlsplit(response.headers["Location"])
        origin = f"{elsewhere.scheme}://{elsewhere.netloc}" if elsewhere.netloc else "another path"
        raise RefusedError(
            response.status_code, f"it redirects to {origin}: let HOLDFAST_ILS_URL (or ils.oai_url) be where it is"
        )


def check_login(response: httpx.Response, expected: int, why: str) -> None:
    """
    Raises:
        httpx.ConnectError: the system lets nobody in now; another attempt may do.
        RefusedError: it redirects, or answers another status than `expected`: `why`.
    """
    if response.status_code == 429 or response.status_code >= 500:
        raise httpx.ConnectError(f"login answers {response.status_code}")
    refuse_redirect(response)
    if response.status_code != expected:
        raise RefusedError(response.status_code, why)


def said(response: httpx.Response) -> str:
    """What a refusal says, without the values that it may repeat: those can be what is masked everywhere else."""
    try:
        errors = response.json()["errors"]
        parts = [str(each.get("message", "")) for each in errors]
        keys = [str(parameter.get("key", "")) for each in errors for parameter in each.get("parameters") or ()]
        return "; ".join(parts)[:200] + (f" ({', '.join(keys)})" if keys else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.text[:200]
