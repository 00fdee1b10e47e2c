"""A lake with drops as `harvested_marc` has them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import polars as pl

from holdfast.marc.harvest import INDEX, index_drop
from holdfast.privacy.masking import MaskingRules
from resources.lake.client import Lake

SOURCE, DAY = "ebooks", "2026-01-05"
PARTITION = f"{DAY}|{SOURCE}"
MASKING = MaskingRules(("852$x",), ())
SALT = b"the salt of the tests: nothing real"


def harvest(
    lake: Lake, drops: Iterable[Sequence[bytes]], *, partition: str = PARTITION, block_bytes: int = 700
) -> None:
    """Fill `harvested_marc` as a harvest does; small blocks, so that a drop has several parts."""
    first = 1
    with lake.replace("harvested_marc", partition) as writer:
        writer.write("rows", pl.DataFrame(schema=INDEX))
        for number, records in enumerate(drops):
            stream = io.BytesIO(b"".join(records))
            for part in index_drop(
                stream, f"drop{number}.mrc", MASKING, SALT, first_record=first, block_bytes=block_bytes
            ):
                writer.write("rows", part.frame)
                first += part.frame.height
