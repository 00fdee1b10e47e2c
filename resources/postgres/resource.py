"""PostgreSQL's Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.environment import read_environment
from resources.postgres.client import Postgres


@dg.resource(description="Quarantine, ledger, outcomes, events and the museum index.")
def postgres_resource() -> Iterator[Postgres]:
    client = Postgres(read_environment().need("HOLDFAST_POSTGRES_URL"))
    try:
        client.migrate()
        yield client
    finally:
        client.close()
