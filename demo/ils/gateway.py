"""What stands before the modules: tenant and token, as Okapi checks them, and the log of requests."""

from __future__ import annotations

import threading
import time
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.ils.audit import Origin
from demo.ils.store import Store, as_iso
from demo.ils.tokens import Tokens

OPEN_PATHS = ("/_demo/", "/authn/", "/admin/health", "/search/")
SECRET_HEADERS = ("cookie", "authorization", "token", "password", "secret")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "testserver")


def correlation_ids(headers: Headers) -> tuple[str, ...]:
    return tuple(part.strip() for part in headers.get("x-correlation-id", "").split(",") if part.strip())


def request_id(headers: Headers) -> str:
    """FOLIO's own header, else the one that proxies know."""
    return headers.get("x-okapi-request-id") or headers.get("x-request-id", "")


def refuses_foreign(headers: Headers) -> Response | None:
    """The demo's own paths take no request that a web page of another origin could have sent."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if host.rpartition(":")[0] not in LOOPBACK and host not in LOOPBACK:
        return Response("Host is not loopback", 403, media_type="text/plain")
    if origin is not None and origin != f"http://{host}":
        return Response("Foreign Origin", 403, media_type="text/plain")
    return None


class Gateway:
    """Every path but login, health, the readers' search and the demo's own needs a tenant and a token; 401 text/plain otherwise.

    Those need none, but they take no request that a foreign web page could have sent: the Host must be
    loopback (against rebound names) and an Origin, if there is one, the same as the Host.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self.app = app
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        user, refusal = self._user(scope["path"], headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope["state"]["origin"] = Origin(user, headers.get("x-okapi-request-id", ""), correlation_ids(headers))
        await self.app(scope, receive, send)

    def _user(self, path: str, headers: Headers) -> tuple[str, Response | None]:
        if path.startswith(OPEN_PATHS):
            return self.tokens.account.user, refuses_foreign(headers)
        tenant = headers.get("x-okapi-tenant")
        if not tenant:
            return "", Response("Missing Tenant", 401, media_type="text/plain")
        user = self.tokens.user_of(tenant, presented_token(headers))
        if user is None:
            return "", Response("Token missing, expired or not of this tenant", 401, media_type="text/plain")
        return user, None


def presented_token(headers: Headers) -> str:
    """From X-Okapi-Token, Authorization: Bearer, or the cookie, in this order."""
    if token := headers.get("x-okapi-token"):
        return token
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return cookie_parser(headers.get("cookie", "")).get("folioAccessToken", "")


class RequestLog:
    """Rows of the table `request`. Kept in memory for half a second at most, so that a read costs no write; what a
    killed process had not written yet is lost here, but never in the audit."""

    EVERY_SECONDS = 0.5
    EVERY_ROWS = 256

    def __init__(self, store: Store) -> None:
        self.store = store
        self._rows: list[tuple[Any, ...]] = []
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_now_and_then, daemon=True, name="request-log")
        self._thread.start()

    def add(self, row: tuple[Any, ...]) -> None:
        with self._lock:
            self._rows.append(row)
            full = len(self._rows) >= self.EVERY_ROWS
        if full:
            self.flush()

    def flush(self) -> None:
        """All that was added is written when this returns, also what another thread is just writing."""
        with self._flushing:
            with self._lock:
                rows, self._rows = self._rows, []
            if rows:
                with self.store.writing() as (connection, _):
                    connection.executemany(
                        "INSERT INTO request (time, method, path, status, milliseconds, request_id, correlation_ids,"
                        " fault, headers) VALUES (?,?,?,?,?,?,?,?,?)",
                        rows,
                    )

    def _write_now_and_then(self) -> None:
        while not self._stop.wait(self.EVERY_SECONDS):
            self.flush()

    def drop(self) -> None:
        """Forget what is not written yet."""
        with self._flushing, self._lock:
            self._rows = []

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.flush()

    def read(self, after: int, limit: int) -> dict[str, Any]:
        self.flush()
        with self.store.reading() as connection:
            rows = connection.execute(
                "SELECT seq, time, method, path, status, milliseconds, request_id, correlation_ids, fault, headers"
                " FROM request WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            ).fetchall()
        names = ("seq", "time", "method", "path", "status", "milliseconds", "requestId")
        entries = [
            dict(zip(names, row[:7], strict=True))
            | {"correlationIds": orjson.loads(row[7]), "fault": row[8], "headers": orjson.loads(row[9])}
            for row in rows
        ]
        return {"entries": entries, "lastSeq": entries[-1]["seq"] if entries else after}


def redacted(headers: Headers) -> dict[str, str]:
    """The headers without secrets."""
    return {
        name: "[redacted]" if any(word in name for word in SECRET_HEADERS) else value for name, value in headers.items()
    }


class RequestLogMiddleware:
    """Outermost: logs every request but the demo's own, with the fault that struck it, if one did."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_demo/"):
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        status: int | None = None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.monotonic()
        when = as_iso(time.time_ns() // 1_000_000)
        try:
            await self.app(scope, receive, watched)
        finally:
            headers = Headers(scope=scope)
            query = scope["query_string"].decode("latin-1")
            self.log.add(
                (
                    when,
                    scope["method"],
                    scope["path"] + (f"?{query}" if query else ""),
                    status,
                    round((time.monotonic() - began) * 1000, 3),
                    request_id(headers),
                    orjson.dumps(correlation_ids(headers)).decode(),
                    scope["state"].get("fault"),
                    orjson.dumps(redacted(headers)).decode(),
                )
            )
