"""The lake's Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.settings import Settings
from resources.lake.client import Lake


def lake_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="Parquet by asset and partition, replaced whole and atomically.")
    def lake() -> Iterator[Lake]:
        run = Lake(settings.var / "lake", steady=True)
        try:
            yield run
        finally:
            run.let_go()

    return lake
