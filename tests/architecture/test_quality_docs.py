"""docs/how-to/quality-report.md names the keys, tables and sections that there are."""

from __future__ import annotations

import re

import polars as pl

from catalog_assets.records.quality_report import numbers
from holdfast.quality.expected import FOLLOWED, MARC21
from holdfast.quality.figures import TABLES, Counting
from holdfast.quality.page import Load, page
from tests.conftest import ROOT

PAGE = (ROOT / "docs/how-to/quality-report.md").read_text()


def test_every_key_of_the_metadata_is_explained_and_none_else() -> None:
    figures = Counting(MARC21).figures("s", "2026-01-05", pl.DataFrame(schema={"record": pl.UInt32}))
    keys = {*numbers(figures), "share_rejected", "share_with_errors", *(f"completeness_{name}" for name in FOLLOWED)}
    table = PAGE[PAGE.index("| keys |") : PAGE.index("The lake has them")]
    cells = [line.split("|")[1] for line in table.strip().splitlines()]
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == keys


def test_every_table_is_named() -> None:
    named = PAGE[PAGE.index("The lake has them") :]
    assert set(TABLES) <= set(re.findall(r"`(\w+)`", named))


def test_the_sections_are_those_of_the_page() -> None:
    index = {"file": "f", "record": 1, "claims": "utf-8", "found": "utf-8", "encoding": "utf-8"}
    counting = Counting(MARC21)
    counting.add_index(
        pl.DataFrame(
            [index | {"fault": None, "fault_byte": None, "fault_detail": None}], schema_overrides={"fault": pl.String}
        )
    )
    figures = counting.figures("s", "2026-01-05", pl.DataFrame(schema={"record": pl.UInt32}))
    sections = re.findall(r"<h2[^>]*>(.*?)</h2>", page(Load("L", "S"), figures, [], MARC21))
    told = PAGE[PAGE.index("| section |") :].split("\n\n")[0].splitlines()[2:]
    assert [line.split("|")[1].strip() for line in told] == sections
