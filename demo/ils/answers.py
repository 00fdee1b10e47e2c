"""Reading a request and answering it: JSON bodies, numbers and flags of the query."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from demo.ils.audit import Origin
from demo.ils.errors import bad_request

LARGEST = 2_147_483_647


def as_json(body: bytes | dict[str, Any] | list[Any], status: int = 200) -> Response:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(data, status, media_type="application/json")


async def json_of(request: Request) -> Any:
    """The request's body. 400 where it is no JSON."""
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise bad_request(f"malformed JSON: {error}") from error


def origin_of(request: Request) -> Origin:
    return request.state.origin


def number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) > LARGEST:
        raise bad_request(f"{name}: a number from 0 to {LARGEST} was expected, not {text!r}")
    return int(text)


def flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise bad_request(f"{name}: true or false was expected, not {text!r}")
    return text == "true"
