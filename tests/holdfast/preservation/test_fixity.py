"""Copies that prove themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.preservation.fixity import (
    AlreadyDifferent,
    Digest,
    FixityError,
    copy_and_hash,
    digest_of,
    put_once,
    read_back,
)


def digest(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=5000) | st.integers(1, 3).map(lambda n: bytes(n << 20)))
def test_a_copy_of_any_bytes_reads_back_equal(data: bytes, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(data)
    copy.unlink(missing_ok=True)
    with source.open("rb") as file:
        written = copy_and_hash(file.fileno(), copy)

    read_back(copy, written)
    assert written == digest(data) == digest_of(copy, from_storage=True)
    assert copy.read_bytes() == data
    assert copy.stat().st_mode & 0o777 == 0o444


def copied(folder: Path, name: str, data: bytes) -> Path:
    (folder / f"{name}.source").write_bytes(data)
    with (folder / f"{name}.source").open("rb") as file:
        copy_and_hash(file.fileno(), folder / name)
    return folder / name


def test_a_copy_that_changed_on_the_disk_is_noticed(tmp_path: Path) -> None:
    copy = copied(tmp_path, "copy", b"master")
    copy.chmod(0o644)
    copy.write_bytes(b"mastex")

    with pytest.raises(FixityError, match="read_back"):
        read_back(copy, digest(b"master"))


def test_a_copy_never_overwrites(tmp_path: Path) -> None:
    copied(tmp_path, "copy", b"first")

    with pytest.raises(FileExistsError):
        copied(tmp_path, "copy", b"second")


def test_a_source_that_grows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"longer than was said")
    with (tmp_path / "source").open("rb") as file, pytest.raises(FixityError, match="too_large"):
        copy_and_hash(file.fileno(), tmp_path / "copy", limit=5)


def test_the_same_content_twice_is_fine_and_another_is_refused(tmp_path: Path) -> None:
    name = tmp_path / "masters" / "a.tif"
    assert put_once(copied(tmp_path, "1", b"same"), name, digest(b"same")) is True
    assert put_once(copied(tmp_path, "2", b"same"), name, digest(b"same")) is False

    with pytest.raises(AlreadyDifferent, match="written once"):
        put_once(copied(tmp_path, "3", b"other"), name, digest(b"other"))
    assert name.read_bytes() == b"same"


def test_a_master_where_a_folder_is_wanted_is_refused(tmp_path: Path) -> None:
    put_once(copied(tmp_path, "1", b"a"), tmp_path / "m" / "a", digest(b"a"))

    with pytest.raises(AlreadyDifferent):
        put_once(copied(tmp_path, "2", b"b"), tmp_path / "m" / "a" / "b.tif", digest(b"b"))
    (tmp_path / "m" / "folder").mkdir()
    with pytest.raises(AlreadyDifferent):
        put_once(tmp_path / "2", tmp_path / "m" / "folder", digest(b"b"))
