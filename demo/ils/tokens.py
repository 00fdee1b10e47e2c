"""Login as mod-authtoken has it: a short access token and a refresh token that is good once.

Both are signed (JWT, HS256) with a key that the store keeps, so they outlive a restart. An access token cannot be
withdrawn before it expires.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

import orjson

from demo.ils.errors import Refused, invalid
from demo.ils.store import Store, as_iso


@dataclass(frozen=True)
class Account:
    """The one account of the demo."""

    user: str
    password: str
    tenant: str

    @classmethod
    def from_environment(cls) -> Account:
        return cls(
            os.environ.get("DEMO_ILS_USER", "demo"),
            os.environ.get("DEMO_ILS_PASSWORD", "demo-secret"),
            os.environ.get("DEMO_ILS_TENANT", "demo"),
        )


@dataclass(frozen=True)
class Pair:
    """An access and a refresh token with their ends, in seconds since 1970."""

    access: str
    refresh: str
    access_expires: float
    refresh_expires: float

    def body(self) -> bytes:
        return orjson.dumps(
            {
                "accessTokenExpiration": as_iso(round(self.access_expires * 1000)),
                "refreshTokenExpiration": as_iso(round(self.refresh_expires * 1000)),
            }
        )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    """Gives and checks tokens. `access_seconds` and `refresh_seconds` are their lives."""

    def __init__(self, store: Store, account: Account, access_seconds: float, refresh_seconds: float) -> None:
        self.store = store
        self.account = account
        self.access_seconds = access_seconds
        self.refresh_seconds = refresh_seconds
        self._key = bytes.fromhex(store.setting("token.key", secrets.token_hex(32)))

    def login(self, tenant: str, request: Any) -> Pair:
        """422 on wrong credentials, as mod-login; the message does not say which of them is wrong."""
        user = str(request.get("username", "")) if isinstance(request, dict) else ""
        password = str(request.get("password", "")) if isinstance(request, dict) else ""
        right = hmac.compare_digest(
            f"{tenant}\0{user}\0{password}".encode("utf-8", "replace"),
            f"{self.account.tenant}\0{self.account.user}\0{self.account.password}".encode(),
        )
        if not right:
            raise invalid("User name, password or tenant do not match", "username", user, "password.incorrect")
        return self._pair()

    def refresh(self, token: str | None) -> Pair:
        """A new pair for a refresh token; the old one is spent."""
        self.spend(token)
        return self._pair()

    def spend(self, token: str | None) -> None:
        """Make a refresh token useless. 422 where it is none, is over, or was spent before."""
        claims = self._claims(token or "", "refresh")
        if claims is None:
            raise Refused(422, "Invalid token", code="token.refresh.unprocessable")
        with self.store.writing() as (connection, _):
            connection.execute("DELETE FROM spent_token WHERE expires < ?", (time.time(),))
            done = connection.execute("INSERT OR IGNORE INTO spent_token VALUES (?, ?)", (claims["jti"], claims["exp"]))
            if done.rowcount == 0:
                raise Refused(422, "Invalid token", code="token.refresh.unprocessable")

    def user_of(self, tenant: str, token: str) -> str | None:
        """The user of a valid access token of this tenant."""
        claims = self._claims(token, "access")
        return str(claims["sub"]) if claims and claims["tenant"] == tenant else None

    def _pair(self) -> Pair:
        now = time.time()
        return Pair(
            self._signed("access", now + self.access_seconds),
            self._signed("refresh", now + self.refresh_seconds),
            now + self.access_seconds,
            now + self.refresh_seconds,
        )

    def _signed(self, kind: str, expires: float) -> str:
        claims = {"sub": self.account.user, "tenant": self.account.tenant, "type": kind, "exp": expires}
        head = _encode(b'{"alg":"HS256","typ":"JWT"}')
        body = _encode(orjson.dumps(claims | {"jti": str(uuid.uuid4())}))
        return f"{head}.{body}.{self._signature(head, body)}"

    def _signature(self, head: str, body: str) -> str:
        return _encode(hmac.new(self._key, f"{head}.{body}".encode(), hashlib.sha256).digest())

    def _claims(self, token: str, kind: str) -> dict[str, Any] | None:
        parts = token.split(".")
        if len(parts) != 3 or not token.isascii():
            return None
        if not hmac.compare_digest(self._signature(parts[0], parts[1]), parts[2]):
            return None
        claims = orjson.loads(_decode(parts[1]))
        return claims if claims["type"] == kind and claims["exp"] > time.time() else None
