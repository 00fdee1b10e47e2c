"""Small drops for tests: pages drawn with Pillow, and their manifest."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont


def page_bytes(text: str = "", *, format: str = "TIFF", dpi: int = 150, shade: int = 255) -> bytes:
    """A page of 800 × 500 pixels with `text` in large letters; `shade` tells blank pages apart."""
    image = Image.new("L", (800, 500), shade)
    if text:
        ImageDraw.Draw(image).multiline_text((60, 60), text, fill=0, font=ImageFont.load_default(32), spacing=14)
    out = BytesIO()
    image.save(out, format=format, dpi=(dpi, dpi))
    return out.getvalue()


def bomb_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """A few bytes whose header claims an image of gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def manifest_of(pages: dict[str, bytes], **changes: Any) -> dict[str, Any]:
    """A right manifest of `pages`, with keys changed."""
    entries = [
        {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for path, data in pages.items()
    ]
    return {
        "id": "b-1",
        "scanner_id": "bookeye",
        "scanner_model": "Bookeye 5 V2",
        "resolution_dpi": 150,
        "color_profile": "Gray Gamma 2.2",
        "settings": {"mode": "Grayscale8"},
        "file_paths": entries,
        **changes,
    }


def write_drop(scans: Path, batch: str, pages: dict[str, bytes], manifest: object = None) -> Path:
    """A drop; `manifest` is a table, bytes as they are, or None for the right one."""
    folder = scans / batch
    for path, data in pages.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    content = manifest if manifest is not None else manifest_of(pages)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "manifest.json").write_bytes(data)
    return folder
