"""The Koha as an ASGI application: which path is answered by what."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.ils import audit
from demo.ils.audit import Origin
from demo.ils.errors import Refused
from demo.ils.faults import Faults, FaultsMiddleware, fault_routes
from demo.ils.gateway import RequestLog, RequestLogMiddleware, correlation_ids, refuses_foreign, request_id
from demo.ils.marc_json import set_field
from demo.ils.store import Store
from demo.koha import listing, marc, oai, shapes
from demo.koha.catalogue import Biblios, Items
from demo.koha.errors import KohaRefused, malformed, not_found, unacceptable
from demo.koha.listing import Table
from demo.koha.people import Checkouts, Patrons
from demo.koha.query import Fields
from demo.koha.store import open_store, seconds
from demo.koha.tokens import ApiKey, Tokens

BASE = "/api/v1"
OAI = "/cgi-bin/koha/oai.pl"
Endpoint = Callable[[Request], Awaitable[Response]]
_ID = {"timestamp": "stamp"}
# JSON's `timestamp` is the biblioitem's, a filter on it the biblio's: as in Koha.
BIBLIOS = Fields(shapes.names(shapes.BIBLIO), {"biblio_id": "id", "title": "title", **_ID}, frozenset({"timestamp"}))
TABLES = {
    "biblios": Table("biblio", BIBLIOS, shown="body, marc"),
    "deleted": Table("deleted_biblio", BIBLIOS, shown="body, marc"),
    "items": Table(
        "item",
        Fields(
            shapes.names(shapes.ITEM),
            {"item_id": "id", "biblio_id": "biblio_id", "external_id": "barcode", **_ID},
            frozenset({"timestamp"}),
        ),
        frozenset({"external_id"}),
    ),
    "patrons": Table(
        "patron",
        Fields(
            shapes.names(shapes.PATRON),
            {"patron_id": "id", "cardnumber": "cardnumber", "updated_on": "stamp"},
            frozenset({"updated_on"}),
        ),
        frozenset(
            shapes.names(shapes.PATRON)
            - {"preferred_name", "middle_name", "pronouns", "date_renewed", "privacy_guarantor_fines"}
            - {"overdrive_auth_token", "anonymized"}
        ),
    ),
    "checkouts": Table(
        "checkout",
        Fields(
            shapes.names(shapes.CHECKOUT),
            {"checkout_id": "id", "item_id": "item_id", "patron_id": "patron_id", **_ID},
            frozenset({"timestamp", "due_date", "checkout_date", "checkin_date", "last_renewed_date"}),
        ),
        frozenset({"patron_id"}),
    ),
    "action_logs": Table(
        "action_log",
        Fields(
            shapes.names(shapes.ACTION_LOG),
            {"action_id": "id", "object": "object", **_ID},
            frozenset({"timestamp"}),
        ),
        frozenset({"action_id", "timestamp", "user", "module", "action", "object", "info", "interface"}),
    ),
    "libraries": Table(
        "library",
        Fields(shapes.names(shapes.LIBRARY), {"library_id": "id"}),
        shapes.names(shapes.LIBRARY)
        - {"library_id", "illemail", "geolocation", "marc_org_code", "pickup_location", "public"},
    ),
    "item_types": Table("item_type", Fields(shapes.names(shapes.ITEM_TYPE), {"item_type_id": "id"})),
}


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


def as_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Response(data, status, headers, media_type="application/json")


def number_of(request: Request, name: str, what: str) -> int:
    text = request.path_params[name]
    try:
        number = int(text)
    except ValueError:
        raise malformed((f"/{name}", "Expected integer - got string.")) from None
    if not -(2**63) <= number < 2**63:
        raise not_found(what)
    return number


async def json_of(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise malformed(("/body", "Expected object - got null.")) from None


def wanted(request: Request, given: tuple[str, ...]) -> str:
    """The form that the client asks for: the first of Accept that is known. 406 otherwise."""
    accept = request.headers.get("accept", "*/*")
    for part in accept.split(","):
        name = part.split(";")[0].strip().lower()
        if name in given:
            return name
        if name in ("*/*", "application/*"):
            return given[0]
    raise unacceptable(given)


def origin_of(request: Request) -> Origin:
    origin: Origin = request.state.origin
    return origin


def list_route(store: Store, path: str, name: str, base: str = "1") -> Route:
    table = TABLES[name]

    async def read(request: Request) -> Response:
        asked = await listing.read(request, table)
        rows, total, without = await run_in_threadpool(listing.found, store, table, asked, base)
        return as_json(listing.as_list(rows), 200, listing.headers(request, asked, total, without))

    return Route(BASE + path, read, methods=["GET"])


def biblio_routes(store: Store, biblios: Biblios) -> list[Route]:
    def lists(name: str) -> Endpoint:
        async def read(request: Request) -> Response:
            form = wanted(request, marc.GIVEN)
            asked = await listing.read(request, TABLES[name])
            rows, total, without = await run_in_threadpool(listing.found, store, TABLES[name], asked)
            headers = listing.headers(request, asked, total, without)
            if form == "application/json":
                return as_json(listing.as_list(rows), 200, headers)
            body = marc.write(form, [orjson.loads(row[1]) for row in rows], one=False)
            return Response(body, 200, headers, media_type=form)

        return read

    def one(table: str, forms: tuple[str, ...]) -> Endpoint:
        async def read(request: Request) -> Response:
            form = wanted(request, forms)
            listing.refuse_unknown(request)
            number = number_of(request, "id", "Bibliographic record")
            body, content = await run_in_threadpool(biblios.get, number, table)
            if form == "application/json":
                return as_json(body)
            return Response(marc.write(form, [orjson.loads(content)], one=True), media_type=form)

        return read

    async def content_of(request: Request) -> marc.Content:
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type not in marc.TAKEN:
            raise unacceptable(marc.TAKEN)
        if request.headers.get("x-record-schema", "MARC21") not in ("MARC21", "UNIMARC"):
            raise malformed(("/x-record-schema", "Not in enum list: MARC21, UNIMARC."))
        return marc.read(media_type, await request.body())

    async def add(request: Request) -> Response:
        listing.refuse_unknown(request)
        content, framework = await content_of(request), request.headers.get("x-framework-id", "")
        confirmed = request.headers.get("x-confirm-not-duplicate", "0")
        if not confirmed.lstrip("-").isdecimal():
            raise malformed(("/x-confirm-not-duplicate", "Expected integer - got string."))
        number = await run_in_threadpool(biblios.add, content, framework, confirmed != "0", origin_of(request))
        return as_json({"id": number}, 200, {"Location": f"{BASE}/biblios/{number}"})

    async def update(request: Request) -> Response:
        listing.refuse_unknown(request)
        number = number_of(request, "id", "Bibliographic record")
        await run_in_threadpool(biblios.get, number)
        content, framework = await content_of(request), request.headers.get("x-framework-id")
        await run_in_threadpool(biblios.update, number, content, framework, origin_of(request))
        return as_json({"id": number})

    async def delete(request: Request) -> Response:
        listing.refuse_unknown(request)
        number = number_of(request, "id", "Bibliographic record")
        await run_in_threadpool(biblios.delete, number, origin_of(request))
        return Response(status_code=204)

    return [
        Route(f"{BASE}/biblios", lists("biblios"), methods=["GET"]),
        Route(f"{BASE}/biblios", add, methods=["POST"]),
        Route(f"{BASE}/biblios/{{id}}", one("biblio", marc.GIVEN), methods=["GET"]),
        Route(f"{BASE}/biblios/{{id}}", update, methods=["PUT"]),
        Route(f"{BASE}/biblios/{{id}}", delete, methods=["DELETE"]),
        Route(f"{BASE}/public/biblios/{{id}}", one("biblio", marc.GIVEN[1:]), methods=["GET"]),
        Route(f"{BASE}/deleted/biblios", lists("deleted"), methods=["GET"]),
        Route(f"{BASE}/deleted/biblios/{{id}}", one("deleted_biblio", marc.GIVEN), methods=["GET"]),
    ]


def item_routes(store: Store, items: Items, biblios: Biblios) -> list[Route]:
    async def read_one(request: Request) -> Response:
        listing.refuse_unknown(request)
        return as_json(await run_in_threadpool(items.of, number_of(request, "id", "Item")))

    async def delete(request: Request) -> Response:
        listing.refuse_unknown(request)
        await run_in_threadpool(items.delete, number_of(request, "id", "Item"), origin_of(request))
        return Response(status_code=204)

    async def of_biblio(request: Request) -> Response:
        table = TABLES["items"]
        asked = await listing.read(request, Table(table.name, table.fields), frozenset({"bookable"}))
        number = number_of(request, "id", "Bibliographic record")
        await run_in_threadpool(biblios.get, number)
        rows, total, without = await run_in_threadpool(listing.found, store, table, asked, "biblio_id = ?", (number,))
        return as_json(listing.as_list(rows), 200, listing.headers(request, asked, total, without))

    async def add(request: Request) -> Response:
        listing.refuse_unknown(request)
        number = number_of(request, "id", "Bibliographic record")
        body = await run_in_threadpool(items.add, number, await json_of(request), origin_of(request))
        return as_json(body, 201, {"Location": f"{BASE}/biblios/{number}/items/{body['item_id']}"})

    async def update(request: Request) -> Response:
        listing.refuse_unknown(request)
        ids = number_of(request, "id", "Bibliographic record"), number_of(request, "item_id", "Item")
        return as_json(await run_in_threadpool(items.update, *ids, await json_of(request), origin_of(request)))

    return [
        list_route(store, "/items", "items"),
        Route(f"{BASE}/items/{{id}}", read_one, methods=["GET"]),
        Route(f"{BASE}/items/{{id}}", delete, methods=["DELETE"]),
        Route(f"{BASE}/biblios/{{id}}/items", of_biblio, methods=["GET"]),
        Route(f"{BASE}/biblios/{{id}}/items", add, methods=["POST"]),
        Route(f"{BASE}/biblios/{{id}}/items/{{item_id}}", update, methods=["PUT"]),
    ]


def people_routes(store: Store, patrons: Patrons, checkouts: Checkouts) -> list[Route]:
    async def read_patron(request: Request) -> Response:
        listing.refuse_unknown(request)
        return as_json(await run_in_threadpool(patrons.of, number_of(request, "id", "Patron")))

    async def add_patron(request: Request) -> Response:
        listing.refuse_unknown(request)
        body = await run_in_threadpool(patrons.add, await json_of(request), origin_of(request))
        return as_json(body, 201, {"Location": f"{BASE}/patrons/{body['patron_id']}"})

    async def update_patron(request: Request) -> Response:
        listing.refuse_unknown(request)
        number = number_of(request, "id", "Patron")
        return as_json(await run_in_threadpool(patrons.update, number, await json_of(request), origin_of(request)))

    async def delete_patron(request: Request) -> Response:
        listing.refuse_unknown(request)
        await run_in_threadpool(patrons.delete, number_of(request, "id", "Patron"), origin_of(request))
        return Response(status_code=204)

    async def read_checkouts(request: Request) -> Response:
        asked = await listing.read(request, TABLES["checkouts"], frozenset({"checked_in"}))
        base = f"checked_in = {int(listing.truth(request, 'checked_in'))}"
        rows, total, without = await run_in_threadpool(listing.found, store, TABLES["checkouts"], asked, base)
        return as_json(listing.as_list(rows), 200, listing.headers(request, asked, total, without))

    async def add_checkout(request: Request) -> Response:
        listing.refuse_unknown(request, frozenset({"confirmation"}))
        body = await run_in_threadpool(checkouts.add, await json_of(request), origin_of(request))
        return as_json(body, 201, {"Location": f"{BASE}/checkouts/{body['checkout_id']}"})

    async def read_checkout(request: Request) -> Response:
        listing.refuse_unknown(request)
        return as_json(await run_in_threadpool(checkouts.of, number_of(request, "id", "Checkout")))

    async def renew(request: Request) -> Response:
        listing.refuse_unknown(request, frozenset({"seen"}))
        number, seen = number_of(request, "id", "Checkout"), listing.integer(request, "seen", 1)
        return as_json(await run_in_threadpool(checkouts.renew, number, seen != 0, origin_of(request)), 201)

    async def renewals(request: Request) -> Response:
        listing.refuse_unknown(request)
        return as_json(await run_in_threadpool(checkouts.renewals, number_of(request, "id", "Checkout")))

    return [
        list_route(store, "/patrons", "patrons"),
        Route(f"{BASE}/patrons", add_patron, methods=["POST"]),
        Route(f"{BASE}/patrons/{{id}}", read_patron, methods=["GET"]),
        Route(f"{BASE}/patrons/{{id}}", update_patron, methods=["PUT"]),
        Route(f"{BASE}/patrons/{{id}}", delete_patron, methods=["DELETE"]),
        Route(f"{BASE}/checkouts", read_checkouts, methods=["GET"]),
        Route(f"{BASE}/checkouts", add_checkout, methods=["POST"]),
        Route(f"{BASE}/checkouts/{{id}}", read_checkout, methods=["GET"]),
        Route(f"{BASE}/checkouts/{{id}}/renewal", renew, methods=["POST"]),
        Route(f"{BASE}/checkouts/{{id}}/renewals", renew, methods=["POST"]),
        Route(f"{BASE}/checkouts/{{id}}/renewals", renewals, methods=["GET"]),
        list_route(store, "/action_logs", "action_logs"),
        list_route(store, "/libraries", "libraries"),
        list_route(store, "/item_types", "item_types"),
    ]


def furnish(store: Store) -> None:
    """Libraries, item types, and the patron whose API key it is: what a Koha has before the first record."""
    with store.writing() as (connection, now):
        for code, name in (("MAIN", "Main library"), ("BRANCH", "Branch library")):
            body = shapes.whole(
                shapes.LIBRARY, {"library_id": code, "name": name}, {"pickup_location": True, "public": True}
            )
            connection.execute(
                "INSERT OR IGNORE INTO library VALUES (?, ?, ?)", (code, now, orjson.dumps(body).decode())
            )
        for code, name in (("BK", "Books"), ("EB", "Electronic books")):
            body = {"item_type_id": code, "description": name, "hide_in_opac": False, "not_for_loan_status": False}
            body["rentalcharge"] = None
            connection.execute(
                "INSERT OR IGNORE INTO item_type VALUES (?, ?, ?)", (code, now, orjson.dumps(body).decode())
            )
        api = {"patron_id": 1, "surname": "API", "library_id": "MAIN", "category_id": "S", "userid": "api"}
        body = shapes.whole(shapes.PATRON, api | {"updated_on": seconds(now)}, shapes.PATRON_DEFAULTS)
        connection.execute(
            "INSERT OR IGNORE INTO patron (id, userid, stamp, body) VALUES (1, 'api', ?, ?)",
            (seconds(now), orjson.dumps(body).decode()),
        )


def demo_routes(store: Store, biblios: Biblios, checkouts: Checkouts, faults: Faults, log: RequestLog) -> list[Route]:
    def page(request: Request) -> tuple[int, int]:
        return listing.integer(request, "after", 0), listing.integer(request, "limit", 1000)

    async def read_audit(request: Request) -> Response:
        return as_json(await run_in_threadpool(audit.log, store, *page(request)))

    async def read_requests(request: Request) -> Response:
        return as_json(await run_in_threadpool(log.read, *page(request)))

    async def state(_: Request) -> Response:
        def counts() -> dict[str, int]:
            names = {"biblios": "biblio", "deletedBiblios": "deleted_biblio", "items": "item", "patrons": "patron"}
            names |= {"checkouts": "checkout", "audit": "audit"}
            with store.reading() as connection:
                found = {
                    name: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
                    for name, table in names.items()
                }
                last = connection.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()[0]
            return found | {"lastSeq": int(last)}

        return as_json(await run_in_threadpool(counts))

    async def reset(_: Request) -> Response:
        faults.clear()
        log.drop()
        await run_in_threadpool(store.reset)
        await run_in_threadpool(furnish, store)
        return Response(status_code=204)

    async def edit(request: Request) -> Response:
        """`{"biblioId", "tag", "code", "value"}`: a librarian changes the first such field, or adds it."""
        given = await json_of(request)
        number = int(given["biblioId"])

        def change() -> None:
            content = orjson.loads(biblios.get(number)[1])
            set_field(content["fields"], str(given["tag"]), str(given.get("code") or ""), str(given["value"]))
            biblios.update(number, content, None, Origin(user="librarian", request_id="librarian"))

        await run_in_threadpool(change)
        return as_json({"id": number})

    async def check_in(request: Request) -> Response:
        number = int((await json_of(request))["checkoutId"])
        return as_json(await run_in_threadpool(checkouts.check_in, number, Origin(user="librarian")))

    return [
        Route("/_demo/audit", read_audit, methods=["GET"]),
        Route("/_demo/requests", read_requests, methods=["GET"]),
        Route("/_demo/state", state, methods=["GET"]),
        Route("/_demo/reset", reset, methods=["POST"]),
        *fault_routes(faults),
        Route("/_demo/edit", edit, methods=["POST"]),
        Route("/_demo/checkin", check_in, methods=["POST"]),
    ]


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
