"""Authority control through Dagster: files in their folder, headings of a load, and what a new file would touch."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from holdfast.settings import Settings, parse_settings
from resources.authorities.client import AuthorityFolder
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from tests.authorities import authority, heading_record
from tests.catalogue_load import DAY, SETTINGS, drop, fine, partition
from tests.demo_ils import DemoIls

pytestmark = [pytest.mark.services, pytest.mark.dagster]
TEXT = '[library]\nname = "L"\n[sources.ebooks]\n[authorities.lcsh]\nthesaurus = "lcsh"\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return parse_settings(TEXT, root=tmp_path)


def put(settings: Settings, data: bytes, name: str = "lcsh.mrc") -> Path:
    folder = settings.authority_files / "lcsh"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def materialize(settings: Settings, asset: str, key: str | None = None, **config: Any) -> dict[str, Any]:
    """Metadata of the asset, materialized by its job."""
    jobs = {
        "authority_records": "authority_load",
        "authority_links": "authority_linking",
        "authority_what_if": "authority_what_if_report",
    }
    defs = build_defs(resource_overrides={"authority_folder": AuthorityFolder(settings)})
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(jobs[asset]).execute_in_process(
            instance=instance,
            partition_key=dg.MultiPartitionKey({"source": "ebooks", "day": DAY.date().isoformat()}) if key else None,
            run_config={"ops": {asset: {"config": config}}} if config else None,
        )
        assert result.success
        assert all(each.passed for each in result.get_asset_check_evaluations())
        (event,) = result.asset_materializations_for_node(asset)
    return {name: each.value for name, each in event.metadata.items()}


POETRY = authority("sh1", ("150", "  ", "a", "Poetry"), ("450", "  ", "a", "Poems"), ("550", "  ", "a", "Literature"))
RECORDS = [
    heading_record("1", ("245", "00", "a", "One"), ("650", " 0", "a", "Poetry."), ("650", " 0", "a", "Prose")),
    heading_record("2", ("245", "00", "a", "Two"), ("650", " 0", "a", "Poems"), ("650", " 0", "a", "Prose")),
    heading_record("3", ("245", "00", "a", "Three"), ("650", " 0", "a", "Prose.")),
]


def test_headings_of_a_load_are_linked(library: DemoIls, settings: Settings) -> None:
    put(settings, POETRY + b"garbage\x1d" + heading_record("b", ("245", "00", "a", "A book")))
    loaded = materialize(settings, "authority_records")
    assert loaded["dagster/row_count"] == 1
    assert (loaded["quarantined"], loaded["see_also_leads_nowhere"]) == (2, 1)
    assert loaded["files"] == "lcsh/lcsh.mrc"

    drop(RECORDS)
    fine(only=("harvested_marc", "normalized_records"))
    said = materialize(settings, "authority_links", partition())
    assert {name: said[name] for name in ("linked", "linked_by_reference", "unlinked")} == {
        "linked": 1,
        "linked_by_reference": 1,
        "unlinked": 3,
    }
    assert "| lcsh | Prose | 3 |" in said["top_unlinked"]
    assert "Poems" in said["to_correct"] and "450 of sh1" in said["to_correct"]
    assert said["authorities"] == "1"
    rows = Lake(SETTINGS.var / "lake").read("authority_links", partition())
    assert rows["record"].to_list() == [1, 1, 2, 2, 3]


def test_what_cant_be_read_waits_in_quarantine(library: DemoIls, settings: Settings, postgres: Postgres) -> None:
    put(settings, POETRY + b"garbage\x1d" + heading_record("b", ("245", "00", "a", "A book")))
    put(settings, gzip.compress(POETRY)[:-9], "cut.mrc.gz")
    materialize(settings, "authority_records")
    waiting = Quarantine(postgres, "catalogue").waiting()
    assert sorted(row["code"] for row in waiting)[:2] == ["authority.not_authority", "authority.unreadable_file"]
    assert any("lcsh.mrc record 3" in row["place"] for row in waiting)
    assert all(row["hint"] for row in waiting)
    put(settings, POETRY)
    (settings.authority_files / "lcsh" / "cut.mrc.gz").unlink()
    materialize(settings, "authority_records")
    assert Quarantine(postgres, "catalogue").waiting() == []


def test_without_an_authority_file_every_heading_is_unlinked_and_that_is_said(
    library: DemoIls, settings: Settings
) -> None:
    drop(RECORDS)
    fine(only=("harvested_marc", "normalized_records"))
    said = materialize(settings, "authority_links", partition())
    assert said["unlinked"] == 5 and "none is loaded" in said["authorities"]
    loaded = materialize(settings, "authority_records")
    assert loaded["dagster/row_count"] == 0 and "none" in loaded["files"]
    assert materialize(settings, "authority_links", partition())["unlinked"] == 5


def test_what_if_names_the_live_records_that_a_new_file_would_touch(library: DemoIls, settings: Settings) -> None:
    put(settings, POETRY)
    materialize(settings, "authority_records")
    drop(RECORDS)
    fine()
    fine(only=("catalog_snapshot",))
    put(settings, authority("sh1", ("150", "  ", "a", "Verse"), ("450", "  ", "a", "Poetry")))
    said = materialize(settings, "authority_what_if", partitions=[partition()])
    assert said["changed_heading"] == 1
    # Poetry and Poems, in the catalogue and in the partition.
    assert (said["headings_touched"], said["records_touched"]) == (4, 4)
    assert "Verse" in said["first_changes"] and "linked_by_reference" in said["first_touched"]
    lake = Lake(SETTINGS.var / "lake")
    assert set(lake.read("authority_what_if", table="touched")["held_in"]) == {"catalogue", partition()}
    titles = {each["id"]: each["title"] for each in library.instances()}
    live = lake.read("authority_what_if", table="touched").filter(held_in="catalogue")
    assert sorted(titles[each] for each in live["id"]) == ["One", "Two"]
    # Nothing was taken over.
    assert lake.read("authority_records")["heading"].to_list() == ["Poetry"]


def test_the_5000_real_authorities_are_loaded(library: DemoIls, settings: Settings, data: Path) -> None:
    (settings.authority_files / "lcsh").mkdir(parents=True)
    shutil.copyfile(data / "marc/authority-lcsh-5000/5000.mrc.gz", settings.authority_files / "lcsh" / "5000.mrc.gz")
    said = materialize(settings, "authority_records")
    assert (said["dagster/row_count"], said["quarantined"], said["superseded"]) == (5000, 0, 0)
    assert (said["see_also"], said["see_also_leads_nowhere"]) == (981, 934)
