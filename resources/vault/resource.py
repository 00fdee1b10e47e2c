"""The vault's Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.vault.client import Vault, vault_key


def vault_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="Originals as received, sealed with AES-256-GCM.")
    def vault() -> Vault:
        root = settings.var / "vault"
        return Vault(root, vault_key(read_environment().get("HOLDFAST_VAULT_KEY"), root))

    return vault
