"""The vault: what was sealed comes back to the byte, or not at all."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.vault import client
from resources.vault.client import SealBrokenError, Vault, vault_key

ROOT = Path(__file__).resolve().parents[3]
KEY = bytes(range(32))
CHUNK, TAG, HEADER = 64, 16, 16


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_CHUNK", CHUNK)


def sealed_file(root: Path, data: bytes) -> Path:
    sha256 = Vault(root, KEY).seal(io.BytesIO(data)).sha256
    path = root / "originals" / sha256[:2] / sha256
    path.chmod(0o600)
    return path


def opened(root: Path, data: bytes, key: bytes = KEY) -> bytes:
    with Vault(root, key).open(hashlib.sha256(data).hexdigest()) as stream:
        return stream.read()


@given(st.binary(max_size=3 * CHUNK + 1) | st.integers(0, 5).map(lambda n: b"x" * (n * CHUNK)))
def test_any_bytes_come_back(tmp_path: Path, data: bytes) -> None:
    vault = Vault(tmp_path, KEY)
    sealed = vault.seal(io.BytesIO(data))
    assert sealed == (hashlib.sha256(data).hexdigest(), len(data))
    assert vault.holds(sealed.sha256)
    assert opened(tmp_path, data) == data


class Dribble(io.RawIOBase):
    """A stream that gives fewer bytes than it is asked for, as a pipe or a socket does."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 7) if size > 0 else size)


def test_a_stream_that_dribbles_comes_back(tmp_path: Path) -> None:
    data = bytes(range(200))
    Vault(tmp_path, KEY).seal(Dribble(data))
    assert opened(tmp_path, data) == data


@given(st.binary(max_size=3 * CHUNK + 5), st.lists(st.tuples(st.integers(0, 220), st.integers(0, 90)), max_size=6))
def test_any_place_can_be_gone_to(tmp_path: Path, data: bytes, places: list[tuple[int, int]]) -> None:
    """An archive is read from its end."""
    sha256 = Vault(tmp_path, KEY).seal(io.BytesIO(data)).sha256
    with Vault(tmp_path, KEY).open(sha256) as stream:
        assert stream.seek(0, io.SEEK_END) == len(data)
        for place, size in places:
            assert stream.seek(place) == place
            assert stream.read(size) == data[place : place + size]


def test_the_sealed_file_shows_nothing_of_what_is_in_it_and_is_read_only(tmp_path: Path) -> None:
    data = b"Mrs. Ellen Ward, card 21234000987654"
    sha256 = Vault(tmp_path, KEY).seal(io.BytesIO(data)).sha256
    path = tmp_path / "originals" / sha256[:2] / sha256
    assert b"Ward" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert not list(tmp_path.rglob("*.partial"))


def test_the_same_content_is_kept_once_and_sealed_differently_each_time(tmp_path: Path) -> None:
    data = b"a" * 100
    first = sealed_file(tmp_path, data).read_bytes()
    second = sealed_file(tmp_path, data).read_bytes()
    assert first != second
    assert len(list((tmp_path / "originals").rglob("*/*"))) == 1
    assert opened(tmp_path, data) == data


@given(st.data())
def test_any_changed_byte_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    plain = data.draw(st.binary(max_size=2 * CHUNK + 5))
    path = sealed_file(tmp_path, plain)
    sealed = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(sealed)
    with pytest.raises(SealBrokenError):
        opened(tmp_path, plain)


@given(st.data())
def test_any_cut_and_any_extension_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    plain = data.draw(st.binary(max_size=2 * CHUNK + 5))
    path = sealed_file(tmp_path, plain)
    sealed = path.read_bytes()
    more = data.draw(st.binary(min_size=1, max_size=100))
    path.write_bytes(data.draw(st.sampled_from([sealed + more, sealed[: data.draw(st.integers(0, len(sealed) - 1))]])))
    with pytest.raises(SealBrokenError):
        opened(tmp_path, plain)


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 0, 2), (0, 2), (0, 1), (2,), (0, 1, 2, 2)])
def test_chunks_in_another_order_are_noticed(tmp_path: Path, order: tuple[int, ...]) -> None:
    plain = b"".join(bytes([n]) * CHUNK for n in range(3))
    path = sealed_file(tmp_path, plain)
    sealed, size = path.read_bytes(), CHUNK + TAG
    chunks = [sealed[HEADER + n * size : HEADER + (n + 1) * size] for n in range(3)]
    path.write_bytes(sealed[:HEADER] + b"".join(chunks[n] for n in order))
    with pytest.raises(SealBrokenError):
        opened(tmp_path, plain)


def test_a_chunk_of_another_original_is_noticed(tmp_path: Path) -> None:
    one, two = b"a" * CHUNK * 2, b"b" * CHUNK * 2
    path, other = sealed_file(tmp_path, one), sealed_file(tmp_path, two).read_bytes()
    mine = path.read_bytes()
    path.write_bytes(mine[: HEADER + CHUNK + TAG] + other[HEADER + CHUNK + TAG :])
    with pytest.raises(SealBrokenError):
        opened(tmp_path, one)


def test_another_key_opens_nothing_and_says_so(tmp_path: Path) -> None:
    sealed_file(tmp_path, b"plain")
    with pytest.raises(SealBrokenError, match="the key is another one"):
        opened(tmp_path, b"plain", bytes(32))


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Vault(tmp_path, KEY).open("0" * 64)


def test_a_source_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    class Breaks(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the network is gone")

    with pytest.raises(OSError, match="network"):
        Vault(tmp_path, KEY).seal(Breaks())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# ---- the key ------------------------------------------------------------------------------------------------------------


def test_the_given_key_is_used_and_no_file_is_made(tmp_path: Path) -> None:
    assert vault_key(base64.b64encode(KEY).decode(), tmp_path / "vault") == KEY
    assert not (tmp_path / "vault").exists()


def test_the_key_file_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = vault_key("", tmp_path / "vault")
    finally:
        os.umask(before)
    path = tmp_path / "vault" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) == 32
    assert vault_key("", tmp_path / "vault") == first
    assert [each.name for each in (tmp_path / "vault").iterdir()] == ["key"]


def test_processes_that_start_at_the_same_time_get_the_same_key(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom resources.vault.client import vault_key\nprint('ready', flush=True)\n"
        "sys.stdin.readline()\nprint(vault_key('', pathlib.Path(sys.argv[1])).hex())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "vault")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    keys = {process.communicate()[0] for process in started}
    assert len(keys) == 1
    assert [each.name for each in (tmp_path / "vault").iterdir()] == ["key"]
