"""Writes a complete drop: pages first, the manifest last, so that the sensor never sees half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from holdfast.preservation.fixity import digest_of, flush_folder
from holdfast.preservation.manifest import NAME
from holdfast.preservation.naming import BATCH_RULE, batch_partition, is_batch_name
from resources.scanner.client import Capabilities, EsclScanner, ScanSettings, extension_of


class DropExists(FileExistsError):
    """There is a drop of that name already."""


def new_drop(scans: Path, batch: str) -> Path:
    """The new, empty folder of a drop.

    Raises:
        ValueError: `batch` is no batch name.
        DropExists: the folder is there.
    """
    if not is_batch_name(batch) or batch_partition(batch) != batch:
        raise ValueError(f"{batch!r}: {BATCH_RULE}")
    folder = scans / batch
    try:
        (folder / "pages").mkdir(parents=True)
    except FileExistsError as error:
        raise DropExists(f"{folder}: is there already; name another batch, or remove it") from error
    return folder


def write_pages(folder: Path, pages: Iterable[tuple[Path, str]]) -> list[dict[str, Any]]:
    """Give each (file, media type) its place `pages/0001.tif` …; the entries of `file_paths`."""
    entries: list[dict[str, Any]] = []
    for number, (file, kind) in enumerate(pages, start=1):
        path = f"pages/{number:04d}{extension_of(kind)}"
        with file.open("rb") as written:
            os.fsync(written.fileno())
        digest = digest_of(file)
        file.rename(folder / path)
        entries.append({"path": path, "sha256": digest.sha256, "bytes": digest.bytes})
    flush_folder(folder / "pages")
    return entries


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest as the drop's last file, whole or not at all."""
    partial = folder / f".{NAME}.partial"
    with partial.open("x", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / NAME)
    flush_folder(folder)


def scan_to_drop(
    scanner: EsclScanner, scans: Path, batch: str, *, scanner_id: str, dpi: int = 300, pages: int | None = None
) -> tuple[Path, int]:
    """Scan into a new drop; (its folder, how many pages). A feeder gives what is in it, the glass one page at a time.

    Raises:
        ScannerError: the scanner refused; the folder then has no manifest, and the sensor says that it waits for it.
    """
    known = scanner.capabilities()
    feeder = "Feeder" in known.inputs and not ("Platen" in known.inputs and scanner.feeder_is_empty())
    settings = choose_settings(known, dpi, "Feeder" if feeder else "Platen")
    folder = new_drop(scans, batch)
    jobs = 1 if settings.input == "Feeder" else pages or 1
    most = pages if settings.input == "Feeder" else 1

    def scanned() -> Iterable[tuple[Path, str]]:
        for _ in range(jobs):
            yield from scanner.pages(settings, folder / "pages", most=most)

    entries = write_pages(folder, scanned())
    if not entries:
        (folder / "pages").rmdir()
        folder.rmdir()
        return folder, 0
    write_manifest(
        folder,
        {
            "id": batch,
            "scanner_id": scanner_id,
            "scanner_model": known.model,
            "resolution_dpi": settings.dpi,
            "color_profile": "sRGB" if settings.color_mode.startswith("RGB") else "",
            "settings": {**settings.__dict__, "serial": known.serial},
            "file_paths": entries,
        },
    )
    return folder, len(entries)


def choose_settings(known: Capabilities, dpi: int, input_source: str) -> ScanSettings:
    """The best that the scanner can: no loss, colour, and of its resolutions the nearest one that is enough."""
    enough = [each for each in known.resolutions if each >= dpi]
    resolution = min(enough) if enough else max(known.resolutions, default=dpi)
    modes = [mode for mode in ("RGB24", "Grayscale8", "BlackAndWhite1") if mode in known.color_modes]
    return ScanSettings(input_source, known.best_format(), modes[0] if modes else "RGB24", resolution)
