"""The whole platform, started as a user starts it, once for all tests of this folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands.graphql import DagsterApi
from tests.conftest import ROOT, SALT
from tests.records import book


@dataclass
class Platform:
    """A running `holdfast run`: the UI's address, its GraphQL API, its folder, what it printed, its environment."""

    url: str
    api: DagsterApi
    var: Path
    printed: str
    environ: dict[str, str]


def _lines_until(log: Path, process: subprocess.Popen[bytes], pattern: str, seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = log.read_text()
        if re.search(pattern, text):
            return text
        if process.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail(f"holdfast run did not come so far ({pattern}):\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, redis_url: str) -> Iterator[Platform]:
    var = tmp_path_factory.mktemp("var")
    own = var / "drops" / "marc" / "own"
    own.mkdir(parents=True)
    (own / "mine.mrc").write_bytes(book("1", "My own book") + book("2", "My other book") + b"00050nonsense\x1d")
    log = var / "run.log"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_ILS")}
    environ |= {
        "HOLDFAST_VAR": str(var),
        "HOLDFAST_POSTGRES_URL": postgres_url,
        "HOLDFAST_REDIS_URL": redis_url,
        "HOLDFAST_MASKING_SALT": SALT,
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "commands.main", "run", "--port", "0"],
            cwd=ROOT, env=environ, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            printed = _lines_until(log, process, r"the UI is at \S+", 900)
            url = re.search(r"the UI is at (\S+)", printed).group(1)
            api = DagsterApi(url)
            yield Platform(url, api, var, printed, environ)
            api.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
