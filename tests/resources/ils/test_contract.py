"""FOLIO's and Koha's adapters against the contract of all adapters, each with its demo system."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from resources.ils.folio import FolioClient
from resources.ils.koha import KohaClient
from tests.demo_ils import DemoIls
from tests.demo_koha import DemoKoha
from tests.resources.ils.contract import IlsContract

TEXT = "6312d172-f0cf-40f6-b27d-9fa8feaf332f"


class Folio:
    write_paths = (("POST", "/instance-storage/batch"), ("POST", "/source-storage/batch"))

    def __init__(self, demo: DemoIls) -> None:
        self._demo, self.opened = demo, ExitStack()
        self.fault = demo.fault

    def client(self) -> FolioClient:
        opened = FolioClient(self._demo.url, "demo", "demo", "demo-secret", retries=3, sleep=lambda _: None)
        self.opened.callback(opened.close)
        return opened

    def add(self, title: str) -> str:
        instance, record, snapshot = (str(uuid.uuid4()) for _ in range(3))
        self._done("POST", "/source-storage/snapshots", {"jobExecutionId": snapshot, "status": "PARSING_IN_PROGRESS"})
        body = {"id": instance, "source": "MARC", "title": title, "instanceTypeId": TEXT}
        self._done("POST", "/instance-storage/instances", body)
        fields = [{"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": title}]}}]
        content = {"leader": "00000nam a2200000 i 4500", "fields": fields}
        marc = {"id": record, "snapshotId": snapshot, "recordType": "MARC_BIB", "rawRecord": {"content": "raw"}}
        marc |= {"parsedRecord": {"content": content}, "externalIdsHolder": {"instanceId": instance}}
        self._done("POST", "/source-storage/records", marc)
        return instance

    def _done(self, method: str, path: str, body: Any = None) -> None:
        self._demo.call(method, path, json=body).raise_for_status()

    def edit(self, target: str, tag: str, code: str, value: str) -> None:
        self._demo.edit(target, tag, code, value)

    def delete(self, target: str) -> None:
        self._done("DELETE", f"/source-storage/records/{target}?idType=INSTANCE")
        self._done("DELETE", f"/instance-storage/instances/{target}")

    def marc(self, target: str) -> list[tuple[str, str]]:
        return self._demo.marc(target)

    def titles(self) -> list[str]:
        return [each["title"] for each in self._demo.instances()]

    def suppressed(self, target: str) -> bool:
        return any(each["id"] == target and each.get("discoverySuppress") for each in self._demo.instances())

    def writes(self) -> dict[str, int]:
        return {key: count for key, count in self._demo.writes("MARC_BIB").items() if key}


class Koha:
    write_paths = (("POST", "/api/v1/biblios"), ("PUT", "/api/v1/biblios"))

    def __init__(self, demo: DemoKoha) -> None:
        self._demo, self.opened = demo, ExitStack()
        self.fault, self.add, self.edit, self.marc = demo.fault, demo.add, demo.edit, demo.marc

    def client(self) -> KohaClient:
        opened = self._demo.client()
        self.opened.callback(opened.close)
        return opened

    def delete(self, target: str) -> None:
        self._demo.call("DELETE", f"/biblios/{target}").raise_for_status()

    def titles(self) -> list[str]:
        return list(self._demo.titles().values())

    def suppressed(self, target: str) -> bool:
        return any(tag == "942" and "$n1" in text for tag, text in self.marc(target))

    def writes(self) -> dict[str, int]:
        return {key: count for key, count in self._demo.writes().items() if key}


class TestFolio(IlsContract):
    @pytest.fixture
    def system(self, demo_ils: DemoIls) -> Iterator[Folio]:
        system = Folio(demo_ils)
        with system.opened:
            yield system


class TestKoha(IlsContract):
    @pytest.fixture
    def system(self, demo_koha: DemoKoha) -> Iterator[Koha]:
        system = Koha(demo_koha)
        with system.opened:
            yield system
