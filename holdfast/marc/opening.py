"""Open what is given — a path, a URL, a stream — and unpack it: gzip, zstd and zip by their magic bytes, as streams.

What is wrong with the packing is told by the content itself once it was read (`Content.fault`), never by an exception;
what was unpacked before stays. Nothing is unpacked onto the disk: names inside an archive are names, not paths. An archive
that can't be read backwards (a pipe, an archive in an archive) is held in an unnamed temporary file as it came, packed.

Sources: RFC 1952 (gzip), RFC 8878 (Zstandard), APPNOTE.TXT 6.3 (zip).
"""

from __future__ import annotations

import copy
import io
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

Source = str | Path | BinaryIO

_GZIP, _ZSTD, _ZIP, _EMPTY_ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PK\x05\x06"
_SKIPPABLE = tuple(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))  # RFC 8878 §3.1.2
_DEEPEST = 3  # an archive in an archive in an archive
_READ = 1 << 16
# 2 KiB of Zstandard can hold 64 MiB (a run of one byte is four bytes for 128 KiB): so no more is given to it at once.
_ZSTD_READ = 2048
_ZSTD_WINDOW = 1 << 27
# Catalogue data shrinks to a tenth, at best to a fiftieth. Beyond this it is an attack, or a file of nothing.
BOMB_RATIO, BOMB_BYTES = 250, 64 << 20
# What zipfile raises for what is in an archive. OSError is not among them: a disk or a line that fails is no damage.
_IN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


class PackingFault(NamedTuple):
    """code: of `faults.FAULTS`. detail: what was found."""

    code: str
    detail: str


class _DamageError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = PackingFault(code, detail)


class Content:
    """Unpacked bytes under a name. `fault` is known once `read` has given its last byte; `position` counts bytes given."""

    def __init__(self, name: str, read: Callable[[int], bytes]) -> None:
        self.name = name
        self.position = 0
        self.fault: PackingFault | None = None
        self._read = read
        self._ahead = bytearray()

    def _more(self, size: int) -> bytes:
        if self.fault is not None:
            return b""
        try:
            return self._read(size)
        except _DamageError as damage:
            self.fault = damage.fault
            return b""

    def peek(self, size: int) -> bytes:
        """The next bytes, `size` of them unless the content ends before; they are read again."""
        while len(self._ahead) < size and (more := self._more(size - len(self._ahead))):
            self._ahead += more
        return bytes(self._ahead[:size])

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
        pieces = [bytes(self._ahead[:size])]
        del self._ahead[:size]
        missing = size - len(pieces[0])
        while missing and (more := self._more(missing)):
            pieces.append(more)
            missing -= len(more)
        data = b"".join(pieces)
        self.position += len(data)
        return data


def open_contents(source: Source) -> Iterator[Content]:
    """What the source holds: one content, or one for each file of an archive. Each is to be read before the next is asked for.

    Raises:
        OSError: the source itself can't be opened or read: no such file, no permission, no connection.
    """
    if hasattr(source, "read"):
        stream = source
        yield from _contents(str(PurePosixPath(str(getattr(stream, "name", "stream"))).name), stream, 0)
    elif "://" in str(source):
        # Only here: fsspec brings its file systems (S3, SFTP …) in by what the address names.
        import fsspec

        with fsspec.open(str(source), "rb") as stream:
            yield from _contents(PurePosixPath(urlsplit(str(source)).path).name or "stream", stream, 0)
    else:
        with Path(source).open("rb") as stream:
            yield from _contents(Path(source).name, stream, 0)


def unpacked(name: str, stream: Any) -> Iterator[Content]:
    """`open_contents` of a stream that is open already, under a name."""
    return _contents(name, stream, 0)


def _contents(name: str, stream: Any, depth: int) -> Iterator[Content]:
    head = _read_up_to(stream, 4)
    packed = head.startswith((_GZIP, _ZSTD, _ZIP, _EMPTY_ZIP, *_SKIPPABLE))
    if packed and depth == _DEEPEST:
        yield _failing(name, "marc.packed_too_deep", f"{depth} archives in each other")
    elif head in (_ZIP, _EMPTY_ZIP):
        yield from _zip_contents(name, stream, head, depth)
    elif packed:
        unpack = _gunzip if head.startswith(_GZIP) else _unzstd
        yield from _nested(name, _Pieces(unpack(_pieces(stream, head))), depth)
    else:
        ahead = io.BytesIO(head)
        yield Content(name, lambda size: ahead.read(size) or stream.read(size))


def _nested(name: str, pieces: _Pieces, depth: int) -> Iterator[Content]:
    """Contents of an unpacked stream, which may be packed again. Damage that shows in the first bytes is a content too."""
    try:
        yield from _contents(name, pieces, depth + 1)
    except _DamageError as damage:
        yield _failing(name, *damage.fault)


def _failing(name: str, code: str, detail: str) -> Content:
    def read(size: int) -> bytes:
        raise _DamageError(code, detail)

    return Content(name, read)


def _read_up_to(stream: Any, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _pieces(stream: Any, head: bytes) -> Iterator[bytes]:
    yield head
    while data := stream.read(_READ):
        yield data


class _Pieces:
    """A stream of an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def read(self, size: int) -> bytes:
        while not self._held:
            held = next(self._pieces, None)
            if held is None:
                return b""
            self._held = held
        data, self._held = self._held[:size], self._held[size:]
        return data


def _check_ratio(packed: int, unpacked: int) -> None:
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * max(packed, 1):
        raise _DamageError(
            "marc.bomb", f"{packed:,} packed bytes had become {unpacked:,}: more than {BOMB_RATIO} times as many"
        )


def _gunzip(packed: Iterator[bytes]) -> Iterator[bytes]:
    taken = given = 0
    worker, started = zlib.decompressobj(31), False
    for piece in packed:
        taken += len(piece)
        while piece:
            if worker.eof:
                if not piece.strip(b"\0"):  # padding of tapes
                    break
                worker, started = zlib.decompressobj(31), False
            started = True
            before = worker.copy()
            try:
                data = worker.decompress(piece, 1 << 20)
            except zlib.error as error:
                yield from _up_to_damage(before, piece)
                raise _DamageError("marc.packing", f"gzip, near packed byte {taken:,}: {error}") from error
            given += len(data)
            _check_ratio(taken, given)
            yield data
            piece = worker.unused_data if worker.eof else worker.unconsumed_tail
    while started and not worker.eof and (data := worker.decompress(worker.unconsumed_tail, 1 << 20)):
        given += len(data)
        _check_ratio(taken, given)
        yield data
    if started and not worker.eof:
        raise _DamageError("marc.packing", f"gzip ends in the middle, after {taken:,} packed bytes")


def _up_to_damage(worker: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    """What a piece gives before its damage: byte by byte, for zlib throws away what it had in hand."""
    for byte in piece:
        try:
            yield worker.decompress(bytes([byte]))
        except zlib.error:
            return


def _unzstd(packed: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    taken = given = 0
    worker, started = unpacker.decompressobj(), False
    for whole in packed:
        for at in range(0, len(whole), _ZSTD_READ):
            piece = whole[at : at + _ZSTD_READ]
            taken += len(piece)
            while piece:
                if worker.eof:
                    worker, started = unpacker.decompressobj(), False
                started = True
                try:
                    data = worker.decompress(piece)
                except zstandard.ZstdError as error:
                    raise _DamageError("marc.packing", f"Zstandard, near packed byte {taken:,}: {error}") from error
                given += len(data)
                _check_ratio(taken, given)
                yield data
                piece = worker.unused_data if worker.eof else b""
    if started and not worker.eof:
        raise _DamageError("marc.packing", f"Zstandard ends in the middle, after {taken:,} packed bytes")


def _zip_contents(name: str, stream: Any, head: bytes, depth: int) -> Iterator[Content]:
    with closing(_seekable(stream, head)) as seekable:
        try:
            archive = zipfile.ZipFile(cast("BinaryIO", seekable))
        except _IN_ZIP as error:
            yield _failing(name, "marc.packing", f"zip: {error}")
            return
        size = seekable.seek(0, io.SEEK_END)
        given = 0
        for member in archive.infolist():
            # What macOS adds to an archive for itself is part of the packing.
            if member.is_dir() or member.filename.startswith("__MACOSX/"):
                continue
            inner = f"{name}/{member.filename}"
            if member.flag_bits & 1:
                yield _failing(inner, "marc.encrypted", "the archive's entry is encrypted")
                continue
            pieces = _unzip(archive, member, size, given)
            yield from _nested(inner, _Pieces(pieces), depth)
            given += member.file_size


def _unzip(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int, given: int) -> Iterator[bytes]:
    own = checksum = 0
    # zipfile throws away what it has in hand when the checksum is wrong: so it gets none to look at.
    unchecked = copy.copy(member)
    setattr(unchecked, "CRC", None)  # noqa: B010  # an int by its type
    try:
        with archive.open(unchecked) as entry:
            while data := entry.read(_READ):
                own += len(data)
                checksum = zlib.crc32(data, checksum)
                _check_ratio(member.compress_size, own)
                # Entries may share their packed bytes: then none is a bomb, and all together are.
                _check_ratio(size, given + own)
                yield data
    except _IN_ZIP as error:
        raise _DamageError("marc.packing", f"zip, after {own:,} bytes of the entry: {error}") from error
    if checksum != member.CRC or own != member.file_size:
        raise _DamageError("marc.packing", f"zip: the entry's {own:,} bytes do not agree with its checksum or length")


class _Kept:
    """A seekable stream that is somebody else's to close, seen from where the archive starts."""

    def __init__(self, stream: Any, start: int) -> None:
        self._stream, self._start = stream, start

    def read(self, size: int = -1) -> bytes:
        return bytes(self._stream.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset < 0:
            raise ValueError("a place before the archive's start")
        return int(self._stream.seek(offset + (self._start if whence == 0 else 0), whence)) - self._start

    def tell(self) -> int:
        return int(self._stream.tell()) - self._start

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        pass


def _seekable(stream: Any, head: bytes) -> Any:
    if getattr(stream, "seekable", lambda: False)():
        start = stream.tell() - len(head)
        kept = _Kept(stream, start)
        kept.seek(0)
        return kept
    held = tempfile.TemporaryFile()  # noqa: SIM115  # whoever asked closes it
    held.write(head)
    shutil.copyfileobj(cast("BinaryIO", stream), held, _READ)
    held.seek(0)
    return held
