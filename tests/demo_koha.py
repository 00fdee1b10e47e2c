"""The demo Koha as a process of its own, for tests that load into it, break it and kill it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx

from demo.koha.seed import seed_store
from resources.ils.koha import KohaClient
from tests.demo_server import DemoServer, texts


class DemoKoha(DemoServer):
    module = "demo.koha"

    def start(self) -> None:
        super().start()
        self.name = f"koha:127.0.0.1:{self._port}"
        self._token = ""

    def client(self, **more: Any) -> KohaClient:
        return KohaClient(self.url, "demo", "demo-secret", **{"retries": 3, "sleep": lambda _: None, **more})

    def seed(self) -> None:
        """The sample catalogue."""
        seed_store(self._folder / "koha.sqlite")

    def edit(self, biblio: str, tag: str, code: str, value: str) -> None:
        """A librarian edits a live record."""
        body = {"biblioId": int(biblio), "tag": tag, "code": code, "value": value}
        self._http.post("/_demo/edit", json=body).raise_for_status()

    def check_in(self, checkout: int) -> None:
        self._http.post("/_demo/checkin", json={"checkoutId": checkout}).raise_for_status()

    def writes(self, kind: str = "BIBLIO") -> Counter[str]:
        return super().writes(kind)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request of the API, as of a librarian's own program."""
        if not self._token:
            form = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": "demo-secret"}
            self._token = self._http.post("/api/v1/oauth/token", data=form).json()["access_token"]
        headers = {"Authorization": f"Bearer {self._token}", **more.pop("headers", {})}
        return self._http.request(method, f"/api/v1{path}", headers=headers, **more)

    def add(self, title: str, *fields: dict[str, Any]) -> str:
        """A biblio that a librarian made; its id."""
        whole = [{"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": title}]}}, *fields]
        body = {"leader": "00000nam a2200000 i 4500", "fields": whole}
        headers = {"Content-Type": "application/marc-in-json", "x-confirm-not-duplicate": "1"}
        answer = self.call("POST", "/biblios", json=body, headers=headers)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def titles(self) -> dict[str, str]:
        """id → title of all biblios."""
        rows = self.call("GET", "/biblios", params={"_per_page": -1}).json()
        return {str(each["biblio_id"]): each["title"] for each in rows}

    def marc(self, biblio: str) -> list[tuple[str, str]]:
        """(tag, text); subfields as $a…"""
        content = self.call("GET", f"/biblios/{biblio}", headers={"Accept": "application/marc-in-json"}).json()
        return texts(content["fields"])
