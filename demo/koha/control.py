"""The demo's own: counts, logs, a reset, and a librarian who edits and checks in while nobody looks."""

from __future__ import annotations

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.ils import audit
from demo.ils.audit import Origin
from demo.ils.faults import Faults, fault_routes
from demo.ils.gateway import RequestLog
from demo.ils.marc_json import set_field
from demo.ils.store import Store
from demo.koha import listing
from demo.koha.answers import as_json, json_of
from demo.koha.catalogue import Biblios
from demo.koha.people import Checkouts
from demo.koha.reference import furnish


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
