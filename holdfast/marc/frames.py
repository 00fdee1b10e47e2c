"""Shapes of the frames that the readers return."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

RECORDS = pl.Schema(
    {
        "record": pl.UInt32,  # counts from 1 over the window
        "offset": pl.UInt64,  # of its first byte in the file
        "length": pl.UInt32,  # bytes, with the record terminator
        "sha256": pl.String,  # hex, of these bytes
        "leader": pl.String,  # 24 characters; null where the record can't be read
        "claims": pl.String,  # encoding by leader/09 (UNIMARC: 100 $a/26-33): 'utf-8', 'marc-8' … or 'unknown'
        "found": pl.String,  # what the bytes are: one of encoding.FOUND
        "encoding": pl.String,  # as decoded: 'ascii', 'utf-8', 'marc-8' …; null where it can't be read
        "fault": pl.String,  # code of `faults.FAULTS`; null: the record is readable
        "fault_byte": pl.UInt64,  # offset in the file of the byte that shows it
        "fault_detail": pl.String,  # what was found there
    }
)

SUBFIELDS = pl.Schema(
    {
        "record": pl.UInt32,
        "field": pl.UInt16,  # counts from 0 in the directory's order
        "tag": pl.String,
        "ind1": pl.String,  # null in control fields
        "ind2": pl.String,
        "code": pl.String,  # null in control fields and in a data field without a subfield
        "value": pl.String,
    }
)

NORMALIZED_SUBFIELDS = pl.Schema(
    [
        *SUBFIELDS.items(),
        ("nfc", pl.String),  # the value in normalization form C; null where it is in it already
    ]
)


class Frames(NamedTuple):
    """records: shape of RECORDS, a row a record, readable or not. subfields: shape of SUBFIELDS, readable records only."""

    records: pl.DataFrame
    subfields: pl.DataFrame
