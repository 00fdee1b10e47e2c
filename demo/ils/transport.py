"""uvicorn's HTTP/1.1 protocol, with a way to the TCP connection: a fault has to close it under the client's hands."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 5000
OPEN: dict[tuple[str, int], asyncio.Transport] = {}


class ReachableProtocol(H11Protocol):
    """Keeps the open connections by the client's address, as it is in `scope["client"]`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)  # as uvicorn takes it to be
        super().connection_made(connection)
        if self.client is not None:
            OPEN[self.client] = connection

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            OPEN.pop(self.client, None)
        super().connection_lost(exc)


async def cut(client: tuple[str, int], flush: bool) -> None:
    """Close a client's connection; `flush`: after what was written so far has gone out."""
    transport = OPEN.get(client)
    if transport is None:
        return
    if flush:
        transport.close()
    else:
        transport.abort()
    for _ in range(PATIENCE):  # until connection_lost: else uvicorn would answer 500 for the missing answer
        if client not in OPEN:
            return
        await asyncio.sleep(0.001)
    transport.abort()  # a client that does not read what it is sent
    await asyncio.sleep(0.01)
