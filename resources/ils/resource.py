"""The library system's Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.environment import read_environment
from holdfast.privacy.entities import token_maker
from holdfast.settings import Settings
from resources.ils.folio import FolioClient
from resources.ledger.address import remember_address


def ils_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(
        description="The library system that HOLDFAST_ILS_URL names, by its published API.",
        required_resource_keys={"postgres"},
    )
    def ils(context: dg.InitResourceContext) -> Iterator[FolioClient]:
        environment = read_environment()
        client = FolioClient(
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
        )
        try:
            remember_address(
                context.resources.postgres,
                client.name,
                environment.need("HOLDFAST_ILS_URL"),
                environment.need("HOLDFAST_ILS_TENANT"),
                settings.ils.moved_from,
            )
            yield client
        finally:
            client.close()

    return ils
