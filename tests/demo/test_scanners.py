"""The eSCL scanner over HTTP, and the hot folder that fills up."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from lxml import etree
from PIL import Image

from demo.samples import pages
from demo.scanner.escl import NAMESPACES, BadSettings, Settings
from demo.scanner.hot_folder import fill

SETTINGS = """<?xml version="1.0"?>
<scan:ScanSettings xmlns:scan="{scan}" xmlns:pwg="{pwg}">
  <pwg:Version>2.97</pwg:Version>
  <scan:ColorMode>{mode}</scan:ColorMode>
  <scan:XResolution>{dpi}</scan:XResolution><scan:YResolution>{dpi}</scan:YResolution>
  <pwg:DocumentFormat>{format}</pwg:DocumentFormat>
</scan:ScanSettings>"""


def settings(mode: str = "Grayscale8", dpi: str = "100", document_format: str = "image/jpeg") -> bytes:
    return SETTINGS.format(**NAMESPACES, mode=mode, dpi=dpi, format=document_format).encode()


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("feeder")
    for name, data in pages.small_batch().items():
        (folder / Path(name).name).write_bytes(data)
    command = [sys.executable, "-m", "demo.scanner.escl", "--pages", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        with httpx.Client(base_url=process.stdout.readline().split()[-1], timeout=30) as client:
            yield client
        process.kill()


def test_capabilities_and_status_are_in_the_right_namespaces(scanner: httpx.Client) -> None:
    root = etree.fromstring(scanner.get("/eSCL/ScannerCapabilities").content)
    assert root.tag == f"{{{NAMESPACES['scan']}}}ScannerCapabilities"
    assert root.findtext("pwg:MakeAndModel", namespaces=NAMESPACES)
    assert "Grayscale8" in [mode.text for mode in root.iterfind(".//scan:ColorMode", NAMESPACES)]
    status = etree.fromstring(scanner.get("/eSCL/ScannerStatus").content)
    assert status.findtext("pwg:State", namespaces=NAMESPACES) in ("Idle", "Processing")


@pytest.mark.parametrize(
    ("mode", "dpi", "document_format", "picture"),
    [
        ("Grayscale8", 100, "image/jpeg", "L"),
        ("RGB24", 75, "image/png", "RGB"),
        ("BlackAndWhite1", 150, "image/tiff", "1"),
    ],
)
def test_a_job_gives_each_page_as_asked_until_the_feeder_is_empty(
    scanner: httpx.Client, mode: str, dpi: int, document_format: str, picture: str
) -> None:
    created = scanner.post("/eSCL/ScanJobs", content=settings(mode, str(dpi), document_format))
    assert created.status_code == 201
    job = created.headers["location"]
    count = 0
    while (answer := scanner.get(f"{job}/NextDocument")).status_code == 200:
        count += 1
        assert answer.headers["content-type"] == document_format
        with Image.open(io.BytesIO(answer.content)) as image:
            assert image.mode == picture
            assert image.width == pages.WIDTH * dpi // pages.DPI
    assert (answer.status_code, count) == (404, len(pages.small_batch()))


def test_a_busy_scanner_says_so(scanner: httpx.Client) -> None:
    assert scanner.post("/_demo/busy", json={"times": 2}).status_code == 204
    answers = [scanner.post("/eSCL/ScanJobs", content=settings()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 201]
    assert answers[0].headers["retry-after"] == "1"


def test_a_canceled_job_gives_no_more_pages(scanner: httpx.Client) -> None:
    job = scanner.post("/eSCL/ScanJobs", content=settings()).headers["location"]
    assert scanner.get(f"{job}/NextDocument").status_code == 200
    assert scanner.delete(job).status_code == 200
    assert scanner.get(f"{job}/NextDocument").status_code == 404


@pytest.mark.parametrize(
    "data",
    [b"", b"<x/>", settings("Sepia"), settings(dpi="99"), settings(document_format="application/pdf"),
     b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><scan:ScanSettings xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03"><scan:ColorMode>&e;</scan:ColorMode></scan:ScanSettings>'],
)  # fmt: skip
def test_settings_that_cannot_be_met_are_refused(data: bytes) -> None:
    try:
        read = Settings.read(data)
    except BadSettings as refusal:
        assert str(refusal)
    else:
        assert read == Settings(), "an entity was resolved"


def test_the_manifest_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = pages.small_batch()
    seen: list[bool] = []
    monkeypatch.setattr(
        "demo.scanner.hot_folder.time.sleep", lambda _: seen.append((tmp_path / "b1/manifest.json").exists())
    )
    manifest = fill(tmp_path, "b1", batch, seconds_a_file=1.0)
    assert len(seen) > len(batch) and not any(seen)
    declared = json.loads(manifest.read_text())
    assert declared["id"] == "b1"
    for entry in declared["file_paths"]:
        assert (tmp_path / "b1" / entry["path"]).read_bytes() == batch[entry["path"]]
    assert not list(tmp_path.rglob("*.part"))
