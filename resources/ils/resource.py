"""The library system's Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.environment import Environment, read_environment
from holdfast.settings import Settings
from resources.ils.folio import FolioClient
from resources.ils.koha import KohaClient

LibrarySystem = FolioClient | KohaClient


def open_ils(settings: Settings, environment: Environment) -> LibrarySystem:
    """The client that `ils.adapter` names. Adding one: docs/how-to/adding-an-ils.md."""
    if settings.ils.adapter == "koha":
        return KohaClient(
            environment.need("HOLDFAST_ILS_URL"),
            environment.need("HOLDFAST_ILS_USER"),
            environment.need("HOLDFAST_ILS_PASSWORD"),
            oai_url=settings.ils.oai_url,
            mark_field=settings.ils.mark_field,
            duplicate_check=settings.ils.duplicate_check,
            chunk_records=settings.ils.chunk_records,
            timeout_seconds=settings.ils.timeout_seconds,
            retries=settings.ils.retries,
        )
    return FolioClient(
        environment.need("HOLDFAST_ILS_URL"),
        environment.need("HOLDFAST_ILS_TENANT"),
        environment.need("HOLDFAST_ILS_USER"),
        environment.need("HOLDFAST_ILS_PASSWORD"),
        chunk_records=settings.ils.chunk_records,
        timeout_seconds=settings.ils.timeout_seconds,
        retries=settings.ils.retries,
        organization=settings.library.marc_organization_code,
    )


def ils_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="The library system that HOLDFAST_ILS_URL names, by its published API.")
    def ils() -> Iterator[LibrarySystem]:
        client = open_ils(settings, read_environment())
        try:
            yield client
        finally:
            client.close()

    return ils
