"""The museum catalogue in Elasticsearch: an index a version of a collection, an alias that is switched at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError, helpers

from holdfast.outcomes import sha256_hex
from resources.search.hits import SHOWN, TOLD, Hit, hit_of

PREFIX = "holdfast-museum"
_FIELDS = {
    "title": 6,
    "alternative_titles": 4,
    "identifier": 6,
    "identifiers": 4,
    "creators": 3,
    "types": 1.5,
    "subjects": 1.5,
    "medium": 1.5,
    "date_text": 1.5,
    "contributors": 1,
    "places": 1,
    "periods": 1,
    "description": 1,
    "repository": 1,
    "credit_line": 1,
    "record_source": 1,
}
_KEYWORDS = ("collection", "image_url", "page_url", "content_sha256")
_ANALYSIS = {
    "filter": {
        "english_stem": {"type": "stemmer", "language": "english"},
        "folded": {"type": "asciifolding", "preserve_original": False},
    },
    "analyzer": {
        "folded": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "folded"]},
        "stemmed": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "folded", "english_stem"]},
    },
}
_SETTINGS = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "refresh_interval": "-1",  # refreshed once, before the switch; after it nothing is written
    "analysis": _ANALYSIS,
}


def _mappings() -> dict[str, Any]:
    text = {"type": "text", "analyzer": "folded", "fields": {"stem": {"type": "text", "analyzer": "stemmed"}}}
    return {
        "dynamic": False,
        "properties": {
            **dict.fromkeys(_FIELDS, text),
            **{name: {"type": "keyword", "ignore_above": 8000} for name in _KEYWORDS},
            **{name: {"type": "integer"} for name in ("earliest_year", "latest_year")},
        },
    }


class ElasticIndex:
    def __init__(self, url: str, *, prefix: str = PREFIX, timeout_seconds: float = 60) -> None:
        self._client = Elasticsearch(url, request_timeout=timeout_seconds, retry_on_timeout=True, max_retries=3)
        self._prefix = prefix

    def close(self) -> None:
        self._client.close()

    def _alias(self, collection: str | None) -> str:
        # '-' is in no collection's name, so that one collection's alias and indices can't be another's.
        return f"{self._prefix}-{collection}" if collection else self._prefix

    def public_index(self, collection: str) -> str:
        """Name of the index that searchers see; '' where there is none."""
        try:
            return next(iter(self._client.indices.get_alias(name=self._alias(collection))))
        except NotFoundError:
            return ""

    def publish(self, collection: str, version: str, objects: Iterable[dict[str, Any]]) -> int | None:
        """Fill an index of its own, then point the aliases at it; how many objects, None where it was public already.

        Raises:
            elasticsearch.helpers.BulkIndexError: an object was refused; the aliases stay as they were.
        """
        index = f"{self._alias(collection)}-{version}"
        before = self.public_index(collection)
        if index == before:
            return None
        self._client.indices.delete(index=index, ignore_unavailable=True)  # left by a run that was killed
        self._client.indices.create(index=index, settings=_SETTINGS, mappings=_mappings())
        try:
            written, _ = helpers.bulk(self._client, _actions(index, objects), chunk_size=500, refresh=False)
            self._client.indices.refresh(index=index)
        except BaseException:
            self._client.indices.delete(index=index, ignore_unavailable=True)
            raise
        names = (self._alias(collection), self._alias(None))
        actions: list[dict[str, Any]] = [{"add": {"index": index, "alias": name}} for name in names]
        if before:
            actions += [{"remove": {"index": before, "alias": name}} for name in names]
        self._client.indices.update_aliases(actions=actions)
        self._sweep(collection, keep=index)
        return int(written)

    def _sweep(self, collection: str, *, keep: str) -> None:
        for name in self._client.indices.get(index=f"{self._alias(collection)}-*", features="aliases"):
            if name != keep:
                self._client.indices.delete(index=name, ignore_unavailable=True)

    def search(self, text: str, collection: str | None, limit: int) -> list[Hit]:
        """Words all of them, "a phrase", |, -not: the forms of simple_query_string."""
        fields = [f"{name}^{boost}" for name, boost in _FIELDS.items()]
        fields += [f"{name}.stem^{boost / 2}" for name, boost in _FIELDS.items()]
        answer = self._client.search(
            index=self._alias(collection),
            ignore_unavailable=True,
            size=limit,
            query={
                "simple_query_string": {
                    "query": text,
                    "fields": fields,
                    "default_operator": "and",
                    "flags": "AND|NOT|OR|PHRASE|WHITESPACE",
                }
            },
            sort=["_score", {"collection": "asc"}],
            track_scores=True,
            source_includes=[*SHOWN, *TOLD],
        )
        return [hit_of(each["_score"], each["_source"], text) for each in answer["hits"]["hits"]]

    def count(self, collection: str | None) -> int:
        return int(self._client.count(index=self._alias(collection), ignore_unavailable=True)["count"])


def _actions(index: str, objects: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in objects:
        # An _id has 512 bytes at most, an identifier may have more.
        yield {"_index": index, "_id": sha256_hex(str(each["identifier"]).encode()), "_source": each}
