"""Frames of museum objects, made by what differs in them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from holdfast.museum.dublin_core import DublinCore
from holdfast.museum.objects import Origin, frame_of, object_row
from holdfast.museum.validation import REJECTIONS


def objects(titles: dict[str, str], collection: str = "prints", **more: Sequence[str]) -> list[pl.DataFrame]:
    """identifier → title, in frames of two rows; `more` is the same for each."""
    rows = [
        object_row(
            collection,
            DublinCore.model_validate({"identifier": (identifier,), "title": (title,), **more}),
            Origin("file.csv", number, f"row {number}"),
        )
        for number, (identifier, title) in enumerate(titles.items(), start=1)
    ]
    return [frame_of(rows[start : start + 2]) for start in range(0, max(len(rows), 1), 2)]


def rejected(*identifiers: str | None, unit: str = "object") -> list[pl.DataFrame]:
    rows = [{**dict.fromkeys(REJECTIONS, ""), "identifier": each, "unit": unit} for each in identifiers]
    return [pl.DataFrame(rows, schema=REJECTIONS, orient="row")]
