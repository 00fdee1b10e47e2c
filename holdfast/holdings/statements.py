"""Enumeration and chronology of MARC holdings records: captions (853-855) and what is held (863-865), paired by $8, and the
textual statements (866-868).

MARC 21 Format for Holdings Data: 853-855 captions and pattern, 863-865 enumeration and chronology, 866-868 textual holdings.
"""

from __future__ import annotations

import polars as pl

STATEMENTS = pl.Schema(
    {
        "record": pl.UInt32,
        "field": pl.UInt16,  # of 863-868
        "part": pl.String,  # 'basic', 'supplement' or 'index'
        "form": pl.String,  # 'paired' (with its captions), 'unpaired' (they are missing) or 'textual'
        "link": pl.String,  # $8 before the point; '' where there is none
        "sequence": pl.UInt32,  # $8 behind the point; null where there is none
        "enumeration": pl.String,  # levels $a-$f with their captions, joined by a colon: 'v.1-10:no.3'
        "chronology": pl.String,  # levels $i-$l: '1990-1999:01'
        "enumeration_captions": pl.String,  # 'v.:no.'
        "chronology_captions": pl.String,  # '(year):(month)'
        "text": pl.String,  # 866-868 $a
        "note": pl.String,  # $z, public
    }
)
_PARTS = {"3": "basic", "4": "supplement", "5": "index", "6": "basic", "7": "supplement", "8": "index"}
_LEVELS = {"enumeration": "abcdef", "chronology": "ijkl"}
_PLACE = ["record", "field"]


def statements(subfields: pl.DataFrame) -> pl.DataFrame:
    """Statements (shape STATEMENTS, sorted by record and field) of subfields of the shape marc.SUBFIELDS.

    A caption in parentheses, as (year), names its level and is not shown before the value; (*) says that the level has none.
    Where captions and values are repeated within a field they stand in their order.
    """
    fields = subfields.filter(pl.col("tag").is_in(["853", "854", "855", "863", "864", "865", "866", "867", "868"]))
    fields = fields.with_columns(
        pl.col("tag").str.slice(2).replace_strict(_PARTS, return_dtype=pl.String).alias("part")
    )
    fields = fields.join(_links(fields), on=_PLACE, how="left").with_columns(pl.col("link").fill_null(""))
    captions = _captions(fields.filter(pl.col("tag").is_in(["853", "854", "855"])))
    held = fields.filter(pl.col("tag").is_in(["863", "864", "865"]))
    textual = fields.filter(pl.col("tag").is_in(["866", "867", "868"]))
    places = pl.concat([held, textual]).select(*_PLACE, "part", "link", "sequence", "tag").unique(_PLACE)
    for name, codes in _LEVELS.items():
        places = places.join(_levels(held, captions, name, codes), on=_PLACE, how="left")
    places = places.join(_joined(textual, "a", "text"), on=_PLACE, how="left")
    places = places.join(_joined(pl.concat([held, textual]), "z", "note"), on=_PLACE, how="left")
    patterned = captions.select("record", "part", "link", pl.lit(value=True).alias("has")).unique()
    places = places.join(patterned, on=["record", "part", "link"], how="left")
    is_text = pl.col("tag").is_in(["866", "867", "868"])
    form = (
        pl.when(is_text)
        .then(pl.lit("textual"))
        .when(pl.col("has"))
        .then(pl.lit("paired"))
        .otherwise(pl.lit("unpaired"))
    )
    texts = [name for name, kind in STATEMENTS.items() if kind == pl.String and name not in ("part", "form", "link")]
    whole = places.with_columns(form.alias("form"), *(pl.col(name).fill_null("") for name in texts))
    return whole.select(STATEMENTS.names()).cast(STATEMENTS).sort(_PLACE)


def _links(fields: pl.DataFrame) -> pl.DataFrame:
    """$8, 'link.sequence' with perhaps a field link type behind it ('1.2\\\\a'); the first of a field counts."""
    linked = fields.filter(pl.col("code") == "8").unique(_PLACE, keep="first", maintain_order=True)
    pieces = pl.col("value").str.extract_groups(r"^\s*(\d+)(?:\.(\d+))?")
    return linked.select(
        *_PLACE,
        pieces.struct.field("1").str.replace(r"^0+(\d)", "${1}").alias("link"),
        pieces.struct.field("2").cast(pl.UInt32, strict=False).alias("sequence"),
    )


def _captions(fields: pl.DataFrame) -> pl.DataFrame:
    """A row a level: record, part, link, code, caption; the first 853 of a link counts."""
    first = (
        fields.select("record", "part", "link", "field").sort(_PLACE).unique(["record", "part", "link"], keep="first")
    )
    chosen = fields.join(first, on=["record", "part", "link", "field"], how="semi")
    named = chosen.filter(pl.col("code").str.contains("^[a-fi-l]$"))
    return named.unique(["record", "part", "link", "code"], keep="first", maintain_order=True).select(
        "record", "part", "link", "code", pl.col("value").str.strip_chars().alias("caption")
    )


def _levels(held: pl.DataFrame, captions: pl.DataFrame, name: str, codes: str) -> pl.DataFrame:
    values = held.filter(pl.col("code").is_in(list(codes)) & (pl.col("value").str.strip_chars() != ""))
    values = values.with_row_index("place").join(captions, on=["record", "part", "link", "code"], how="left")
    caption = pl.col("caption").fill_null("")
    shown = pl.when(caption.str.starts_with("(")).then(pl.lit("")).otherwise(caption)
    return (
        values.with_columns((shown + pl.col("value").str.strip_chars()).alias("level"), caption.alias("caption"))
        .sort(*_PLACE, "code", "place")
        .group_by(_PLACE, maintain_order=True)
        .agg(
            pl.col("level").str.join(":").alias(name),
            pl.col("caption").str.join(":").str.strip_chars(":").alias(f"{name}_captions"),
        )
    )


def _joined(fields: pl.DataFrame, code: str, name: str) -> pl.DataFrame:
    found = fields.filter(pl.col("code") == code)
    return found.group_by(_PLACE, maintain_order=True).agg(pl.col("value").str.join("; ").alias(name))
