"""`holdfast scan`."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from commands import scan
from commands.main import main
from resources.scanner.client import EsclScanner
from tests.preservation_drops import page_bytes
from tests.resources.scanner.escl import Device


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device([page_bytes("one", format="JPEG")])
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    monkeypatch.setattr(
        scan, "EsclScanner", lambda address, **kw: EsclScanner(address, transport=httpx.MockTransport(made), **kw)
    )
    return made


def test_a_scan_ends_in_the_scans_folder(device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "office", "--batch", "letters"]) == 0
    assert (tmp_path / "drops" / "scans" / "letters" / "manifest.json").is_file()
    assert "1 pages" in capsys.readouterr().out


def test_a_scanner_that_is_not_known_is_named_with_those_that_are(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", "bookeye", "--batch", "a"]) == 2
    assert main(["scan", "attic", "--batch", "a"]) == 2
    said = capsys.readouterr().err
    assert "hot folder" in said and "eSCL scanners: office" in said


def test_a_wrong_batch_name_and_an_empty_feeder_are_said(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "office", "--batch", "../a"]) == 1
    device.pages.clear()
    assert main(["scan", "office", "--batch", "a"]) == 1
    said = capsys.readouterr().err
    assert "batch name" in said and "paper" in said


def test_a_wrong_number_of_pages_is_refused(device: Device) -> None:
    with pytest.raises(SystemExit):
        main(["scan", "office", "--batch", "a", "--pages", "0"])
