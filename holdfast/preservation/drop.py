"""A drop as it lies in the scans folder: what is really there, against what its manifest says.

Everything is opened folder by folder with O_NOFOLLOW, so no path and no symbolic link, also none that is put there
while we look, reaches a file outside the drop.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from holdfast.outcomes import Rejection
from holdfast.preservation import manifest as manifests
from holdfast.preservation.manifest import Manifest, page_rejection
from holdfast.preservation.naming import BATCH_RULE, batch_partition, is_batch_name, path_fault, shown


class NotInDrop(OSError):
    """The path names no regular file below the drop; `code` and the text say why."""

    def __init__(self, code: str, rule: str, hint: str) -> None:
        super().__init__(f"{code}: {rule}; {hint}")
        self.code, self.rule, self.hint = code, rule, hint


def open_page(folder: Path, path: str) -> int:
    """A file descriptor of the regular file `path` below `folder`, for reading; the caller closes it.

    Raises:
        NotInDrop: the path leaves the drop, or is a link, a device, a folder, or not there.
    """
    if fault := path_fault(path):
        raise NotInDrop("page.path", fault, "correct the path in the manifest")
    *folders, name = path.split("/")
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in folders:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = below
            # O_NONBLOCK: opening a named pipe must not wait for its writer.
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        finally:
            os.close(at)
    except OSError as error:
        raise _not_in_drop(error) from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise NotInDrop("page.not_a_file", "a page is a regular file, no folder, pipe, socket or device", _REPLACE)
    return opened


_REPLACE = "put the file itself into the drop"


def _not_in_drop(error: OSError) -> NotInDrop:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return NotInDrop("page.link", "a page lies in the drop itself; symbolic links are not followed", _REPLACE)
    if error.errno == errno.ENOENT:
        return NotInDrop(
            "page.missing",
            "every file of file_paths is in the drop",
            "add the file, or remove its entry from file_paths",
        )
    if error.errno == errno.ENXIO:
        return NotInDrop("page.not_a_file", "a page is a regular file, no folder, pipe, socket or device", _REPLACE)
    return NotInDrop(
        "page.unreadable", f"a page can be read ({error.strerror})", "check the file's permissions and disk"
    )


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """(path, lstat) of everything below `folder` that is no folder, sorted; links are named, never followed."""
    stack = [""]
    found: list[tuple[str, os.stat_result]] = []
    while stack:
        below = stack.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                path = f"{below}/{entry.name}" if below else entry.name
                if entry.is_dir(follow_symlinks=False):
                    stack.append(path)
                else:
                    found.append((path, entry.stat(follow_symlinks=False)))
    return iter(sorted(found, key=lambda each: each[0]))


def find_drop(scans: Path, partition: str) -> Path | None:
    """The drop folder of `partition` below `scans`, also where its name is no batch name; None where it is gone."""
    if is_batch_name(partition) and (scans / partition).is_dir() and batch_partition(partition) == partition:
        return scans / partition
    if not scans.is_dir():
        return None
    folders = (each for each in sorted(scans.iterdir()) if each.is_dir() and not each.is_symlink())
    return next((each for each in folders if batch_partition(each.name) == partition), None)


@dataclass(frozen=True)
class SurveyedPage:
    """One page of a drop. `rejection` is None where it goes on.

    Attributes:
        page: from 1 in the order of the manifest; extra files come after, by path.
        path: inside the drop, as declared or found.
        declared_sha256, declared_bytes: of the manifest; '' and None for a file that it does not name.
        found_bytes: length in the drop; None where it is not there.
    """

    page: int
    path: str
    declared_sha256: str
    declared_bytes: int | None
    found_bytes: int | None
    rejection: Rejection | None = None


@dataclass(frozen=True)
class Survey:
    """A drop, read: its manifest (`header` None: the batch is rejected), its bytes and its pages."""

    folder: str
    manifest: Manifest
    manifest_bytes: bytes
    pages: tuple[SurveyedPage, ...]

    @property
    def accepted(self) -> bool:
        return self.manifest.header is not None

    @property
    def rejections(self) -> list[Rejection]:
        """Those of the batch; where it is accepted, those of its pages."""
        if not self.accepted:
            return list(self.manifest.rejections)
        return [each.rejection for each in self.pages if each.rejection]


def read_manifest_bytes(folder: Path, limit: int) -> bytes | Manifest:
    """The manifest's bytes, or the verdict on why they were not read."""
    try:
        opened = open_page_like(folder, manifests.NAME)
    except NotInDrop:
        return manifests.missing(folder.name)
    with os.fdopen(opened, "rb") as file:
        data = file.read(limit + 1)
        if len(data) > limit:
            return manifests.too_large(folder.name, os.fstat(file.fileno()).st_size, limit)
    return data


def open_page_like(folder: Path, name: str) -> int:
    """As `open_page` for a file directly in the drop that is no page: the manifest."""
    try:
        opened = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _not_in_drop(error) from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise NotInDrop("page.not_a_file", "a manifest is a regular file", _REPLACE)
    return opened


def survey(folder: Path, *, manifest_limit: int, page_limit: int) -> Survey:
    """The drop at `folder` against its manifest. Faults are rejections; nothing in the drop makes it raise.

    Args:
        manifest_limit: bytes of a manifest, at most (limits.manifest_bytes).
        page_limit: bytes of a page, at most (limits.page_bytes).
    """
    read = read_manifest_bytes(folder, manifest_limit)
    data = read if isinstance(read, bytes) else b""
    manifest = manifests.read_manifest(read, folder.name) if isinstance(read, bytes) else read
    if not is_batch_name(folder.name) or batch_partition(folder.name) != folder.name:
        manifest = replace(manifest, header=None, pages=(), rejections=(_name_rejection(folder.name),))
    batch = folder.name
    found = {path: status for path, status in walk(folder) if path != manifests.NAME}
    pages = [_survey_declared(folder, batch, each, page_limit) for each in manifest.pages]
    # A link or device at a declared path is that page's fault, so it is no extra file as well.
    extras = [path for path in found if path not in {each.path for each in manifest.pages}]
    for number, path in enumerate(extras, start=len(pages) + 1):
        pages.append(_survey_extra(batch, number, path, found[path].st_size, manifest))
    return Survey(folder.name, manifest, data, tuple(pages))


def _name_rejection(name: str) -> Rejection:
    hint = "rename the folder; as the same batch again, if it is one"
    return Rejection("batch.name", f"drop folder {shown(name)}", BATCH_RULE, hint, unit="batch")


def _survey_declared(folder: Path, batch: str, declared: manifests.DeclaredPage, limit: int) -> SurveyedPage:
    entry = declared.entry
    if entry is None:
        return SurveyedPage(declared.page, shown(declared.path), "", None, None, declared.rejection)

    def faulty(code: str, rule: str, hint: str, length: int | None = None) -> SurveyedPage:
        rejection = page_rejection(batch, declared.page, entry.path, code, rule, hint, entry.sha256)
        return SurveyedPage(declared.page, entry.path, entry.sha256, entry.bytes, length, rejection)

    try:
        opened = open_page(folder, entry.path)
    except NotInDrop as error:
        return faulty(error.code, error.rule, error.hint)
    length = os.fstat(opened).st_size
    os.close(opened)
    if length != entry.bytes:
        rule = f"a file has the length of its entry: declared {entry.bytes:,} bytes, found {length:,}"
        return faulty("page.length", rule, "copy the file again; it was cut short or changed on its way", length)
    if length > limit:
        rule = f"a page has {limit:,} bytes at most (limits.page_bytes); this one has {length:,}"
        return faulty("page.too_large", rule, "scan it in parts, or raise limits.page_bytes in holdfast.toml", length)
    return SurveyedPage(declared.page, entry.path, entry.sha256, entry.bytes, length)


def _survey_extra(batch: str, number: int, path: str, length: int, manifest: Manifest) -> SurveyedPage:
    if manifest.header is None:
        first = manifest.rejections[0]
        rule, hint = f"its batch was rejected: {first.rule}", first.hint
        rejection = page_rejection(batch, number, path, first.code, rule, hint)
    else:
        rule = "every file of a drop stands in file_paths"
        hint = "add it to file_paths with its sha256 and bytes, or remove it from the drop"
        rejection = page_rejection(batch, number, path, "page.extra", rule, hint)
    return SurveyedPage(number, shown(path), "", None, length, rejection)
