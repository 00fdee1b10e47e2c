"""A table of a partition by ranges of its record numbers, whatever its parts are."""

from __future__ import annotations

import polars as pl

from resources.lake.client import Lake


class Slices:
    """A table of a partition by ranges of its record numbers, whatever its parts are: memory holds what lies in a range."""

    def __init__(self, lake: Lake, asset: str, partition: str, table: str, schema: pl.Schema | None = None) -> None:
        self._schema = schema
        there = lake.has(asset, partition, table)
        paths = lake.parts(asset, partition, table) if there else []
        bounds = pl.col("record").min().alias("low"), pl.col("record").max().alias("high")
        self._parts = [(path, *pl.scan_parquet(path).select(*bounds).collect().row(0)) for path in paths]

    def between(self, low: int, high: int) -> pl.DataFrame:
        frames = [
            pl.read_parquet(path).filter(pl.col("record").is_between(low, high))
            for path, least, most in self._parts
            if least is not None and least <= high and most >= low
        ]
        if frames:
            return pl.concat(frames)
        if self._schema is not None:
            return pl.DataFrame(schema=self._schema)
        return pl.read_parquet(self._parts[0][0]).clear() if self._parts else pl.DataFrame(schema={"record": pl.UInt32})
