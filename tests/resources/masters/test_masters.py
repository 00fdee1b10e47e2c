"""The master store."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.preservation.fixity import AlreadyDifferent, Digest, FixityError
from holdfast.preservation.page_image import PageFault
from resources.masters.client import Masters


def digest(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


def nothing(opened: int) -> None:
    assert os.read(opened, 1)


def take(store: Masters, folder: Path, data: bytes, inspect: Callable[[int], object] = nothing, **said: Digest) -> bool:
    source = folder / f"source-{time.time_ns()}"
    source.write_bytes(data)
    with source.open("rb") as file:
        return store.take_in("b", "pages/1.tif", file.fileno(), said.get("expected", digest(data)), inspect=inspect)


def test_a_master_is_new_once(tmp_path: Path) -> None:
    store = Masters(tmp_path)

    assert take(store, tmp_path, b"page") is True
    assert take(store, tmp_path, b"page") is False
    assert store.digest("b", "pages/1.tif") == digest(b"page")
    assert store.digest("b", "pages/2.tif") is None
    with pytest.raises(AlreadyDifferent):
        take(store, tmp_path, b"other")


def test_other_bytes_than_declared_never_get_a_name(tmp_path: Path) -> None:
    store = Masters(tmp_path)

    with pytest.raises(FixityError, match="sha256"):
        take(store, tmp_path, b"pagX", expected=digest(b"page"))
    with pytest.raises(FixityError, match="too_large"):
        take(store, tmp_path, b"page and more", expected=digest(b"page"))

    assert store.digest("b", "pages/1.tif") is None
    assert list((store.root / ".incoming").iterdir()) == []


def test_what_inspection_refuses_leaves_the_name_free(tmp_path: Path) -> None:
    def refuse(opened: int) -> None:
        raise PageFault("page.damaged", "damaged")

    store = Masters(tmp_path)
    with pytest.raises(PageFault):
        take(store, tmp_path, b"damaged", refuse)

    assert take(store, tmp_path, b"mended") is True


def test_two_at_once_leave_one_master(tmp_path: Path) -> None:
    store = Masters(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        new = list(pool.map(lambda _: take(store, tmp_path, b"page" * 1000), range(16)))

    assert new.count(True) == 1


@pytest.mark.parametrize(("batch", "page"), [("..", "a"), ("b", "../a"), ("b", "/a"), (".incoming", "a"), ("b", "a\0")])
def test_no_name_reaches_outside_the_store(tmp_path: Path, batch: str, page: str) -> None:
    with pytest.raises(ValueError, match=r"batch name|path"):
        Masters(tmp_path).path(batch, page)


def test_manifests_are_kept_as_they_came(tmp_path: Path) -> None:
    store = Masters(tmp_path)
    for data in (b"one", b"two", b"one"):
        store.keep_manifest("b", data)

    kept = sorted((tmp_path / "manifests" / "b").iterdir())
    assert {each.read_bytes() for each in kept} == {b"one", b"two"}
    assert [each.stat().st_mode & 0o777 for each in kept] == [0o444, 0o444]


def test_what_a_killed_run_left_is_swept_after_a_day(tmp_path: Path) -> None:
    store = Masters(tmp_path)
    take(store, tmp_path, b"page")
    for name, age in (("old", 90_000), ("young", 10)):
        (store.root / ".incoming" / name).touch()
        os.utime(store.root / ".incoming" / name, (time.time() - age,) * 2)

    assert store.sweep() == 1
    assert [each.name for each in (store.root / ".incoming").iterdir()] == ["young"]
