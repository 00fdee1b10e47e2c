"""The demo ILS as a process of its own, for tests that load into it, break it and kill it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from demo.samples.seed import seed_store

ROOT = Path(__file__).resolve().parents[1]


class DemoIls:
    """`python -m demo.ils`. It keeps its data and its port over `kill` and `start`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._port = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        port_file = self._folder / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo.ils", "--data", str(self._folder), "--port", str(self._port)]
            + ["--port-file", str(port_file), *self._options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while not port_file.exists():
            assert self.process.poll() is None, "the demo ILS ended while it started"
            assert time.monotonic() < end, "the demo ILS does not start"
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

    def seed(self) -> None:
        """The sample catalogue."""
        seed_store(self._folder / "ils.sqlite")

    def fault(self, kind: str, method: str = "", path: str = "/", **more: Any) -> None:
        rule = {"kind": kind, "match": {"method": method, "path_prefix": path}, **more}
        self._http.post("/_demo/faults", json=[rule]).raise_for_status()

    def clear_faults(self) -> None:
        self._http.delete("/_demo/faults").raise_for_status()

    def hits(self) -> int:
        """How often a fault struck."""
        return sum(rule["hits"] for rule in self._get("/_demo/faults"))

    def workload(self, **model: float) -> None:
        """How busy it is from now on: demo/ils/workload.py."""
        self._http.put("/_demo/workload", json=model).raise_for_status()

    def arrivals(self) -> list[tuple[float, int]]:
        """(seconds, 429 or 0) of every request of a program, by the server's own clock."""
        return [(at, status) for at, _, status in self._get("/_demo/workload")["arrivals"]]

    def searches(self) -> list[tuple[float, float]]:
        """(seconds, milliseconds) of every search of a reader."""
        return [(at, took) for at, took in self._get("/_demo/workload")["searches"]]

    def edit(self, instance: str, tag: str, code: str, value: str) -> None:
        """A librarian edits a live record."""
        body = {"instanceId": instance, "tag": tag, "code": code, "value": value}
        self._http.post("/_demo/edit", json=body).raise_for_status()

    def audit(self, *kinds: str) -> list[dict[str, Any]]:
        """Writes in their order, of all kinds or of these."""
        entries = self._get("/_demo/audit", limit=1_000_000)["entries"]
        return [each for each in entries if not kinds or each["entityType"] in kinds]

    def writes(self, kind: str) -> Counter[str]:
        """Correlation id → how many writes of that kind the ILS did for it."""
        return Counter(",".join(each["correlationIds"]) for each in self.audit(kind) if each["user"] == "demo")

    def requests(self) -> list[dict[str, Any]]:
        return self._get("/_demo/requests", limit=1_000_000)["entries"]

    def counts(self) -> dict[str, int]:
        return self._get("/_demo/state")

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request of a logged-in user, as of a librarian's own program."""
        with httpx.Client(base_url=self.url, headers={"X-Okapi-Tenant": "demo"}, timeout=30) as http:
            login = {"username": "demo", "password": "demo-secret"}
            http.post("/authn/login-with-expiry", json=login).raise_for_status()
            return http.request(method, path, **more)

    def instances(self) -> list[dict[str, Any]]:
        return self.call("GET", "/instance-storage/instances", params={"limit": 10_000}).json()["instances"]

    def marc(self, instance: str) -> list[tuple[str, str]]:
        """(tag, text) of the live MARC record; subfields as $a…"""
        found = self.call("GET", f"/source-storage/source-records/{instance}", params={"idType": "INSTANCE"}).json()
        fields = []
        for each in found["parsedRecord"]["content"]["fields"]:
            ((tag, value),) = each.items()
            if not isinstance(value, str):
                value = "".join(f"${code}{text}" for part in value["subfields"] for code, text in part.items())
            fields.append((tag, value))
        return fields
