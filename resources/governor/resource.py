"""Makes the governor of the library system that the environment names."""

from __future__ import annotations

from urllib.parse import urlsplit

from holdfast.environment import Environment
from holdfast.settings import Settings
from resources.governor.client import Governor
from resources.redis.client import Redis


def governor_of(settings: Settings, environment: Environment, redis: Redis) -> Governor:
    """All workers, jobs and commands that talk to this library system share it by the system's address.

    Raises:
        SettingsError: HOLDFAST_ILS_URL is not set.
    """
    address = urlsplit(environment.need("HOLDFAST_ILS_URL"))
    name = f"{address.hostname}:{address.port}" if address.port else str(address.hostname)
    ils = settings.ils
    return Governor(redis, name, ils.quota, ils.circuit, ils.readers, timezone=settings.library.timezone)
