"""The demo Koha as a process of its own, for tests that load into it, break it and kill it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from demo.koha.seed import seed_store
from resources.ils.koha import KohaClient

ROOT = Path(__file__).resolve().parents[1]


class DemoKoha:
    """`python -m demo.koha`. It keeps its data and its port over `kill` and `start`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder, self._options, self._port = folder, options, 0
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        port_file = self._folder / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo.koha", "--data", str(self._folder), "--port", str(self._port)]
            + ["--port-file", str(port_file), *self._options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while not port_file.exists():
            assert self.process.poll() is None, "the demo Koha ended while it started"
            assert time.monotonic() < end, "the demo Koha does not start"
            time.sleep(0.02)
        self._port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self._port}"
        self.name = f"koha:127.0.0.1:{self._port}"
        self._http = httpx.Client(base_url=self.url, timeout=30)
        self._token = ""

    def kill(self) -> None:
        """kill -9."""
        self._http.close()
        self.process.kill()
        self.process.wait()

    def client(self, **more: Any) -> KohaClient:
        return KohaClient(self.url, "demo", "demo-secret", **{"retries": 3, "sleep": lambda _: None, **more})

    def _get(self, path: str, **params: Any) -> Any:
        answer = self._http.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def reset(self) -> None:
        self._http.post("/_demo/reset").raise_for_status()

    def seed(self) -> None:
        """The sample catalogue."""
        seed_store(self._folder / "koha.sqlite")

    def fault(self, kind: str, method: str = "", path: str = "/", **more: Any) -> None:
        rule = {"kind": kind, "match": {"method": method, "path_prefix": path}, **more}
        self._http.post("/_demo/faults", json=[rule]).raise_for_status()

    def clear_faults(self) -> None:
        self._http.delete("/_demo/faults").raise_for_status()

    def hits(self) -> int:
        return sum(rule["hits"] for rule in self._get("/_demo/faults"))

    def edit(self, biblio: str, tag: str, code: str, value: str) -> None:
        """A librarian edits a live record."""
        body = {"biblioId": int(biblio), "tag": tag, "code": code, "value": value}
        self._http.post("/_demo/edit", json=body).raise_for_status()

    def check_in(self, checkout: int) -> None:
        self._http.post("/_demo/checkin", json={"checkoutId": checkout}).raise_for_status()

    def audit(self, *kinds: str) -> list[dict[str, Any]]:
        entries = self._get("/_demo/audit", limit=1_000_000)["entries"]
        return [each for each in entries if not kinds or each["entityType"] in kinds]

    def writes(self, kind: str = "BIBLIO") -> Counter[str]:
        """Correlation id → how many writes of that kind were done for it."""
        return Counter(",".join(each["correlationIds"]) for each in self.audit(kind) if each["user"] == "demo")

    def requests(self) -> list[dict[str, Any]]:
        return self._get("/_demo/requests", limit=1_000_000)["entries"]

    def counts(self) -> dict[str, int]:
        return self._get("/_demo/state")

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
        fields = []
        for each in content["fields"]:
            ((tag, value),) = each.items()
            if not isinstance(value, str):
                value = "".join(f"${code}{text}" for part in value["subfields"] for code, text in part.items())
            fields.append((tag, value))
        return fields
