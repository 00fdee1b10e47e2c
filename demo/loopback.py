"""A server of the demo on loopback: on a port that is given or a free one, which is told once it listens."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from demo.ils.transport import ReachableProtocol


def listen(port: int) -> socket.socket:
    """0: a free port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def serve(app: ASGIApp, listener: socket.socket, **more: Any) -> None:
    """Until it is stopped or killed. `more`: uvicorn's options."""
    config = uvicorn.Config(app, http=ReachableProtocol, ws="none", log_level="critical", access_log=False, **more)
    uvicorn.Server(config).run(sockets=[listener])


def tell(listener: socket.socket, port_file: Path | None) -> None:
    """The address to who looks on, and the port into a file that is there whole or not at all."""
    port = listener.getsockname()[1]
    if port_file:
        part = port_file.with_name(port_file.name + ".part")
        part.write_text(f"{port}\n", encoding="ascii")
        part.replace(port_file)
    sys.stdout.write(f"listening on http://127.0.0.1:{port}\n")
    sys.stdout.flush()
