"""The code location `preservation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from holdfast.logs import log_to_stderr
from preservation_assets.custody.batch_manifests import batch_manifests
from preservation_assets.custody.technical_metadata import technical_metadata
from preservation_assets.custody.verified_masters import verified_masters
from preservation_assets.jobs import DIGITIZATION
from preservation_assets.partitions import SETTINGS
from preservation_assets.text.enriched_metadata import enriched_metadata
from preservation_assets.text.ocr_text import ocr_text
from resources.lake.resource import lake_resource
from resources.masters.resource import masters_resource
from resources.postgres.resource import postgres_resource
from resources.scanner.resource import scanners_resource
from resources.scans.resource import scans_resource
from sensors.asked_runs_sensor import build_asked_runs_sensor
from sensors.scan_drop_sensor import scan_drop_sensor


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; tests and tools pass their own resources by key."""
    log_to_stderr()
    resources: dict[str, Any] = {
        "lake": lake_resource(SETTINGS),
        "postgres": postgres_resource,
        "scans": scans_resource(SETTINGS),
        "masters": masters_resource(SETTINGS),
        "scanners": scanners_resource(SETTINGS),
        **(resource_overrides or {}),
    }
    return dg.Definitions(
        assets=[batch_manifests, verified_masters, technical_metadata, ocr_text, enriched_metadata],
        jobs=[DIGITIZATION],
        sensors=[scan_drop_sensor(SETTINGS), build_asked_runs_sensor([DIGITIZATION], "asked_batches_sensor")],
        resources=resources,
        executor=dg.in_process_executor,  # Polars has all cores already
    )


defs = build_defs()
