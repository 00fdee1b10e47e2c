"""Requests to a library system: sent again where that is safe, logged without what they carry.

An adapter says which of its requests may be repeated and how it logs in; waiting, giving up and doubt are the same for all.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from holdfast.identity import NAMESPACE
from resources.ils.errors import IlsDownError, InDoubtError, RefusedError

log = logging.getLogger("holdfast.ils")


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


class Session:
    """A login at one library system. `log_in` asks for what later requests need, on the client that it gets; it returns
    headers for them (cookies stay in the client)."""

    def __init__(
        self,
        url: str,
        log_in: Callable[[httpx.Client], Mapping[str, str]],
        *,
        headers: Mapping[str, str],
        request_id_header: str,
        timeout_seconds: float = 60,
        retries: int = 5,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log_in = log_in
        self._authorization: Mapping[str, str] | None = None
        self._request_id_header = request_id_header
        self._retries = retries
        self._sleep = sleep
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds, transport=transport, headers=dict(headers))

    def close(self) -> None:
        self._http.close()

    def many(self, calls: Sequence[Call]) -> list[httpx.Response | RefusedError]:
        """The answer of each, in their order; a refusal stops only itself.

        Raises:
            IlsDownError: the system does not answer.
            InDoubtError: one of them may have been done or not.
        """
        answers: list[httpx.Response | RefusedError] = []
        for call in calls:
            try:
                answers.append(self.send(call))
            except RefusedError as error:
                answers.append(error)
        return answers

    def send(self, call: Call) -> httpx.Response:
        """Send, and send again where that is safe: what may be repeated always, the rest only if the server surely did not
        do it.

        Raises:
            RefusedError: an answer of 400 or above that no repetition mends.
            InDoubtError: it may have been done or not.
            IlsDownError: no answer, or none that helps, also after the retries.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._once(call)
            except httpx.ConnectError as error:
                self._wait_or_give_up(attempt, f"{call.name}: no connection ({error})", None)
                continue
            except httpx.HTTPError as error:
                if not call.may_repeat:
                    raise InDoubtError(f"{call.name}: {type(error).__name__}: {error}") from error
                self._wait_or_give_up(attempt, f"{call.name}: {type(error).__name__}", None)
                continue
            status = response.status_code
            if status == 401 and attempt <= self._retries:
                self._authorization = None
            elif status in (429, 503):
                self._wait_or_give_up(attempt, f"{call.name}: {status}", response.headers.get("Retry-After"))
            elif call.settled is not None and status >= 400 and call.settled(response):
                return response
            elif status >= 500 and call.may_repeat:
                self._wait_or_give_up(attempt, f"{call.name}: {status}", None)
            elif status >= 500:
                raise InDoubtError(f"{call.name}: {status}")
            elif status >= 400:
                raise RefusedError(status, said(response))
            else:
                return response

    def _wait_or_give_up(self, attempt: int, what: str, retry_after: str | None) -> None:
        if attempt > self._retries:
            raise IlsDownError(
                f"{what}, {attempt} times. Is {self._http.base_url} up? What was not written stays planned."
            )
        seconds = retry_after_seconds(retry_after)
        seconds = min(0.2 * 2**attempt, 10) if seconds is None else seconds
        log.warning("ils waits %.1f s: %s", seconds, what)
        self._sleep(min(seconds, 120))

    def _once(self, call: Call) -> httpx.Response:
        if self._authorization is None:
            self._authorization = dict(self._log_in(self._http))
        ids = ",".join(call.correlation_ids)
        request_id = str(uuid.uuid5(NAMESPACE, ids)) if ids else str(uuid.uuid4())
        headers = {self._request_id_header: request_id, **self._authorization}
        if ids:
            headers["X-Correlation-ID"] = ids
        content = None
        if call.body is not None:
            content = call.body if isinstance(call.body, bytes) else orjson.dumps(call.body)
            headers["Content-Type"] = "application/json"
        start = time.monotonic()
        response = self._http.request(
            call.method, call.path, params=call.params, content=content, headers={**headers, **call.headers}
        )
        log.info(
            "ils %s %s %d in %d ms, request %s, correlation %s",
            call.method,
            call.path,
            response.status_code,
            (time.monotonic() - start) * 1000,
            request_id,
            ids or "-",
        )
        return response


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


def said(response: httpx.Response) -> str:
    """What a refusal says, without the values that it may repeat: those can be what is masked everywhere else."""
    try:
        errors = response.json()["errors"]
        parts = [str(each.get("message", "")) for each in errors]
        keys = [str(parameter.get("key", "")) for each in errors for parameter in each.get("parameters") or ()]
        return "; ".join(parts)[:200] + (f" ({', '.join(keys)})" if keys else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.text[:200]
