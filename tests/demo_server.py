"""A server of the demo as a process of its own, for tests that load into it, break it and kill it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]


class DemoServer:
    """`python -m` its module. It keeps its data and its port over `kill` and `start`."""

    module: str

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder, self._options, self._port = folder, options, 0
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        port_file = self._folder / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, "--data", str(self._folder), "--port", str(self._port)]
            + ["--port-file", str(port_file), *self._options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while not port_file.exists():
            assert self.process.poll() is None, f"{self.module} ended while it started"
            assert time.monotonic() < end, f"{self.module} does not start"
            time.sleep(0.02)
        self._port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self._port}"
        self._http = httpx.Client(base_url=self.url, timeout=30)

    def kill(self) -> None:
        """kill -9."""
        self._http.close()
        self.process.kill()
        self.process.wait()

    def _get(self, path: str, **params: Any) -> Any:
        answer = self._http.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def reset(self) -> None:
        self._http.post("/_demo/reset").raise_for_status()

    def fault(self, kind: str, method: str = "", path: str = "/", **more: Any) -> None:
        rule = {"kind": kind, "match": {"method": method, "path_prefix": path}, **more}
        self._http.post("/_demo/faults", json=[rule]).raise_for_status()

    def clear_faults(self) -> None:
        self._http.delete("/_demo/faults").raise_for_status()

    def hits(self) -> int:
        """How often a fault struck."""
        return sum(rule["hits"] for rule in self._get("/_demo/faults"))

    def audit(self, *kinds: str) -> list[dict[str, Any]]:
        """Writes in their order, of all kinds or of these."""
        entries = self._get("/_demo/audit", limit=1_000_000)["entries"]
        return [each for each in entries if not kinds or each["entityType"] in kinds]

    def writes(self, kind: str) -> Counter[str]:
        """Correlation id → how many writes of that kind were done for it."""
        return Counter(",".join(each["correlationIds"]) for each in self.audit(kind) if each["user"] == "demo")

    def requests(self) -> list[dict[str, Any]]:
        return self._get("/_demo/requests", limit=1_000_000)["entries"]

    def counts(self) -> dict[str, int]:
        return self._get("/_demo/state")


def texts(fields: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(tag, text) of MARC-in-JSON; subfields as $a…"""
    found = []
    for each in fields:
        ((tag, value),) = each.items()
        if not isinstance(value, str):
            value = "".join(f"${code}{text}" for part in value["subfields"] for code, text in part.items())
        found.append((tag, value))
    return found
