"""Frames as MARCXML (MARC21slim), without an object a record; the layout is always the same.

Source: loc.gov/standards/marcxml (MARC21slim.xsd); XML 1.0 §2.2 (characters), §2.4 (escapes).
"""

from __future__ import annotations

import polars as pl

from holdfast.marc.frames import Frames
from holdfast.marc.iso2709_writer import concat_refused, refusal

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="http://www.loc.gov/MARC21/slim">\n'
TAIL = b"</collection>\n"

# What XML 1.0 has no place for, not even as a reference.
FORBIDDEN = "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_QUOTED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def _escaped(column: pl.Expr, escapes: dict[str, str]) -> pl.Expr:
    return column.str.replace_many(list(escapes), list(escapes.values()))


def to_marcxml(frames: Frames) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(records, refused): a row a record (record, xml), in the order of `frames.records`; and shape REFUSED.

    A record is refused if a value of it holds a control character, which XML 1.0 has no place for.
    """
    records = frames.records.filter(pl.col("fault").is_null()).select("record", "leader")
    rows = frames.subfields.join(records, on="record", how="semi", maintain_order="left")
    hint = "take the control character out, or write the record as ISO 2709 or MARC-in-JSON"
    rule = "XML 1.0 §2.2: a document holds no control characters but tab, line feed and carriage return"
    refused = concat_refused(
        [
            refusal(
                records.filter(pl.col("leader").str.contains(FORBIDDEN + "|\r")), rule, pl.lit("in the leader"), hint
            ),
            refusal(
                rows.filter(pl.col("value").str.contains(FORBIDDEN)),
                rule,
                pl.concat_str(pl.lit("in field "), pl.col("tag")),
                hint,
            ),
        ]
    )
    records = records.join(refused, on="record", how="anti", maintain_order="left")
    if refused.height:
        rows = rows.join(refused, on="record", how="anti", maintain_order="left")
    place = pl.struct("record", "field")
    rows = rows.with_columns(
        first=(place != place.shift()).fill_null(True), last=(place != place.shift(-1)).fill_null(True)
    )
    value = _escaped(pl.col("value"), _ESCAPES)
    control = pl.col("ind1").is_null()
    opening = pl.concat_str(
        pl.lit('    <datafield tag="'),
        _escaped(pl.col("tag"), _QUOTED),
        pl.lit('" ind1="'),
        _escaped(pl.col("ind1"), _QUOTED),
        pl.lit('" ind2="'),
        _escaped(pl.col("ind2"), _QUOTED),
        pl.lit('">\n'),
    )
    subfield = pl.concat_str(
        pl.lit('      <subfield code="'),
        _escaped(pl.col("code"), _QUOTED),
        pl.lit('">'),
        value,
        pl.lit("</subfield>\n"),
    )
    field = pl.concat_str(
        pl.lit('    <controlfield tag="'),
        _escaped(pl.col("tag"), _QUOTED),
        pl.lit('">'),
        value,
        pl.lit("</controlfield>\n"),
    )
    nothing = pl.lit("")
    rows = rows.select(
        "record",
        pl.when(control)
        .then(field)
        .otherwise(
            pl.concat_str(
                pl.when("first").then(opening).otherwise(nothing),
                pl.when(pl.col("code").is_not_null()).then(subfield).otherwise(nothing),
                pl.when("last").then(pl.lit("    </datafield>\n")).otherwise(nothing),
            )
        )
        .alias("xml"),
    )
    bodies = rows.group_by("record", maintain_order=True).agg(pl.col("xml").str.join(""))
    whole = records.join(bodies, on="record", how="left", maintain_order="left").select(
        "record",
        xml=pl.concat_str(
            pl.lit("  <record>\n    <leader>"),
            _escaped(pl.col("leader"), _ESCAPES),
            pl.lit("</leader>\n"),
            pl.col("xml").fill_null(""),
            pl.lit("  </record>\n"),
        ),
    )
    return whole, refused
