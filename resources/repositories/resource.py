"""The repositories' Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.repositories.client import Repositories


def repositories_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="OAI-PMH repositories and SRU servers that are asked for records; only read.")
    def repositories() -> Repositories:
        return Repositories(settings, read_environment)

    return repositories
