"""The lists that the API gives: which table each is, and by what it may be asked for."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.ils.store import Store
from demo.koha import listing, shapes
from demo.koha.answers import BASE, as_json
from demo.koha.listing import Table
from demo.koha.query import Fields

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


def list_route(store: Store, path: str, name: str) -> Route:
    table = TABLES[name]

    async def read(request: Request) -> Response:
        asked = await listing.read(request, table)
        rows, total, without = await run_in_threadpool(listing.found, store, table, asked)
        return as_json(listing.as_list(rows), 200, listing.headers(request, asked, total, without))

    return Route(BASE + path, read, methods=["GET"])
