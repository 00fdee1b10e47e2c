"""A comparison is fair only where both ways say the same of the same load."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from benchmarks.marc_match import base_of, make, with_dictionaries, with_holdfast


def test_both_ways_write_the_same_table(data: Path, tmp_path: Path) -> None:
    base = base_of(data)
    assert base.height > 4_000
    make(base, tmp_path, 3_000, 20_000)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    assert with_holdfast(tmp_path, ours) == with_dictionaries(tmp_path, theirs) == 3_000
    found = pl.read_parquet(ours / "matched.parquet")
    expected = pl.read_parquet(theirs / "matched.parquet")
    assert_frame_equal(found.drop("detail"), expected, check_column_order=False)
    shares = dict(found.group_by("verdict").len().iter_rows())
    assert shares.keys() == {"new", "update", "unchanged", "duplicate", "collision"}
    assert min(shares.values()) > 50
