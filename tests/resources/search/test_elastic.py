from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch, helpers

from holdfast.environment import read_environment
from resources.postgres.client import Postgres
from resources.search.client import Search
from resources.search.elastic import ElasticIndex
from tests.resources.search.museum_frames import objects

pytestmark = pytest.mark.services
DAY = dt.date(2026, 11, 20)
FEW = {"1": "A bridge", "2": "A river"}


@pytest.fixture
def elastic() -> Iterator[ElasticIndex]:
    elasticsearch_url = read_environment().get("HOLDFAST_ELASTICSEARCH_URL")
    if not elasticsearch_url:
        pytest.skip("HOLDFAST_ELASTICSEARCH_URL is not set")
    prefix = f"holdfast-test-{uuid.uuid4().hex[:8]}"
    index = ElasticIndex(elasticsearch_url, prefix=prefix)
    yield index
    index.close()
    with Elasticsearch(elasticsearch_url) as client:
        for name in client.indices.get(index=f"{prefix}*"):
            client.indices.delete(index=name)


@pytest.fixture
def search(postgres: Postgres, elastic: ElasticIndex) -> Search:
    return Search(postgres, elastic)


def found(search: Search, text: str, collection: str | None = None) -> list[str]:
    return [hit.identifier for hit in search.search(text, collection)]


def test_nothing_indexed_yet_is_nothing_found(search: Search) -> None:
    assert (found(search, "bridge"), found(search, "bridge", "prints"), search.count()) == ([], [], 0)


def test_a_change_makes_a_new_index_and_the_old_one_goes(search: Search, elastic: ElasticIndex) -> None:
    search.switch("prints", DAY, objects(FEW))
    first = elastic.public_index("prints")
    search.switch("prints", DAY, objects(FEW))
    assert elastic.public_index("prints") == first
    search.switch("prints", DAY, objects({"1": "A castle"}))
    assert elastic.public_index("prints") != first
    assert (found(search, "castle"), found(search, "bridge"), found(search, "river"), search.count()) == (
        ["1"],
        [],
        [],
        1,
    )


def test_an_object_that_elasticsearch_refuses_leaves_the_old_index_public(
    search: Search, elastic: ElasticIndex
) -> None:
    search.switch("prints", DAY, objects(FEW))
    before = elastic.public_index("prints")
    with pytest.raises(helpers.BulkIndexError):
        elastic.publish("prints", "next", [{"identifier": "1", "title": "x", "earliest_year": "not a year"}])
    assert elastic.public_index("prints") == before
    assert found(search, "bridge") == ["1"]


def test_a_run_that_died_half_way_is_made_good_by_the_next(
    search: Search, elastic: ElasticIndex, postgres: Postgres
) -> None:
    search.switch("prints", DAY, objects(FEW))
    Search(postgres).switch("prints", DAY, objects({"1": "A castle"}))  # PostgreSQL only: as if killed here
    assert found(search, "castle") == []
    search.switch("prints", DAY, objects({"1": "A castle"}))
    assert found(search, "castle") == ["1"]


def test_collections_are_searched_alone_and_together(search: Search) -> None:
    search.switch("prints", DAY, objects(FEW))
    search.switch("prints_old", DAY, objects({"9": "An old bridge"}, "prints_old"))
    assert found(search, "bridge", "prints") == ["1"]
    assert sorted(found(search, "bridge")) == ["1", "9"]
    assert (search.count(), search.count("prints_old")) == (3, 1)


def test_both_engines_agree_on_what_is_found(search: Search, postgres: Postgres) -> None:
    titles = {"1": "Straße in București", "2": "Drawings of bridges", "3": "A bridge, drawn", "X-7": "Nocturne"}
    more = {"creator": ("Albrecht Dürer",), "language": ("en",)}
    search.switch("prints", DAY, objects(titles, **more))
    table = Search(postgres)
    for text in (
        "durer",
        "bucuresti",
        "drawing",
        '"of bridges"',
        "bridge -drawings",
        "nocturne durer",
        "X-7",
        "absent",
    ):
        assert sorted(found(search, text)) == sorted(found(table, text)), text


def test_a_title_counts_more_than_a_creator_and_a_creator_more_than_the_rest(search: Search) -> None:
    search.switch("a", DAY, objects({"rest": "Untitled"}, "a", spatial=("Whistler",)))
    search.switch("b", DAY, objects({"creator": "Untitled"}, "b", creator=("Whistler",)))
    search.switch("c", DAY, objects({"title": "Whistler"}, "c"))
    assert found(search, "whistler") == ["title", "creator", "rest"]


@pytest.mark.parametrize("text", ['"', "AND", "(", "~", "*", "\0", "a" * 2000, "title:x", "\ud800"])
def test_any_text_can_be_searched(search: Search, text: str) -> None:
    search.switch("prints", DAY, objects(FEW))
    search.search(text)
