"""A comparison is fair only where both ways check the same: what both count, they count alike."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks import marc_validate
from benchmarks.marc_validate import with_holdfast, with_pymarc, with_reading_alone

BOTH = {
    "fixed.code", "fixed.length", "indicator.undefined", "subfield.undefined", "subfield.obsolete", "subfield.repeated",
    "subfield.empty", "subfield.order", "subfield.pattern", "link.form", "field.missing", "field.repeated",
}  # fmt: skip


def test_both_ways_count_the_same_issues(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marc_validate, "data_folder", lambda: data)
    whole = gzip.decompress((data / "marc" / "aco" / "aco-orig.mrc.gz").read_bytes())
    few = tmp_path / "few.mrc"
    few.write_bytes(b"".join(each + b"\x1d" for each in whole.split(b"\x1d")[:800]))
    (ours, found), (theirs, counted) = with_holdfast(few), with_pymarc(few)
    assert ours == theirs == with_reading_alone(few)[0] == 800
    assert {code: found.get(code, 0) for code in BOTH} == {code: counted.get(code, 0) for code in BOTH}
    assert sum(counted[code] for code in BOTH) > 300
