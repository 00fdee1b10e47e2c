"""A batch through all assets of preservation, with a real PostgreSQL, Tesseract and files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from holdfast.preservation.events import NO_HASH, verify_chain
from holdfast.settings import Settings, load_settings
from preservation_assets.definitions import build_defs
from resources.lake.client import Lake
from resources.masters.client import Masters
from resources.postgres.client import Postgres
from resources.postgres.preservation_events import PreservationEvents
from resources.postgres.quarantine import Quarantine
from resources.scans.client import Scans
from tests.preservation_drops import bomb_png, manifest_of, page_bytes, write_drop

pytestmark = [pytest.mark.dagster, pytest.mark.services]

TITLE = "The Atlas of Places\nPrinted in London\n12 May 1784"
SECOND = "Letters of John Adams\nto Thomas Jefferson\nin Paris"


class House:
    """Resources over a folder, and a way to run a batch."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self.settings, self.postgres = settings, postgres
        self.scans = settings.scans
        self.lake = Lake(settings.var / "lake")
        self.masters = Masters(settings.var / "vault")
        self.assets = list(build_defs().assets or [])

    def run(self, batch: str, only: list[str] | None = None, *, raises: bool = True) -> Any:
        home = self.settings.var / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        with dg.DagsterInstance.ephemeral(tempdir=str(home)) as instance:
            instance.add_dynamic_partitions("batch", [batch])
            return dg.materialize(
                self.assets,
                selection=only,
                partition_key=batch,
                instance=instance,
                raise_on_error=raises,
                resources={
                    "lake": self.lake,
                    "postgres": self.postgres,
                    "scans": Scans(self.settings),
                    "masters": self.masters,
                },
            )

    def waiting(self, batch: str) -> dict[str, str]:
        """place → code; a place that stands twice is an error."""
        rows = Quarantine(self.postgres, "preservation").waiting(batch)
        assert len({row["place"] for row in rows}) == len(rows)
        return {row["place"]: row["code"] for row in rows}

    def outcomes(self, batch: str) -> dict[str, int]:
        return Quarantine(self.postgres, "preservation").outcomes("enriched_metadata")[batch]

    def codes(self, batch: str) -> dict[str, str]:
        pages = self.lake.read("enriched_metadata", batch)
        return {row["path"]: row["code"] or row["outcome"] for row in pages.iter_rows(named=True)}


@pytest.fixture
def house(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    postgres = Postgres(postgres_url)
    postgres.migrate()
    with postgres.transaction() as connection:
        connection.execute("DELETE FROM quarantine WHERE flow = 'preservation'")
        connection.execute("DELETE FROM outcomes WHERE flow = 'preservation'")
        # Chains outlive a test by design; a schema of its own would be the other way.
        connection.execute("ALTER TABLE preservation_events DISABLE TRIGGER USER")
        connection.execute("DELETE FROM preservation_events")
        connection.execute("ALTER TABLE preservation_events ENABLE TRIGGER USER")
    yield House(load_settings(), postgres)
    postgres.close()


def test_a_whole_batch_ends_as_text_with_its_statements(house: House) -> None:
    pages = {"pages/0001.tif": page_bytes(TITLE), "pages/0002.png": page_bytes(SECOND, format="PNG")}
    write_drop(house.scans, "atlas", pages | {"pages/0003.tif": page_bytes()})

    result = house.run("atlas")

    assert result.success
    assert house.outcomes("atlas") == {"in": 3, "committed": 3, "quarantined": 0, "duplicate": 0}
    texts = house.lake.read("ocr_text", "atlas").sort("page")["text"].to_list()
    assert "Printed in London" in texts[0] and "Thomas Jefferson" in texts[1] and texts[2] == ""
    said = house.lake.read("enriched_metadata", "atlas", "statements")
    found = {(row["kind"], row["value"]) for row in said.iter_rows(named=True)}
    assert ("date", "1784-05-12") in found and ("person", "John Adams") in found
    assert "London, GB" in said["label"].to_list()
    for row in said.filter(pl.col("kind") != "language").iter_rows(named=True):
        assert texts[row["page"] - 1][row["start"] : row["end"]] == row["text"]
    technical = house.lake.read("technical_metadata", "atlas")
    assert technical["is_blank"].to_list() == [False, False, True]
    assert technical["in_order"].to_list() == [True, True, True]
    assert technical["resolution_as_declared"].to_list() == [True, True, True]
    assert technical["puid"].to_list()[0] == "fmt/353"


def test_masters_are_in_the_vault_read_only_and_as_declared(house: House) -> None:
    data = page_bytes(TITLE)
    write_drop(house.scans, "atlas", {"pages/0001.tif": data})

    house.run("atlas", ["batch_manifests", "verified_masters"])

    master = house.settings.var / "vault" / "masters" / "atlas" / "pages" / "0001.tif"
    assert master.read_bytes() == data
    assert oct(master.stat().st_mode & 0o777) == "0o444"
    assert not list((house.settings.var / "vault" / "masters" / ".incoming").iterdir())


def test_every_kind_of_bad_page_is_quarantined_alone(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "secret.tif"
    outside.write_bytes(page_bytes("secret"))
    good, tiff = page_bytes(TITLE), page_bytes(SECOND)
    pages = {
        "good.tif": good,
        "again.tif": good,
        "cut.tif": tiff[: len(tiff) // 2],
        "bomb.png": bomb_png(),
        "empty.tif": b"",
        "letter.tif": b"Dear archivist, this is no image.",
        "changed.tif": tiff,
        "short.tif": tiff,
        "link.tif": outside.read_bytes(),
        "gone.tif": tiff,
    }
    manifest = manifest_of(pages)
    by_path = {entry["path"]: entry for entry in manifest["file_paths"]}
    by_path["changed.tif"]["sha256"] = "0" * 64
    by_path["short.tif"]["bytes"] += 7
    manifest["file_paths"] += [
        {"path": "../../secret.tif", "sha256": "1" * 64, "bytes": 5},
        {"path": "/etc/passwd", "sha256": "1" * 64, "bytes": 5},
        {"path": "good.tif", "sha256": by_path["good.tif"]["sha256"], "bytes": len(good)},
        {"path": "no_hash.tif", "bytes": 5},
        "not a table",
    ]
    folder = write_drop(house.scans, "bad", pages | {"extra.tif": tiff}, manifest)
    (folder / "link.tif").unlink()
    (folder / "link.tif").symlink_to(outside)
    (folder / "gone.tif").unlink()
    os.mkfifo(folder / "pipe")

    result = house.run("bad")

    assert result.success
    pages_out = house.lake.read("enriched_metadata", "bad").sort("page")
    codes = [(row["path"], row["code"] or row["outcome"]) for row in pages_out.iter_rows(named=True)]
    assert codes == [
        ("good.tif", "committed"),
        ("again.tif", "page.duplicate"),
        ("cut.tif", "page.truncated"),
        ("bomb.png", "page.bomb"),
        ("empty.tif", "page.empty"),
        ("letter.tif", "page.not_an_image"),
        ("changed.tif", "page.sha256"),
        ("short.tif", "page.length"),
        ("link.tif", "page.link"),
        ("gone.tif", "page.missing"),
        ("../../secret.tif", "page.path"),
        ("/etc/passwd", "page.path"),
        ("good.tif", "page.path_twice"),
        ("no_hash.tif", "page.manifest_entry"),
        ("", "page.manifest_entry"),
        ("extra.tif", "page.extra"),
        ("pipe", "page.extra"),
    ]
    assert house.outcomes("bad") == {"in": 17, "committed": 1, "quarantined": 15, "duplicate": 1}
    assert len(house.waiting("bad")) == 15
    held = [each.name for each in (house.settings.var / "vault" / "masters" / "bad").rglob("*")]
    assert held == ["good.tif"]


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        (b"not json", "manifest.json"),
        (b"[1, 2]", "manifest.schema"),
        (b"{}", "manifest.schema"),
        (b'{"id": "a", "id": "b"}', "manifest.json"),
        (b'{"id": NaN}', "manifest.json"),
        (b"\xff\xfe", "manifest.json"),
        (b"[" * 200_000, "manifest.json"),
        (b" " * 17_000_000, "manifest.too_large"),
    ],
)
def test_a_faulty_manifest_quarantines_the_batch_and_counts_its_files(house: House, manifest: bytes, code: str) -> None:
    write_drop(house.scans, "b", {"0001.tif": page_bytes(TITLE), "0002.tif": page_bytes()}, manifest)

    result = house.run("b")

    assert result.success
    assert set(house.waiting("b").values()) == {code}
    assert house.outcomes("b") == {"in": 2, "committed": 0, "quarantined": 2, "duplicate": 0}
    accepted = next(c for c in result.get_asset_check_evaluations() if c.check_name == "manifest_accepted")
    assert not accepted.passed
    assert not (house.settings.var / "vault" / "masters" / "b").exists()


def test_a_drop_of_a_faulty_manifest_and_nothing_else_still_counts(house: House) -> None:
    write_drop(house.scans, "b", {}, b"{}")

    assert house.run("b").success

    assert house.outcomes("b") == {"in": 0, "committed": 0, "quarantined": 0, "duplicate": 0}
    assert set(house.waiting("b").values()) == {"manifest.schema"}


def test_a_path_of_wild_characters_is_kept_where_people_look(house: House) -> None:
    manifest = manifest_of({"a.tif": b"x"})
    manifest["file_paths"] = [{"path": "a\0b\ud800", "sha256": "1" * 64, "bytes": 1}, {"path\ud800": "\0"}]
    write_drop(house.scans, "b", {}, manifest)

    assert house.run("b").success

    assert house.outcomes("b")["quarantined"] == 2
    assert "batch b page 1 a\\x00b\\ud800" in house.waiting("b")


def test_a_drop_with_an_invalid_name_ends_in_quarantine_under_a_derived_one(house: House) -> None:
    from holdfast.preservation.naming import batch_partition

    write_drop(house.scans, "Karl der Große", {"0001.tif": page_bytes(TITLE)})
    batch = batch_partition("Karl der Große")

    assert house.run(batch).success

    assert list(house.waiting(batch).values()) == ["batch.name"]
    assert house.outcomes(batch) == {"in": 1, "committed": 0, "quarantined": 1, "duplicate": 0}


def test_events_form_one_chain_and_a_second_run_adds_none(house: House) -> None:
    pages = {"0001.tif": page_bytes(TITLE), "0002.tif": page_bytes(SECOND), "0003.tif": b"no image"}
    write_drop(house.scans, "atlas", pages)
    house.run("atlas")
    events = PreservationEvents(house.postgres)
    chain = events.chain("atlas")

    house.run("atlas")

    assert events.chain("atlas") == chain
    assert verify_chain(chain, head=events.append("atlas", [])) == []
    kinds = {each["type"] for each in chain}
    assert kinds == {
        "capture", "ingestion", "validation", "message digest calculation", "fixity check", "format identification",
        "metadata extraction", "quarantine",
    }  # fmt: skip
    assert chain[0]["previous_hash"] == NO_HASH


def test_when_the_drop_is_gone_the_batch_can_be_materialized_again(house: House) -> None:
    pages = {"0001.tif": page_bytes(TITLE), "0002.tif": page_bytes(SECOND), "0003.tif": b"no image"}
    pages["0004.tif"] = pages["0001.tif"]
    folder = write_drop(house.scans, "atlas", pages)
    house.run("atlas")
    before = house.codes("atlas"), house.waiting("atlas"), house.outcomes("atlas")

    shutil.rmtree(folder)

    assert house.run("atlas").success
    assert (house.codes("atlas"), house.waiting("atlas"), house.outcomes("atlas")) == before
    assert before[2] == {"in": 4, "committed": 2, "quarantined": 1, "duplicate": 1}


def test_a_corrected_drop_of_the_same_name_mends_what_was_quarantined(house: House) -> None:
    good = {"0001.tif": page_bytes(TITLE), "0002.tif": page_bytes(SECOND)}
    write_drop(house.scans, "atlas", good | {"0002.tif": good["0002.tif"][:5000]})
    house.run("atlas")
    assert house.outcomes("atlas")["quarantined"] == 1

    write_drop(house.scans, "atlas", good)
    house.run("atlas")

    assert house.outcomes("atlas") == {"in": 2, "committed": 2, "quarantined": 0, "duplicate": 0}
    assert house.waiting("atlas") == {}


def test_another_content_under_a_masters_name_is_refused_and_the_master_stays(house: House) -> None:
    first = page_bytes(TITLE)
    write_drop(house.scans, "atlas", {"0001.tif": first})
    house.run("atlas")

    write_drop(house.scans, "atlas", {"0001.tif": page_bytes(SECOND)})
    house.run("atlas")

    assert list(house.waiting("atlas").values()) == ["page.already_different"]
    assert house.masters.path("atlas", "0001.tif").read_bytes() == first


def test_a_drop_that_never_was_fails_with_its_folder(house: House) -> None:
    result = house.run("nothing", ["batch_manifests"], raises=False)

    assert not result.success


def test_a_page_that_only_the_technical_step_refuses_is_quarantined_once(house: House) -> None:
    data = page_bytes(TITLE)
    folder = write_drop(house.scans, "atlas", {"0001.tif": data, "0002.tif": page_bytes(SECOND)})
    house.run("atlas", ["batch_manifests", "verified_masters"])
    (folder / "0001.tif").write_bytes(page_bytes("Changed after it was taken in"))

    house.run("atlas", ["technical_metadata", "ocr_text", "enriched_metadata"])

    assert house.codes("atlas") == {"0001.tif": "page.changed", "0002.tif": "committed"}
    assert list(house.waiting("atlas").values()) == ["page.changed"]


def test_every_asset_has_what_the_house_asks_for() -> None:
    specs = [spec for asset in build_defs().assets or [] for spec in asset.specs]
    assert len(specs) == 5
    for spec in specs:
        assert spec.description and spec.group_name and spec.kinds and spec.code_version
        assert spec.owners == ["team:digitization"]
