"""Lists as Koha gives them: `q`, plain parameters, order, pages, and what the headers say of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request

from demo.ils.store import Store
from demo.koha import query
from demo.koha.errors import malformed, unknown_parameters
from demo.koha.query import Fields

PAGING = frozenset({"_page", "_per_page", "_match", "_order_by", "q"})
DEFAULT_PAGE = 20
_MATCHES = {"contains": "%{}%", "exact": "{}", "starts_with": "{}%", "ends_with": "%{}"}


@dataclass(frozen=True)
class Table:
    """A list endpoint: its table, what may be asked for, which attributes are parameters of their own."""

    name: str
    fields: Fields
    parameters: frozenset[str] = field(default_factory=frozenset)
    shown: str = "body"


def refuse_unknown(request: Request, allowed: frozenset[str] = frozenset()) -> None:
    unknown = sorted(set(request.query_params) - allowed)
    if unknown:
        raise unknown_parameters(unknown)


def integer(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise malformed((f"/{name}", "Expected integer - got string.")) from None
    if not -(2**31) <= number < 2**31:
        raise malformed((f"/{name}", "Expected integer - got number."))
    return number


def truth(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in ("true", "false", "1", "0"):
        raise malformed((f"/{name}", "Expected boolean - got string."))
    return text in ("true", "1")


@dataclass(frozen=True)
class Asked:
    """A list request, read."""

    queries: list[Any]
    plain: dict[str, str]
    match: str
    order: list[str]
    page: int
    size: int


async def read(request: Request, table: Table, extra: frozenset[str] = frozenset()) -> Asked:
    """400 for unknown parameters and for a query that cannot be read."""
    refuse_unknown(request, PAGING | table.parameters | extra)
    number = request.headers.get("x-koha-request-id")
    if number is not None and not number.lstrip("-").isdecimal():
        raise malformed(("/x-koha-request-id", "Expected integer - got string."))
    queries = query.parse(request.query_params.getlist("q"))
    body = await request.body()
    if body:
        queries += query.parse([body.decode("utf-8", "replace")])
    match = request.query_params.get("_match", "contains")
    if match not in _MATCHES:
        raise malformed(("/_match", "Not in enum list: contains, exact, starts_with, ends_with."))
    page, size = integer(request, "_page", 1), integer(request, "_per_page", DEFAULT_PAGE)
    if page < 1 or size == 0 or size < -1:
        raise malformed(("/_page", "pages count from 1; _per_page is -1 or above 0"))
    order = [each for text in request.query_params.getlist("_order_by") for each in text.split(",") if each]
    plain = {name: request.query_params[name] for name in table.parameters if name in request.query_params}
    return Asked(queries, plain, match, order, page, size)


def found(
    store: Store, table: Table, asked: Asked, base: str = "1", values: tuple[Any, ...] = ()
) -> tuple[list[Any], int, int]:
    """(rows of `table.shown`, how many there are, how many there would be without `q`)."""
    sql, more = query.where(asked.queries, table.fields)
    for name, text in asked.plain.items():
        sql += f" AND {table.fields.sql(name)} LIKE ? ESCAPE '\\'"
        plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        more.append(_MATCHES[asked.match].format(plain) if not name.endswith("_id") else plain)
    order = query.order(asked.order, table.fields)
    with store.reading() as connection:
        query.register(connection)
        total_sql = f"SELECT count(*) FROM {table.name} WHERE {base}"  # noqa: S608  names are ours, values are bound
        without = int(connection.execute(total_sql, values).fetchone()[0])
        total = int(connection.execute(f"{total_sql} AND {sql}", (*values, *more)).fetchone()[0])
        rows = connection.execute(
            f"SELECT {table.shown} FROM {table.name} WHERE {base} AND {sql} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            (*values, *more, asked.size, max(asked.page - 1, 0) * max(asked.size, 0)),
        ).fetchall()
    return rows, total, without


def headers(request: Request, asked: Asked, total: int, without: int) -> dict[str, str]:
    """`X-Total-Count`, `X-Base-Total-Count`, `Link`; the request id comes back."""
    out = {"X-Total-Count": str(total), "X-Base-Total-Count": str(without)}
    if number := request.headers.get("x-koha-request-id"):
        out["x-koha-request-id"] = number
    if asked.size > 0:
        last = max((total + asked.size - 1) // asked.size, 1)
        pages = {"first": 1, "last": last}
        if asked.page > 1:
            pages["prev"] = asked.page - 1
        if asked.page < last:
            pages["next"] = asked.page + 1
        kept = [
            (name, value) for name, value in request.query_params.multi_items() if name not in ("_page", "_per_page")
        ]
        links = []
        for name, page in pages.items():
            parameters = urlencode([*kept, ("_page", page), ("_per_page", asked.size)])
            links.append(f'<{request.url.scheme}://{request.url.netloc}{request.url.path}?{parameters}>; rel="{name}"')
        out["Link"] = ",".join(links)
    return out


def as_list(rows: list[Any]) -> bytes:
    """Stored bodies as one JSON array."""
    return b"[" + b",".join(row[0].encode() if isinstance(row[0], str) else orjson.dumps(row[0]) for row in rows) + b"]"
