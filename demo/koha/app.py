"""The Koha as an ASGI application: its routes, and what every request passes on its way to them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.ils.audit import Origin
from demo.ils.errors import Refused
from demo.ils.faults import Faults, FaultsMiddleware
from demo.ils.gateway import RequestLog, RequestLogMiddleware, correlation_ids, refuses_foreign, request_id
from demo.koha import oai
from demo.koha.answers import BASE, as_json
from demo.koha.catalogue import Biblios, Items
from demo.koha.catalogue_routes import biblio_routes, item_routes
from demo.koha.control import demo_routes
from demo.koha.errors import KohaRefused, malformed
from demo.koha.people import Checkouts, Patrons
from demo.koha.people_routes import people_routes
from demo.koha.reference import furnish
from demo.koha.store import open_store
from demo.koha.tokens import ApiKey, Tokens

OAI = "/cgi-bin/koha/oai.pl"


@dataclass(frozen=True)
class Options:
    """How this Koha differs from the default one.

    Attributes:
        control_number: the preference autoControlNumber: 001 of a record that has none becomes its number.
        oai_page: the preference OAI-PMH:MaxCount.
    """

    key: ApiKey = field(default_factory=ApiKey.from_environment)
    token_seconds: float = 3600
    control_number: bool = True
    oai_page: int = 50


class Door:
    """Everything below the API but the token's path needs a Bearer token; 401 otherwise. The demo's own paths do not, but
    they take nothing that a foreign web page could have sent."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self.app, self.tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        refusal: Response | None = None
        if path.startswith("/_demo/"):
            refusal = refuses_foreign(headers)
        elif self._closed(path) and not self.tokens.valid(headers.get("authorization", "")):
            refusal = as_json({"error": "Authentication failure."}, 401)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["origin"] = Origin("demo", request_id(headers), correlation_ids(headers))
        await self.app(scope, receive, send)

    @staticmethod
    def _closed(path: str) -> bool:
        return path.startswith(BASE) and not path.startswith((f"{BASE}/oauth/", f"{BASE}/public/"))


async def refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, KohaRefused)  # noqa: S101
    return error.answer()


async def fault_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101
    return error.answer()


async def no_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return as_json({"error": error.detail}, error.status_code, dict(error.headers or {}))


def build(path: Path, options: Options | None = None) -> Starlette:
    """The application over the file at `path`, which is made if there is none."""
    options = options or Options()
    store = open_store(path)
    furnish(store)
    tokens, user = Tokens(store, options.key, options.token_seconds), options.key.patron_id
    biblios, items = Biblios(store, user, options.control_number), Items(store, user)
    patrons, checkouts = Patrons(store, user), Checkouts(store, user)
    faults, log = Faults(), RequestLog(store)

    async def token(request: Request) -> Response:
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        body = (await request.body()).decode("utf-8", "replace")
        form = (
            dict(parse_qsl(body, keep_blank_values=True)) if media_type == "application/x-www-form-urlencoded" else {}
        )
        if "grant_type" not in form:
            raise malformed(("/grant_type", "Missing property."))
        return as_json(tokens.grant(form))

    async def harvest(request: Request) -> Response:
        url = str(request.url.replace(query=""))
        text = await run_in_threadpool(oai.answer, store, url, dict(request.query_params), options.oai_page)
        return Response(text, media_type="text/xml")

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        log.close()
        store.close()

    return Starlette(
        routes=[
            Route(f"{BASE}/oauth/token", token, methods=["POST"]),
            *biblio_routes(store, biblios),
            *item_routes(store, items, biblios),
            *people_routes(store, patrons, checkouts),
            Route(OAI, harvest, methods=["GET"]),
            *demo_routes(store, biblios, checkouts, faults, log),
        ],
        lifespan=life,
        exception_handlers={KohaRefused: refused, Refused: fault_refused, HTTPException: no_route},
        middleware=[
            Middleware(RequestLogMiddleware, log=log),
            Middleware(FaultsMiddleware, faults=faults),
            Middleware(Door, tokens=tokens),
        ],
    )
