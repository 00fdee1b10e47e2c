"""A collection is harvested by OAI-PMH into an export file, and goes the way of every export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from demo.repository.content import fill, oai_dc
from demo.repository.store import Item
from holdfast.environment import read_environment
from holdfast.museum.validation import validate_export
from holdfast.settings import Settings, parse_settings
from resources.museum_exports.client import MuseumExports
from resources.oai_pmh.client import RepositoryError
from resources.repositories.client import Repositories
from tests.demo_repository import DemoRepository, running

TODAY = dt.datetime.now(dt.UTC).date()
NOON = dt.datetime.combine(TODAY, dt.time(12), dt.UTC)


@pytest.fixture
def repository() -> Iterator[DemoRepository]:
    with running(page_items=5) as found:
        yield found


def settings_of(repository: DemoRepository, folder: Path, form: str = "lido", more: str = "") -> Settings:
    return parse_settings(
        f'[library]\nname = "L"\n[sources.s]\n[collections.objects]\nkind = "oai-pmh"\nurl = "{repository.url}"\n'
        f'format = "{form}"\nset_spec = "objects"\nretries = 2\n{more}',
        root=folder,
    )


def harvested(settings: Settings, day: dt.date = TODAY) -> tuple[list[str], list[str], int]:
    """Titles, codes of rejections, deleted at the source."""
    exports = MuseumExports(settings)
    got = Repositories(settings, read_environment, sleep=lambda _: None).harvest_export(exports, "objects", day)
    received = exports.receive("objects", day)
    limit = settings.limits.xml_record_bytes
    titles, codes = [], []
    for batch in validate_export(
        "objects", settings.collections["objects"], exports.files(received), record_bytes=limit
    ):
        titles += batch.objects["title"].to_list()
        codes += batch.rejected["code"].to_list()
    return titles, codes, got.deleted if got else -1


def put(repository: DemoRepository, name: str, at: dt.datetime = NOON, **elements: str) -> str:
    identifier = f"oai:test:{name}"
    repository.store.put(Item(identifier, at, ("objects",), {"oai_dc": oai_dc(**elements)}))
    return identifier


@pytest.mark.parametrize("form", ["lido", "oai_dc"])
def test_a_whole_set_comes_as_an_export_that_validates(repository: DemoRepository, tmp_path: Path, form: str) -> None:
    fill(repository.store, TODAY)
    settings = settings_of(repository, tmp_path, form)
    titles, codes, deleted = harvested(settings)
    assert len(titles) == 13 and "Mona Lisa" in titles
    assert (codes, deleted) == ([], 0)
    assert [path.name for path in MuseumExports(settings).folder("objects").iterdir()] == [f"oai-pmh-{TODAY}.xml"]
    assert not any("from" in each for each in repository.asked)


def test_a_list_that_expires_starts_again_and_no_object_comes_twice(repository: DemoRepository, tmp_path: Path) -> None:
    fill(repository.store, TODAY)
    repository.expire_after = [2]
    titles, _, _ = harvested(settings_of(repository, tmp_path))
    assert len(titles) == 13


def test_a_harvest_that_fails_leaves_no_file_and_the_one_before_as_it_was(
    repository: DemoRepository, tmp_path: Path
) -> None:
    fill(repository.store, TODAY)
    settings = settings_of(repository, tmp_path)
    harvested(settings)
    (file,) = MuseumExports(settings).folder("objects").iterdir()
    before = file.read_bytes()
    repository.spoil = ["cut_xml"] * 3
    with pytest.raises(RepositoryError, match="not well formed"):
        harvested(settings)
    assert [path.read_bytes() for path in MuseumExports(settings).folder("objects").iterdir()] == [before]


def test_an_empty_set_withdraws_nothing_but_is_an_error(repository: DemoRepository, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="withdraw the whole collection"):
        harvested(settings_of(repository, tmp_path))


def test_a_whole_set_is_only_harvested_on_its_day(repository: DemoRepository, tmp_path: Path) -> None:
    fill(repository.store, TODAY)
    assert harvested(settings_of(repository, tmp_path), TODAY - dt.timedelta(days=3)) == ([], [], -1)
    assert repository.asked == []


def test_a_window_has_only_its_day_and_counts_what_was_deleted(repository: DemoRepository, tmp_path: Path) -> None:
    day = TODAY - dt.timedelta(days=1)
    put(repository, "1", NOON - dt.timedelta(days=1), identifier="1", title="One")
    put(repository, "2", NOON - dt.timedelta(days=2), identifier="2", title="Two")
    gone = put(repository, "3", NOON, identifier="3", title="Three")
    repository.store.delete(gone, NOON - dt.timedelta(days=1))
    settings = settings_of(repository, tmp_path, "oai_dc", "full = false\n")
    assert harvested(settings, day) == (["One"], [], 1)


def test_an_item_without_its_record_is_rejected_and_not_lost(repository: DemoRepository, tmp_path: Path) -> None:
    fill(repository.store, TODAY)
    identifier = next(name for name, item in repository.store.items.items() if "lido" in item.forms)
    repository.store.put(replace(repository.store.items[identifier], forms={"lido": "<x xmlns='urn:x'/>"}))
    titles, codes, _ = harvested(settings_of(repository, tmp_path))
    assert len(titles) == 12 and len(codes) == 1 and codes[0].startswith("lido.")


# ---- oai_dc -----------------------------------------------------------------------------------------------------------------


def test_an_object_s_key_is_its_oai_identifier_and_its_page_the_first_link(
    repository: DemoRepository, tmp_path: Path
) -> None:
    put(repository, "7", title="Vase", identifier="https://museum.example.org/7", creator="Potter", date="c. 1790")
    put(repository, "8", creator="Without a title")
    put(repository, "9", title="Bad\u0009tab is fine", identifier="9")
    settings = settings_of(repository, tmp_path, "oai_dc")
    exports = MuseumExports(settings)
    Repositories(settings, read_environment).harvest_export(exports, "objects", TODAY)
    received = exports.receive("objects", TODAY)
    (batch,) = validate_export(
        "objects", settings.collections["objects"], exports.files(received), record_bytes=1_000_000
    )
    row = batch.objects.row(0, named=True)
    assert (row["identifier"], row["title"], row["creators"]) == ("oai:test:7", "Vase", ["Potter"])
    assert row["page_url"] == "https://museum.example.org/7"
    assert batch.rejected["code"].to_list() == ["object.title"]
    assert batch.rejected["identifier"].to_list() == ["oai:test:8"]


@pytest.mark.parametrize(
    ("text", "code", "objects"),
    [
        ("<a/>", "oai_dc.no_record", 0),
        ("", "xml.not_well_formed", 0),
        ("<r>{one}<b></r>", "xml.not_well_formed", 1),
        ("<!DOCTYPE r [<!ENTITY x 'y'>]><r>{one}</r>", "xml.doctype", 0),
        ("<r>{one}<b>{long}</b>{one}</r>", "oai_dc.too_large", 1),
    ],
)
def test_a_file_that_can_t_be_read_says_why_and_gives_what_comes_before(
    tmp_path: Path, text: str, code: str, objects: int
) -> None:
    from holdfast.museum.oai_dc_export import OaiDcObject, read_oai_dc_file

    path = tmp_path / "a.xml"
    path.write_text(text.format(one=oai_dc(identifier="1", title="T"), long="<c>d</c>" * 30_000))
    found = list(read_oai_dc_file(path, record_bytes=100_000))
    assert [type(each) for each in found[:-1]] == [OaiDcObject] * objects
    assert getattr(found[-1], "code", "") == code
