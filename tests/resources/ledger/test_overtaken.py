"""What the catalogue got since it was looked at stops a second copy from being made."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, cast

import polars as pl
import pytest

from holdfast.marc.harvest import index_drop
from holdfast.marc.window import normalize_part
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Source
from resources.ils.client import Ils, LiveRecord
from resources.ledger.applying import overtaken
from tests.records import book

RULES = MaskingRules(())
OCN, ISBN = ("035", "  \x1fa(OCoLC)5"), ("020", "  \x1fa9780306406157")


class Late:
    """A library system that has these records since."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        self._fields = fields

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        leader = ("LDR", "00000nam a2200000 i 4500")
        yield [
            LiveRecord(f"late-{n}", f"in{n}", 1, {}, f"s{n}", [leader, each, ("245", "10\x1faBleak house")], "")
            for n, each in enumerate(self._fields)
        ]


@pytest.mark.parametrize(
    ("late", "expected"),
    [((), {}), ((("035", "  \x1fa(OCoLC)6"),), {}), ((OCN,), {1: "ocn 5"}), ((OCN, ISBN), {1: "ocn 5"})],
)
def test_a_record_that_came_in_between_is_not_made_again(late: tuple, expected: dict[int, str]) -> None:
    record = book("9", fields=(("035", "a", "(OCoLC)5"), ("020", "a", "9780306406157")))
    (part,) = index_drop(io.BytesIO(record), "a.mrc", RULES, b"salt")
    records = normalize_part(part.frame, source="a", window="2026-01-05").records
    plan = pl.DataFrame(
        {"record": [1], "action": ["create"], "target": ["ours"]}, schema_overrides={"record": pl.UInt32}
    )
    ils: Any = cast(Ils, Late(*late))
    found = overtaken(plan, records, ils, "2026-01-05", Source(), RULES, b"salt")
    assert {number: text.split(" is in")[0] for number, text in found.items()} == expected
