"""The demo repository on loopback, in a thread, with its store in the test's hands."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from demo.ils.transport import ReachableProtocol
from demo.repository.app import Repository
from demo.repository.content import marcxml, oai_dc
from demo.repository.store import Item, Store


class DemoRepository(Repository):
    """`url` of OAI-PMH, `sru_url` of SRU."""

    def __init__(self, *, page_items: int = 10) -> None:
        super().__init__(Store(), page_items=page_items)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.url, self.sru_url = f"{self.address}/oai", f"{self.address}/sru"
        config = uvicorn.Config(self.app, http=ReachableProtocol, ws="none", log_level="critical", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the demo repository did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive(), "the demo repository did not end"
        self._listener.close()

    def fault(self, kind: str, **more: object) -> None:
        self.faults.add([{"kind": kind, **more}])

    def book(
        self,
        number: str,
        at: dt.datetime,
        title: str = "Bleak house",
        *,
        org: str = "XX-Test",
        sets: tuple[str, ...] = (),
    ) -> str:
        """Put a book in; its identifier."""
        import pymarc

        from tests.records import book

        record = next(pymarc.MARCReader(book(number, title, org=org)))
        identifier = f"oai:test:{number}"
        self.store.put(Item(identifier, at, sets, {"marc21": marcxml(record), "oai_dc": oai_dc(title=title)}))
        return identifier


@contextmanager
def running(*, page_items: int = 10) -> Iterator[DemoRepository]:
    repository = DemoRepository(page_items=page_items)
    repository.start()
    try:
        yield repository
    finally:
        repository.stop()
