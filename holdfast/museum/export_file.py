"""An export file as bytes: plain or gzip, told by its first two bytes, never by its name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

GZIP_MAGIC = b"\x1f\x8b"
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading from `open_export` raises where a gzip stream is cut or damaged."""


@contextmanager
def open_export(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if file.read(2) == GZIP_MAGIC:
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as plain:
                yield cast("IO[bytes]", plain)
        else:
            file.seek(0)
            yield file
