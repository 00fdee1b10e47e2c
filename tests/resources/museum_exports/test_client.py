from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from holdfast.settings import Settings, parse_settings
from resources.museum_exports import client
from resources.museum_exports.client import ExportChanged, MuseumExports, ReceivedDamaged, ReceivedFile

DAY = dt.date(2026, 11, 20)
TOML = """
[library]
name = "L"
timezone = "Pacific/Auckland"
[sources.s]
[collections.prints]
format = "csv"
pattern = "*.csv"
columns = {identifier = "id", title = "title"}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    return parse_settings(TOML, root=tmp_path)


@pytest.fixture
def exports(settings: Settings) -> MuseumExports:
    (settings.museum_exports / "prints").mkdir(parents=True)
    return MuseumExports(settings)


def drop(exports: MuseumExports, name: str, data: bytes = b"id,title\n", when: str = "2026-11-20T12:00+13:00") -> Path:
    path = exports.folder("prints") / name
    path.write_bytes(data)
    modified = dt.datetime.fromisoformat(when).timestamp()
    os.utime(path, (modified, modified))
    return path


def test_the_day_is_that_of_the_library(exports: MuseumExports) -> None:
    drop(exports, "late.csv", when="2026-11-20T23:59+13:00")
    drop(exports, "next.csv", when="2026-11-21T00:00+13:00")
    assert [(file.name, file.day.day) for file in exports.listing("prints")] == [("late.csv", 20), ("next.csv", 21)]
    assert [each.name for each in exports.receive("prints", DAY)] == ["late.csv"]


def test_links_and_hidden_and_unfinished_files_are_left_alone(exports: MuseumExports, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("x")
    (exports.folder("prints") / "link.csv").symlink_to(secret)
    (exports.folder("prints") / "folder.csv").mkdir()
    for name in (".hidden.csv", "a.csv.partial", "b.txt"):
        drop(exports, name)
    assert exports.listing("prints") == []


def test_a_folder_that_is_not_there_is_an_empty_one(settings: Settings) -> None:
    assert MuseumExports(settings).listing("prints") == []


def test_what_was_received_stays_when_the_drop_folder_is_cleaned(exports: MuseumExports) -> None:
    path = drop(exports, "a.csv", b"one")
    first = exports.receive("prints", DAY)
    path.unlink()
    assert exports.receive("prints", DAY, first) == first
    (file,) = exports.files(first)
    assert (file.name, file.path.read_bytes()) == ("a.csv", b"one")


def test_a_file_that_was_dropped_again_takes_the_place_of_its_former_self(exports: MuseumExports) -> None:
    drop(exports, "a.csv", b"one")
    drop(exports, "b.csv", b"two")
    first = exports.receive("prints", DAY)
    drop(exports, "a.csv", b"three")
    again = exports.receive("prints", DAY, first)
    assert [file.path.read_bytes() for file in exports.files(again)] == [b"three", b"two"]


def test_a_received_file_that_was_changed_is_not_used(exports: MuseumExports) -> None:
    path = drop(exports, "a.csv", b"one")
    (received,) = exports.receive("prints", DAY)
    path.unlink()
    next(exports.files([received])).path.write_bytes(b"other")
    with pytest.raises(ReceivedDamaged, match=r"a\.csv was received with SHA-256"):
        exports.receive("prints", DAY, [received])
    gone = ReceivedFile("z.csv", 1, "0" * 64, 0, "received/museum/prints/none")
    with pytest.raises(ReceivedDamaged, match="found nothing"):
        exports.receive("prints", DAY, [gone])


def test_a_file_that_changes_while_it_is_copied_is_not_taken(
    exports: MuseumExports, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(exports, "a.csv", b"one")

    def fsync(_: int) -> None:
        path.write_bytes(b"one and more")

    monkeypatch.setattr(client.os, "fsync", fsync)
    with pytest.raises(ExportChanged, match="changed while it was copied"):
        exports.receive("prints", DAY)
    assert not list(exports.folder("prints").parent.parent.parent.rglob("*.partial"))
