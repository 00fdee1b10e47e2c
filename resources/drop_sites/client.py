"""What lies on vendors' servers, and streams of it that go on where the connection broke.

Files are only read: nothing is renamed, moved or deleted at the vendor's. Names come as they are on the server (bytes that
are not UTF-8 as surrogates, PEP 383) and never become part of a path here. Of a folder its plain files count: no links, no
folders below it, nothing hidden.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol
from urllib.parse import urlsplit

from holdfast.environment import Environment
from holdfast.harvest.file_names import day_in_name, is_unfinished, refusal, shown_name
from holdfast.settings import Settings, Source
from resources.drop_sites.errors import BROKEN, DropChanged, SiteUnreachable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LONGEST_PAUSE = 60.0
_READ = 65_536  # what a break can cost


@dataclass(frozen=True)
class SiteFile:
    """A file on a server.

    Attributes:
        state: changes when the file does: length with time of change, or the ETag.
        modified: with time zone; None where the server does not say.
    """

    name: str
    size: int
    state: str
    modified: dt.datetime | None


class Connection(Protocol):
    """An open connection to a folder on a server."""

    def files(self) -> Iterator[SiteFile]: ...

    def stat(self, name: str) -> SiteFile: ...

    def open(self, name: str, offset: int) -> BinaryIO: ...

    def close(self) -> None: ...


class Listing(NamedTuple):
    """files: those that count, finished or not, with their day. refused: why others can't be taken, for people."""

    files: list[tuple[SiteFile, dt.date]]
    refused: list[str]


class DropSite:
    """The remote folder of one source."""

    def __init__(
        self,
        name: str,
        source: Source,
        connect: Callable[[], Connection],
        *,
        timezone: dt.tzinfo,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._source = source
        self._connect = connect
        self._timezone = timezone
        self._sleep = sleep

    @property
    def address(self) -> str:
        """For people; settings refuse addresses with a password."""
        return self._source.url

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            connection = self._connect()
        except BROKEN as error:
            raise SiteUnreachable(f"{self.address}: {error}") from error
        try:
            yield connection
        finally:
            connection.close()

    def listing(self) -> Listing:
        """What lies there now.

        Raises:
            SiteUnreachable: the server does not answer, refuses us, or has another host key.
        """
        files, refused = [], []
        with self._connected() as connection:
            try:
                found = sorted(connection.files(), key=lambda each: each.name)
            except BROKEN as error:
                raise SiteUnreachable(f"{self.address}: {error}") from error
        for each in found:
            matches = fnmatch.fnmatchcase(each.name, self._source.pattern) or is_unfinished(each.name)
            why = refusal(each.name)
            if not matches or (each.name.startswith(".") and not why):
                continue
            day = None if why else self._day(each)
            if day is None:
                why = why or (
                    "no day in its name, and the server does not say when it was changed; set file_day"
                    if not self._source.file_day
                    else f"file_day finds no day in its name ({self._source.file_day})"
                )
                refused.append(f"{self.name}: {shown_name(each.name)} is not taken: {why}")
            else:
                files.append((each, day))
        return Listing(files, refused)

    def _day(self, file: SiteFile) -> dt.date | None:
        if self._source.file_day:
            return day_in_name(self._source.file_day, file.name)
        return file.modified.astimezone(self._timezone).date() if file.modified else None

    def open(self, file: SiteFile) -> BinaryIO:
        """The file as a stream of `file.size` bytes. A broken connection is made anew and the stream goes on.

        Raises:
            DropChanged: on reading, where the file is not what was listed any more.
            SiteUnreachable: on reading, after `retries` attempts without a byte.
        """
        raw = _ResumingStream(file, self._connect, self._source.retries, self._sleep, self.address)
        return io.BufferedReader(raw, 1 << 20)


class _ResumingStream(io.RawIOBase):
    def __init__(
        self,
        file: SiteFile,
        connect: Callable[[], Connection],
        retries: int,
        sleep: Callable[[float], None],
        address: str,
    ) -> None:
        self._file = file
        self._connect = connect
        self._retries = retries
        self._sleep = sleep
        self._address = address
        self._position = 0
        self._failures = 0
        self._stack = ExitStack()
        self._stream: BinaryIO | None = None
        self._connection: Connection | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        while True:
            try:
                data = self._opened().read(min(len(into), _READ, self._file.size - self._position + 1))
                if not data:
                    self._check_end()
                    return 0
            except DropChanged:
                raise
            except BROKEN as error:
                self._broken(error)
                continue
            self._failures = 0
            self._position += len(data)
            if self._position > self._file.size:
                raise DropChanged(f"{self._where}: has grown since it was listed; it is taken once it is still")
            into[: len(data)] = data
            return len(data)

    @property
    def _where(self) -> str:
        return f"{self._address}: {shown_name(self._file.name)}"

    def _opened(self) -> BinaryIO:
        if self._stream is None:
            self._connection = self._connect()
            self._stack.callback(_quietly, self._connection.close)
            if self._position:
                self._check_state(self._connection)
            self._stream = self._connection.open(self._file.name, self._position)
            self._stack.callback(_quietly, self._stream.close)
        return self._stream

    def _check_state(self, connection: Connection) -> None:
        try:
            found = connection.stat(self._file.name).state
        except FileNotFoundError:
            found = "it is gone"
        if found != self._file.state:
            raise DropChanged(f"{self._where}: changed while it was fetched ({self._file.state} before, now {found})")

    def _check_end(self) -> None:
        """The stream ended: so must the file, and it must be what was listed."""
        if self._position < self._file.size:
            # An end of a data connection looks like a broken one: what the server has now says which it is.
            raise ConnectionError(f"ended after {self._position:,} of {self._file.size:,} bytes")
        self._stack.close()
        self._stream = None
        connection = self._connect()
        try:
            self._check_state(connection)
        finally:
            _quietly(connection.close)

    def _broken(self, error: Exception) -> None:
        self._stack.close()
        self._stream = None
        self._failures += 1
        if self._failures > self._retries:
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise SiteUnreachable(
                f"{self._where}: broke {self._failures} times at byte {self._position:,} ({said}); it is fetched from the "
                "start at the next run"
            ) from error
        self._sleep(min(2.0 ** (self._failures - 1), _LONGEST_PAUSE))

    def close(self) -> None:
        self._stack.close()
        super().close()


def _quietly(close: Callable[[], None]) -> None:
    try:
        close()
    except BROKEN:  # it is closed, then
        return


class DropSites:
    """The remote folders of all sources."""

    def __init__(
        self, settings: Settings, environment: Callable[[], Environment], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._sleep = sleep

    def of(self, name: str, *, patience: float | None = None) -> DropSite | None:
        """The source's site; None where its drops come into a folder of this machine.

        `patience`: seconds for one answer, if that is less than the source's setting: a sensor's tick has 60 in all.
        """
        source = self._settings.sources[name]
        if patience is not None:
            source = source.model_copy(update={"timeout_seconds": min(patience, source.timeout_seconds)})
        if not source.remote_files:
            return None
        # Imported here: three clients of which an institution needs one, and s3fs takes a second to import.
        from resources.drop_sites import connections

        login = self._environment().login("SOURCE", name)
        root = self._settings.root
        make = {
            "sftp": connections.sftp,
            "ftp": connections.ftp,
            "ftps": connections.ftp,
            "s3": connections.s3,
        }[urlsplit(source.url).scheme]
        zone = dt.UTC if self._settings.library.timezone == "UTC" else _zone(self._settings.library.timezone)
        return DropSite(name, source, lambda: make(source, login, root), timezone=zone, sleep=self._sleep)


def _zone(name: str) -> dt.tzinfo:
    import zoneinfo

    return zoneinfo.ZoneInfo(name)
