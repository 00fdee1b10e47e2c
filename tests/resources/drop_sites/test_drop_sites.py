"""Files are fetched from real servers, whole or not at all, and nothing is done to them there."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import random
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from holdfast.environment import read_environment
from holdfast.settings import Settings, parse_settings
from resources.drop_sites.client import DropSite, DropSites, SiteFile
from resources.drop_sites.connections import _Ahead
from resources.drop_sites.errors import DropChanged, SiteUnreachable
from resources.vault.client import Vault
from tests.resources.drop_sites.servers import (
    PASSWORD,
    USER,
    Cuts,
    LooseMessage,
    cutting_proxy,
    ftp_server,
    s3_server,
    sftp_server,
)

BIG = random.Random(8).randbytes(3_000_000)
CHANGED = dt.datetime(2026, 3, 10, 23, 30, tzinfo=dt.UTC)


@dataclass
class Server:
    """A vendor's server with files in `folder`, reached as `url`."""

    kind: str
    url: str
    cuts: Cuts
    put: Callable[[str, bytes], None]
    more: str = ""
    slept: list[float] = field(default_factory=list)

    def settings(self, root: Path, more: str = "") -> Settings:
        text = (
            f'[library]\nname = "L"\n[sources.vendor]\nurl = "{self.url}"\npattern = "*.mrc"\nretries = 3\n'
            f"timeout_seconds = 5\n{self.more}{more}"
        )
        return parse_settings(text, root=root)

    def site(self, root: Path, more: str = "") -> DropSite:
        site = DropSites(self.settings(root, more), read_environment, sleep=self.slept.append).of("vendor")
        assert site is not None
        return site


def into(folder: Path) -> Callable[[str, bytes], None]:
    def put(name: str, data: bytes) -> None:
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + os.fsencode(name)))
        path.write_bytes(data)
        os.utime(path, (CHANGED.timestamp(), CHANGED.timestamp()))

    return put


def known_hosts(path: Path, port: int, key: paramiko.PKey) -> Path:
    path.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
    return path


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_USER", USER)
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_PASSWORD", PASSWORD)


def serve(kind: str, stack: ExitStack, tmp_path: Path) -> Server:
    folder = tmp_path / "vendor" / "out"
    folder.mkdir(parents=True)
    if kind == "sftp":
        port, key, cuts = stack.enter_context(sftp_server(folder.parent))
        known_hosts(tmp_path / "known_hosts", port, key)
        return Server(kind, f"sftp://127.0.0.1:{port}/out", cuts, into(folder), 'known_hosts = "known_hosts"\n')
    if kind in ("ftp", "old ftp"):
        port, cuts = stack.enter_context(ftp_server(folder.parent, mlsd=kind == "ftp"))
        return Server(kind, f"ftp://127.0.0.1:{port}/out", cuts, into(folder))
    address, client = stack.enter_context(s3_server())
    bucket = f"vendor-{uuid.uuid4().hex}"  # moto's buckets are the process's
    client.create_bucket(Bucket=bucket)
    port, cuts = stack.enter_context(cutting_proxy(int(address.rpartition(":")[2])))

    def put(name: str, data: bytes) -> None:
        client.put_object(Bucket=bucket, Key=f"out/{name}", Body=data)

    return Server(kind, f"s3://{bucket}/out", cuts, put, f'endpoint = "http://127.0.0.1:{port}"\n')


@pytest.fixture(params=["sftp", "ftp", "old ftp", "s3"])
def server(request: pytest.FixtureRequest, tmp_path: Path, login: None) -> Iterator[Server]:
    with ExitStack() as stack:
        yield serve(request.param, stack, tmp_path)


def names(site: DropSite) -> list[str]:
    return [file.name for file, _ in site.listing().files]


def only(site: DropSite) -> SiteFile:
    ((file, _),) = site.listing().files
    return file


def test_the_listing_has_the_pattern_s_plain_files_with_the_day_of_their_change(server: Server, tmp_path: Path) -> None:
    for name in ("b.mrc", "a.mrc", "c.mrc.part", ".d.mrc", "readme.txt"):
        server.put(name, b"12345")
    if server.kind != "s3":
        (tmp_path / "vendor/out/folder.mrc").mkdir()
    listing = server.site(tmp_path).listing()
    assert [file.name for file, _ in listing.files] == ["a.mrc", "b.mrc", "c.mrc.part"]
    assert {file.size for file, _ in listing.files} == {5}
    assert listing.refused == []
    today = dt.datetime.now(dt.UTC).date()
    assert {day for _, day in listing.files} == ({today} if server.kind == "s3" else {CHANGED.date()})


def test_the_day_of_a_change_is_one_in_the_library_s_time_zone(tmp_path: Path, login: None) -> None:
    with ExitStack() as stack:
        server = serve("ftp", stack, tmp_path)
        server.put("a.mrc", b"1")
        text = f'[library]\nname = "L"\ntimezone = "Europe/Vienna"\n[sources.vendor]\nurl = "{server.url}"\n'
        site = DropSites(parse_settings(text), read_environment).of("vendor")
        assert site is not None
        assert [day for _, day in site.listing().files] == [dt.date(2026, 3, 11)]


def test_a_day_in_the_name_goes_before_that_of_the_change(server: Server, tmp_path: Path) -> None:
    server.put("ebooks_20260228.mrc", b"1")
    server.put("ebooks_latest.mrc", b"1")
    listing = server.site(tmp_path, r"file_day = '_(?P<day>\d{8})\.'").listing()
    assert [day for _, day in listing.files] == [dt.date(2026, 2, 28)]
    assert len(listing.refused) == 1 and "ebooks_latest.mrc is not taken: file_day finds no day" in listing.refused[0]


def test_a_file_comes_whole_into_the_vault_and_stays_where_it_was(server: Server, tmp_path: Path) -> None:
    server.put("a.mrc", BIG)
    server.put("empty.mrc", b"")
    site, vault = server.site(tmp_path), Vault(tmp_path / "vault", b"k" * 32)
    empty, big = sorted((file for file, _ in site.listing().files), key=lambda file: file.size)
    with site.open(big) as stream:
        assert vault.seal(stream) == (hashlib.sha256(BIG).hexdigest(), len(BIG))
    with site.open(empty) as stream:
        assert vault.seal(stream).length == 0
    assert names(site) == ["a.mrc", "empty.mrc"]
    assert not {"DELE", "RNFR", "STOR", "remove"} & set(server.cuts.commands)
    assert server.slept == []


def test_a_broken_connection_is_gone_on_with_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.put("a.mrc", BIG)
    site = server.site(tmp_path)
    file = only(site)
    before = server.cuts.transfers
    server.cuts.after = [400_000, 900_000]
    with site.open(file) as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == hashlib.sha256(BIG).hexdigest()
    assert server.cuts.after == []
    assert server.cuts.transfers - before >= 2


def test_a_connection_that_always_breaks_is_given_up_with_the_byte(server: Server, tmp_path: Path) -> None:
    server.put("a.mrc", BIG)
    site = server.site(tmp_path)
    file = only(site)
    vault = Vault(tmp_path / "vault", b"k" * 32)
    server.cuts.after = [0] * 500
    with site.open(file) as stream, pytest.raises(SiteUnreachable, match=r"a\.mrc: broke 4 times at byte"):
        vault.seal(stream)
    assert not [path for path in (tmp_path / "vault").rglob("*") if path.is_file()]
    assert server.slept[-3:] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
def test_a_file_that_changes_while_it_is_fetched_is_not_taken(server: Server, tmp_path: Path, change: str) -> None:
    server.put("a.mrc", BIG)
    site, vault = server.site(tmp_path), Vault(tmp_path / "vault", b"k" * 32)
    file = only(site)
    other = {"grows": BIG + b"more", "shrinks": BIG[:500_000], "is rewritten": BIG[::-1]}[change]
    with site.open(file) as stream:
        server.put("a.mrc", other)
        if server.kind != "s3":
            os.utime(tmp_path / "vendor/out/a.mrc")
        with pytest.raises(DropChanged, match=r"a\.mrc"):
            vault.seal(stream)
    assert not [path for path in (tmp_path / "vault").rglob("*") if path.is_file()]


def test_a_file_that_vanishes_is_not_taken(server: Server, tmp_path: Path) -> None:
    server.put("a.mrc", b"12345")
    site = server.site(tmp_path)
    gone = SiteFile("gone.mrc", 5, only(site).state, CHANGED)
    with site.open(gone) as stream, pytest.raises((DropChanged, SiteUnreachable)):
        stream.read()


def test_what_is_read_ahead_is_whole_when_all_is_asked_for() -> None:
    class Opened(io.BytesIO):
        def stat(self) -> SimpleNamespace:
            return SimpleNamespace(st_size=len(self.getvalue()))

        def readv(self, chunks: list[tuple[int, int]]) -> Iterator[bytes]:
            return (self.getvalue()[at : at + length] for at, length in chunks)

    data = BIG * 5  # more than a window
    assert _Ahead(Opened(data), 0).read() == data
    reading = _Ahead(Opened(data), 3)
    assert reading.read(0) == b"" and reading.read(4) + reading.read(-1) == data[3:] and reading.read() == b""


def test_memory_does_not_depend_on_the_file(server: Server, tmp_path: Path) -> None:
    """Of SFTP what is fetched ahead of the reader says it: the server is in this process, too, and has its own memory."""
    if server.kind == "s3":
        pytest.skip("moto holds its objects in the memory of this process")
    server.put("a.mrc", BIG * 20)
    site = server.site(tmp_path)
    file = only(site)
    ahead, held, consumed = 0, 0, 0
    tracemalloc.start()
    try:
        with site.open(file) as stream:
            while data := stream.read(1 << 20):
                consumed += len(data)
                ahead = max(ahead, server.cuts.read_up_to - consumed)
                held = max(held, tracemalloc.get_traced_memory()[0])
                if server.kind == "sftp":
                    time.sleep(0.002)  # a reader that is slower than the server
    finally:
        tracemalloc.stop()
    assert consumed == len(BIG) * 20
    assert ahead <= 4_000_000 if server.kind == "sftp" else held < 30_000_000


def test_odd_names_are_listed_as_their_bytes_and_fetched(
    tmp_path: Path, login: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paramiko.sftp_server.Message", LooseMessage)
    for kind in ("sftp", "ftp"):
        with ExitStack() as stack:
            (tmp_path / kind).mkdir()
            server = serve(kind, stack, tmp_path / kind)
            for name in ("grün.mrc", "with space.mrc", "per%63ent.mrc"):
                server.put(name, name.encode())
            if kind == "sftp":
                server.put("caf\udce9.mrc", b"caf\xe9")
            site = server.site(tmp_path / kind)
            for file, _ in site.listing().files:
                with site.open(file) as opened:
                    assert opened.read() in (os.fsencode(file.name), b"caf\xe9"), kind
            assert len(names(site)) == (4 if kind == "sftp" else 3)


def test_a_name_that_leads_elsewhere_is_refused_and_named(tmp_path: Path) -> None:
    class Hostile:
        def files(self) -> Iterator[SiteFile]:
            for name in ("../../etc/passwd.mrc", "a\r\nDELE b.mrc", "..\\x.mrc", "fine.mrc", "n\0.mrc"):
                yield SiteFile(name, 1, "1", CHANGED)

        def close(self) -> None: ...

    settings = parse_settings('[library]\nname="L"\n[sources.vendor]\nurl="ftp://h/x"\n')
    connect: Any = Hostile
    listing = DropSite("vendor", settings.sources["vendor"], connect, timezone=dt.UTC).listing()
    assert [file.name for file, _ in listing.files] == ["fine.mrc"]
    assert len(listing.refused) == 4
    assert all("is a path" in each or "control character" in each for each in listing.refused)


# ---- who is there ---------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_without_the_password(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    if server.kind == "s3":
        pytest.skip("moto takes any login")
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_PASSWORD", "wrong-secret")
    with pytest.raises(SiteUnreachable) as said:
        server.site(tmp_path).listing()
    assert "wrong-secret" not in str(said.value)


def test_another_host_key_than_the_known_one_is_refused(tmp_path: Path, login: None) -> None:
    with ExitStack() as stack:
        server = serve("sftp", stack, tmp_path)
        server.put("a.mrc", b"1")
        port = int(server.url.split(":")[2].split("/")[0])
        known_hosts(tmp_path / "known_hosts", port, paramiko.ECDSAKey.generate())
        with pytest.raises(SiteUnreachable, match="does not match"):
            server.site(tmp_path).listing()
        (tmp_path / "known_hosts").write_text("")
        with pytest.raises(SiteUnreachable, match="not found in known_hosts"):
            server.site(tmp_path).listing()
        assert (tmp_path / "known_hosts").read_text() == ""
        (tmp_path / "known_hosts").unlink()
        with pytest.raises(SiteUnreachable, match="ssh-keyscan"):
            server.site(tmp_path).listing()


@pytest.mark.parametrize("as_path", [True, False])
def test_a_private_key_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_path: bool) -> None:
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(tmp_path / "id"), password="of the key")
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_USER", USER)
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_PASSWORD", "of the key")
    text = str(tmp_path / "id") if as_path else (tmp_path / "id").read_text()
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_KEY", text)
    folder = tmp_path / "vendor"
    folder.mkdir()
    (folder / "a.mrc").write_bytes(b"1")
    with sftp_server(folder, client_key=key) as (port, host_key, _):
        known_hosts(tmp_path / "known_hosts", port, host_key)
        server = Server("sftp", f"sftp://127.0.0.1:{port}", Cuts(), into(folder), 'known_hosts = "known_hosts"\n')
        assert names(server.site(tmp_path)) == ["a.mrc"]
        monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_PASSWORD", "wrong")
        with pytest.raises(SiteUnreachable, match="key"):
            server.site(tmp_path).listing()


def test_a_server_that_is_down_is_said_with_its_address(tmp_path: Path, login: None) -> None:
    settings = parse_settings('[library]\nname="L"\n[sources.vendor]\nurl="ftp://127.0.0.1:9/x"\n')
    site = DropSites(settings, read_environment).of("vendor")
    assert site is not None
    with pytest.raises(SiteUnreachable, match=r"ftp://127\.0\.0\.1:9/x"):
        site.listing()


def test_a_source_without_address_has_no_site() -> None:
    settings = parse_settings('[library]\nname="L"\n[sources.vendor]\n')
    assert DropSites(settings, read_environment).of("vendor") is None
