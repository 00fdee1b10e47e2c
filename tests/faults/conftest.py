"""Impatience: what waits between attempts waits hundredths of a second."""

from __future__ import annotations

import time

import pytest

from resources.ils.folio import FolioClient
from resources.ledger.commit import Committer


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    def shorter(seconds: float) -> None:
        time.sleep(min(seconds, 0.02))

    for waiting in (FolioClient.__init__, Committer.__init__):
        monkeypatch.setitem(waiting.__kwdefaults__, "sleep", shorter)
