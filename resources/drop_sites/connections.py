"""SFTP, FTP and S3 by way of fsspec: strict about host keys and certificates, lossless about names."""

from __future__ import annotations

import contextlib
import datetime as dt
import ftplib
import io
import os
import posixpath
import re
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import paramiko
from fsspec.implementations.ftp import FTPFileSystem
from fsspec.implementations.sftp import SFTPFileSystem
from paramiko.sftp import CMD_CLOSE, CMD_NAME, CMD_OPENDIR, CMD_READDIR, SFTPError

from holdfast.environment import Login
from holdfast.settings import Source
from resources.drop_sites.client import Connection, SiteFile
from resources.drop_sites.errors import BROKEN

_READ_AHEAD = 8 << 20
_REQUEST = 32_768
_PREFETCHED = 64  # requests on their way: 2 MiB


# ---- SFTP ---------------------------------------------------------------------------------------------------------------


class _BytesSftp(paramiko.SFTPClient):
    """paramiko decodes names as strict UTF-8: one odd name, and the folder can't be listed."""

    def entries(self, folder: bytes) -> Iterator[tuple[str, paramiko.SFTPAttributes]]:
        kind, message = self._request(CMD_OPENDIR, folder)
        handle = message.get_binary()
        try:
            while True:
                try:
                    kind, message = self._request(CMD_READDIR, handle)
                except EOFError:
                    return
                if kind != CMD_NAME:
                    raise SFTPError("expected names")
                for _ in range(message.get_int()):
                    name, _long = message.get_string(), message.get_string()
                    yield os.fsdecode(name), paramiko.SFTPAttributes._from_msg(message)
        finally:
            self._request(CMD_CLOSE, handle)


class _VerifiedSftp(SFTPFileSystem):
    """Knows the hosts of the file `known_hosts` and no others; takes no keys from an agent or ~/.ssh."""

    cachable = False

    def __init__(self, host: str, *, known_hosts: str, **connecting: Any) -> None:
        self._known_hosts = known_hosts
        super().__init__(host, host_key_policy="reject", **connecting)

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        self.client.load_host_keys(self._known_hosts)
        self.client.set_missing_host_key_policy(self.host_key_policy)
        try:
            self.client.connect(self.host, allow_agent=False, look_for_keys=False, **self.ssh_kwargs)
            transport = self.client.get_transport()
            if transport:  # else each small request waits for the acknowledgement of the one before, 40 ms
                transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened = _BytesSftp.from_transport(transport) if transport else None
        except BaseException:
            self.client.close()
            raise
        if opened is None:
            raise ConnectionError("the server opens no SFTP channel")
        self.ftp = opened


class _Sftp:
    def __init__(self, source: Source, login: Login, root: Path) -> None:
        parts = urlsplit(source.url)
        known_hosts = (root / str(source.known_hosts)).resolve()
        if not known_hosts.is_file():
            raise ConnectionError(f"known_hosts {known_hosts}: no such file; ssh-keyscan {parts.hostname} makes one")
        key = _private_key(login) if login.key else None
        self._fs = _VerifiedSftp(
            parts.hostname or "",
            known_hosts=str(known_hosts),
            port=parts.port or 22,
            username=login.user or None,
            password=None if key else login.password or None,
            pkey=key,
            timeout=source.timeout_seconds,
            banner_timeout=source.timeout_seconds,
            auth_timeout=source.timeout_seconds,
        )
        self._sftp = cast("_BytesSftp", self._fs.ftp)
        channel = self._sftp.get_channel()
        if channel is not None:
            channel.settimeout(source.timeout_seconds)
        # A server shows a login its own folder: an address without a path is that one.
        self._folder = os.fsencode(unquote(parts.path.rstrip("/")) or ".")

    def files(self) -> Iterator[SiteFile]:
        for name, attributes in self._sftp.entries(self._folder):
            if stat.S_ISREG(attributes.st_mode or 0):
                yield _sftp_file(name, attributes)

    def _path(self, name: str) -> Any:
        return self._folder + b"/" + os.fsencode(name)

    def stat(self, name: str) -> SiteFile:
        return _sftp_file(name, self._sftp.lstat(self._path(name)))

    def open(self, name: str, offset: int) -> BinaryIO:
        opened = self._sftp.open(self._path(name), "rb")
        # Its thread dies with the connection, and would say so on stderr: the reader hears of it anyway.
        opened._prefetch_thread = partial(_until_broken, opened._prefetch_thread)
        return cast(BinaryIO, _Ahead(opened, offset))

    def close(self) -> None:
        self._sftp.close()
        self._fs.client.close()


class _Ahead(io.RawIOBase):
    """Asks for so much of the file at once as one window, and for no more before that is read: what paramiko fetches ahead of
    a reader by itself can become the whole file."""

    def __init__(self, opened: paramiko.SFTPFile, offset: int) -> None:
        self._opened, self._position, self._held = opened, offset, memoryview(b"")
        self._size = opened.stat().st_size or 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(partial(self.read, _READ_AHEAD), b""))
        if not self._held and size:
            end = min(self._size, self._position + _PREFETCHED * _REQUEST)
            window = [(at, min(_REQUEST, end - at)) for at in range(self._position, end, _REQUEST)]
            if window:
                self._held = memoryview(b"".join(self._opened.readv(window)))
            else:  # at the end, as it was when it was opened: what is there now says whether it has grown
                self._opened.seek(self._position)
                self._held = memoryview(self._opened.read(_REQUEST))
            self._position += len(self._held)
        data, self._held = bytes(self._held[:size]), self._held[size:]
        return data

    def close(self) -> None:
        if not self.closed:
            self._held = memoryview(b"")
            self._opened.close()
        super().close()


def _until_broken(prefetch: Callable[..., None], *arguments: Any) -> None:
    with contextlib.suppress(*BROKEN):
        prefetch(*arguments)


def _sftp_file(name: str, attributes: paramiko.SFTPAttributes) -> SiteFile:
    seconds = attributes.st_mtime
    modified = None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
    return SiteFile(name, attributes.st_size or 0, f"{attributes.st_size} {seconds}", modified)


def _private_key(login: Login) -> paramiko.PKey:
    """The key from HOLDFAST_SOURCE_NAME_KEY, which holds it or the path of its file; _PASSWORD is its passphrase."""
    text = login.key
    try:
        if "-----BEGIN" not in text:
            text = Path(text).read_text()
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                return kind.from_private_key(io.StringIO(text), login.password or None)
            except paramiko.PasswordRequiredException:
                raise
            except paramiko.SSHException:
                continue
    except (OSError, ValueError, paramiko.SSHException) as error:
        # The text of such an error may have a part of the key in it.
        raise ConnectionError(f"the private key can't be read ({type(error).__name__})") from None
    raise ConnectionError("the private key is none that SSH knows (Ed25519, ECDSA, RSA), or its passphrase is wrong")


def sftp(source: Source, login: Login, root: Path) -> Connection:
    return _Sftp(source, login, root)


# ---- FTP ----------------------------------------------------------------------------------------------------------------


class _VerifiedFtp(FTPFileSystem):
    """FTP, or explicit FTPS whose certificate is checked: fsspec and ftplib check none."""

    def _connect(self) -> None:
        options = {"timeout": self.timeout, "encoding": self.encoding}
        self.ftp = (  # FTP is what some vendors have
            ftplib.FTP_TLS(context=ssl.create_default_context(), **options) if self.tls else ftplib.FTP(**options)  # noqa: S321
        )
        try:
            self.ftp.connect(self.host, self.port)
            self.ftp.login(*self.cred)
        except BaseException:
            self.ftp.close()
            raise


class _Ftp:
    def __init__(self, source: Source, login: Login) -> None:
        parts = urlsplit(source.url)
        self._fs = _VerifiedFtp(
            parts.hostname or "",
            port=parts.port or 21,
            username=login.user,
            password=login.password,
            timeout=source.timeout_seconds,
            # Latin-1 gives each byte of a name one character, and takes it back.
            encoding="latin-1",
            tls=parts.scheme == "ftps",
        )
        self._ftp: ftplib.FTP = self._fs.ftp
        self._folder = os.fsencode(unquote(parts.path.rstrip("/"))).decode("latin-1")

    def files(self) -> Iterator[SiteFile]:
        try:
            found = list(self._ftp.mlsd(self._folder))
        except ftplib.error_perm as error:
            if not str(error).startswith(("500", "501", "502", "504")):
                raise
            yield from self._listed_by_name()  # a server from before RFC 3659
            return
        for name, facts in found:
            if facts.get("type", "").lower() == "file":
                yield _ftp_file(name, int(facts.get("size", 0)), facts.get("modify", ""))

    def _listed_by_name(self) -> Iterator[SiteFile]:
        paths = self._ftp.nlst(self._folder or ".")
        self._ftp.voidcmd("TYPE I")  # sizes in bytes, not in lines; nlst has set the other
        for path in paths:
            name = posixpath.basename(path)
            try:
                size, modify = self._ftp.size(self._on_server(name)), self._mdtm(name)
            except ftplib.error_perm:  # a folder
                continue
            yield _ftp_file(name, size or 0, modify)

    def _mdtm(self, name: str) -> str:
        try:
            return self._ftp.sendcmd(f"MDTM {self._on_server(name)}")[4:]
        except ftplib.error_perm:
            return ""

    def _on_server(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def stat(self, name: str) -> SiteFile:
        for each in self.files():
            if each.name == name:
                return each
        raise FileNotFoundError(name)

    def open(self, name: str, offset: int) -> BinaryIO:
        path = self._on_server(os.fsencode(name).decode("latin-1"))
        self._ftp.voidcmd("TYPE I")
        with self._ftp.transfercmd(f"RETR {path}", offset or None) as connection:
            return cast(BinaryIO, connection.makefile("rb"))  # which holds the connection open until it is closed

    def close(self) -> None:
        self._ftp.close()


def _ftp_file(name: str, size: int, modify: str) -> SiteFile:
    digits = re.match(r"\d{14}", modify)
    modified = dt.datetime.strptime(digits[0], "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC) if digits else None
    return SiteFile(os.fsdecode(name.encode("latin-1")), size, f"{size} {modify}", modified)


def ftp(source: Source, login: Login, root: Path) -> Connection:
    return _Ftp(source, login)


# ---- S3 -----------------------------------------------------------------------------------------------------------------


class _S3:
    def __init__(self, source: Source, login: Login) -> None:
        import s3fs

        parts = urlsplit(source.url)
        self._fs = s3fs.S3FileSystem(
            # Without a login it is the machine's own role (AWS's chain of credentials).
            key=login.user or None,
            secret=login.password or None,
            endpoint_url=source.endpoint or None,
            config_kwargs={
                "connect_timeout": source.timeout_seconds,
                "read_timeout": source.timeout_seconds,
                "retries": {"max_attempts": 1},
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        self._fs.retries = 1  # a stream of ours tries again, and says how often
        self._folder = (parts.netloc + unquote(parts.path)).rstrip("/")

    def files(self) -> Iterator[SiteFile]:
        for each in self._fs.ls(self._folder, detail=True, refresh=True):
            name = each["name"].removeprefix(self._folder + "/")
            if each["type"] == "file" and name and name != each["name"]:
                yield _s3_file(name, each)

    def stat(self, name: str) -> SiteFile:
        return _s3_file(name, self._fs.info(f"{self._folder}/{name}", refresh=True))

    def open(self, name: str, offset: int) -> BinaryIO:
        opened = self._fs.open(f"{self._folder}/{name}", "rb", block_size=_READ_AHEAD, cache_type="readahead")
        opened.seek(offset)
        return cast(BinaryIO, opened)

    def close(self) -> None:
        return


def _s3_file(name: str, found: dict[str, Any]) -> SiteFile:
    tag = str(found.get("ETag", "")).strip('"')
    return SiteFile(name, int(found["size"]), f"{found['size']} {tag}", found.get("LastModified"))


def s3(source: Source, login: Login, root: Path) -> Connection:
    return _S3(source, login)
