"""A field as one comparable text, in frames and one by one.

The text of a control field is its value; of a data field its indicators, then each subfield as 0x1F, code and value. The
leader is a field with the tag 'LDR' in which what a system sets by itself (lengths, encoding) is blanked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from holdfast.marc.nfc import nfc_beside
from holdfast.marc.string_views import text_buffers
from holdfast.privacy.masking import PREFIX

FIELDS = pl.Schema(
    {
        "record": pl.UInt32,
        "field": pl.Int32,  # order in the record; the leader is -1
        "tag": pl.String,
        "text": pl.String,
        "masked": pl.Boolean,  # a value in it is masked: it takes part in no comparison and no patch
    }
)

# Set by each system by itself, or (066) said of MARC-8 only; a difference in these alone is no change of the record.
BOOKKEEPING = ("001", "003", "005", "066")
DELIMITER = "\x1f"


def comparable_leader(leader: str) -> str:
    """Leader with lengths, base address and encoding as every system writes them anew."""
    return f"00000{leader[5:9]}a2200000{leader[17:20]}4500"


def field_texts(subfields: pl.DataFrame, leaders: pl.DataFrame) -> pl.DataFrame:
    """Frame of the shape FIELDS from subfields (shape marc.SUBFIELDS, rows of a field together) and leaders (columns record,
    leader and, where it is known, encoding).

    What came in MARC-8 or ISO 5426 is given in normalization form C (column `nfc`, where there is one): a system that takes Unicode
    is sent letters with their marks, as every other source sends them.
    """
    rows = _composed(subfields, leaders)
    first = _first_of_each(rows)
    # A delimiter with no code behind it says nothing, and no system keeps it.
    piece = pl.concat_str(pl.lit(DELIMITER), pl.col("code"), pl.col("value").fill_null(""))
    body = pl.when(pl.col("ind1").is_null()).then("value").when(pl.col("code") != "").then(piece).otherwise(pl.lit(""))
    start = pl.when(pl.lit(pl.Series(first)) & pl.col("ind1").is_not_null()).then(pl.concat_str("ind1", "ind2"))
    made = rows.select(
        pl.concat_str(start.otherwise(pl.lit("")), body.fill_null("")).alias("text"),
        pl.col("value").str.starts_with(PREFIX).fill_null(False).alias("masked"),
    )
    places = np.flatnonzero(first)
    fields = rows.select("record", pl.col("field").cast(pl.Int32), "tag")[places].with_columns(
        _joined(made["text"], places).alias("text"),
        pl.Series(
            "masked", np.logical_or.reduceat(made["masked"].to_numpy(), places) if len(places) else [], pl.Boolean
        ),
    )
    leader = leaders.select(
        pl.col("record").cast(pl.UInt32),
        pl.lit(-1, dtype=pl.Int32).alias("field"),
        pl.lit("LDR").alias("tag"),
        pl.concat_str(
            pl.lit("00000"),
            pl.col("leader").str.slice(5, 4),
            pl.lit("a2200000"),
            pl.col("leader").str.slice(17, 3),
            pl.lit("4500"),
        ).alias("text"),
        pl.lit(False).alias("masked"),
    )
    return pl.concat([leader, fields]).cast(FIELDS)


def _composed(subfields: pl.DataFrame, leaders: pl.DataFrame) -> pl.DataFrame:
    if "encoding" not in leaders.columns or "nfc" not in subfields.columns:
        return subfields
    legacy = leaders.filter(pl.col("encoding").is_in(["marc-8", "iso-5426"]))["record"]
    composed = pl.when(pl.col("record").is_in(legacy.implode())).then(pl.coalesce("nfc", "value")).otherwise("value")
    return subfields.with_columns(composed.alias("value")) if len(legacy) else subfields


def _first_of_each(rows: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows begin a field."""
    record, field = rows["record"].to_numpy(), rows["field"].to_numpy()
    first = np.ones(len(record), dtype=np.bool_)
    first[1:] = (record[1:] != record[:-1]) | (field[1:] != field[:-1])
    return first


def _joined(texts: pl.Series, places: npt.NDArray[np.int64]) -> pl.Series:
    """The texts of neighbouring rows as one; each begins at one of `places`. The bytes stand in a row already."""
    data, offsets = text_buffers(texts)
    starts = np.concatenate((offsets[places], offsets[-1:]))
    array = pa.Array.from_buffers(pa.large_string(), len(places), [None, pa.py_buffer(starts), pa.py_buffer(data)])
    return pl.Series(pl.from_arrow(array), dtype=pl.String)


def as_catalogued(fields: pl.DataFrame) -> pl.DataFrame:
    """Fields of incoming records (shape FIELDS) as the catalogue keeps them: the supplier's number, 003 and 001, becomes an
    035, for 001 will be the catalogue's own; 003 goes. What is there already is not added.
    """
    numbers = fields.filter(pl.col("tag") == "001").select("record", pl.col("text").str.strip_chars().alias("number"))
    organizations = fields.filter(pl.col("tag") == "003").select(
        "record", pl.col("text").str.strip_chars().alias("org")
    )
    # After the last field with a tag not above its own; fields are numbered two apart, to leave the place between.
    place = (
        fields.filter(pl.col("tag").is_in(["LDR"]) | (pl.col("tag") <= "035"))
        .group_by("record")
        .agg(pl.col("field").max())
    )
    added = (
        numbers.unique("record", keep="first", maintain_order=True)
        .join(organizations.unique("record", keep="first"), on="record", how="left", maintain_order="left")
        .join(place, on="record", how="left", maintain_order="left")
        .select(
            "record",
            pl.col("field") * 2 + 1,
            pl.lit("035").alias("tag"),
            pl.when(pl.col("org").fill_null("") != "")
            .then(pl.concat_str(pl.lit("  " + DELIMITER + "a("), pl.col("org"), pl.lit(")"), pl.col("number")))
            .otherwise(pl.concat_str(pl.lit("  " + DELIMITER + "a"), pl.col("number")))
            .alias("text"),
            pl.lit(False).alias("masked"),
        )
        .join(fields.filter(pl.col("tag") == "035").select("record", "text"), on=["record", "text"], how="anti")
    )
    # 066 lists the character sets of MARC-8; what is read here is Unicode, where the field has no place.
    kept = fields.filter(~pl.col("tag").is_in(["003", "066"])).with_columns(pl.col("field") * 2)
    return pl.concat([kept, added.cast(FIELDS)]).sort("record", "field", maintain_order=True)


def comparable(fields: pl.DataFrame) -> pl.DataFrame:
    """The rows that take part in a comparison, with the column `key`: the text in normalization form C."""
    own = (pl.col("tag") == "999") & pl.col("text").str.starts_with("ff")  # where FOLIO keeps its record's ids
    rows = fields.filter(~pl.col("tag").is_in(BOOKKEEPING) & ~pl.col("masked") & ~own)
    return rows.with_columns(nfc_beside(rows["text"]).fill_null(rows["text"]).alias("key"))


def comparable_hashes(fields: pl.DataFrame) -> pl.DataFrame:
    """Columns record, comparable_sha256: equal where two records differ in order and bookkeeping at most."""
    joined = (
        comparable(fields)
        .sort("record", "tag", "key")
        .group_by("record", maintain_order=True)
        .agg(pl.concat_str(pl.col("tag"), pl.col("key")).str.join("\x1e").alias("all"))
    )
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in joined["all"]]
    return joined.select("record", pl.Series("comparable_sha256", hashes, dtype=pl.String))


# ---- one by one, for what is read from the ILS or written to it -----------------------------------------------------


def from_marc_json(content: dict[str, Any]) -> list[tuple[str, str]]:
    """(tag, text) of a record in MARC-in-JSON, the leader first."""
    fields: list[tuple[str, str]] = [("LDR", comparable_leader(str(content["leader"])))]
    for each in content["fields"]:
        ((tag, value),) = each.items()
        if isinstance(value, str):
            fields.append((tag, value))
        else:
            pieces = (DELIMITER + code + text for subfield in value["subfields"] for code, text in subfield.items())
            fields.append((tag, value["ind1"] + value["ind2"] + "".join(pieces)))
    return fields


def to_marc_json(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """MARC-in-JSON of (tag, text) rows."""
    leader = ""
    rows: list[dict[str, Any]] = []
    for tag, text in fields:
        if tag == "LDR":
            leader = text
        elif tag.startswith("00"):
            rows.append({tag: text})
        else:
            subfields = [{piece[:1]: piece[1:]} for piece in text[2:].split(DELIMITER)[1:] if piece]
            rows.append({tag: {"ind1": text[0], "ind2": text[1], "subfields": subfields}})
    return {"leader": leader, "fields": rows}
