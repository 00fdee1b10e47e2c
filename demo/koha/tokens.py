"""OAuth2 client credentials as Koha has them: no refresh token, no scopes; a new token is asked for instead."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from typing import Any

from demo.ils.store import Store
from demo.koha.errors import KohaRefused


@dataclass(frozen=True)
class ApiKey:
    """The one API key of the demo, and the patron whose key it is."""

    client_id: str
    secret: str
    patron_id: int = 1

    @classmethod
    def from_environment(cls) -> ApiKey:
        return cls(
            os.environ.get("DEMO_KOHA_CLIENT_ID", "demo"), os.environ.get("DEMO_KOHA_CLIENT_SECRET", "demo-secret")
        )


class Tokens:
    """Tokens are signed with a key that the store keeps, so they outlive a restart."""

    def __init__(self, store: Store, key: ApiKey, seconds: float) -> None:
        self._api_key, self._seconds = key, seconds
        self._key = bytes.fromhex(store.setting("token.key", secrets.token_hex(32)))

    def grant(self, form: dict[str, str]) -> dict[str, Any]:
        """400 for another grant type, 403 for wrong credentials."""
        if form.get("grant_type") != "client_credentials":
            raise KohaRefused(400, "Unimplemented grant type")
        given = f"{form.get('client_id', '')}\0{form.get('client_secret', '')}"
        right = f"{self._api_key.client_id}\0{self._api_key.secret}"
        if not hmac.compare_digest(given.encode("utf-8", "replace"), right.encode()):
            raise KohaRefused(403, "unauthorized_client")
        body = f"{self._api_key.client_id}.{time.time() + self._seconds:.3f}.{secrets.token_hex(8)}"
        token = base64.urlsafe_b64encode(f"{body}.{self._signature(body)}".encode()).decode()
        return {"access_token": token, "token_type": "Bearer", "expires_in": max(int(self._seconds), 0)}

    def valid(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        try:
            body, _, signature = base64.urlsafe_b64decode(token.strip()).decode().rpartition(".")
            expires = float(".".join(body.split(".")[-3:-1]))
        except (ValueError, UnicodeDecodeError):
            return False
        right = hmac.compare_digest(signature.encode(), self._signature(body).encode())
        return scheme.lower() == "bearer" and right and expires > time.time()

    def _signature(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()
