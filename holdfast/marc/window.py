"""A harvested window, normalized part by part."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from holdfast.catalogue.fields import as_catalogued, comparable_hashes, field_texts
from holdfast.marc.encoding import MARC21, Reading
from holdfast.marc.harvest import columns_of
from holdfast.marc.nfc import with_nfc
from holdfast.marc.normalize import NORMALIZED, normalize

RECORDS = pl.Schema([*NORMALIZED.items(), ("comparable_sha256", pl.String)])
UNREADABLE = pl.Schema({"record": pl.UInt32, "file": pl.String, "fault": pl.String})


class NormalizedPart(NamedTuple):
    """records: shape RECORDS. subfields: shape frames.NORMALIZED_SUBFIELDS. unreadable: shape UNREADABLE."""

    records: pl.DataFrame
    subfields: pl.DataFrame
    unreadable: pl.DataFrame


def normalize_part(index: pl.DataFrame, *, source: str, window: str, reading: Reading = MARC21) -> NormalizedPart:
    """A part of a window's index (shape harvest.INDEX) as normalized records and the long table of their subfields."""
    subfields = with_nfc(columns_of(index, reading))
    readable = index.filter(pl.col("fault").is_null())
    hashes = comparable_hashes(as_catalogued(field_texts(subfields, readable.select("record", "leader", "encoding"))))
    records = normalize(index, subfields, source=source, window=window).join(
        hashes, on="record", how="left", maintain_order="left"
    )
    unreadable = index.filter(pl.col("fault").is_not_null()).select(UNREADABLE.names())
    return NormalizedPart(records.select(RECORDS.names()), subfields, unreadable)
