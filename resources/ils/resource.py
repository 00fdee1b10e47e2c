"""The library system's Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.environment import Environment, read_environment
from holdfast.settings import Settings
from resources.governor.resource import governor_of
from resources.ils.folio import FolioClient
from resources.redis.client import Redis


def connect(settings: Settings, environment: Environment, redis: Redis) -> FolioClient:
    """The library system that the environment names. Every request to it waits for its turn among all workers.

    Raises:
        SettingsError: a variable is not set.
    """
    return FolioClient(
        environment.need("HOLDFAST_ILS_URL"),
        environment.need("HOLDFAST_ILS_TENANT"),
        environment.need("HOLDFAST_ILS_USER"),
        environment.need("HOLDFAST_ILS_PASSWORD"),
        chunk_records=settings.ils.chunk_records,
        timeout_seconds=settings.ils.timeout_seconds,
        retries=settings.ils.retries,
        organization=settings.library.marc_organization_code,
        governor=governor_of(settings, environment, redis),
    )


def ils_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(
        description="The library system that HOLDFAST_ILS_URL names, by its published API, within its quota.",
        required_resource_keys={"redis"},
    )
    def ils(context: dg.InitResourceContext) -> Iterator[FolioClient]:
        client = connect(settings, read_environment(), context.resources.redis)
        try:
            yield client
        finally:
            client.close()

    return ils
