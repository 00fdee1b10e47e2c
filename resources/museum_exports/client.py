"""Exports of collection management systems: what lies in the drop folder, and copies of it that stay.

EXPORTS/<collection>/<file>                 as the museum leaves it; it may clean up when it likes
VAR/received/museum/<collection>/<sha256>   as it was received, once for each content
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import uuid
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from holdfast.museum.validation import ExportFile
from holdfast.settings import Collection, Settings

_COPY_BYTES = 1_048_576
# Names under which programs write a file that is not yet whole.
_UNFINISHED = (".partial", ".part", ".filepart", ".tmp", ".crdownload")


class ExportChanged(OSError):
    """A file changed while it was copied; it will be whole at the next try."""


class ReceivedDamaged(OSError):
    """A received file is no longer what was received."""


@dataclass(frozen=True)
class DroppedFile:
    """A file in the drop folder. `day` is that of its last change, in the library's time zone."""

    collection: str
    day: dt.date
    name: str
    path: Path
    bytes: int
    modified_ns: int


@dataclass(frozen=True)
class ReceivedFile:
    """A file that was copied; `path` is relative to VAR."""

    name: str
    bytes: int
    sha256: str
    modified_ns: int
    path: str


class MuseumExports:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.timezone = zoneinfo.ZoneInfo(settings.library.timezone)
        self.record_bytes = settings.limits.xml_record_bytes

    def collection(self, name: str) -> Collection:
        return self._settings.collections[name]

    def folder(self, collection: str) -> Path:
        return self._settings.museum_exports / collection

    def listing(self, collection: str) -> list[DroppedFile]:
        """Files of the collection's folder that its pattern names, by name. No links, nothing hidden or half written."""
        folder = self.folder(collection)
        found = []
        for path in sorted(folder.glob(self.collection(collection).pattern)) if folder.is_dir() else []:
            is_ours = path.parent == folder and not path.name.startswith(".")
            if not is_ours or path.name.lower().endswith(_UNFINISHED):
                continue
            try:
                stat = path.lstat()
            except FileNotFoundError:  # the museum cleans up while we look
                continue
            if not S_ISREG(stat.st_mode):
                continue
            day = dt.datetime.fromtimestamp(stat.st_mtime, self.timezone).date()
            name = path.name.encode("utf-8", "backslashreplace").decode()  # names of files need not be UTF-8
            found.append(DroppedFile(collection, day, name, path, stat.st_size, stat.st_mtime_ns))
        return found

    def receive(self, collection: str, day: dt.date, before: Iterable[ReceivedFile] = ()) -> list[ReceivedFile]:
        """Copy the files of that day and read the copies back; with those received `before` that are dropped no more.

        Raises:
            ExportChanged: a file was written to while it was copied.
            ReceivedDamaged: a copy does not have the hash that it was received with.
        """
        received = {each.name: each for each in before}
        for file in self.listing(collection):
            if file.day == day:
                received[file.name] = self._copy(file)
        files = [received[name] for name in sorted(received)]
        for each in files:
            self._verify(each)
        return files

    def _copy(self, file: DroppedFile) -> ReceivedFile:
        folder = self._settings.var / "received" / "museum" / file.collection
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{uuid.uuid4().hex}.partial"
        try:
            digest = hashlib.sha256()
            with file.path.open("rb") as source, partial.open("xb") as target:
                while data := source.read(_COPY_BYTES):
                    digest.update(data)
                    target.write(data)
                target.flush()
                os.fsync(target.fileno())
            stat = file.path.stat()
            if (stat.st_size, stat.st_mtime_ns) != (file.bytes, file.modified_ns):
                raise ExportChanged(f"{file.path}: changed while it was copied; it is taken once it is still")
            target_path = folder / digest.hexdigest()
            partial.replace(target_path)
        finally:
            partial.unlink(missing_ok=True)
        relative = target_path.relative_to(self._settings.var)
        return ReceivedFile(file.name, file.bytes, digest.hexdigest(), file.modified_ns, str(relative))

    def _verify(self, file: ReceivedFile) -> None:
        path = self._settings.var / file.path
        found = sha256_of(path) if path.is_file() else "nothing"
        if found != file.sha256:
            raise ReceivedDamaged(
                f"{path}: {file.name} was received with SHA-256 {file.sha256}, found {found}; "
                "put the export into the drop folder again"
            )

    def files(self, received: Iterable[ReceivedFile]) -> Iterator[ExportFile]:
        """What `validate_export` reads."""
        for each in received:
            yield ExportFile(each.name, self._settings.var / each.path)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
