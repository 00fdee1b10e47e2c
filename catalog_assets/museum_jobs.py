"""Jobs of the museum flow; the sensors name them."""

from __future__ import annotations

import dagster as dg

MUSEUM_LOAD = dg.define_asset_job(
    "museum_load",
    selection=dg.AssetSelection.assets("museum_export", "museum_objects", "museum_index"),
    description="One collection's export of one day, from the drop folder to the public search.",
    tags={"dagster-celery/queue": "ingestion_high"},
)
