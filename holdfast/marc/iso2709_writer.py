"""Frames as ISO 2709, without an object a record.

Leader and values are written as they stand; the record's length and base address (leader/00-04 and 12-16) and the directory
are made anew. A record that can't be written is refused, with its field and rule, and the others are written.

Sources: ISO 2709:2008; MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from holdfast.marc.encoding import MARC21, Reading
from holdfast.marc.frames import Frames
from holdfast.marc.marc8_writer import NotInMarc8Error, encode_marc8

ENCODINGS = ("keep", "utf-8", "marc-8")
LONGEST_FIELD, LONGEST_RECORD = 9_999, 99_999

REFUSED = pl.Schema(
    {
        "record": pl.UInt32,
        "field": pl.UInt16,  # null: the record as a whole
        "tag": pl.String,
        "rule": pl.String,
        "detail": pl.String,
        "hint": pl.String,
    }
)

_LENGTH_HINT = "write the record as MARCXML or MARC-in-JSON, which have no such limit"


class Made(NamedTuple):
    """records: numbers of what was written, in order. lengths: bytes of each. data: all of them. refused: shape REFUSED."""

    records: list[int]
    lengths: list[int]
    data: bytes
    refused: pl.DataFrame

    def each(self) -> list[bytes]:
        ends = np.cumsum([0, *self.lengths]).tolist()
        return [self.data[a:b] for a, b in pairwise(ends)]


def refusal(rows: pl.DataFrame, rule: str, detail: pl.Expr, hint: str) -> pl.DataFrame:
    """Shape REFUSED, a row for each of `rows`, which have record and may have field and tag."""
    missing = [pl.lit(None, REFUSED[name]).alias(name) for name in ("field", "tag") if name not in rows.columns]
    whole = rows.with_columns(*missing, rule=pl.lit(rule), detail=detail, hint=pl.lit(hint))
    return whole.select(REFUSED.names()).cast(REFUSED)


def concat_refused(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row a record: the first thing found."""
    return pl.concat([pl.DataFrame(schema=REFUSED), *parts]).unique("record", keep="first", maintain_order=True)


def to_iso2709(
    frames: Frames, encoding: str = "keep", originals: dict[int, bytes] | None = None, reading: Reading = MARC21
) -> Made:
    """The readable records of `frames` in ISO 2709, in their order.

    Args:
        encoding: 'keep': each record as its leader/09 says, which is as it was read. 'utf-8': all in UTF-8, with 'a' in
            leader/09. 'marc-8': all in MARC-8, with a blank there.
        originals: bytes of records that may be written as they were, if their subfields are still the same
            (`Part.originals`), as they are read with `reading`.
    """
    records = frames.records.filter(pl.col("fault").is_null()).select("record", "leader", "encoding")
    rows = frames.subfields.join(records, on="record", how="semi", maintain_order="left")
    kept = _kept(frames, originals or {}, reading) if encoding == "keep" else {}
    if kept:
        same = pl.col("record").is_in(list(kept))
        records, rows = records.filter(~same), rows.filter(~same)
    legacy = _legacy(records, encoding)
    leader = pl.col("leader")
    if encoding != "keep":
        mark = pl.lit("a" if encoding == "utf-8" else " ")
        leader = pl.concat_str(leader.str.slice(0, 9), mark, leader.str.slice(10))
    records = records.with_columns(leader.alias("leader"), legacy.alias("legacy")).drop("encoding")
    refused: list[pl.DataFrame] = []
    if legacy.any():
        rows, unknown = _as_marc8(rows, records.filter("legacy")["record"])
        refused.append(unknown)
    refused.append(_unwritable(rows))
    return _assemble(records, rows, refused, kept, frames.records["record"])


def _legacy(records: pl.DataFrame, encoding: str) -> pl.Series:
    """Which of the records are written in MARC-8."""
    if encoding != "keep":
        return pl.Series([encoding == "marc-8"] * records.height, dtype=pl.Boolean)
    # UNIMARC (leader/20-23 is '450 ') says its character set in 100 $a, and nothing in leader/09.
    says = (pl.col("leader").str.slice(9, 1) == " ") & (pl.col("leader").str.slice(20, 4) != "450 ")
    return records.select((pl.col("encoding") == "marc-8") | says).to_series().fill_null(False)


def _kept(frames: Frames, originals: dict[int, bytes], reading: Reading) -> dict[int, bytes]:
    """Those of the originals whose subfields and leader are still what they were."""
    from holdfast.marc.blocks import Block
    from holdfast.marc.iso2709 import read_columns

    wanted = [record for record in frames.records["record"].to_list() if record in originals]
    if not wanted:
        return {}
    before = read_columns(Block(b"".join(originals[record] for record in wanted), 0, True), 1, reading)
    numbers = pl.Series(wanted, dtype=pl.UInt32)
    old = before.subfields.with_columns(numbers.gather(before.subfields["record"] - 1).alias("record"))
    leaders = dict(zip(wanted, before.records["leader"], strict=True))
    now = frames.subfields.filter(pl.col("record").is_in(wanted)).partition_by("record", as_dict=True)
    then = old.partition_by("record", as_dict=True)
    present = dict(frames.records.filter(pl.col("record").is_in(wanted)).select("record", "leader").iter_rows())
    return {
        record: originals[record]
        for record in wanted
        if present[record] == leaders[record]
        and (record,) in now
        and (record,) in then
        and now[record,].equals(then[record,], null_equal=True)
    }


def _as_marc8(rows: pl.DataFrame, records: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with values of `records` in MARC-8, a character standing for each byte (Latin-1); and what is refused."""
    wanted = rows.select(
        pl.col("record").is_in(records.implode()) & (pl.col("value").str.len_bytes() != pl.col("value").str.len_chars())
    ).to_series()
    places = wanted.fill_null(False).arg_true()
    encoded: list[str | None] = []
    details: dict[int, str] = {}
    for place, text in zip(places, rows["value"].gather(places), strict=True):
        try:
            encoded.append(encode_marc8(text).decode("latin-1"))
        except NotInMarc8Error as error:
            encoded.append("")
            details[place] = str(error)
    bad = rows[list(details)].with_columns(pl.Series("detail", list(details.values()), dtype=pl.String))
    unknown = refusal(
        bad, "MARC-8 has the characters of its code tables only", pl.col("detail"), "write it with encoding='utf-8'"
    )
    value = rows["value"].scatter(places, pl.Series(encoded, dtype=pl.String)) if len(places) else rows["value"]
    return rows.with_columns(value.alias("value")), unknown


def _unwritable(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that would be read back as something else."""
    value, code = pl.col("value"), pl.col("code")
    control = pl.col("tag").str.contains("^00[0-9]$")
    # 0x1D in a value is read back, where the lengths agree; 0x1E and 0x1F end the value.
    ends = value.str.contains("[\x1e\x1f]", literal=False)
    mixed = control.ne_missing(pl.col("ind1").is_null())
    named = (code == "") & (value != "")
    bad = rows.filter((ends | mixed | named).fill_null(False))
    return refusal(
        bad,
        "MARC 21 Record Structure: control fields (00X) have a text, other fields indicators and coded subfields, and no value "
        "has a delimiter or terminator in it",
        pl.when(ends.fill_null(False))
        .then(pl.lit("a delimiter or terminator in the value"))
        .when(mixed)
        .then(pl.concat_str(pl.lit("the tag "), pl.col("tag"), pl.lit(" is that of another kind of field")))
        .otherwise(pl.lit("a value without a subfield code")),
        "take the control character out, or give the field another tag",
    )


def _assemble(
    records: pl.DataFrame, rows: pl.DataFrame, refused: list[pl.DataFrame], kept: dict[int, bytes], order: pl.Series
) -> Made:
    # A value is what stands for its bytes: UTF-8, or a Latin-1 character a byte in records in MARC-8.
    rows = rows.join(records.select("record", "legacy"), on="record", how="left", maintain_order="left")
    first = (pl.struct("record", "field") != pl.struct("record", "field").shift()).fill_null(True)
    rows = rows.with_columns(
        first=first,
        piece=pl.concat_str(
            pl.when(first & pl.col("ind1").is_not_null())
            .then(pl.concat_str("ind1", "ind2", ignore_nulls=True))
            .otherwise(pl.lit("")),
            pl.when(pl.col("code").is_not_null()).then(pl.concat_str(pl.lit("\x1f"), "code")).otherwise(pl.lit("")),
            pl.col("value").fill_null(""),
        ),
    ).with_columns(
        bytes=pl.when("legacy").then(pl.col("piece").str.len_chars()).otherwise(pl.col("piece").str.len_bytes()),
        number=pl.col("first").cum_sum(),
    )
    fields = (
        rows.group_by("number", maintain_order=True)
        .agg(
            pl.col("record").first(),
            pl.col("field").first(),
            pl.col("tag").first(),
            pl.col("piece").str.join(""),
            (pl.col("bytes").sum() + 1).cast(pl.Int64).alias("bytes"),
        )
        .with_columns(
            start=pl.col("bytes").cum_sum().over("record") - pl.col("bytes"),
            piece=pl.concat_str("piece", pl.lit("\x1e")),
        )
    )
    refused.append(
        refusal(
            fields.filter(pl.col("bytes") > LONGEST_FIELD),
            "ISO 2709 §4.4: a field has 9,999 bytes at most",
            pl.format("field {} has {} bytes", "tag", "bytes"),
            _LENGTH_HINT,
        )
    )
    whole = fields.group_by("record", maintain_order=True).agg(
        pl.concat_str("tag", _padded(pl.col("bytes"), 4), _padded(pl.col("start"), 5)).str.join("").alias("directory"),
        pl.col("piece").str.join("").alias("body"),
        pl.col("bytes").sum().alias("length"),
        pl.len().cast(pl.Int64).alias("fields"),
    )
    whole = (
        records.join(whole, on="record", how="left", maintain_order="left")
        .with_columns(pl.col("directory", "body").fill_null(""), pl.col("length", "fields").fill_null(0))
        .with_columns(base=24 + 12 * pl.col("fields") + 1)
        .with_columns(length=pl.col("base") + pl.col("length") + 1)
    )
    refused.append(
        refusal(
            whole.filter(pl.col("length") > LONGEST_RECORD),
            "ISO 2709 §4.3.1: a record has 99,999 bytes at most",
            pl.format("the record has {} bytes", "length"),
            _LENGTH_HINT,
        )
    )
    struck = concat_refused(refused)
    whole = whole.join(struck, on="record", how="anti", maintain_order="left").select(
        "record",
        "legacy",
        "length",
        text=pl.concat_str(
            _padded(pl.col("length"), 5),
            pl.col("leader").str.slice(5, 7),
            _padded(pl.col("base"), 5),
            pl.col("leader").str.slice(17),
            "directory",
            pl.lit("\x1e"),
            "body",
            pl.lit("\x1d"),
        ),
    )
    return _joined(whole, struck, kept, order)


def _joined(whole: pl.DataFrame, struck: pl.DataFrame, kept: dict[int, bytes], order: pl.Series) -> Made:
    if not kept and not whole["legacy"].any():
        data = "".join(whole["text"]).encode()
        return Made(whole["record"].to_list(), whole["length"].to_list(), data, struck)
    made = {
        record: text.encode("latin-1" if legacy else "utf-8")
        for record, legacy, text in whole.select("record", "legacy", "text").iter_rows()
    }
    made |= kept
    records = [record for record in order.to_list() if record in made]
    pieces = [made[record] for record in records]
    return Made(records, [len(each) for each in pieces], b"".join(pieces), struck)


def _padded(number: pl.Expr, width: int) -> pl.Expr:
    return number.cast(pl.String).str.zfill(width)
