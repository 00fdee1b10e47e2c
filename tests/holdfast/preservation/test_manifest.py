"""Manifests, paths and batch names from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from holdfast.preservation.drop import NotInDrop, find_drop, open_page, survey
from holdfast.preservation.manifest import read_manifest
from holdfast.preservation.naming import batch_partition, is_batch_name, path_fault, shown
from tests.preservation_drops import manifest_of, write_drop

PAGES = {"pages/0001.tif": b"one", "pages/0002.tif": b"two"}
KEYS = ("id", "scanner_id", "scanner_model", "resolution_dpi", "color_profile", "settings", "file_paths")

wild_names = st.text(
    st.one_of(st.sampled_from("./\\\0:~ \n"), st.characters(), st.characters(categories=["Cs"])), max_size=40
)
pieces = st.lists(st.sampled_from(["..", ".", "", "a", "b.tif", "/", "\\", "\0", "link", "c:"]), max_size=6).map(
    "/".join
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS, "path", "bytes"]), inner),
    max_leaves=12,
)


def test_a_right_manifest_gives_its_pages_in_order() -> None:
    manifest = read_manifest(json.dumps(manifest_of(PAGES)).encode(), "b")

    assert manifest.header and manifest.header.resolution_dpi == 150
    assert [(page.page, page.path) for page in manifest.pages] == [(1, "pages/0001.tif"), (2, "pages/0002.tif")]
    assert all(page.entry for page in manifest.pages)


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_rejects_the_batch_and_is_named(key: str) -> None:
    table = manifest_of(PAGES)
    del table[key]

    (rejection,) = read_manifest(json.dumps(table).encode(), "b").rejections

    assert (rejection.unit, rejection.code) == ("batch", "manifest.schema")
    assert key in rejection.place and rejection.rule == "missing" and rejection.hint


@pytest.mark.parametrize(
    "path",
    ["../a.tif", "a/../../b", "/etc/passwd", "a//b", "./a", "a\0b", "a\\b", "C:/a", "", ".hidden/a", "manifest.json"],
)
def test_a_path_that_could_leave_the_drop_rejects_its_page_alone(path: str) -> None:
    table = manifest_of({**PAGES, path: b"x"})

    manifest = read_manifest(json.dumps(table).encode(), "b")

    assert [page.entry is not None for page in manifest.pages] == [True, True, False]
    assert manifest.pages[2].rejection and manifest.pages[2].rejection.unit == "page"


def test_two_spellings_of_one_path_are_one() -> None:
    table = manifest_of({"K\u00e4se.tif": b"1", "Ka\u0308se.tif": b"2", "K\u00c4SE.TIF": b"3"})

    manifest = read_manifest(json.dumps(table).encode(), "b")

    assert [page.entry is not None for page in manifest.pages] == [True, False, False]


@given(json_values)
def test_no_json_makes_the_reader_raise(value: object) -> None:
    manifest = read_manifest(json.dumps(value).encode(), "b")

    assert manifest.header or manifest.rejections
    for rejection in manifest.rejections:
        # PostgreSQL takes neither lone surrogates nor NUL.
        assert b"\0" not in "".join((rejection.place, rejection.rule, rejection.hint)).encode()


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    manifest = read_manifest(data, "b")

    assert manifest.header is None and manifest.rejections


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=wild_names | pieces)
def test_no_path_opens_a_file_outside_the_drop(path: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    drop = tmp_path / "drop"
    (drop / "a").mkdir(parents=True, exist_ok=True)
    (drop / "b.tif").write_bytes(b"page")
    if not (drop / "link").is_symlink():
        (drop / "link").symlink_to(tmp_path)

    try:
        opened = open_page(drop, path)
    except NotInDrop:
        return
    with os.fdopen(opened, "rb") as file:
        assert file.read() == b"page"
    assert Path(os.path.normpath(drop / path)).is_relative_to(drop)


@given(wild_names)
@example("\ud800")
def test_every_folder_name_gets_a_partition_that_is_a_batch_name(name: str) -> None:
    partition = batch_partition(name)

    assert is_batch_name(partition)
    assert "\0" not in shown(name)
    if partition == name:
        assert not name.startswith("invalid-")
    assert batch_partition(partition) == partition or partition.startswith("invalid-")


def test_names_that_are_no_batch_names() -> None:
    for name in ("", "..", "a..b", ".hidden", "a/b", "a b", "ü", "x" * 81, "-a", "a\n"):
        assert not is_batch_name(name), name
    for name in ("a", "atlas-1784_a.2", "x" * 80, "0"):
        assert is_batch_name(name), name


def test_a_survey_names_what_is_missing_extra_cut_and_linked(tmp_path: Path) -> None:
    folder = write_drop(tmp_path, "b", {**PAGES, "pages/0003.tif": b"three"}, manifest_of({**PAGES, "gone.tif": b"x"}))
    (folder / "pages/0002.tif").write_bytes(b"tw")
    (folder / "pages/0004.tif").symlink_to("/etc/hostname")

    found = survey(folder, manifest_limit=10_000, page_limit=10_000)

    codes = {page.path: page.rejection.code if page.rejection else "" for page in found.pages}
    assert codes == {
        "pages/0001.tif": "",
        "pages/0002.tif": "page.length",
        "gone.tif": "page.missing",
        "pages/0003.tif": "page.extra",
        "pages/0004.tif": "page.extra",
    }
    for rejection in found.rejections:
        assert rejection.rule and rejection.hint and "batch b page" in rejection.place


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "a.tif").write_bytes(b"one")
    folder = write_drop(tmp_path / "scans", "b", {}, manifest_of({"pages/a.tif": b"one"}))
    (folder / "pages").symlink_to(tmp_path / "else")

    found = survey(folder, manifest_limit=10_000, page_limit=10_000)

    assert [page.rejection.code for page in found.pages if page.rejection] == ["page.link", "page.extra"]


def test_a_manifest_that_is_a_link_is_no_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    (folder / "manifest.json").symlink_to("/etc/hostname")

    assert survey(folder, manifest_limit=100, page_limit=100).rejections[0].code == "manifest.missing"


def test_a_drop_is_found_by_its_partition(tmp_path: Path) -> None:
    (tmp_path / "atlas").mkdir()
    (tmp_path / "Ä b").mkdir()

    assert find_drop(tmp_path, "atlas") == tmp_path / "atlas"
    assert find_drop(tmp_path, batch_partition("Ä b")) == tmp_path / "Ä b"
    assert find_drop(tmp_path, "other") is None
    assert find_drop(tmp_path / "nowhere", "atlas") is None


def test_a_path_fault_says_which_rule() -> None:
    assert "relative" in path_fault("/a")
    assert "never leaves the drop" in path_fault("a/..")
    assert "bytes at most" in path_fault("x" * 256)
