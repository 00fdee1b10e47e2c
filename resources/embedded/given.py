"""Do the servers that the environment names answer? Asked before anything starts that needs them."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
import redis

from resources.embedded.errors import ServiceError

# What servers and resolvers say → what we say. Their own text may repeat parts of the address, so it is never shown.
_REASONS = (
    ("password authentication failed", "it refuses the user or the password"),
    ("no password supplied", "it wants a password"),
    ("invalid username-password", "it refuses the user or the password"),
    ("authentication required", "it wants a password"),
    ("does not exist", "it has no such database or user"),
    ("too many", "it has no connection left"),
    ("starting up", "it is starting up"),
    ("loading the dataset", "it is starting up"),
    ("refused", "nothing listens there"),
    ("no such file", "there is no such socket"),
    ("not known", "no host of that name"),
    ("translate host name", "no host of that name"),
    ("resolution", "no host of that name"),
    ("timeout", "no answer in time"),
    ("timed out", "no answer in time"),
)


def check_postgres(url: str, *, variable: str = "HOLDFAST_POSTGRES_URL", timeout_seconds: int = 4) -> None:
    """Raises ServiceError, which names `variable` and never the password, when no PostgreSQL answers at `url`."""
    try:
        with psycopg.connect(url, connect_timeout=timeout_seconds) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise ServiceError(_sentence(variable, "PostgreSQL", url, error)) from None


def check_redis(url: str, *, variable: str = "HOLDFAST_REDIS_URL", timeout_seconds: int = 4) -> None:
    """Raises ServiceError, which names `variable` and never the password, when no Redis answers at `url`."""
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, retry=None
        )
        try:
            client.ping()
        finally:
            client.close()
    except (redis.RedisError, ValueError, OSError) as error:
        raise ServiceError(_sentence(variable, "Redis", url, error)) from None


def _sentence(variable: str, what: str, url: str, error: Exception) -> str:
    said = str(error).lower()
    reason = next((ours for theirs, ours in _REASONS if theirs in said), type(error).__name__)
    return (
        f"{variable}: no {what} answers at {_place(url)}: {reason}. Mend the address or start the server; "
        f"unset {variable} for an embedded one"
    )


def _place(url: str) -> str:
    """Host and port, or a socket's path; nothing else of the address."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that can't be read (special characters of a password want %-encoding)"
    if parts.hostname:
        return parts.hostname + port
    return parts.path if parts.scheme == "unix" else "a local socket"
