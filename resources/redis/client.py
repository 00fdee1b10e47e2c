"""A Redis connection with the library's namespace before every key.

One Redis may serve several libraries: each sees its own keys only, as long as keys are made with `Redis.key`.
"""

from __future__ import annotations

from urllib.parse import quote

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from holdfast.settings import Settings

# What it looks like when the server is away, starts up, fails over or is full.
Unreachable = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
)


def namespace_of(settings: Settings) -> str:
    """What a library's keys start with: its MARC organization code, else its name."""
    return settings.library.marc_organization_code or settings.library.name


class Redis:
    """A pool of connections to `url` (`redis://`, `rediss://` or `unix://`); safe to share between threads.

    Attributes:
        connection: the plain redis-py client, which answers with bytes.
        namespace: of the library.
    """

    def __init__(self, url: str, *, namespace: str, timeout_seconds: float = 5) -> None:
        self.namespace = namespace
        self.connection: redis.Redis = redis.Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=min(timeout_seconds, 2),
            # A dropped connection is tried again at once and once more; callers decide what an outage means.
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
            retry_on_error=[redis.exceptions.ConnectionError],
            health_check_interval=30,
        )

    def key(self, *parts: str | int) -> str:
        """`holdfast:NAMESPACE:PART:…`; parts are %-encoded, so that no two lists of parts give the same key."""
        return ":".join(["holdfast", *(quote(str(part), safe="") for part in (self.namespace, *parts))])

    def tagged_key(self, tag: str, *parts: str | int) -> str:
        """As `key`, with a hash tag of the namespace and `tag`: a Redis Cluster keeps all keys of one tag in one place, so
        that one script may use them together."""
        within = ":".join(quote(part, safe="") for part in (self.namespace, tag))
        return ":".join([f"holdfast:{{{within}}}", *(quote(str(part), safe="") for part in parts)])

    def answers(self) -> bool:
        try:
            return bool(self.connection.ping())
        except Unreachable:
            return False

    def close(self) -> None:
        self.connection.close()
