"""What a program asks the demo's log for is all that was asked of the demo before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.ils.gateway import RequestLog
from demo.ils.store import Store

ROW = ("2026-01-01T00:00:00Z", "GET", "/users", 200, 1, "request", "[]", None, "{}")


def test_a_read_waits_for_rows_that_are_just_being_written(tmp_path: Path, monkeypatch: Any) -> None:
    store = Store(tmp_path / "ils.sqlite")
    writing, begun, go_on = store.writing, threading.Event(), threading.Event()

    @contextmanager
    def slow() -> Iterator[Any]:
        begun.set()
        assert go_on.wait(20)
        with writing() as found:
            yield found

    log = RequestLog(store)
    monkeypatch.setattr(store, "writing", slow)
    log.add(ROW)
    other = threading.Thread(target=log.flush)
    other.start()
    assert begun.wait(20)
    threading.Timer(0.2, go_on.set).start()
    assert [each["path"] for each in log.read(0, 10)["entries"]] == ["/users"]
    other.join()
    log.close()
    store.close()
