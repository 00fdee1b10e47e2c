"""MARC as columns: bytes in, Polars frames out, no object a record.

    from holdfast import marc

    for frames in marc.read("drop.xml.gz"):        # a path, an address or a stream; the format is told by the content
        frames.records                             # a row a record, readable or not
        frames.subfields                           # a row a subfield, in the record's order
        marc.fields(frames, "245", "ab")           # a row a field: the values of $a and $b

    marc.write(marc.read("drop.mrc"), "drop.xml", format="marcxml")

`read` and `write` know ISO 2709, MARCXML, MARC-in-JSON and BIBFRAME 2; `query` and `fields` ask the frames; what can't be read
is a row with a fault (`FAULTS`). Shapes are in `holdfast.marc.frames`. How to use it: docs/how-to/marc-library.md.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames

if TYPE_CHECKING:
    from holdfast.marc.blocks import Block, read_blocks
    from holdfast.marc.faults import FAULTS, rejection_of
    from holdfast.marc.iso2709 import read_columns
    from holdfast.marc.places import QueryError, fields, query, scan, to_parquet
    from holdfast.marc.reading import read, read_all
    from holdfast.marc.writing import CannotWriteError, Written, write

# Arrow's own allocator keeps some tens of megabytes of what is freed, for each thread that writes. Arrow looks once, when it is
# brought in; who has set it keeps what he has set.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

__all__ = [
    "FAULTS",
    "RECORDS",
    "SUBFIELDS",
    "Block",
    "CannotWriteError",
    "Frames",
    "QueryError",
    "Written",
    "fields",
    "query",
    "read",
    "read_all",
    "read_blocks",
    "read_columns",
    "rejection_of",
    "scan",
    "to_parquet",
    "write",
]

# Brought in when it is asked for: who only reads the frames of a Parquet file needs no reader.
_HOME = {
    "blocks": ("Block", "read_blocks"),
    "faults": ("FAULTS", "rejection_of"),
    "iso2709": ("read_columns",),
    "places": ("QueryError", "fields", "query", "scan", "to_parquet"),
    "reading": ("read", "read_all"),
    "writing": ("CannotWriteError", "Written", "write"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
