"""A comparison is fair only where both ways make the same of the same file."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from benchmarks.marc_read import with_holdfast, with_mrrc, with_pymarc


def tables(folder: Path, name: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(file) for file in sorted(folder.glob(f"{name}-*.parquet"))])


@pytest.mark.parametrize("source", ["aco/aco-oclc.mrc.gz", "uva-marc8/*.mrc"])
def test_both_ways_write_the_same_tables(data: Path, tmp_path: Path, source: str) -> None:
    files = [file.read_bytes() for file in sorted((data / "marc").glob(source))]
    whole = b"".join(gzip.decompress(each) if source.endswith(".gz") else each for each in files)
    few = tmp_path / "few.mrc"
    few.write_bytes(b"".join(each + b"\x1d" for each in whole.split(b"\x1d")[:500] if each.strip()))
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    assert with_holdfast(few, ours) == with_pymarc(few, theirs)
    readable = tables(ours, "records")["record"]
    assert readable.len() > 400
    of_those = pl.col("record").is_in(readable.implode())
    assert_frame_equal(tables(ours, "records"), tables(theirs, "records").filter(of_those))
    # pymarc composes what it converts from MARC-8; Holdfast keeps it and gives the form C beside it.
    own, other = tables(ours, "subfields"), tables(theirs, "subfields").filter(of_those)
    composed = own.with_columns(pl.coalesce("nfc", "value").alias("value")) if "uva" in source else own
    assert_frame_equal(composed.drop("nfc"), other.drop("nfc"))


@pytest.mark.parametrize("source", ["aco/aco-oclc.mrc.gz"])
def test_mrrc_reads_as_many_records_and_the_same_titles(data: Path, tmp_path: Path, source: str) -> None:
    whole = gzip.decompress((data / "marc" / source).read_bytes())
    few = tmp_path / "few.mrc"
    few.write_bytes(b"".join(each + b"\x1d" for each in whole.split(b"\x1d")[:200]))
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    assert with_holdfast(few, ours) == with_mrrc(few, theirs)
    assert tables(ours, "records")["title"].to_list() == tables(theirs, "records")["title"].to_list()
