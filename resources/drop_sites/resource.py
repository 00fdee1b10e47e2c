"""The drop sites' Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.drop_sites.client import DropSites


def drop_sites_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="Folders of vendors on SFTP, FTP and S3 servers; only read.")
    def drop_sites() -> DropSites:
        return DropSites(settings, read_environment)

    return drop_sites
