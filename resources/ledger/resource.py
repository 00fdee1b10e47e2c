"""The ledger's Dagster face: it lives in the PostgreSQL that the run uses, its locks in Redis."""

from __future__ import annotations

from functools import partial

import dagster as dg

from holdfast.settings import Settings
from resources.ledger.client import Ledger
from resources.redis.locks import Locks, this_worker


@dg.resource(description="The commit ledger.", required_resource_keys={"postgres"})
def ledger_resource(context: dg.InitResourceContext) -> Ledger:
    return Ledger(context.resources.postgres)


def locks_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(
        description="Locks on records and windows of the library system.",
        required_resource_keys={"redis", "ledger", "ils"},
    )
    def locks(context: dg.InitResourceContext) -> Locks:
        ils, ledger = context.resources.ils.name, context.resources.ledger
        return Locks(
            context.resources.redis,
            ils,
            this_worker(context.run.run_id if context.run else "outside of Dagster"),
            partial(ledger.highest_fence, ils),
            lease_seconds=settings.ils.lease_seconds,
        )

    return locks
