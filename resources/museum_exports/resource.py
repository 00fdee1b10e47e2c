"""The exports' Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.settings import Settings
from resources.museum_exports.client import MuseumExports


def museum_exports_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="The drop folder of museum exports, and what was received from it.")
    def museum_exports() -> MuseumExports:
        return MuseumExports(settings)

    return museum_exports
