"""Loads in a lake for tests of the quality report: small ones, through the real reader, normalization and validation."""

from __future__ import annotations

import io
from collections.abc import Mapping

import polars as pl

from holdfast.marc.frames import Frames
from holdfast.marc.harvest import index_drop
from holdfast.marc.validation import ISSUES, load_rules, validate
from holdfast.marc.window import normalize_part
from holdfast.privacy.masking import MaskingRules
from resources.lake.client import Lake
from resources.lake.validation import STOPPED
from tests.conftest import SALT

RULES = load_rules()
MASKING = MaskingRules(("852$x", "245$c"), ())


def put_load(
    lake: Lake, day: str, files: Mapping[str, bytes], *, source: str = "ebooks", block_bytes: int = 4_000_000
) -> None:
    """The three tables that a report is made of, a part a block."""
    partition, first = f"{day}|{source}", 1
    with (
        lake.replace("harvested_marc", partition) as harvested,
        lake.replace("normalized_records", partition) as normalized,
        lake.replace("record_issues", partition) as issues,
    ):
        issues.write("rows", pl.DataFrame(schema=ISSUES))
        issues.write("stopped", pl.DataFrame(schema=STOPPED))
        for name, data in files.items():
            for block in index_drop(
                io.BytesIO(data), name, MASKING, SALT.encode(), first_record=first, block_bytes=block_bytes
            ):
                first += block.frame.height
                part = normalize_part(block.frame, source=source, window=day)
                harvested.write("rows", block.frame)
                normalized.write("rows", part.records)
                normalized.write("subfields", part.subfields)
                issues.write("rows", validate(Frames(part.records, part.subfields), RULES))
