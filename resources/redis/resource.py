"""Redis' Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.redis.client import Redis, namespace_of
from resources.redis.filter import IdempotencyFilter


def redis_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="Idempotency filter, locks, quota and circuit state, in the library's namespace.")
    def resource() -> Iterator[Redis]:
        client = Redis(read_environment().need("HOLDFAST_REDIS_URL"), namespace=namespace_of(settings))
        try:
            yield client
        finally:
            client.close()

    return resource


@dg.resource(description="What was surely not written yet, a Bloom filter a window.", required_resource_keys={"redis"})
def filter_resource(context: dg.InitResourceContext) -> IdempotencyFilter:
    return IdempotencyFilter(context.resources.redis)
