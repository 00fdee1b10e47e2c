"""What an export is made of, portion by portion, from the lake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from holdfast.marc.frames import Frames
from holdfast.partners.bibliographic import exportable
from resources.lake.client import Lake


class Portion(NamedTuple):
    """state: shape delta.STATE. frames: the same records as MARC. cells: columns id and those of the CSV; None: from the frames."""

    state: pl.DataFrame
    frames: Frames
    cells: pl.DataFrame | None = None


def portions(lake: Lake, contents: str) -> Iterator[Portion]:
    """
    Raises:
        NotMaterialized: the asset that it is made of is not in the lake.
    """
    if contents == "bibliographic":
        yield from _bibliographic(lake)


def _bibliographic(lake: Lake) -> Iterator[Portion]:
    for fields in lake.batches("catalog_snapshot", table="fields"):
        if fields.height:
            made = exportable(fields)
            yield Portion(made.state, made.frames)
