"""The lake's Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.settings import Settings
from resources.lake.client import Lake


def lake_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="Parquet by asset and partition, replaced whole and atomically.")
    def lake() -> Lake:
        return Lake(settings.var / "lake")

    return lake
