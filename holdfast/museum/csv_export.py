"""A CSV export of a collection: plain or gzip, row by row (holdfast.csv_rows)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from holdfast.csv_rows import CsvRow, read_rows
from holdfast.museum.export_file import DAMAGED, open_export
from holdfast.outcomes import Rejection
from holdfast.settings import Collection


def read_csv(path: Path, collection: Collection, *, name: str = "") -> Iterator[CsvRow | Rejection]:
    """Every row of `path` in its order, or why it can't be read: codes as `csv_rows.read_rows`, and `file.gzip`."""
    name = name or path.name
    try:
        with open_export(path) as file:
            yield from read_rows(file, collection, name=name)
    except DAMAGED as error:
        yield Rejection(
            code="file.gzip",
            place=name,
            rule=f"the gzip stream is cut or damaged ({error}); rows before it were read",
            hint="export or copy the file again",
            unit="file",
        )
