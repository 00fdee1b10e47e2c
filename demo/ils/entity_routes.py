"""Paths of users, circulation and reference data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.ils import reference
from demo.ils.answers import as_json, json_of, number, origin_of
from demo.ils.circulation import Circulation
from demo.ils.circulation_day import make_day, read_day
from demo.ils.documents import Documents
from demo.ils.patrons import GROUP, USER, Users
from demo.ils.store import Store

Endpoint = Callable[[Request], Awaitable[Response]]


def _listed(find: Callable[..., bytes]) -> Endpoint:
    async def read_list(request: Request) -> Response:
        page = number(request, "limit", 10), number(request, "offset", 0)
        return as_json(await run_in_threadpool(find, request.query_params.get("query"), *page))

    return read_list


def _one(get: Callable[[str], bytes]) -> Endpoint:
    async def read_one(request: Request) -> Response:
        return as_json(await run_in_threadpool(get, request.path_params["id"]))

    return read_one


def _posted(do: Callable[..., bytes], status: int = 201) -> Endpoint:
    async def post(request: Request) -> Response:
        body = await json_of(request)
        return as_json(await run_in_threadpool(do, body, origin_of(request)), status)

    return post


def _put(replace: Callable[..., None]) -> Endpoint:
    async def put(request: Request) -> Response:
        body = await json_of(request)
        await run_in_threadpool(replace, request.path_params["id"], body, origin_of(request))
        return Response(status_code=204)

    return put


def _deleted(delete: Callable[..., None]) -> Endpoint:
    async def delete_one(request: Request) -> Response:
        await run_in_threadpool(delete, request.path_params["id"], origin_of(request))
        return Response(status_code=204)

    return delete_one


def _collection(path: str, documents: Documents) -> list[Route]:
    return [
        Route(path, _listed(documents.find), methods=["GET"]),
        Route(path, _posted(documents.create), methods=["POST"]),
        Route(f"{path}/{{id}}", _one(documents.get), methods=["GET"]),
        Route(f"{path}/{{id}}", _put(documents.replace), methods=["PUT"]),
        Route(f"{path}/{{id}}", _deleted(documents.delete), methods=["DELETE"]),
    ]


def entity_routes(store: Store) -> list[Route]:
    circulation = Circulation(store)

    async def day(request: Request) -> Response:
        wanted = read_day(await json_of(request))
        counts: dict[str, Any] = await run_in_threadpool(make_day, circulation, wanted)
        return as_json(counts, 201)

    routes = [*_collection("/users", Users(store, USER)), *_collection("/groups", Documents(store, GROUP))]
    for each in reference.REFERENCES:
        documents = Documents(store, each.kind)
        routes.append(Route(each.path, _listed(documents.find), methods=["GET"]))
        routes.append(Route(f"{each.path}/{{id}}", _one(documents.get), methods=["GET"]))
    loans, history = "/loan-storage/loans", "/loan-storage/loan-history"
    return [
        *routes,
        Route("/circulation/check-out-by-barcode", _posted(circulation.check_out), methods=["POST"]),
        Route("/circulation/check-in-by-barcode", _posted(circulation.check_in, 200), methods=["POST"]),
        Route("/circulation/renew-by-barcode", _posted(circulation.renew, 200), methods=["POST"]),
        Route("/circulation/loans", _listed(circulation.find), methods=["GET"]),
        Route("/circulation/loans/{id}", _one(circulation.get), methods=["GET"]),
        Route(loans, _listed(circulation.loans.find), methods=["GET"]),
        Route(loans, _posted(circulation.create_loan), methods=["POST"]),
        Route(f"{loans}/{{id}}", _one(circulation.loans.get), methods=["GET"]),
        Route(f"{loans}/{{id}}", _put(circulation.replace_loan), methods=["PUT"]),
        Route(f"{loans}/{{id}}", _deleted(circulation.delete_loan), methods=["DELETE"]),
        Route(history, _listed(circulation.history.find), methods=["GET"]),
        Route("/audit-data/circulation/logs", _listed(circulation.log.find), methods=["GET"]),
        Route("/_demo/circulation/day", day, methods=["POST"]),
    ]
