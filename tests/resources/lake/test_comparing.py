"""A partition of the lake against what would be made of it now, whatever its parts are."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.marc.comparing import Comparison, compare
from holdfast.marc.rulebook import Rulebook
from holdfast.marc.validation import load_rules
from resources.lake.client import Lake, NotMaterialized
from resources.lake.comparing import of_partition
from resources.lake.normalization import normalize_window
from resources.lake.validation import validate_window
from tests.records import book
from tests.resources.lake.windows import DAY, MASKING, PARTITION, SOURCE, harvest

BOOK = Rulebook(MASKING, load_rules(), ("isbn.check_digit",))
DROP = [book(str(number), f"Title {number}", fields=(("020", "a", "0-306-40615-3"),)) for number in range(1, 10)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    harvest(lake, [[*DROP, b"00026nam  no record\x1d"]])
    normalize_window(lake, PARTITION, SOURCE, DAY)
    validate_window(lake, PARTITION, BOOK.rules, BOOK.stop_on)
    return lake


def compared(lake: Lake) -> Comparison:
    return compare(of_partition(lake, PARTITION, BOOK))


@pytest.mark.parametrize("block_bytes", [200, 700, 100_000])
def test_parts_of_another_size_differ_in_nothing(lake: Lake, block_bytes: int) -> None:
    harvest(lake, [[*DROP, b"00026nam  no record\x1d"]], block_bytes=block_bytes)
    total = compared(lake)
    assert (total.records, total.differing) == (10, 0)


def test_a_drop_that_came_since_is_new(lake: Lake) -> None:
    harvest(lake, [[*DROP, b"00026nam  no record\x1d"], [book("11"), book("12")]])
    total = compared(lake)
    assert (total.records, total.differing) == (12, 2)
    new = total.differences.filter(name="readable")
    assert new.select("records", "gone", "new", "changed").rows() == [(2, 0, 2, 0)]


def test_records_that_are_not_in_the_lake_any_more_say_what_to_materialize(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(NotMaterialized, match="materialize normalized_records first"):
        compare(of_partition(lake, "2026-01-09|ebooks", BOOK))
    empty = Lake(tmp_path / "empty")
    with pytest.raises(NotMaterialized):
        compare(of_partition(empty, PARTITION, BOOK))
