"""The demo ILS as a process of its own, for tests that load into it, break it and kill it."""

from __future__ import annotations

from typing import Any

import httpx

from demo.samples.seed import seed_store
from tests.demo_server import DemoServer, texts


class DemoIls(DemoServer):
    module = "demo.ils"

    def seed(self) -> None:
        """The sample catalogue."""
        seed_store(self._folder / "ils.sqlite")

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
        return texts(found["parsedRecord"]["content"]["fields"])
