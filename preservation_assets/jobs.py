"""Jobs of preservation."""

from __future__ import annotations

import dagster as dg

DIGITIZATION = dg.define_asset_job(
    "digitization",
    selection=dg.AssetSelection.groups("custody", "text"),
    tags={"dagster-celery/queue": "compute_intensive"},
    description="A batch from its drop to text: manifest, masters, technical metadata, OCR, enrichment.",
)
