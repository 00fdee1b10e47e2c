"""A real ILS in a process of its own, spoken to over a real socket."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
TEST_DATA = Path(os.environ.get("HOLDFAST_TEST_DATA", ROOT.parent / "shared" / "data"))
TYPE_ID = "8261054f-be78-422d-bd51-4ed9f33c3422"


class RunningIls:
    """The process, and a client of it that has logged in."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.options = options
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "demo.ils", "--data", str(self.data), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        self.http = httpx.Client(base_url=self.url, headers={"X-Okapi-Tenant": "demo"}, timeout=30)
        self.login()

    def login(self) -> httpx.Response:
        answer = self.http.post("/authn/login-with-expiry", json={"username": "demo", "password": "demo-secret"})
        assert answer.status_code == 201
        return answer

    def kill(self) -> None:
        self.http.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def snapshot(self) -> str:
        snapshot_id = str(uuid.uuid4())
        body = {"jobExecutionId": snapshot_id, "status": "PARSING_IN_PROGRESS"}
        assert self.http.post("/source-storage/snapshots", json=body).status_code == 201
        return snapshot_id

    def audit(self) -> list[dict[str, Any]]:
        return self.http.get("/_demo/audit").json()["entries"]

    def state(self) -> dict[str, int]:
        return self.http.get("/_demo/state").json()


@pytest.fixture(scope="session")
def shared_ils(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningIls]:
    running = RunningIls(tmp_path_factory.mktemp("ils"))
    yield running
    running.kill()


@pytest.fixture
def ils(shared_ils: RunningIls) -> RunningIls:
    """The session's ILS, empty."""
    assert shared_ils.http.post("/_demo/reset").status_code == 204
    return shared_ils


@pytest.fixture
def own_ils(tmp_path: Path) -> Iterator[Callable[..., RunningIls]]:
    """Starts an ILS for this test alone."""
    started: list[RunningIls] = []

    def start(*options: str) -> RunningIls:
        started.append(RunningIls(tmp_path / "ils", *options))
        return started[-1]

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def instance() -> Callable[..., dict[str, Any]]:
    def make(title: str = "Ulysses", **more: Any) -> dict[str, Any]:
        return {"id": str(uuid.uuid4()), "source": "MARC", "title": title, "instanceTypeId": TYPE_ID, **more}

    return make


@pytest.fixture
def marc_record() -> Callable[..., dict[str, Any]]:
    def make(snapshot: str, title: str = "Ulysses", **more: Any) -> dict[str, Any]:
        fields = [
            {"001": "in1"},
            {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": f"{title} /"}, {"c": "James Joyce."}]}},
            {"650": {"ind1": " ", "ind2": "0", "subfields": [{"a": "Dublin (Ireland)"}, {"v": "Fiction."}]}},
        ]
        record = {
            "id": str(uuid.uuid4()),
            "snapshotId": snapshot,
            "recordType": "MARC_BIB",
            "rawRecord": {"content": "raw"},
            "parsedRecord": {"content": {"leader": "00000nam a2200000 i 4500", "fields": fields}},
            "externalIdsHolder": {"instanceId": str(uuid.uuid4())},
        }
        return record | more

    return make


@pytest.fixture(scope="session")
def test_data() -> Path:
    if not TEST_DATA.is_dir():
        pytest.skip(f"no test data at {TEST_DATA} (HOLDFAST_TEST_DATA)")
    return TEST_DATA
