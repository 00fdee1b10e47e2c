"""The eSCL client and the drops that it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from lxml import etree

from holdfast.preservation.drop import survey
from resources.scanner.client import EsclScanner, ScannerBusy, ScannerError, parse_xml
from resources.scanner.drop_writer import DropExists, scan_to_drop
from tests.preservation_drops import page_bytes
from tests.resources.scanner.escl import NS, Device

PAGES = [page_bytes(text, format="JPEG") for text in ("one", "two", "three")]


def scanner(device: Device, waits: list[float] | None = None, **options: float) -> EsclScanner:
    slept = waits if waits is not None else []
    return EsclScanner(
        "http://scanner.test/eSCL",
        transport=httpx.MockTransport(device),
        sleep=slept.append,
        **options,
    )


def test_a_feeder_becomes_a_complete_drop(tmp_path: Path) -> None:
    device = Device(PAGES)
    with scanner(device) as client:
        folder, count = scan_to_drop(client, tmp_path, "letters", scanner_id="office")

    found = survey(folder, manifest_limit=10**6, page_limit=10**7)
    assert count == 3 and found.accepted and found.rejections == []
    assert [page.path for page in found.pages] == [f"pages/000{n}.jpg" for n in (1, 2, 3)]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["scanner_model"] == "Office 5" and manifest["resolution_dpi"] == 400
    asked = etree.fromstring(device.bodies[0])
    assert [asked.findtext(f".//{{*}}{name}") for name in ("InputSource", "ColorMode", "XResolution")] == [
        "Feeder", "RGB24", "400",
    ]  # fmt: skip


def test_at_most_so_many_pages_and_the_rest_is_cancelled(tmp_path: Path) -> None:
    device = Device(PAGES)
    with scanner(device) as client:
        assert scan_to_drop(client, tmp_path, "letters", scanner_id="office", pages=2)[1] == 2
    assert device.cancelled == 1 and len(device.pages) == 1


def test_the_glass_gives_a_page_a_job(tmp_path: Path) -> None:
    for device in (Device(PAGES, feeder=False), Device(PAGES, adf="ScannerAdfEmpty")):
        with scanner(device) as client:
            count = scan_to_drop(client, tmp_path, f"b{device.feeder}", scanner_id="office", pages=2)[1]
        assert count == 2 and len(device.bodies) == 2


def test_an_empty_feeder_leaves_no_drop(tmp_path: Path) -> None:
    with scanner(Device([])) as client:
        assert scan_to_drop(client, tmp_path, "letters", scanner_id="office")[1] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_busy_scanner_is_asked_again_after_what_it_said(tmp_path: Path) -> None:
    waits: list[float] = []
    with scanner(Device(PAGES, busy=3), waits) as client:
        assert scan_to_drop(client, tmp_path, "letters", scanner_id="office")[1] == 3
    assert waits == [3.0, 3.0, 3.0]


def test_a_scanner_that_stays_busy_is_given_up(tmp_path: Path) -> None:
    with scanner(Device(PAGES, busy=999), patience_seconds=10) as client, pytest.raises(ScannerBusy, match="busy"):
        scan_to_drop(client, tmp_path, "letters", scanner_id="office")


def test_a_scan_that_breaks_leaves_no_manifest(tmp_path: Path) -> None:
    device = Device(PAGES)
    with scanner(device, page_limit=1000) as client, pytest.raises(ScannerError, match="page above"):
        scan_to_drop(client, tmp_path, "letters", scanner_id="office")
    assert not (tmp_path / "letters" / "manifest.json").exists()
    assert device.cancelled == 1


def test_a_drop_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "pages").mkdir()
    with scanner(Device(PAGES)) as client:
        with pytest.raises(DropExists, match="name another"):
            scan_to_drop(client, tmp_path, "letters", scanner_id="office")
        with pytest.raises(ValueError, match="batch name"):
            scan_to_drop(client, tmp_path, "../letters", scanner_id="office")


def test_a_scanner_that_makes_only_pdf_is_refused(tmp_path: Path) -> None:
    device = Device(PAGES)
    device.formats = ("application/pdf",)
    with scanner(device) as client, pytest.raises(ScannerError, match="a master is one of"):
        scan_to_drop(client, tmp_path, "letters", scanner_id="office")
    assert list(tmp_path.iterdir()) == []


def test_a_job_on_another_host_is_not_followed(tmp_path: Path) -> None:
    device = Device(PAGES)
    device.override["ScanJobs"] = lambda _: httpx.Response(201, headers={"Location": "http://evil.test/job"})
    with scanner(device) as client, pytest.raises(ScannerError, match="another host"):
        scan_to_drop(client, tmp_path, "letters", scanner_id="office")


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_names_the_scanner_and_its_answer(status: int) -> None:
    device = Device([])
    device.override["ScannerCapabilities"] = lambda _: httpx.Response(status)
    with scanner(device) as client, pytest.raises(ScannerError, match=rf"scanner\.test.*{status}"):
        client.capabilities()


def test_a_scanner_that_is_off_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    device = Device([])
    device.override = {"ScannerStatus": refuse, "NextDocument": refuse}
    with scanner(device) as client:
        with pytest.raises(ScannerError, match="is it on"):
            client.status()
        with pytest.raises(ScannerError, match="is it on"):
            client.next_page("http://scanner.test/eSCL/ScanJobs/7", Path("/nowhere"))


def test_the_status_is_its_word() -> None:
    with scanner(Device([])) as client:
        assert client.status() == "Idle"


@pytest.mark.parametrize(
    "data",
    [
        b"no xml",
        b"",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>',
        b"<a>" + b" " * (1 << 20) + b"</a>",
    ],
)
def test_xml_that_is_too_much_or_has_a_doctype_is_refused(data: bytes) -> None:
    with pytest.raises(ScannerError):
        parse_xml(data, "scanner")


def test_plain_xml_is_read() -> None:
    assert parse_xml(f"<scan:a {NS}/>".encode(), "scanner").tag.endswith("a")
