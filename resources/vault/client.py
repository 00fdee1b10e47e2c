"""Originals as they were received, sealed with AES-256-GCM and named by their SHA-256.

A sealed file is a header (magic, 8 random bytes) and chunks of 1 MiB of plain text, each encrypted with its number and
whether it is the last one, so that chunks can't be swapped, repeated or cut off unnoticed. NIST SP 800-38D; the nonce is
the random bytes and the chunk's number, never used twice under one key.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MAGIC = b"HFVAULT1"
_CHUNK = 1 << 20
_TAG = 16
_HEADER = len(_MAGIC) + 8


class SealBrokenError(ValueError):
    """The sealed file was changed or cut, or the key is another one."""


class Sealed(NamedTuple):
    sha256: str  # hex, of the plain text
    length: int


class Vault:
    def __init__(self, root: Path, key: bytes, folder: str = "originals") -> None:
        self._root, self._folder = root, root / folder
        self._cipher = AESGCM(key)
        self._key = key

    def beside(self, folder: str) -> Vault:
        """Under the same key, another folder: what is not an original."""
        return Vault(self._root, self._key, folder)

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def seal(self, stream: BinaryIO) -> Sealed:
        """Keep what the stream holds; the same content is kept once."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".{uuid.uuid4().hex}.partial"
        digest, length, number = hashlib.sha256(), 0, 0
        prefix = os.urandom(8)
        try:
            with partial.open("xb") as sealed:
                sealed.write(_MAGIC + prefix)
                chunk = _read_chunk(stream)
                while True:
                    following = _read_chunk(stream) if chunk else b""
                    digest.update(chunk)
                    length += len(chunk)
                    sealed.write(
                        self._cipher.encrypt(
                            prefix + number.to_bytes(4, "big"), chunk, b"last" if not following else b"more"
                        )
                    )
                    if not following:
                        break
                    chunk, number = following, number + 1
                sealed.flush()
                os.fsync(sealed.fileno())
            target = self._path(digest.hexdigest())
            target.parent.mkdir(exist_ok=True)
            partial.chmod(0o400)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return Sealed(digest.hexdigest(), length)

    def holds(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def open(self, sha256: str) -> BinaryIO:
        """The original as a stream.

        Raises:
            FileNotFoundError: nothing of that hash is here.
            SealBrokenError: on reading, where the seal does not hold.
        """
        return io.BufferedReader(_Opened(self._path(sha256).open("rb"), self._cipher), _CHUNK)


def _read_chunk(stream: BinaryIO) -> bytes:
    """A whole chunk, unless the stream ends: pipes and sockets give fewer bytes than they are asked for, and a reader knows
    a chunk by its length."""
    chunk = b""
    while len(chunk) < _CHUNK and (more := stream.read(_CHUNK - len(chunk))):
        chunk += more
    return chunk


class _Opened(io.RawIOBase):
    """Chunks are sealed each by itself, so any place can be gone to: an archive is read from its end."""

    def __init__(self, sealed: BinaryIO, cipher: AESGCM) -> None:
        self._sealed = sealed
        self._cipher = cipher
        header = sealed.read(_HEADER)
        if header[: len(_MAGIC)] != _MAGIC or len(header) != _HEADER:
            sealed.close()
            raise SealBrokenError("not a sealed original, or cut in its first bytes")
        self._prefix = header[len(_MAGIC) :]
        body = sealed.seek(0, io.SEEK_END) - _HEADER
        # There is always a last chunk, of an empty file too.
        self._chunks = max(-(-body // (_CHUNK + _TAG)), 1)
        self._length = body - _TAG * self._chunks
        self._position = 0
        self._held = (-1, b"")  # number of the chunk that is open, and its plain text

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if start + offset < 0:
            raise ValueError(f"negative place {start + offset}")
        self._position = start + offset
        return self._position

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            self._sealed.seek(_HEADER + number * (_CHUNK + _TAG))
            chunk = self._sealed.read(_CHUNK + _TAG)
            nonce = self._prefix + number.to_bytes(4, "big")
            place = b"last" if number == self._chunks - 1 else b"more"
            try:
                self._held = (number, self._cipher.decrypt(nonce, chunk, place))
            except InvalidTag as error:
                raise SealBrokenError(
                    "the seal does not hold: the file was changed or cut, or the key is another one"
                ) from error
        return self._held[1]

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        number, place = divmod(self._position, _CHUNK)
        if number >= self._chunks:
            return 0
        plain = self._chunk(number)[place : place + len(into)]
        into[: len(plain)] = plain
        self._position += len(plain)
        return len(plain)

    def close(self) -> None:
        self._sealed.close()
        super().close()


def vault_key(given: str, root: Path) -> bytes:
    """The key from the environment (base64), else from ROOT/key, which is made once, readable by its owner only."""
    if given:
        return base64.b64decode(given, validate=True)
    path = root / "key"
    root.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Whole before it has its name, so that a process that starts at the same time never reads half a key.
        partial = root / f".key.{uuid.uuid4().hex}"
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(AESGCM.generate_key(256)))
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
        partial.unlink()
    return base64.b64decode(path.read_bytes(), validate=True)
