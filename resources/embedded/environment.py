"""The environment that Holdfast's processes run in, with every address set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.embedded.given import check_postgres, check_redis
from resources.embedded.masking_salt import kept_salt
from resources.embedded.services import dagster_storage_url, last_urls, start

_CHECKOUT = Path(__file__).resolve().parents[2]


def service_environment(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables for everything that `holdfast` and Dagster start: `{**os.environ, **service_environment(settings)}`.

    What `environ` (default: os.environ) sets stays as it is, after a check that the servers it names answer. For what it
    does not set, embedded services are started or, where they run already, found.

    Returns:
        HOLDFAST_POSTGRES_URL, HOLDFAST_REDIS_URL, HOLDFAST_DAGSTER_STORAGE_URL, HOLDFAST_DAGSTER_ARTIFACTS,
        HOLDFAST_DAGSTER_LOGS, HOLDFAST_MASKING_SALT and DAGSTER_HOME. Secrets are among them: never log them.

    Raises:
        ServiceError: a given server does not answer, or an embedded one does not start.
        SettingsError: a variable has a form that can't be right.
    """
    given = read_environment(environ)
    var = settings.var
    last = last_urls(var)
    postgres_url = _foreign(given.get("HOLDFAST_POSTGRES_URL"), last["postgres"])
    redis_url = _foreign(given.get("HOLDFAST_REDIS_URL"), last["redis"])
    storage_url = _foreign(given.get("HOLDFAST_DAGSTER_STORAGE_URL"), dagster_storage_url(last["postgres"]))
    if postgres_url:
        check_postgres(postgres_url)
    if redis_url:
        check_redis(redis_url)
    services = start(var, [name for name, url in (("postgres", postgres_url), ("redis", redis_url)) if not url])
    postgres_url = postgres_url or services.postgres_url
    values = {
        "HOLDFAST_POSTGRES_URL": postgres_url,
        "HOLDFAST_REDIS_URL": redis_url or services.redis_url,
        "HOLDFAST_DAGSTER_STORAGE_URL": storage_url or dagster_storage_url(postgres_url),
        "HOLDFAST_DAGSTER_ARTIFACTS": given.get("HOLDFAST_DAGSTER_ARTIFACTS") or str(var / "dagster" / "artifacts"),
        "HOLDFAST_DAGSTER_LOGS": given.get("HOLDFAST_DAGSTER_LOGS") or str(var / "dagster" / "logs"),
        "HOLDFAST_MASKING_SALT": given.get("HOLDFAST_MASKING_SALT") or kept_salt(var),
        "DAGSTER_HOME": str(_dagster_home(settings)),
    }
    for name in ("HOLDFAST_DAGSTER_ARTIFACTS", "HOLDFAST_DAGSTER_LOGS"):
        Path(values[name]).mkdir(parents=True, exist_ok=True)
    return values


def _foreign(url: str, last: str) -> str:
    """`url`, or nothing where it is our own of the last start: a shell may still have it after the server was stopped."""
    return "" if url == last else url


def changed(values: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Those of `values` that the environment does not have yet."""
    environ = os.environ if environ is None else environ
    return {name: value for name, value in values.items() if environ.get(name) != value}


def _dagster_home(settings: Settings) -> Path:
    # holdfast.toml may lie elsewhere (HOLDFAST_CONFIG); dagster.yaml is the checkout's.
    root = settings.root.resolve()
    return root if (root / "dagster.yaml").exists() else _CHECKOUT
