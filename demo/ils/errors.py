"""What the ILS answers when it refuses: FOLIO sends plain text for most, a JSON list of errors for 422."""

from __future__ import annotations

import orjson
from starlette.responses import Response


class Refused(Exception):
    """A request that is answered with an error; the transaction that it was in is rolled back."""

    def __init__(self, status: int, message: str, parameters: dict[str, str] | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters or {}
        self.code = code

    def answer(self) -> Response:
        """text/plain, or for 422 `{"errors":[{"message","type","code","parameters"}],"total_records"}`."""
        if self.status != 422:
            return Response(self.message, self.status, media_type="text/plain")
        error = {
            "message": self.message,
            "type": "1",
            "code": self.code or "-1",
            "parameters": [{"key": key, "value": value} for key, value in self.parameters.items()],
        }
        return Response(orjson.dumps({"errors": [error], "total_records": 1}), 422, media_type="application/json")


def bad_request(message: str) -> Refused:
    return Refused(400, message)


def not_found(message: str = "Not found") -> Refused:
    return Refused(404, message)


def invalid(message: str, key: str, value: object, code: str = "") -> Refused:
    """422: which property of which record broke which rule."""
    return Refused(422, message, {key: str(value)}, code)
