"""The live catalogue as columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from holdfast.catalogue.fields import DELIMITER, comparable_hashes, field_texts
from holdfast.marc.frames import SUBFIELDS
from holdfast.marc.harvest import INDEX
from holdfast.marc.normalize import NORMALIZED, normalize
from holdfast.privacy.masking import MaskingRules, token

_KEYS = (
    *("control_number", "control_number_org", "system_numbers", "ocn", "isbn", "issn", "lccn"),
    *("title", "title_key", "author", "author_key", "year", "carrier"),
)

RECORDS = pl.Schema(
    [
        ("instance_id", pl.String),
        ("hrid", pl.String),
        ("version", pl.Int64),
        ("source_id", pl.String),
        ("updated", pl.String),
        *((name, NORMALIZED[name]) for name in _KEYS),
        ("comparable_sha256", pl.String),
    ]
)
FIELDS = pl.Schema(
    {"instance_id": pl.String, "field": pl.Int32, "tag": pl.String, "text": pl.String, "masked": pl.Boolean}
)


class Live(NamedTuple):
    """What of a live record goes into the snapshot; `fields` are (tag, text), the leader among them."""

    instance_id: str
    hrid: str
    version: int
    source_id: str
    updated: str
    fields: list[tuple[str, str]]


def _subfields(records: Sequence[Live]) -> pl.DataFrame:
    rows: list[tuple[int, int, str, str | None, str | None, str | None, str | None]] = []
    for number, record in enumerate(records, 1):
        for position, (tag, text) in enumerate(record.fields):
            if tag == "LDR":
                continue
            if tag.startswith("00"):
                rows.append((number, position, tag, None, None, None, text))
            elif len(text) == 2:
                rows.append((number, position, tag, text[0], text[1], None, None))
            else:
                rows += [
                    (number, position, tag, text[0], text[1], piece[:1], piece[1:])
                    for piece in text[2:].split(DELIMITER)[1:]
                ]
    return pl.DataFrame(rows, schema=SUBFIELDS, orient="row")


def mask(subfields: pl.DataFrame, rules: MaskingRules, salt: bytes) -> pl.DataFrame:
    """The frame with its masked values replaced by their tokens."""
    tokens = pl.col("value").map_elements(lambda value: token(value, salt), return_dtype=pl.String)
    return subfields.with_columns(
        pl.when(rules.expression() & pl.col("value").is_not_null()).then(tokens).otherwise("value").alias("value")
    )


def snapshot(records: Sequence[Live], rules: MaskingRules, salt: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(shape RECORDS, shape FIELDS) of live records; their masked values are replaced before anything is kept."""
    leaders = [next((text for tag, text in each.fields if tag == "LDR"), "") for each in records]
    subfields = mask(_subfields(records), rules, salt)
    index = pl.DataFrame(
        {
            "record": range(1, len(records) + 1),
            "leader": leaders,
            "sha256": [hashlib.sha256(repr(each.fields).encode()).hexdigest() for each in records],
        }
    )
    index = index.select(
        (pl.col(name) if name in index.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in INDEX.items()
    )
    fields = field_texts(subfields, index)
    facts = normalize(index, subfields, source="catalogue", window="").join(
        comparable_hashes(fields), on="record", how="left", maintain_order="left"
    )
    ids = pl.DataFrame(
        [(number, *each[:5]) for number, each in enumerate(records, 1)],
        schema={
            "record": pl.UInt32,
            "instance_id": pl.String,
            "hrid": pl.String,
            "version": pl.Int64,
            "source_id": pl.String,
            "updated": pl.String,
        },
        orient="row",
    )
    rows = ids.join(facts, on="record", how="left", maintain_order="left").select(RECORDS.names()).cast(RECORDS)
    by_id = fields.join(ids.select("record", "instance_id"), on="record", how="left", maintain_order="left")
    return rows, by_id.select(FIELDS.names())
