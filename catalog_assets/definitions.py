"""The code location `catalog`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from catalog_assets.museum.museum_export import museum_export
from catalog_assets.museum.museum_index import museum_index
from catalog_assets.museum.museum_objects import museum_objects
from catalog_assets.museum_jobs import MUSEUM_LOAD
from catalog_assets.partitions import SETTINGS
from resources.lake.resource import lake_resource
from resources.museum_exports.resource import museum_exports_resource
from resources.postgres.resource import postgres_resource
from resources.search.resource import search_resource
from sensors.museum_export_sensor import museum_export_sensor
from sensors.museum_schedules import museum_schedules


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; tests and tools pass their own resources by key."""
    resources: dict[str, Any] = {
        "lake": lake_resource(SETTINGS),
        "postgres": postgres_resource,
        "museum_exports": museum_exports_resource(SETTINGS),
        "search": search_resource,
        **(resource_overrides or {}),
    }
    return dg.Definitions(
        assets=[
            museum_export,
            museum_objects,
            museum_index,
        ],
        jobs=[
            MUSEUM_LOAD,
        ],
        sensors=[
            museum_export_sensor(SETTINGS),
        ],
        schedules=[
            *museum_schedules(SETTINGS),
        ],
        resources=resources,
        executor=dg.in_process_executor,  # Polars has all cores already
    )


defs = build_defs()
