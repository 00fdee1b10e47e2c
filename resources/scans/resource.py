"""The scans folder's Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.settings import Settings
from resources.scans.client import Scans


def scans_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="The folder where scanners leave drops.")
    def scans() -> Scans:
        return Scans(settings)

    return scans
