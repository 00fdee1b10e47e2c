"""What a page image is: format, dimensions, resolution, colour, device; and whether it decodes to its last line."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import PIL
import polars as pl

from holdfast.preservation.naming import shown

AGENT = f"Pillow {PIL.__version__}"
_WORKER = Path(__file__).with_name("image_worker.py")

#: A page with less ink than this share of its area is blank: dust and show-through stay below, a folio number is above.
BLANK_BELOW = 0.0002

FACTS: dict[str, type[pl.DataType]] = {
    "format": pl.String,  # TIFF, JPEG, JPEG2000, PNG, WEBP, GIF, BMP
    "puid": pl.String,  # PRONOM; '' where the bytes do not say it without doubt
    "width": pl.Int64,  # pixels
    "height": pl.Int64,  # pixels
    "mode": pl.String,  # Pillow's name of the decoded samples: 1, L, RGB, CMYK …
    "bits": pl.Int64,  # a sample, in the file
    "samples": pl.Int64,  # a pixel
    "x_dpi": pl.Float64,  # 0: the file does not say
    "y_dpi": pl.Float64,
    "compression": pl.String,
    "icc_name": pl.String,
    "icc_sha256": pl.String,
    "frames": pl.Int64,
    "make": pl.String,  # EXIF Make, Model, Software, DateTime
    "model": pl.String,
    "software": pl.String,
    "captured_at": pl.String,
    "ink_share": pl.Float64,  # 0 to 1
}

_HINTS = {
    "page.not_an_image": "put the page's image in its place, or remove it from file_paths",
    "page.empty": "scan the page again; the file was never written",
    "page.bomb": "scan it in parts, or raise limits.image_pixels in holdfast.toml",
    "page.unsupported": "export it as baseline TIFF (8 or 16 bits a sample), PNG or JPEG 2000",
    "page.frames": "export each frame as a page of its own",
    "page.timeout": "scan the page again; a decoder never came to its end",
    "page.crash": "scan the page again; a decoder died of it",
}
_HINT = "scan the page again, or copy it again from the scanner's disk"


class PageFault(ValueError):
    """An image that is refused; `code`, `rule` and `hint` as in a `Rejection`."""

    def __init__(self, code: str, rule: str, hint: str = "") -> None:
        # Decoders quote what they met, which may be anything.
        self.code, self.rule, self.hint = code, shown(rule), hint or _HINTS.get(code, _HINT)
        super().__init__(f"{code}: {self.rule}; {self.hint}")


@dataclass
class ImageReader:
    """Opens images in a process of its own (`image_worker`), one at a time; a context manager.

    Args:
        pixels: width × height above which an image is refused before it is decoded (limits.image_pixels).
        seconds: time for one page; a decoder that takes longer is killed and the page refused.
    """

    pixels: int
    seconds: float = 120

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def __enter__(self) -> ImageReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _running(self) -> socket.socket:
        if self._channel is None:
            self._channel, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    # -P: the worker's own folder is no place to import from.
                    [sys.executable, "-P", "-B", str(_WORKER), str(self.pixels), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # libtiff writes each oddity of a file there
                )
        return self._channel

    def _stop(self) -> int | None:
        process, self._process = self._process, None
        channel, self._channel = self._channel, None
        if channel:
            channel.close()
        if process is None:
            return None
        try:
            # A dying worker closes its channel a moment before it has an exit code.
            return process.wait(0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def inspect(self, file: Path | int, *, gray: Path | None = None) -> dict[str, Any]:
        """Facts (keys of `FACTS`) of the image at the path, or in the open file (stays open), decoded whole.

        Args:
            gray: write the first frame there, 8-bit gray, as PGM.

        Raises:
            PageFault: it is no image, too large, damaged, of an unknown variant, or kills its decoder.
        """
        request = json.dumps({"pixels": self.pixels, "gray": str(gray) if gray else None}).encode() + b"\n"
        opened = file if isinstance(file, int) else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.lseek(opened, 0, os.SEEK_SET)
            answer = self._ask(request, opened)
        finally:
            if not isinstance(file, int):
                os.close(opened)
        if "facts" in answer:
            return dict(answer["facts"])
        raise PageFault(answer["code"], answer["rule"])

    def _ask(self, request: bytes, opened: int) -> dict[str, Any]:
        channel = self._running()
        deadline = time.monotonic() + self.seconds
        received = b""
        try:
            socket.send_fds(channel, [request], [opened])
            while not received.endswith(b"\n"):
                channel.settimeout(max(0.01, deadline - time.monotonic()))
                piece = channel.recv(65536)
                if not piece:
                    raise ConnectionResetError
                received += piece
        except TimeoutError:
            self._stop()
            raise PageFault("page.timeout", f"a page decodes within {self.seconds:g} seconds") from None
        except (ConnectionError, OSError):
            code = self._stop()
            raise PageFault("page.crash", f"a page leaves its decoder alive (it ended with {code})") from None
        return dict(json.loads(received))


def number_in_name(path: str) -> int | None:
    """The last number in the file's name, which most scanners count up.

    >>> number_in_name("pages/scan_0012.tif"), number_in_name("cover.tif")
    (12, None)
    """
    digits = re.findall(r"\d+", path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    return int(digits[-1]) if digits and len(digits[-1]) <= 18 else None
