"""`holdfast scan SCANNER --batch NAME`: scan into the scans folder; the sensor takes it from there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from holdfast.settings import Settings, load_settings
from resources.scanner.client import EsclScanner, ScannerError
from resources.scanner.drop_writer import scan_to_drop


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("scan", help="scan a batch with an eSCL scanner into the scans folder")
    parser.add_argument("scanner", metavar="SCANNER", help="its name in holdfast.toml")
    parser.add_argument("--batch", required=True, help="name of the batch: letters, digits, '-', '_', '.'")
    parser.add_argument(
        "--pages", type=_count, help="at most so many pages (default: the feeder's, or one from the glass)"
    )
    parser.add_argument("--dpi", type=_count, default=300, help="resolution (default: 300)")
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.set_defaults(call=scan)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number from 1")
    return int(text)


def scan(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    address = _address(settings, arguments.scanner)
    if address is None:
        return 2
    try:
        with EsclScanner(address, page_limit=settings.limits.page_bytes) as scanner:
            folder, pages = scan_to_drop(
                scanner,
                settings.scans,
                arguments.batch,
                scanner_id=arguments.scanner,
                dpi=arguments.dpi,
                pages=arguments.pages,
            )
    except (ScannerError, ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    if not pages:
        print(f"{arguments.scanner}: no page; is there paper in the feeder?", file=sys.stderr)
        return 1
    print(f"{folder}: {pages} pages. The sensor scan_drop_sensor starts the batch once it is still.")
    return 0


def _address(settings: Settings, name: str) -> str | None:
    escl = [each for each, scanner in settings.scanners.items() if scanner.kind == "escl"]
    if name in escl:
        return settings.scanners[name].address
    why = "is a hot folder: it scans by itself" if name in settings.scanners else "is not in holdfast.toml"
    print(f"{name}: {why} (eSCL scanners: {', '.join(escl) or 'none'})", file=sys.stderr)
    return None
