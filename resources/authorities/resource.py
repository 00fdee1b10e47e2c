"""The authority files' Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.settings import Settings
from resources.authorities.client import AuthorityFolder


def authority_folder_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="The folders of authority files.")
    def authority_folder() -> AuthorityFolder:
        return AuthorityFolder(settings)

    return authority_folder
