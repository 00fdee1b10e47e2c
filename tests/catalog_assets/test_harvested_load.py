"""From a repository to the library system: what is asked for goes the way of every drop, deletions too."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.repositories.client import Repositories
from tests.catalogue_load import DAY, SETTINGS, Loaded, fine
from tests.demo_ils import DemoIls
from tests.demo_repository import DemoRepository, running

pytestmark = [pytest.mark.services, pytest.mark.dagster]
MORNING = DAY.replace(hour=9)
_of = Repositories.of


@pytest.fixture
def repository() -> Any:
    with running(page_items=3) as found:
        yield found


@pytest.fixture
def asked(repository: DemoRepository, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The source `ebooks`, asked by OAI-PMH; loads it."""
    source = SETTINGS.sources["ebooks"].model_copy(
        update={"kind": "oai-pmh", "url": repository.url, "retries": 1, "timeout_seconds": 10}
    )
    settings: Settings = SETTINGS.model_copy(update={"sources": {**SETTINGS.sources, "ebooks": source}})
    monkeypatch.setattr("catalog_assets.records.harvested_marc.SETTINGS", settings)
    repositories = Repositories(settings, read_environment, sleep=lambda _: None)
    monkeypatch.setattr("resources.repositories.client.Repositories.of", lambda _, name: _of(repositories, name))

    def load() -> Loaded:
        return fine("ebooks")

    return load


def test_a_window_is_committed_updated_and_what_is_deleted_there_is_suppressed(
    library: DemoIls, repository: DemoRepository, asked: Any
) -> None:
    first, second = (repository.book(str(n), MORNING, f"Volume {n}", org="XX-Union") for n in (1, 2))
    loaded = asked()
    assert loaded.outcomes == {"committed": 2}
    metadata = loaded.metadata("harvested_marc")
    assert (metadata["source_records"], metadata["new_in_window"]) == (2, 2)

    assert asked().outcomes == {"committed": 2}
    before = len(library.audit())
    repository.store.delete(first, MORNING + dt.timedelta(hours=1))
    repository.book("2", MORNING + dt.timedelta(hours=1), "Volume 2, corrected", org="XX-Union")
    loaded = asked()
    assert library.audit()[before:]
    instances = {each["title"]: each for each in library.instances()}
    assert instances["Volume 1"]["discoverySuppress"] is True
    assert set(instances) == {"Volume 1", "Volume 2, corrected"}
    written = library.audit()
    asked()
    assert library.audit() == written
    assert second


def test_a_record_without_003_is_found_by_its_title_when_it_is_deleted(
    library: DemoIls, repository: DemoRepository, asked: Any
) -> None:
    identifier = repository.book("7", MORNING, "Cats & dogs", org="")
    asked()
    repository.store.delete(identifier, MORNING + dt.timedelta(hours=1))
    asked()
    (instance,) = library.instances()
    assert instance["discoverySuppress"] is True


def test_a_deletion_of_what_was_never_here_changes_nothing(
    library: DemoIls, repository: DemoRepository, asked: Any
) -> None:
    repository.store.delete(repository.book("99", MORNING), MORNING)
    assert asked().outcomes == {"unchanged": 1}
    assert library.instances() == []
