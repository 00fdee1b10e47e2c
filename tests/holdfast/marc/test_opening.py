"""Sources and packings: what is opened, how it is unpacked, and what damage in it becomes."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import io
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from holdfast.marc import opening
from holdfast.marc.reading import detect
from tests.holdfast.marc.corpora import parts
from tests.records import book

BOOKS = [book(str(n), f"Volume {n}") for n in range(1, 4)]
DATA = b"".join(BOOKS)


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def as_marcxml(data: bytes) -> bytes:
    out = io.BytesIO()
    marc.write(marc.read(io.BytesIO(data)), out, format="marcxml")
    return out.getvalue()


def outcome(source: object) -> list[tuple[str, int, list[str]]]:
    """(file, readable records, faults) of a source, file by file."""
    found: dict[str, tuple[int, list[str]]] = {}
    for part in parts(source):
        count, faults = found.get(part.file, (0, []))
        found[part.file] = (
            count + part.records["fault"].null_count(),
            faults + part.records["fault"].drop_nulls().to_list(),
        )
    return [(name, *each) for name, each in found.items()]


class Pipe:
    """A stream that can't be gone back in, and gives less than it is asked for."""

    name = "pipe"

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 13))


PACKED = {
    "plain": DATA,
    "gzip": gzip.compress(DATA),
    "two gzip members": gzip.compress(BOOKS[0]) + gzip.compress(BOOKS[1] + BOOKS[2]),
    "gzip padded as on tapes": gzip.compress(DATA) + bytes(512),
    "Zstandard": zstandard.compress(DATA),
    "Zstandard of a stream": zstandard.ZstdCompressor().compressobj().compress(b"") + zstandard.compress(DATA),
    "two Zstandard frames and a skippable one": zstandard.compress(BOOKS[0])
    + b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    + zstandard.compress(BOOKS[1] + BOOKS[2]),
    "gzip in gzip": gzip.compress(gzip.compress(DATA)),
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("stream", [io.BytesIO, Pipe])
def test_packings_are_known_by_their_first_bytes(kind: str, stream: type) -> None:
    ((_, readable, faults),) = outcome(stream(PACKED[kind]))
    assert (readable, faults) == (3, [])


@pytest.mark.parametrize("stream", [io.BytesIO, Pipe])
def test_each_member_of_an_archive_is_a_file_of_its_own_and_records_are_numbered_over_all(
    stream: type, tmp_path: Path
) -> None:
    archive = zipped(
        ("a.mrc", DATA),
        ("deep/", b""),
        ("../../etc/b.xml", as_marcxml(BOOKS[0])),
        ("c.mrc.gz", gzip.compress(BOOKS[1])),
    )
    found = parts(stream(archive))
    assert [part.file.split("/", 1)[1] for part in found if part.records.height] == [
        "a.mrc",
        "../../etc/b.xml",
        "c.mrc.gz",
    ]
    assert pl.concat([part.records for part in found])["record"].to_list() == [1, 2, 3, 4, 5]
    assert [part.format for part in found if part.records.height] == ["iso2709", "marcxml", "iso2709"]


def test_an_archive_in_an_archive_is_read_and_four_in_each_other_are_not() -> None:
    inner = zipped(("a.mrc", DATA))
    assert outcome(io.BytesIO(zipped(("inner.zip", inner)))) == [("stream/inner.zip/a.mrc", 3, [])]
    deep = DATA
    for _ in range(4):
        deep = gzip.compress(deep)
    assert outcome(io.BytesIO(deep)) == [("stream", 0, ["marc.packed_too_deep"])]


def encrypted(archive: bytes, member: int) -> bytes:
    data = bytearray(archive)
    place = -1
    for _ in range(member + 1):
        place = data.index(b"PK\x01\x02", place + 1)
    data[place + 8] |= 1
    return bytes(data)


def test_an_encrypted_member_is_a_fault_and_the_others_are_read() -> None:
    archive = encrypted(zipped(("a.mrc", BOOKS[0]), ("b.mrc", BOOKS[1]), ("c.mrc", BOOKS[2])), 1)
    assert outcome(io.BytesIO(archive)) == [
        ("stream/a.mrc", 1, []),
        ("stream/b.mrc", 0, ["marc.encrypted"]),
        ("stream/c.mrc", 1, []),
    ]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


DAMAGED = {
    "gzip, cut": (gzip.compress(DATA)[:-20], "marc.packing"),
    "gzip, cut in its header": (gzip.compress(DATA)[:5], "marc.packing"),
    "gzip, wrong checksum": (flipped(gzip.compress(DATA), -6), "marc.packing"),
    "gzip, and something behind it": (gzip.compress(DATA) + b"something", "marc.packing"),
    "Zstandard, cut": (zstandard.compress(DATA)[:-20], "marc.packing"),
    "Zstandard, magic only": (zstandard.compress(DATA)[:4], "marc.packing"),
    "zip, cut": (zipped(("a.mrc", DATA))[:-30], "marc.packing"),
    "zip, wrong checksum": (
        zipped(("a.mrc", DATA), method=zipfile.ZIP_STORED).replace(b"Volume 2", b"Volume X"),
        "marc.packing",
    ),
    "zip, empty": (zipped(), "marc.no_record"),
    "empty": (b"", "marc.empty_file"),
    "gzip of nothing": (gzip.compress(b""), "marc.empty_file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "marc.not_marc"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_a_fault_row_and_what_was_unpacked_before_stays(kind: str) -> None:
    data, fault = DAMAGED[kind]
    ((_, readable, faults),) = outcome(io.BytesIO(data))
    assert faults[-1] == fault
    if "checksum" in kind or "behind" in kind:
        assert readable == 3


def test_a_bomb_is_stopped_long_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BOMB_BYTES", 1 << 20)
    worker = zlib.compressobj(9, wbits=31)
    bomb = b"".join([worker.compress(b"0" * (1 << 20)) for _ in range(20)] + [worker.flush()])
    for data in (bomb, zstandard.compress(b"0" * (20 << 20)), zipped(("a.mrc", b"0" * (20 << 20)))):
        found = parts(io.BytesIO(data))
        assert found[-1].records["fault"].to_list() == ["marc.bomb"]
        assert sum(len(part.data) for part in found) < 8 << 20


def test_members_that_share_their_bytes_are_a_bomb_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BOMB_BYTES", 100_000)
    monkeypatch.setattr(opening, "BOMB_RATIO", 60)
    archive = bytearray(zipped(("a.mrc", DATA * 40)))
    directory = archive.index(b"PK\x01\x02")
    end = archive.index(b"PK\x05\x06")
    entry, tail = bytes(archive[directory:end]), archive[end:]
    tail[8:12] = (50).to_bytes(2, "little") * 2
    tail[12:16] = (len(entry) * 50).to_bytes(4, "little")
    shared = bytes(archive[:directory]) + entry * 50 + bytes(tail)
    assert "marc.bomb" in [fault for _, _, faults in outcome(io.BytesIO(shared)) for fault in faults]


@given(st.data())
def test_no_damage_to_a_packing_raises(data: st.DataObject) -> None:
    good = data.draw(
        st.sampled_from([gzip.compress(DATA), zstandard.compress(DATA), zipped(("a.mrc", DATA), ("b.mrc", BOOKS[0]))])
    )
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(damaged)))
    assert parts(io.BytesIO(bytes(damaged[:cut])))


def test_memory_does_not_depend_on_the_size() -> None:
    sizes = [len(part.data) for part in parts(io.BytesIO(gzip.compress(DATA * 2000)), block_bytes=10_000)]
    assert len(sizes) > 50 and max(sizes) < 30_000


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (DATA, "iso2709"),
        (b"", "iso2709"),
        (b"no record at all", "iso2709"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<collection>", "marcxml"),
        ("<collection/>".encode("utf-16"), "marcxml"),
        (b"<?xml version='1.0'?><rdf:RDF xmlns:rdf='x'>", "bibframe-xml"),
        (b' [{"leader": "", "fields": []}]', "marc-json"),
        (b'{"@context": {}, "@graph": []}', "bibframe-jsonld"),
        (b"<?xml version='1.0'?><collection/>\x1d" + DATA, "iso2709"),
    ],
)
def test_the_format_is_told_by_the_content(head: bytes, format: str) -> None:
    assert detect(head) == format


def test_a_format_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="must be one of iso2709, marcxml"):
        marc.read(io.BytesIO(), format="mods")


def test_a_source_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(marc.read(tmp_path / "none.mrc"))


def test_a_path_is_a_name_or_a_path(tmp_path: Path) -> None:
    path = tmp_path / "drop.mrc"
    path.write_bytes(DATA)
    assert outcome(path) == outcome(str(path)) == [("drop.mrc", 3, [])]


# ---- addresses -----------------------------------------------------------------------------------------------------


def test_what_fsspec_opens_is_read() -> None:
    with fsspec.open("memory://vendor/drop.mrc.gz", "wb") as file:
        file.write(gzip.compress(DATA))
    assert outcome("memory://vendor/drop.mrc.gz") == [("drop.mrc.gz", 3, [])]


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_http_is_read_and_a_query_is_no_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "drop.xml.gz").write_bytes(gzip.compress(as_marcxml(DATA)))
    (tmp_path / "drop.zip").write_bytes(zipped(("a.mrc", DATA)))
    with served(tmp_path) as address:
        assert outcome(f"{address}/drop.xml.gz?token=secret") == [("drop.xml.gz", 3, [])]
        assert outcome(f"{address}/drop.zip") == [("drop.zip/a.mrc", 3, [])]
        with pytest.raises(FileNotFoundError):
            list(marc.read(f"{address}/none.mrc"))


def test_s3_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("vendor")
        store.pipe("vendor/drop.zip", zipped(("a.mrc", DATA)))
        assert outcome("s3://vendor/drop.zip") == [("drop.zip/a.mrc", 3, [])]
    finally:
        server.stop()


@pytest.mark.filterwarnings("ignore:The asyn(core|chat) module is deprecated:DeprecationWarning")
def test_ftp_is_read(tmp_path: Path) -> None:
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler

    from tests.resources.drop_sites.servers import ftp_served

    (tmp_path / "drop.mrc.gz").write_bytes(gzip.compress(DATA))
    authorizer = DummyAuthorizer()
    authorizer.add_user("vendor", "secret", str(tmp_path))

    class Handler(FTPHandler):
        pass

    Handler.authorizer = authorizer
    with ftp_served(Handler) as port:
        assert outcome(f"ftp://vendor:secret@127.0.0.1:{port}/drop.mrc.gz") == [("drop.mrc.gz", 3, [])]
