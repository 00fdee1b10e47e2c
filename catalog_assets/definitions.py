"""The code location `catalog`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from catalog_assets.partitions import SETTINGS
from resources.lake.resource import lake_resource
from resources.postgres.resource import postgres_resource


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; tests and tools pass their own resources by key."""
    resources: dict[str, Any] = {
        "lake": lake_resource(SETTINGS),
        "postgres": postgres_resource,
        **(resource_overrides or {}),
    }
    return dg.Definitions(
        assets=[],
        resources=resources,
        executor=dg.in_process_executor,  # Polars has all cores already
    )


defs = build_defs()
