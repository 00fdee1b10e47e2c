"""Fixity: copies that prove themselves, and files that are written once.

SHA-256 (FIPS 180-4) over the bytes as they are read; the copy is flushed to the disk, read back and hashed again
before it gets its name.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20


class FixityError(OSError):
    """Bytes are not what they should be; `code` is stable, the text says what was expected and found."""

    def __init__(self, code: str, rule: str, hint: str) -> None:
        super().__init__(f"{code}: {rule}; {hint}")
        self.code, self.rule, self.hint = code, rule, hint


class AlreadyDifferent(FixityError):
    """The name is taken by other content; a master is never overwritten."""


@dataclass(frozen=True)
class Digest:
    """SHA-256 in lower-case hex, and the length in bytes."""

    sha256: str
    bytes: int


def digest_of(path: Path, *, from_storage: bool = False) -> Digest:
    """Digest of the file at `path`, read in pieces of 1 MiB.

    Args:
        from_storage: drop the file's pages from the cache first, so that the disk answers and not the memory.
    """
    with path.open("rb", buffering=0) as file:
        if from_storage and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return digest_of_open(file.fileno())


def digest_of_open(file: int) -> Digest:
    """Digest of the open file, from where it stands to its end."""
    hasher = hashlib.sha256()
    length = 0
    while piece := os.read(file, _CHUNK):
        hasher.update(piece)
        length += len(piece)
    return Digest(hasher.hexdigest(), length)


def copy_and_hash(source: int, target: Path, *, limit: int | None = None) -> Digest:
    """Copy the open file `source` to the new file `target` (mode 0444, on the disk when this returns).

    Raises:
        FileExistsError: `target` is there already.
        FixityError: the source has more than `limit` bytes (`fixity.too_large`).
    """
    hasher = hashlib.sha256()
    length = 0
    out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(out, "wb", buffering=0) as file:
        while piece := os.read(source, _CHUNK):
            hasher.update(piece)
            length += len(piece)
            if limit is not None and length > limit:
                rule = f"a page has {limit:,} bytes at most; this one grew above that while it was read"
                raise FixityError("fixity.too_large", rule, "wait until the scanner is done and drop the batch again")
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o444)
    return Digest(hasher.hexdigest(), length)


def read_back(copy: Path, written: Digest) -> None:
    """Hash `copy` from the disk again.

    Raises:
        FixityError: it is not what was written (`fixity.read_back`).
    """
    found = digest_of(copy, from_storage=True)
    if found != written:
        rule = f"a copy reads back as it was written: wrote {written.sha256}, read {found.sha256}"
        raise FixityError("fixity.read_back", rule, "the disk below the vault is failing: stop, check it, run again")


def put_once(copy: Path, name: Path, content: Digest) -> bool:
    """Give the finished `copy` its `name` (a hard link, so it appears whole or not at all); True where it is new.

    The same content under that name already is fine, and left alone.

    Raises:
        AlreadyDifferent: `name` holds other content (`fixity.already_different`).
    """
    hint = "deliver the other version under another path or batch name"
    try:
        name.parent.mkdir(parents=True, exist_ok=True)
        os.link(copy, name)
    except (FileExistsError, NotADirectoryError):
        if not name.is_file():
            rule = f"a master is written once: {name.name} or a folder above it is held as something else"
            raise AlreadyDifferent("fixity.already_different", rule, hint) from None
        held = digest_of(name, from_storage=True)
        if held != content:
            rule = f"a master is written once: {name.name} is held with SHA-256 {held.sha256}, this is {content.sha256}"
            raise AlreadyDifferent("fixity.already_different", rule, hint) from None
        return False
    flush_folder(name.parent)
    return True


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
