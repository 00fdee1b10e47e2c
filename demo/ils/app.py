"""The ILS as an ASGI application: which path is answered by what."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from demo.ils import audit, control, reference, source_record_search
from demo.ils.answers import as_json, flag, json_of, number, origin_of
from demo.ils.entity_routes import entity_routes
from demo.ils.errors import Refused, bad_request
from demo.ils.faults import Faults, FaultsMiddleware, fault_routes
from demo.ils.gateway import Gateway, RequestLog, RequestLogMiddleware
from demo.ils.inventory import HOLDINGS, INSTANCE, ITEM, Inventory, Kind
from demo.ils.source_records import SourceRecords
from demo.ils.store import Store
from demo.ils.tokens import Account, Pair, Tokens
from demo.ils.workload import Model, Workload, WorkloadMiddleware

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Options:
    """How this ILS differs from the default one."""

    account: Account = field(default_factory=Account.from_environment)
    access_seconds: float = 600
    refresh_seconds: float = 7 * 24 * 3600
    secure_cookies: bool = False  # FOLIO says Secure; over plain HTTP on loopback no client would send them back
    most_in_batch: int = 10_000


def inventory_routes(inventory: Inventory, path: str, batch_path: str) -> list[Route]:
    kind: Kind = inventory.kind

    async def read_list(request: Request) -> Response:
        limit, offset = number(request, "limit", 10), number(request, "offset", 0)
        count = request.query_params.get("totalRecords") != "none"
        query = request.query_params.get("query")
        return as_json(await run_in_threadpool(inventory.find, query, limit, offset, count))

    async def retrieve(request: Request) -> Response:
        given = await json_of(request)
        if not isinstance(given, dict):
            raise bad_request("an object with query, limit, offset was expected")
        limit, offset = given.get("limit", 10), given.get("offset", 0)
        if not isinstance(limit, int) or not isinstance(offset, int):
            raise bad_request("limit and offset are numbers")
        return as_json(await run_in_threadpool(inventory.find, given.get("query"), limit, offset))

    async def create(request: Request) -> Response:
        body = await json_of(request)
        return as_json(await run_in_threadpool(inventory.create, body, origin_of(request)), 201)

    async def delete_found(request: Request) -> Response:
        await run_in_threadpool(inventory.delete_found, request.query_params.get("query"), origin_of(request))
        return Response(status_code=204)

    async def read_one(request: Request) -> Response:
        return as_json(await run_in_threadpool(inventory.get, request.path_params["id"]))

    async def replace(request: Request) -> Response:
        body = await json_of(request)
        await run_in_threadpool(inventory.replace, request.path_params["id"], body, origin_of(request))
        return Response(status_code=204)

    async def patch_one(request: Request) -> Response:
        body = await json_of(request)
        if isinstance(body, dict) and body.get("id") != request.path_params["id"]:
            raise bad_request("the id in the path and in the body differ")
        await run_in_threadpool(inventory.patch, [body], origin_of(request), False)
        return Response(status_code=204)

    async def patch_several(request: Request) -> Response:
        body = await json_of(request)
        if not isinstance(body, dict) or not isinstance(body.get("items"), list):
            raise bad_request("malformed request body: items was expected")
        await run_in_threadpool(inventory.patch, body["items"], origin_of(request), True)
        return Response(status_code=204)

    async def delete(request: Request) -> Response:
        await run_in_threadpool(inventory.delete, request.path_params["id"], origin_of(request))
        return Response(status_code=204)

    async def batch(request: Request) -> Response:
        body = await json_of(request)
        bodies = body.get(kind.list_name) if isinstance(body, dict) else None
        await run_in_threadpool(inventory.batch, bodies, flag(request, "upsert"), origin_of(request))
        return Response(status_code=201)

    routes = [
        Route(path, read_list, methods=["GET"]),
        Route(path, create, methods=["POST"]),
        Route(path, delete_found, methods=["DELETE"]),
        Route(f"{path}/retrieve", retrieve, methods=["POST"]),
        Route(f"{path}/{{id}}", read_one, methods=["GET"]),
        Route(f"{path}/{{id}}", replace, methods=["PUT"]),
        Route(f"{path}/{{id}}", delete, methods=["DELETE"]),
        Route(batch_path, batch, methods=["POST"]),
    ]
    if kind is ITEM:
        routes.append(Route(path, patch_several, methods=["PATCH"]))
    else:
        routes.append(Route(f"{path}/{{id}}", patch_one, methods=["PATCH"]))
    return routes


def source_record_routes(store: Store, records: SourceRecords) -> list[Route]:
    async def create_snapshot(request: Request) -> Response:
        body = await json_of(request)
        return as_json(await run_in_threadpool(records.create_snapshot, body, origin_of(request)), 201)

    async def snapshots(request: Request) -> Response:
        page = number(request, "limit", 10), number(request, "offset", 0)
        return as_json(await run_in_threadpool(records.snapshots, *page))

    async def snapshot(request: Request) -> Response:
        return as_json(await run_in_threadpool(records.snapshot, request.path_params["id"]))

    async def update_snapshot(request: Request) -> Response:
        body, snapshot_id = await json_of(request), request.path_params["id"]
        return as_json(await run_in_threadpool(records.update_snapshot, snapshot_id, body, origin_of(request)))

    async def create(request: Request) -> Response:
        body = await json_of(request)
        return as_json(await run_in_threadpool(records.create, body, origin_of(request)), 201)

    async def list_records(request: Request) -> Response:
        snapshot_id, state = request.query_params.get("snapshotId"), request.query_params.get("state")
        page = number(request, "limit", 10), number(request, "offset", 0)
        return as_json(await run_in_threadpool(records.list_records, snapshot_id, state, *page))

    async def read_one(request: Request) -> Response:
        return as_json(await run_in_threadpool(records.get, request.path_params["id"]))

    async def formatted(request: Request) -> Response:
        id_type = request.query_params.get("idType", "RECORD")
        return as_json(await run_in_threadpool(records.get, request.path_params["id"], id_type, True))

    async def update(request: Request) -> Response:
        body = await json_of(request)
        return as_json(await run_in_threadpool(records.update, request.path_params["id"], body, origin_of(request)))

    async def generation(request: Request) -> Response:
        body, matched_id = await json_of(request), request.path_params["id"]
        return as_json(await run_in_threadpool(records.next_generation, matched_id, body, origin_of(request)))

    async def delete(request: Request) -> Response:
        id_type = request.query_params.get("idType", "RECORD")
        await run_in_threadpool(records.delete, request.path_params["id"], id_type, origin_of(request))
        return Response(status_code=204)

    async def source_records(request: Request) -> Response:
        chosen = source_record_search.read_filter(request.query_params)
        page = number(request, "limit", 10), number(request, "offset", 0)
        return as_json(await run_in_threadpool(source_record_search.page, store, chosen, *page))

    async def source_records_by_ids(request: Request) -> Response:
        ids, id_type = await json_of(request), request.query_params.get("idType", "RECORD")
        deleted = flag(request, "deleted")
        return as_json(await run_in_threadpool(source_record_search.by_ids, store, ids, id_type, deleted))

    async def source_record(request: Request) -> Response:
        id_type = request.query_params.get("idType", "RECORD")
        stored = await run_in_threadpool(records.get, request.path_params["id"], id_type)
        return as_json(source_record_search.one(stored))

    async def stream(request: Request) -> Response:
        chosen = source_record_search.read_filter(request.query_params)
        limit = number(request, "limit", 0) if "limit" in request.query_params else None
        lines = source_record_search.stream(store, chosen, limit, number(request, "offset", 0))
        return StreamingResponse(iterate_in_threadpool(lines), media_type="application/stream+json")

    async def create_batch(request: Request) -> Response:
        body = await json_of(request)
        status, answer = await run_in_threadpool(records.create_batch, body, origin_of(request))
        return as_json(answer, status)

    async def update_parsed(request: Request) -> Response:
        body = await json_of(request)
        status, answer = await run_in_threadpool(records.update_parsed, body, origin_of(request))
        return as_json(answer, status)

    async def fetch_parsed(request: Request) -> Response:
        body = await json_of(request)
        return as_json(await run_in_threadpool(source_record_search.fetch_parsed, store, body))

    base = "/source-storage"
    return [
        Route(f"{base}/snapshots", create_snapshot, methods=["POST"]),
        Route(f"{base}/snapshots", snapshots, methods=["GET"]),
        Route(f"{base}/snapshots/{{id}}", snapshot, methods=["GET"]),
        Route(f"{base}/snapshots/{{id}}", update_snapshot, methods=["PUT"]),
        Route(f"{base}/records", create, methods=["POST"]),
        Route(f"{base}/records", list_records, methods=["GET"]),
        Route(f"{base}/records/{{id}}", read_one, methods=["GET"]),
        Route(f"{base}/records/{{id}}", update, methods=["PUT"]),
        Route(f"{base}/records/{{id}}", delete, methods=["DELETE"]),
        Route(f"{base}/records/{{id}}/formatted", formatted, methods=["GET"]),
        Route(f"{base}/records/{{id}}/generation", generation, methods=["PUT"]),
        Route(f"{base}/source-records", source_records, methods=["GET"]),
        Route(f"{base}/source-records", source_records_by_ids, methods=["POST"]),
        Route(f"{base}/source-records/{{id}}", source_record, methods=["GET"]),
        Route(f"{base}/stream/source-records", stream, methods=["GET"]),
        Route(f"{base}/batch/records", create_batch, methods=["POST"]),
        Route(f"{base}/batch/parsed-records", update_parsed, methods=["PUT"]),
        Route(f"{base}/batch/parsed-records/fetch", fetch_parsed, methods=["POST"]),
    ]


def login_routes(tokens: Tokens, secure: bool) -> list[Route]:
    def answer(pair: Pair) -> Response:
        response = as_json(pair.body(), 201)
        for name, value, path, life in (
            ("folioAccessToken", pair.access, "/", tokens.access_seconds),
            ("folioRefreshToken", pair.refresh, "/authn", tokens.refresh_seconds),
        ):
            response.set_cookie(name, value, max_age=int(life), path=path, secure=secure, httponly=True, samesite="lax")
        return response

    async def login(request: Request) -> Response:
        tenant = request.headers.get("x-okapi-tenant", "")
        if not tenant:
            raise bad_request("Missing Tenant")
        return answer(await run_in_threadpool(tokens.login, tenant, await json_of(request)))

    async def refresh(request: Request) -> Response:
        return answer(await run_in_threadpool(tokens.refresh, request.cookies.get("folioRefreshToken")))

    async def logout(request: Request) -> Response:
        await run_in_threadpool(tokens.spend, request.cookies.get("folioRefreshToken"))
        response = Response(status_code=204)
        response.delete_cookie("folioAccessToken", path="/", secure=secure, httponly=True)
        response.delete_cookie("folioRefreshToken", path="/authn", secure=secure, httponly=True)
        return response

    return [
        Route("/authn/login-with-expiry", login, methods=["POST"]),
        Route("/authn/refresh", refresh, methods=["POST"]),
        Route("/authn/logout", logout, methods=["POST"]),
    ]


def audit_routes(store: Store) -> list[Route]:
    def endpoint(entity_type: str, list_name: str) -> Endpoint:
        async def read(request: Request) -> Response:
            before = request.query_params.get("eventTs")
            if before is not None and not before.isdecimal():
                raise bad_request("eventTs: milliseconds since 1970 were expected")
            found, total = await run_in_threadpool(audit.events, store, entity_type, request.path_params["id"], before)
            return as_json({list_name: found, "totalRecords": total})

        return read

    kinds = (("instance", INSTANCE), ("holdings", HOLDINGS), ("item", ITEM))
    routes = [
        Route(f"/audit-data/inventory/{name}/{{id}}", endpoint(kind.audit_type, "inventoryAuditItems"), methods=["GET"])
        for name, kind in kinds
    ]
    routes.append(Route("/audit-data/marc/bib/{id}", endpoint("MARC_BIB", "marcAuditItems"), methods=["GET"]))
    return routes


def search_routes(instances: Inventory) -> list[Route]:
    """mod-search, as the public catalogue asks it: no login, and of an instance what a reader sees."""
    seen = ("id", "title", "contributors", "publication", "discoverySuppress")

    async def search(request: Request) -> Response:
        page = number(request, "limit", 100), number(request, "offset", 0)
        found = orjson.loads(await run_in_threadpool(instances.find, request.query_params.get("query"), *page))
        hits = [{name: each[name] for name in seen if name in each} for each in found["instances"]]
        return as_json({"totalRecords": found["totalRecords"], "instances": hits})

    return [Route("/search/instances", search, methods=["GET"])]


def demo_routes(
    store: Store, records: SourceRecords, instances: Inventory, faults: Faults, log: RequestLog, workload: Workload
) -> list[Route]:
    async def read_audit(request: Request) -> Response:
        page = number(request, "after", 0), number(request, "limit", 1000)
        return as_json(await run_in_threadpool(audit.log, store, *page))

    async def read_requests(request: Request) -> Response:
        page = number(request, "after", 0), number(request, "limit", 1000)
        return as_json(await run_in_threadpool(log.read, *page))

    async def state(_: Request) -> Response:
        return as_json(dict(await run_in_threadpool(control.state, store)))

    async def reset(_: Request) -> Response:
        faults.clear()
        workload.clear()
        log.drop()
        await run_in_threadpool(store.reset)
        await run_in_threadpool(reference.fill, store)
        return Response(status_code=204)

    async def read_workload(_: Request) -> Response:
        return as_json(workload.shown())

    async def set_workload(request: Request) -> Response:
        workload.set(Model.read(await json_of(request)))
        return Response(status_code=204)

    async def edit(request: Request) -> Response:
        return as_json(await run_in_threadpool(control.edit, records, instances, await json_of(request)))

    return [
        Route("/_demo/audit", read_audit, methods=["GET"]),
        Route("/_demo/requests", read_requests, methods=["GET"]),
        Route("/_demo/state", state, methods=["GET"]),
        Route("/_demo/reset", reset, methods=["POST"]),
        *fault_routes(faults),
        Route("/_demo/workload", read_workload, methods=["GET"]),
        Route("/_demo/workload", set_workload, methods=["PUT"]),
        Route("/_demo/edit", edit, methods=["POST"]),
    ]


async def health(_: Request) -> Response:
    return Response("OK", media_type="text/plain")


async def refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101
    return error.answer()


def build(path: Path, options: Options | None = None) -> Starlette:
    """The application over the file at `path`, which is made if there is none."""
    options = options or Options()
    store = Store(path)
    reference.fill(store)
    tokens = Tokens(store, options.account, options.access_seconds, options.refresh_seconds)
    records = SourceRecords(store)
    instances = Inventory(store, INSTANCE, options.most_in_batch)
    faults, log, workload = Faults(), RequestLog(store), Workload()
    routes = [
        *inventory_routes(instances, "/instance-storage/instances", "/instance-storage/batch/synchronous"),
        *inventory_routes(
            Inventory(store, HOLDINGS, options.most_in_batch),
            "/holdings-storage/holdings",
            "/holdings-storage/batch/synchronous",
        ),
        *inventory_routes(
            Inventory(store, ITEM, options.most_in_batch), "/item-storage/items", "/item-storage/batch/synchronous"
        ),
        *source_record_routes(store, records),
        *login_routes(tokens, options.secure_cookies),
        *audit_routes(store),
        *entity_routes(store),
        *search_routes(instances),
        *demo_routes(store, records, instances, faults, log, workload),
        Route("/admin/health", health, methods=["GET"]),
    ]

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        log.close()
        store.close()

    return Starlette(
        routes=routes,
        lifespan=life,
        exception_handlers={Refused: refused},
        middleware=[
            Middleware(RequestLogMiddleware, log=log),
            Middleware(WorkloadMiddleware, workload=workload),
            Middleware(FaultsMiddleware, faults=faults),
            Middleware(Gateway, tokens=tokens),
        ],
    )
