"""The master store's Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.settings import Settings
from resources.masters.client import Masters


def masters_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="Write-once store of masters; every copy is hashed, read back and compared.")
    def masters() -> Masters:
        store = Masters(settings.var / "vault")
        store.sweep()
        return store

    return masters
