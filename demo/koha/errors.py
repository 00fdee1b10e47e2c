"""What Koha answers when it refuses."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response


class KohaRefused(Exception):
    """Answered with `{"error", "error_code"}`; the transaction that it was in is rolled back."""

    def __init__(self, status: int, error: str, code: str = "", **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body: Any = {"error": error, **({"error_code": code} if code else {}), **more}

    def answer(self) -> Response:
        return Response(orjson.dumps(self.body), self.status, media_type="application/json")


def not_found(what: str) -> KohaRefused:
    return KohaRefused(404, f"{what} not found", "not_found")


def unacceptable(accepted: tuple[str, ...]) -> KohaRefused:
    """406: the body is the list of what would be accepted."""
    refused = KohaRefused(406, "Not acceptable")
    refused.body = list(accepted)
    return refused


def malformed(*faults: tuple[str, str]) -> KohaRefused:
    """400 of what breaks the specification: (path, message) of each fault."""
    refused = KohaRefused(400, "Bad request")
    refused.body = {"errors": [{"path": path, "message": message} for path, message in faults]}
    return refused


def unknown_parameters(names: list[str]) -> KohaRefused:
    refused = KohaRefused(400, "Bad request")
    refused.body = [{"path": f"/query/{name}", "message": "Malformed query string"} for name in names]
    return refused
