"""The flow through Dagster, from the drop folder to the public search."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from catalog_assets.museum.museum_export import museum_export
from catalog_assets.museum.museum_index import museum_index
from catalog_assets.museum.museum_objects import museum_objects
from holdfast.environment import read_environment
from holdfast.settings import Settings, parse_settings
from resources.lake.client import Lake
from resources.museum_exports.client import MuseumExports
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from resources.repositories.client import Repositories
from resources.search.client import Search
from sensors.museum_export_sensor import run_request
from tests.holdfast.museum.lido_samples import record, wrap

pytestmark = [pytest.mark.dagster, pytest.mark.services]

ROOT = Path(__file__).resolve().parents[3]


def documented_collection(name: str) -> str:
    """The example of docs/how-to/museum-csv.md, as the collection `name`."""
    block = (ROOT / "docs/how-to/museum-csv.md").read_text().split("```toml\n")[1].split("```")[0]
    return textwrap.dedent(block).replace("collections.tate", f"collections.{name}")


TOML = f"""
[library]
name = "L"
[sources.s]
{documented_collection("prints")}
[collections.objects]
format = "lido"
pattern = "*.xml*"
"""
HEADER = "accession_number,title,artist,dateText,medium,creditLine,dimensions,inscription,thumbnailUrl,url\n"
DAY = "2026-11-20"


class Museum:
    """A museum with a drop folder, and the means to run its flow."""

    def __init__(self, settings: Settings, postgres: Postgres, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self.settings = settings
        self.lake = Lake(settings.var / "lake")
        self.exports = MuseumExports(settings)
        self.search = Search(postgres)
        self.quarantine = Quarantine(postgres, "museum")
        self.resources: dict[str, object] = {
            "lake": self.lake,
            "museum_exports": self.exports,
            "repositories": Repositories(self.settings, read_environment),
            "postgres": postgres,
            "search": self.search,
        }

    def drop(self, collection: str, name: str, data: bytes | str | Path, day: str = DAY) -> Path:
        path = self.exports.folder(collection) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, Path):
            shutil.copyfile(data, path)
        else:
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        noon = dt.datetime.fromisoformat(f"{day}T12:00+00:00").timestamp()
        os.utime(path, (noon, noon))
        return path

    def load(
        self, collection: str, day: str = DAY, *, fails: bool = False, config: dict | None = None
    ) -> dg.ExecuteInProcessResult:
        result = dg.materialize(
            [museum_export, museum_objects, museum_index],
            partition_key=dg.MultiPartitionKey({"collection": collection, "day": day}),
            resources=self.resources,
            run_config=dg.RunConfig(ops={"museum_index": {"config": config}}) if config else None,
            instance=self._instance,
            raise_on_error=not fails,
        )
        assert result.success is not fails
        return result


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    found = result.get_asset_check_evaluations()
    return {f"{each.asset_key.to_user_string()}.{each.check_name}": each.passed for each in found}


@pytest.fixture
def museum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> Iterator[Museum]:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Museum(parse_settings(TOML, root=tmp_path), postgres, instance)


def row(identifier: str, title: str, image: str = "") -> str:
    return f"{identifier},{title},,1900,,,,,{image},\n"


def test_an_export_reaches_the_public_search_with_every_row_counted(museum: Museum) -> None:
    bad = row("P3", "c", "javascript:x")
    museum.drop(
        "prints",
        "artwork_data.csv",
        HEADER + row("P1", "=A bridge") + row("P2", "A river") + row("P2", "A river") + bad + "P4\n",
    )
    result = museum.load("prints")
    assert checks(result) == {
        "museum_objects.conservation": True,
        "museum_index.conservation": True,
        "museum_index.withdrawals": True,
    }
    assert museum.quarantine.outcomes("museum_index") == {
        f"prints|{DAY}": {"in": 5, "committed": 2, "unchanged": 0, "suppressed": 0, "duplicate": 1, "quarantined": 2}
    }
    assert [each["code"] for each in museum.quarantine.waiting(f"prints|{DAY}")] == ["object.image_url", "csv.ragged"]
    assert [hit.title for hit in museum.search.search("bridge")] == ["=A bridge"]
    objects = metadata(result, "museum_objects")
    assert (objects["dagster/row_count"], objects["in"], objects["quarantined"]) == (2, 5, 2)
    assert isinstance(objects["dagster/column_schema"], dg.TableSchema)
    assert metadata(result, "museum_index")["engine"] == "postgresql"


def test_materializing_again_is_safe_and_works_from_what_was_received(museum: Museum) -> None:
    path = museum.drop("prints", "artwork_data.csv", HEADER + row("P1", "A bridge") + "P4\n")
    museum.load("prints")
    path.unlink()
    museum.load("prints")
    assert museum.quarantine.outcomes("museum_index")[f"prints|{DAY}"]["unchanged"] == 1
    assert len(museum.quarantine.waiting(f"prints|{DAY}")) == 1


def test_an_older_day_does_not_replace_a_newer_one_unless_told_to(museum: Museum) -> None:
    museum.drop("prints", "artwork_data_new.csv", HEADER + row("P1", "New bridge"), "2026-11-21")
    museum.load("prints", "2026-11-21")
    museum.drop("prints", "artwork_data_old.csv", HEADER + row("P1", "Old bridge"))
    result = museum.load("prints")
    assert museum.quarantine.outcomes("museum_index")[f"prints|{DAY}"]["suppressed"] == 1
    assert checks(result)["museum_index.conservation"]
    assert [hit.title for hit in museum.search.search("bridge")] == ["New bridge"]
    museum.load("prints", config={"allow_older": True})
    assert [hit.title for hit in museum.search.search("bridge")] == ["Old bridge"]


def test_an_export_that_lost_most_of_its_objects_warns_and_withdraws_none(museum: Museum) -> None:
    museum.drop("prints", "artwork_data.csv", HEADER + "".join(row(f"P{n}", "A bridge") for n in range(50)))
    museum.load("prints")
    museum.drop("prints", "artwork_data2.csv", HEADER + row("P0", "A bridge"), "2026-11-21")
    result = museum.load("prints", "2026-11-21")
    assert not checks(result)["museum_index.withdrawals"]
    assert museum.search.count("prints") == 50


def test_a_day_without_an_export_says_where_to_put_it(museum: Museum) -> None:
    result = museum.load("prints", fails=True)
    failure = result.get_step_failure_events()[0]
    assert "no file that matches 'artwork_data*.csv*' was changed on 2026-11-20" in str(failure.event_specific_data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "lido.empty"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "xml.doctype"),
        (wrap(record(1), record(2))[:-200], "xml.not_well_formed"),
    ],
)
def test_a_bad_file_is_quarantined_and_the_public_catalogue_stays(museum: Museum, data: bytes, code: str) -> None:
    museum.drop("objects", "o.xml", wrap(record(1, "Clock"), record(2, "Watch")))
    museum.load("objects")
    museum.drop("objects", "o2.xml", data, "2026-11-21")
    museum.load("objects", "2026-11-21")
    (waiting,) = museum.quarantine.waiting("objects|2026-11-21")
    assert (waiting["code"], waiting["unit"]) == (code, "file")
    assert museum.search.count("objects") == 2


def test_conservation_that_does_not_hold_stops_the_index(museum: Museum, monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.outcomes import Conservation

    monkeypatch.setattr(Conservation, "holds", property(lambda _: False))
    museum.drop("prints", "artwork_data.csv", HEADER + row("P1", "A bridge"))
    museum.load("prints", fails=True)
    assert museum.search.count() == 0


def test_the_job_that_the_sensor_starts_loads_its_partition(museum: Museum) -> None:
    museum.drop("objects", "o.xml", wrap(record(1, "Clock")))
    job = build_defs(resource_overrides=museum.resources).resolve_job_def("museum_load")
    request = run_request("objects", DAY, "key")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(partition_key=request.partition_key, instance=instance).success
    assert [hit.title for hit in museum.search.search("clock")] == ["Clock"]


def test_the_job_the_sensor_and_the_schedules_are_in_the_code_location() -> None:
    definitions = build_defs()
    dg.Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    keys = repository.get_job("museum_load").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in keys} == {"museum_export", "museum_objects", "museum_index"}
    assert repository.has_sensor_def("museum_export_sensor")
    assert {each.name for each in repository.schedule_defs} >= {"museum_prints_nightly", "museum_objects_nightly"}


def test_the_real_exports_go_through_end_to_end(museum: Museum, data: Path) -> None:
    museum.drop("prints", "artwork_data.csv.gz", data / "museum/tate/artwork_data.csv.gz")
    museum.drop("objects", "cimec.xml.gz", data / "lido/inp-clasate-istoria-stiintei-si-tehnicii-2014-02-02.xml.gz")
    museum.drop("objects", "ycba.xml", data / "lido/lido.xml")
    museum.load("prints")
    museum.load("objects")
    none = {"unchanged": 0, "suppressed": 0, "duplicate": 0, "quarantined": 0}
    assert museum.quarantine.outcomes("museum_index") == {
        f"prints|{DAY}": {"in": 69_202, "committed": 69_202, **none},
        f"objects|{DAY}": {"in": 487, "committed": 487, **none},
    }
    assert museum.search.count() == 69_689
    assert museum.search.search("blake watercolour", "prints")[0].creators == ("Blake, William",)
    assert museum.search.search("bucuresti locomotiva", "objects")
    assert len(museum.lake.parts("museum_objects", f"prints|{DAY}")) == 35


def test_one_changed_object_of_a_large_export_is_one_write(museum: Museum, data: Path) -> None:
    with gzip.open(data / "museum/tate/artwork_data.csv.gz") as file:
        lines = file.read().split(b"\r\n")[:3_000]
    museum.drop("prints", "artwork_data.csv", b"\r\n".join(lines))
    museum.load("prints")
    before = museum.quarantine.outcomes("museum_index")[f"prints|{DAY}"]
    lines[1] = lines[1].replace(b"A Figure Bowing", b"A Figure Kneeling")
    museum.drop("prints", "artwork_data.csv", b"\r\n".join(lines), "2026-11-21")
    museum.load("prints", "2026-11-21")
    after = museum.quarantine.outcomes("museum_index")["prints|2026-11-21"]
    assert (after["committed"], after["unchanged"]) == (1, before["committed"] - 1)
    assert museum.search.search("figure kneeling")[0].identifier == "A00001"
