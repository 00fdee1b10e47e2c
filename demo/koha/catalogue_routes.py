"""Endpoints of biblios and items."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.ils.store import Store
from demo.koha import listing, marc
from demo.koha.answers import BASE, as_json, json_of, number_of, origin_of, wanted
from demo.koha.catalogue import Biblios, Items
from demo.koha.errors import malformed, unacceptable
from demo.koha.listing import Table
from demo.koha.tables import TABLES, list_route

Endpoint = Callable[[Request], Awaitable[Response]]


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
