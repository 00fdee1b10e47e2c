"""Start, stop and look at the embedded services of a VAR."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from resources.embedded.postgres import EmbeddedPostgres
from resources.embedded.redis import EmbeddedRedis
from resources.embedded.server import EmbeddedServer, State

NAMES = ("postgres", "redis")


@dataclass(frozen=True)
class Services:
    """Addresses of what runs; empty where it was not asked for.

    Attributes:
        postgres_url: for psycopg 3 and libpq, `postgresql://…`.
        redis_url: `unix://…`.
        started: names of what this call started; the others ran already.
    """

    postgres_url: str
    redis_url: str
    started: tuple[str, ...]

    @property
    def dagster_storage_url(self) -> str:
        return dagster_storage_url(self.postgres_url)


def dagster_storage_url(postgres_url: str) -> str:
    """The same address for SQLAlchemy with psycopg2, Dagster's driver: SQLAlchemy 2.1 takes the bare form as psycopg 3."""
    scheme, separator, rest = postgres_url.partition("://")
    return f"postgresql+psycopg2://{rest}" if separator and scheme in ("postgresql", "postgres") else postgres_url


def _servers(var: Path, names: Collection[str]) -> list[EmbeddedServer]:
    kinds: tuple[type[EmbeddedServer], ...] = (EmbeddedPostgres, EmbeddedRedis)
    return [kind(var) for kind in kinds if kind.name in names]


def start(var: Path, names: Collection[str] = NAMES) -> Services:
    """Start what does not run yet. Safe to call again, and from many processes at once.

    Raises:
        ServiceError: one does not start.
    """
    servers = _servers(var, names)
    with ThreadPoolExecutor(max_workers=len(NAMES)) as pool:
        results = dict(zip([s.name for s in servers], pool.map(lambda server: server.start(), servers), strict=True))
    urls = {name: url for name, (url, _) in results.items()}
    return Services(
        postgres_url=urls.get("postgres", ""),
        redis_url=urls.get("redis", ""),
        started=tuple(name for name, (_, now) in results.items() if now),
    )


def stop(var: Path, names: Collection[str] = NAMES) -> tuple[str, ...]:
    """Stop what runs for this VAR and nothing else; the names of what ran."""
    servers = _servers(var, names)
    with ThreadPoolExecutor(max_workers=len(NAMES)) as pool:
        ran = list(pool.map(lambda server: server.stop(), servers))
    return tuple(server.name for server, did in zip(servers, ran, strict=True) if did)


def status(var: Path) -> dict[str, State]:
    """name → how it is. Starts nothing, changes nothing."""
    return {server.name: server.state() for server in _servers(var, NAMES)}


def last_urls(var: Path) -> dict[str, str]:
    """name → address at the last start, whether it runs or not; empty before the first."""
    return {server.name: server.last_url() for server in _servers(var, NAMES)}
