"""A Redis of its own for each test that locks records."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from resources.redis.client import Redis
from tests.resources.ledger.committing import REDIS


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Redis]:
    """A library of its own."""
    client = Redis(redis_url, namespace=uuid.uuid4().hex)
    REDIS[:] = [client]
    try:
        yield client
    finally:
        client.close()
