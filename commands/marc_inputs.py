"""The files that `holdfast marc` reads: checked first, read block by block, with a progress bar on a terminal."""

from __future__ import annotations

import argparse
import contextlib
import stat
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from holdfast.marc.parts import Part

# Those of holdfast.marc.reading, which need not be there to say what is wrong in a command.
FORMATS = ("iso2709", "marcxml", "marc-json", "bibframe-xml", "bibframe-jsonld")


class UsageError(Exception):
    """The command can't do what it was asked; the text names the file or option and what would mend it."""


class Piece(NamedTuple):
    """Frames of a block. file: as given, `archive.zip/inner.mrc` in an archive, made safe to show. before: how many records
    came in other files before it; the records of `part` are numbered over all files."""

    file: str
    part: Part
    before: int


def add_files(parser: argparse.ArgumentParser, *, files: bool = True) -> None:
    if files:
        parser.add_argument(
            "files",
            nargs="+",
            metavar="FILE",
            help="path, address (https, s3, sftp, ftp) or - for standard input; plain, gzip, zstd or zip",
        )
    parser.add_argument(
        "--from", dest="format", choices=FORMATS, help="format of the files (default: told by the content)"
    )
    parser.add_argument("--unimarc", action="store_true", help="the ISO 2709 files are UNIMARC")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar on the terminal")


def count_from_1(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 4_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number from 1")
    return int(text)


def shown(name: str) -> str:
    """A name of a file as text that can be printed and written: bytes that are no UTF-8 as \\xNN, no control characters."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def is_address(name: str) -> bool:
    return "://" in name and not Path(name).exists()


def shown_file(name: str) -> str:
    """As `shown`, without the password of an address."""
    if name == "-":
        return "(standard input)"
    if is_address(name):
        parts = urlsplit(name)
        name = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    return shown(name)


def check_files(names: list[str]) -> None:
    """All are there and can be read, as far as that can be known before.

    Raises:
        UsageError: of all that are wrong, a line each.
    """
    wrong = [said for name in names if (said := _what_is_wrong(name))]
    if names.count("-") > 1:
        wrong.append("-: standard input can be read once")
    if wrong:
        raise UsageError("\n".join(wrong))


def _what_is_wrong(name: str) -> str:
    if name == "-" or is_address(name):
        return ""
    try:
        kind = Path(name).stat().st_mode
        if stat.S_ISDIR(kind):
            return f"{shown(name)}: is a directory; name the files in it, as {shown(name).rstrip('/')}/*.mrc"
        if stat.S_ISREG(kind):
            with Path(name).open("rb"):
                pass
    except FileNotFoundError:
        return f"{shown(name)}: no such file"
    except (OSError, ValueError) as error:
        return f"{shown(name)}: can't be read: {getattr(error, 'strerror', None) or error}"
    return ""


class _Counted:
    """A stream that says how much was read of it, and whose errors name the file."""

    def __init__(self, stream: Any, given: str, file: str, progress: _Progress) -> None:
        self.name = _last_of(given)
        self._given = given
        self._stream, self._file, self._progress = stream, file, progress

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except Exception as error:  # file systems of addresses raise what they like
            raise UsageError(
                f"{self._file}: reading stopped: {_said(error, self._given)}; nothing after it was read"
            ) from error
        self._progress.advance(len(data))
        return bytes(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def seekable(self) -> bool:
        return bool(self._stream.seekable())


def _said(error: Exception, name: str) -> str:
    """What the error says, without the password that an address may hold."""
    said = str(getattr(error, "strerror", None) or error or type(error).__name__)
    if is_address(name):
        said = said.replace(name, shown_file(name)).replace(urlsplit(name).netloc.rpartition("@")[0] or name, "…")
    return shown(said)


class _Progress:
    """A bar of the bytes read, on standard error, where that is a terminal."""

    def __init__(self, total: int | None, wanted: bool) -> None:
        self._bar: Any = None
        if not wanted:
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (
            TextColumn("{task.fields[file]}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5)
        self._total = total
        self._done = 0
        self._task = self._bar.add_task("", total=total, file="")
        self._bar.start()

    def file(self, name: str) -> None:
        if self._bar:
            self._bar.update(self._task, file=name if len(name) < 40 else "…" + name[-38:])

    def advance(self, size: int) -> None:
        if self._bar:
            # An archive's directory is read before its files are.
            self._done = min(self._done + size, self._total or self._done + size)
            self._bar.update(self._task, completed=self._done)

    def stop(self) -> None:
        if self._bar:
            self._bar.stop()


def read_files(arguments: argparse.Namespace, *, streams: bool = False) -> Iterator[Piece]:
    """Blocks of all files, in order. streams: the result goes to standard output meanwhile, so a bar would be in its way.

    Raises:
        UsageError: a file can't be opened or read.
    """
    names: list[str] = arguments.files
    check_files(names)
    terminal = sys.stderr.isatty() and not (streams and sys.stdout.isatty())
    progress = _Progress(_total(names), terminal and not arguments.no_progress)
    try:
        yield from _read_files(arguments, names, progress)
    finally:
        progress.stop()


def _total(names: list[str]) -> int | None:
    if not all(name != "-" and Path(name).is_file() for name in names):
        return None
    return sum(Path(name).stat().st_size for name in names)


def _read_files(arguments: argparse.Namespace, names: list[str], progress: _Progress) -> Iterator[Piece]:
    from holdfast.marc.encoding import MARC21, UNIMARC
    from holdfast.marc.reading import read

    reading = UNIMARC if arguments.unimarc else MARC21
    before = 0
    for name in names:
        file = shown_file(name)
        progress.file(file)
        count = 0
        with _opened(name, file) as stream:
            counted = _Counted(stream, name, file, progress)
            frames = read(cast("BinaryIO", counted), format=arguments.format, first_record=before + 1, reading=reading)
            for each in frames:
                part = cast("Part", each)
                inner = part.file.removeprefix(counted.name) if part.file.startswith(counted.name + "/") else ""
                if part.records.height:
                    yield Piece(file + shown(inner), part, before)
                count += part.records.height
        before += count


def _last_of(name: str) -> str:
    if name == "-":
        return "stdin"
    return PurePosixPath(urlsplit(name).path if is_address(name) else name).name or "stream"


@contextlib.contextmanager
def _opened(name: str, file: str) -> Iterator[Any]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            if is_address(name):
                import fsspec

                stream = stack.enter_context(fsspec.open(name, "rb"))
            else:
                stream = stack.enter_context(Path(name).open("rb"))
        except Exception as error:  # as above
            raise UsageError(f"{file}: can't be opened: {_said(error, name)}") from error
        yield stream
