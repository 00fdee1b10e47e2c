"""The ledger's Dagster face: it lives in the PostgreSQL that the run uses."""

from __future__ import annotations

import dagster as dg

from resources.ledger.client import Ledger


@dg.resource(description="The commit ledger.", required_resource_keys={"postgres"})
def ledger_resource(context: dg.InitResourceContext) -> Ledger:
    return Ledger(context.resources.postgres)
