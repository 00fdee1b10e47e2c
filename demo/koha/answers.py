"""What every endpoint reads of a request, and answers with."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from demo.ils.audit import Origin
from demo.koha.errors import malformed, not_found, unacceptable

BASE = "/api/v1"


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
