"""Vendors' servers on loopback: FTP (pyftpdlib), SFTP (paramiko), S3 (moto), each over a folder, each able to break off."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import paramiko
from moto.server import ThreadedMotoServer
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

USER, PASSWORD = "vendor-client", "loopback-only"


class Cuts:
    """`after`: bytes of a transfer after which the connection goes, one entry a time."""

    def __init__(self) -> None:
        self.after: list[int] = []
        self.transfers = 0
        self.read_up_to = 0  # of a file, by an SFTP client
        self.commands: list[str] = []
        self.files: list[Any] = []

    def strike(self, sent: int) -> bool:
        """Whether the connection goes now, after so many bytes."""
        if self.after and sent >= self.after[0]:
            self.after.pop(0)
            return True
        return False


@contextmanager
def ftp_served(handler: type[FTPHandler]) -> Iterator[int]:
    """The port. The thread that polls closes the server, too: closed from another it would poll what is closed."""
    server = ThreadedFTPServer(("127.0.0.1", 0), handler)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        over.set()
        thread.join(10)
        assert not thread.is_alive(), "the FTP server did not end"


@contextmanager
def ftp_server(folder: Path, *, mlsd: bool = True) -> Iterator[tuple[int, Cuts]]:
    cuts = Cuts()

    class CuttingChannel(DTPHandler):
        sent = 0

        def __init__(self, sock: Any, cmd_channel: Any) -> None:
            super().__init__(sock, cmd_channel)
            self.ac_out_buffer_size = 16_384

        def send(self, data: bytes) -> int:  # asynchat's
            if self.cmd_channel.is_file and cuts.strike(self.sent):
                for each in (self.cmd_channel.socket, self.socket):
                    each.shutdown(socket.SHUT_RDWR)
                return 0
            count: int = super().send(data)
            self.sent += count
            return count

    class Handler(FTPHandler):
        is_file = False
        dtp_handler = CuttingChannel
        use_sendfile = False
        auth_failed_timeout = 0
        encoding = "utf-8"

        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            cuts.commands.append(cmd)
            self.is_file = cmd == "RETR"
            cuts.transfers += self.is_file
            super().pre_process_command(line, cmd, arg)

    if not mlsd:
        Handler.proto_cmds = {k: v for k, v in FTPHandler.proto_cmds.items() if k not in ("MLSD", "MLST")}
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder), perm="elr")
    Handler.authorizer = authorizer
    with ftp_served(Handler) as port:
        yield port, cuts


class _Shell(paramiko.ServerInterface):
    def __init__(self, key: paramiko.PKey | None) -> None:
        self._key = key

    def check_auth_password(self, username: str, password: str) -> int:
        fine = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if fine else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        fine = username == USER and key == self._key
        return paramiko.AUTH_SUCCESSFUL if fine else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


def _served(folder: Path, cuts: Cuts) -> type[paramiko.SFTPServerInterface]:
    class Handle(paramiko.SFTPHandle):
        sent = 0

        def read(self, offset: int, length: int) -> bytes:
            if cuts.strike(self.sent):
                self.transport.close()
                return b""
            data: bytes = super().read(offset, length)
            cuts.read_up_to = max(cuts.read_up_to, offset + len(data))
            self.sent += len(data) if isinstance(data, bytes) else 0
            return data

        def stat(self) -> Any:
            return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))

    class Served(paramiko.SFTPServerInterface):
        def __init__(self, server: Any, *args: Any, transport: Any = None, **kwargs: Any) -> None:
            super().__init__(server, *args, **kwargs)
            self._transport = transport

        def _path(self, path: str) -> Path:
            return folder / str(self.canonicalize(path)).lstrip("/")

        def list_folder(self, path: str) -> Any:
            found = []
            for each in self._path(path).iterdir():
                attributes = paramiko.SFTPAttributes.from_stat(each.lstat())
                attributes.filename = each.name
                found.append(attributes)
            return found

        def lstat(self, path: str) -> Any:
            try:
                return paramiko.SFTPAttributes.from_stat(self._path(path).lstat())
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno or 0)

        stat = lstat

        def open(self, path: str, flags: int, attr: Any) -> Any:
            cuts.transfers += 1
            if flags & (os.O_WRONLY | os.O_RDWR):
                return paramiko.SFTP_PERMISSION_DENIED
            try:
                file = self._path(path).open("rb")
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno or 0)
            cuts.files.append(file)
            handle = Handle(flags)
            handle.readfile = file
            handle.transport = self._transport
            return handle

        def remove(self, path: str) -> int:
            cuts.commands.append("remove")
            return paramiko.SFTP_PERMISSION_DENIED

    return Served


class LooseMessage(paramiko.Message):
    """Takes names that are not UTF-8 as well: for `paramiko.sftp_server.Message`."""

    def get_text(self) -> str:
        return os.fsdecode(self.get_string())


class _BytesServer(paramiko.SFTPServer):
    """paramiko's, for names that are not UTF-8."""

    def _read_folder(self, request_number: int, folder: Any) -> None:
        entries = folder._get_next_files()
        if not entries:
            self._send_status(request_number, paramiko.SFTP_EOF)
            return
        message = paramiko.Message()
        message.add_int(request_number)
        message.add_int(len(entries))
        for attributes in entries:
            message.add_string(os.fsencode(attributes.filename))
            message.add_string(b"-")
            attributes._pack(message)
        self._send_packet(104, message)


@contextmanager
def sftp_server(folder: Path, *, client_key: paramiko.PKey | None = None) -> Iterator[tuple[int, paramiko.PKey, Cuts]]:
    """Port, host key, cuts."""
    cuts, host_key = Cuts(), paramiko.ECDSAKey.generate()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(10)
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as OpenSSH does
            transport = paramiko.Transport(connection)
            transports.append(transport)
            transport.add_server_key(host_key)
            transport.set_subsystem_handler("sftp", _BytesServer, _served(folder, cuts), transport=transport)
            try:
                transport.start_server(server=_Shell(client_key))
            except (paramiko.SSHException, EOFError, OSError):
                continue

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], host_key, cuts
    finally:
        _end(listener, thread, transports)
        for transport in transports:
            transport.join(10)
        for file in cuts.files:  # when nobody reads them any more
            file.close()


def _end(listener: socket.socket, accepting: threading.Thread, transports: Sequence[paramiko.Transport] = ()) -> None:
    """What accepts ends before what it listens on is closed: its number may be another socket's by then. A greeting that is
    under way is broken off."""
    with suppress(OSError):  # macOS: not connected
        listener.shutdown(socket.SHUT_RDWR)
    end = time.monotonic() + 60
    while accepting.is_alive() and time.monotonic() < end:
        for transport in list(transports):
            transport.close()
        accepting.join(0.05)
    for transport in transports:
        transport.close()
    listener.close()
    accepting.join(10)
    assert not accepting.is_alive(), "what accepts connections did not end"


@contextmanager
def s3_server() -> Iterator[tuple[str, Any]]:
    """Address, and a client that fills it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        client = boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id=USER,
            aws_secret_access_key=PASSWORD,
            region_name="us-east-1",
        )
        try:
            yield address, client
        finally:
            client.close()
    finally:
        server.stop()


@contextmanager
def cutting_proxy(port: int) -> Iterator[tuple[int, Cuts]]:
    """Passes bytes on to `port`, and closes after so many that came back."""
    cuts = Cuts()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(20)

    def pump(source: socket.socket, target: socket.socket, back: bool) -> None:
        sent = 0
        try:
            while data := source.recv(16_384):
                if back and cuts.strike(sent):
                    break
                target.sendall(data)
                sent += len(data)
        except OSError:
            pass
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            cuts.transfers += 1
            try:
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:  # what is behind it is gone
                client.close()
                continue
            for source, target, back in ((client, server, False), (server, client, True)):
                threading.Thread(target=pump, args=(source, target, back), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], cuts
    finally:
        _end(listener, thread)
