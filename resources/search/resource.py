"""The search's Dagster face."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from holdfast.environment import read_environment
from resources.postgres.client import Postgres
from resources.search.client import Search
from resources.search.elastic import ElasticIndex


@dg.resource(
    required_resource_keys={"postgres"},
    description="The public museum search: PostgreSQL, and Elasticsearch where HOLDFAST_ELASTICSEARCH_URL is set.",
)
def search_resource(context: dg.InitResourceContext) -> Iterator[Search]:
    postgres: Postgres = context.resources.postgres
    url = read_environment().get("HOLDFAST_ELASTICSEARCH_URL")
    search = Search(postgres, ElasticIndex(url) if url else None)
    try:
        yield search
    finally:
        search.close()
