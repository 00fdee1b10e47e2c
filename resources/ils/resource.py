"""The library system's Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.environment import Environment, read_environment
from holdfast.privacy.entities import token_maker
from holdfast.settings import Settings
from resources.governor.resource import governor_of
from resources.ils.folio import FolioClient
from resources.ils.koha import KohaClient
from resources.ledger.address import remember_address
from resources.redis.client import Redis

LibrarySystem = FolioClient | KohaClient


def connect(settings: Settings, environment: Environment, redis: Redis) -> LibrarySystem:
    """The library system that the environment names, by the client that `ils.adapter` names. Every request to it waits for its
    turn among all workers. Adding an adapter: docs/how-to/adding-an-ils.md.

    Raises:
        SettingsError: a variable is not set.
    """
    governor = governor_of(settings, environment, redis)
    if settings.ils.adapter == "koha":
        return KohaClient(
            environment.need("HOLDFAST_ILS_URL"),
            environment.need("HOLDFAST_ILS_USER"),
            environment.need("HOLDFAST_ILS_PASSWORD"),
            oai_url=settings.ils.oai_url,
            mark_field=settings.ils.mark_field,
            duplicate_check=settings.ils.duplicate_check,
            name=settings.ils.name,
            chunk_records=settings.ils.chunk_records,
            timeout_seconds=settings.ils.timeout_seconds,
            retries=settings.ils.retries,
            governor=governor,
        )
    return FolioClient(
        environment.need("HOLDFAST_ILS_URL"),
        environment.need("HOLDFAST_ILS_TENANT"),
        environment.need("HOLDFAST_ILS_USER"),
        environment.need("HOLDFAST_ILS_PASSWORD"),
        chunk_records=settings.ils.chunk_records,
        timeout_seconds=settings.ils.timeout_seconds,
        retries=settings.ils.retries,
        token=token_maker(environment.need("HOLDFAST_MASKING_SALT").encode()),
        organization=settings.library.marc_organization_code,
        name=settings.ils.name,
        governor=governor,
    )


def ils_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(
        description="The library system that HOLDFAST_ILS_URL names, by its published API, within its quota.",
        required_resource_keys={"postgres", "redis"},
    )
    def ils(context: dg.InitResourceContext) -> Iterator[LibrarySystem]:
        environment = read_environment()
        client = connect(settings, environment, context.resources.redis)
        try:
            remember_address(
                context.resources.postgres,
                client.name,
                environment.need("HOLDFAST_ILS_URL"),
                environment.need("HOLDFAST_ILS_TENANT") if settings.ils.adapter == "folio" else "",
                settings.ils.moved_from,
            )
            yield client
        finally:
            client.close()

    return ils
