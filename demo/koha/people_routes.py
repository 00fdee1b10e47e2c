"""Endpoints of patrons and checkouts, and of the lists that stand behind them."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.ils.store import Store
from demo.koha import listing
from demo.koha.answers import BASE, as_json, json_of, number_of, origin_of
from demo.koha.people import Checkouts, Patrons
from demo.koha.tables import TABLES, list_route


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
