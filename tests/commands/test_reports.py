"""`holdfast reports` serves the reports of one folder to this machine, and nothing else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from commands.processes import wait_for_file
from resources.reports.client import ReportFolder
from tests.conftest import ROOT


@contextlib.contextmanager
def served(port_file: Path, port: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "commands.main", "reports", "--port", port, "--port-file", str(port_file)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{wait_for_file(port_file, psutil.Process(process.pid), 60)}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    reports = tmp_path / "var" / "reports"
    ReportFolder(reports).write_quality("ebooks", "2026-01-05", "<!DOCTYPE html><p>five")
    ReportFolder(reports).write_plan("ebooks", "2026-01-05", "ab" * 32, "<!DOCTYPE html><p>the plan")
    (reports / "secret.txt").write_text("secret")
    (tmp_path / "var" / "secret.html").write_text("secret")
    (reports / "quality/ebooks/2026-01-06.html").symlink_to(tmp_path / "var" / "secret.html")
    with served(tmp_path / "port", "0") as found:
        yield found


def test_a_port_that_another_took_meanwhile_stops_nobody(address: str, tmp_path: Path) -> None:
    with served(tmp_path / "another", address.rpartition(":")[2]) as other:
        assert other != address and httpx.get(f"{other}/").status_code == 200


def test_the_reports_are_served_and_nothing_else(address: str) -> None:
    answer = httpx.get(f"{address}/quality/ebooks/2026-01-05.html")
    assert answer.status_code == 200 and "five" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{address}/quality/ebooks/latest.html").text == answer.text
    listing = httpx.get(f"{address}/").text
    assert 'href="/quality/ebooks/2026-01-05.html"' in listing
    plan = "/plans/ebooks/2026-01-05-abababababab.html"
    assert f'href="{plan}"' in listing and "the plan" in httpx.get(address + plan).text
    for path in (
        "/plans/ebooks/2026-01-05-cdcdcdcdcdcd.html",
        "/plans/ebooks/..%2F..%2Fsecret.txt",
        "/secret.txt",
        "/quality/ebooks/2026-01-07.html",
        "/quality/../secret.txt",
        "/quality/ebooks/..%2F..%2Fsecret.txt",
        "/%2e%2e/secret.html",
        "/quality/ebooks/2026-01-06.html",  # a link that leads out of the folder
        "/quality/ebooks/2026-01-05.html%00",
    ):
        answer = httpx.get(address + path)
        assert answer.status_code == 404 and "secret" not in answer.text, path
    assert httpx.post(f"{address}/quality/ebooks/2026-01-05.html").status_code == 405
    assert httpx.get(f"{address}/", headers={"Host": "evil.example"}).status_code == 400
