"""The master store in a file system, write-once.

ROOT/masters/<batch>/<path>              a master, mode 0444
ROOT/masters/.incoming/<random>          a copy on its way; gone after the page, swept after a day
ROOT/manifests/<batch>/<sha256>.json     each manifest that came, as it came
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from holdfast.outcomes import sha256_hex
from holdfast.preservation.fixity import (
    Digest,
    FixityError,
    copy_and_hash,
    digest_of,
    flush_folder,
    put_once,
    read_back,
)
from holdfast.preservation.naming import BATCH_RULE, is_batch_name, path_fault

_DAY = 86_400


class Masters:
    def __init__(self, root: Path) -> None:
        self.root = root / "masters"
        self._manifests = root / "manifests"
        self._incoming = self.root / ".incoming"

    def path(self, batch: str, page: str) -> Path:
        """Where the master of `page` lies, whether it is there or not.

        Raises:
            ValueError: the batch's name or the page's path breaks its rule.
        """
        if not is_batch_name(batch):
            raise ValueError(f"{batch!r}: {BATCH_RULE}")
        if fault := path_fault(page):
            raise ValueError(f"{page!r}: {fault}")
        return self.root / batch / page

    def open(self, batch: str, page: str) -> int:
        """A file descriptor of the master; the caller closes it.

        Raises:
            FileNotFoundError: there is none.
        """
        return os.open(self.path(batch, page), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def digest(self, batch: str, page: str) -> Digest | None:
        """SHA-256 and length of the master as the disk has it now; None where there is none."""
        try:
            return digest_of(self.path(batch, page), from_storage=True)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def take_in(
        self, batch: str, page: str, source: int, expected: Digest, *, inspect: Callable[[int], object]
    ) -> bool:
        """Copy the open file `source` into the store; True where it is new, False where the same was there already.

        The copy is hashed while it is written, compared, read back from the disk, inspected, and only then gets its name.

        Args:
            inspect: looks at the copy (open file) and raises what it has against it.

        Raises:
            FixityError: other bytes than expected (`fixity.sha256`), read back wrong (`fixity.read_back`), or another
                content is held under this name (`fixity.already_different`).
        """
        target = self.path(batch, page)
        self._incoming.mkdir(parents=True, exist_ok=True)
        copy = self._incoming / uuid.uuid4().hex
        try:
            found = copy_and_hash(source, copy, limit=expected.bytes)
            if found != expected:
                rule = f"a page has the SHA-256 of its entry: declared {expected.sha256}, found {found.sha256}"
                hint = "copy the file again from the scanner, or export the manifest again if the file is the right one"
                raise FixityError("fixity.sha256", rule, hint)
            read_back(copy, found)
            opened = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
            try:
                inspect(opened)
            finally:
                os.close(opened)
            return put_once(copy, target, found)
        finally:
            copy.unlink(missing_ok=True)

    def keep_manifest(self, batch: str, data: bytes) -> None:
        """Keep the manifest's bytes as they came; the same bytes are kept once."""
        folder = self._manifests / batch
        target = folder / f"{sha256_hex(data)}.json"
        if not is_batch_name(batch) or target.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f".{uuid.uuid4().hex}"
        with copy.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o444)
        copy.rename(target)
        flush_folder(folder)

    def sweep(self) -> int:
        """Remove copies that a killed run left on their way, older than a day; how many."""
        if not self._incoming.is_dir():
            return 0
        old = [each for each in self._incoming.iterdir() if time.time() - each.stat().st_mtime > _DAY]
        for each in old:
            each.unlink(missing_ok=True)
        return len(old)
