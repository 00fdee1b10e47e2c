"""The public MARC files of the test data, and what tests look at in them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from holdfast import marc
from holdfast.marc.parts import Part

# Of these bytes a file is known to be packed (test_opening.py has those).
PACKED = (
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"PK\x05\x06",
    *(bytes([each]) + b"\x2a\x4d\x18" for each in range(0x50, 0x60)),
)
NO_MARC = {".txt", ".csv", ".tsv", ".md"}


def load(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def plain_bytes(max_size: int) -> st.SearchStrategy[bytes]:
    """Any bytes that are not taken for a packed file, whose bytes are not those of its content."""
    return st.binary(max_size=max_size).filter(lambda data: not data.startswith(PACKED))


def parts(source: Any, **options: Any) -> list[Part]:
    return [each for each in marc.read(source, **options) if isinstance(each, Part)]


def files(folder: Path, *formats: str) -> list[Path]:
    """Files below the folder whose content is in one of the formats."""
    found = [each for each in sorted(folder.rglob("*")) if each.is_file() and each.suffix not in NO_MARC]
    return [each for each in found if parts(each)[0].format in formats]


def readable(part: marc.Frames) -> pl.DataFrame:
    return part.records.filter(pl.col("fault").is_null())


def accounted(found: list[Part], length: int) -> None:
    """Parts follow each other without a gap, rows without an overlap, and the last one ends with the file."""
    reached = row_end = 0
    for part in found:
        if part.records["fault"].drop_nulls().is_in(["marc.packing", "marc.bomb"]).any() and not part.data:
            continue
        assert part.offset == reached, (part.offset, reached)
        for offset, size in part.records.select("offset", "length").iter_rows():
            assert offset >= row_end
            row_end = offset + size
        reached = max(part.offset + len(part.data), row_end)
    assert reached == length
