"""Headings as keys: those of bibliographic records, and those that authority records establish and refer from.

A key is the subfields of a heading in their order, each as 0x1F, its code and its NACO form: the rules keep the codes, and
compare headings whatever their tags are. What is no part of a heading (relators, links, control subfields, GMD, volume and ISSN
of a series) is left out.
"""

from __future__ import annotations

import polars as pl

from holdfast.authority.naco import naco_values

DELIMITER = "\x1f"
SUBDIVISIONS = ("v", "x", "y", "z")

# Heading subfields by the last two characters of the tag (MARC 21 Bibliographic and Authority, X00 to X85, General Information).
_CODES = {
    "00": "abcdfgklmnopqrst",
    "10": "abcdfgklmnoprst",
    "11": "acdefgklnpqst",
    "30": "adfgklmnoprst",
    "47": "acdg",
    "48": "a",
    "50": "abcdg",
    "51": "ag",
    "55": "a",
    "62": "a",
    "80": "",
    "81": "",
    "82": "",
    "85": "",
}

# Fields of a bibliographic record that hold headings under authority control.
NAME_TAGS = (
    *("100", "110", "111", "130"),
    *("700", "710", "711", "730"),
    *("800", "810", "811", "830"),
)
SUBJECT_TAGS = ("600", "610", "611", "630", "647", "648", "650", "651", "655")
HEADING_TAGS = (*NAME_TAGS, "240", *SUBJECT_TAGS)

# Which file of names or subjects a heading is looked for in. Names are one: whatever agency keeps them.
NAMES = "names"
_BY_INDICATOR = {"0": "lcsh", "1": "lcshac", "2": "mesh", "3": "nal", "4": "", "5": "cash", "6": "rvm"}

_HEADINGS: dict[str, pl.DataType | type[pl.DataType]] = {
    "record": pl.UInt32,
    "field": pl.UInt16,  # place in the record
    "tag": pl.String,
    "occurrence": pl.UInt16,  # of that tag in the record, from 1
    "thesaurus": pl.String,  # 'names', or by indicator 2 and $2 of a 6XX; '' where the record names none
    "heading": pl.String,  # as it stands, subdivisions after '--'
    "name": pl.String,  # key without title and subdivisions
    "title": pl.String,  # key of the title part of a name and title; '' where there is none
    "subdivisions": pl.List(pl.String),  # keys, one each
    "subdivision_texts": pl.List(pl.String),  # as they stand
}
HEADINGS = pl.Schema(_HEADINGS)


def heading_parts(subfields: pl.DataFrame, group: pl.Expr, *, subdivided: pl.Expr) -> pl.DataFrame:
    """Rows of `subfields` that are part of a heading, with `is_subdivision`."""
    allowed = pl.any_horizontal(
        (group == suffix) & pl.col("code").is_in(list(codes)) for suffix, codes in _CODES.items() if codes
    )
    is_subdivision = pl.col("code").is_in(list(SUBDIVISIONS)) & subdivided
    rows = subfields.filter(pl.col("value").is_not_null() & (pl.col("code") != ""))
    return rows.with_columns(is_subdivision.alias("is_subdivision")).filter(allowed | pl.col("is_subdivision"))


def keyed(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """A row a heading: `by`, heading, name, title, subdivisions, subdivision_texts.

    Args:
        rows: columns `by`, code, value, is_subdivision, in the order of the subfields.
    """
    rows = naco_values(rows).filter(pl.col("naco") != "")
    part = pl.concat_str(pl.lit(DELIMITER), "code", "naco")
    # From $t on it is the title of a work; in a uniform title ($a alone) all is one.
    in_title = (pl.col("code") == "t").cum_max().over(by)
    shown = pl.col("value").str.strip_chars(" ")
    main = ~pl.col("is_subdivision")
    return (
        rows.with_columns(part.alias("part"), in_title.alias("in_title"), shown.alias("shown"))
        .group_by(by, maintain_order=True)
        .agg(
            pl.col("shown").filter(main).str.join(" ").alias("main"),
            pl.col("part").filter(main & ~pl.col("in_title")).str.join("").alias("name"),
            pl.col("part").filter(main & pl.col("in_title")).str.join("").alias("title"),
            pl.col("part").filter(~main).alias("subdivisions"),
            pl.col("shown").filter(~main).str.strip_chars_end(" .").alias("subdivision_texts"),
        )
        .with_columns(
            pl.concat_list(pl.when(pl.col("main") != "").then("main"), "subdivision_texts")
            .list.drop_nulls()
            .list.join("--")
            .str.strip_chars(" .,;:")
            .alias("heading")
        )
        .drop("main")
    )


def headings(subfields: pl.DataFrame) -> pl.DataFrame:
    """The headings of bibliographic records, in the shape of HEADINGS. 880 fields repeat headings in another script, for which
    there is no authority of their own: they are left out.

    Args:
        subfields: shape of `marc.SUBFIELDS`, whole records.
    """
    fields = subfields.lazy().filter(pl.col("tag").is_in(list(HEADING_TAGS)) & pl.col("ind1").is_not_null()).collect()
    if not fields.height:
        return pl.DataFrame(schema=HEADINGS)
    places = fields.select("record", "tag", "field", "ind2").unique(
        ["record", "field"], keep="first", maintain_order=True
    )
    named = (
        fields.filter(pl.col("code") == "2").group_by("record", "field").agg(pl.col("value").first().alias("source"))
    )
    places = places.join(named, on=["record", "field"], how="left", maintain_order="left").with_columns(
        (pl.col("field").rank("dense").over("record", "tag")).cast(pl.UInt16).alias("occurrence"),
        pl.when(~pl.col("tag").is_in(list(SUBJECT_TAGS)))
        .then(pl.lit(NAMES))
        .when(pl.col("ind2") == "7")
        .then(pl.col("source").fill_null("").str.strip_chars(" .").str.to_lowercase())
        .otherwise(pl.col("ind2").replace_strict(_BY_INDICATOR, default="", return_dtype=pl.String))
        .alias("thesaurus"),
    )
    rows = _with_uniform_titles(fields)
    found = keyed(
        heading_parts(rows, pl.col("tag").str.slice(1), subdivided=pl.col("tag").is_in(list(SUBJECT_TAGS))),
        ["record", "field"],
    )
    whole = places.join(found, on=["record", "field"], how="inner", maintain_order="left")
    return whole.filter(pl.col("name") != "").select(pl.col(name).cast(dtype) for name, dtype in HEADINGS.items())


def _with_uniform_titles(fields: pl.DataFrame) -> pl.DataFrame:
    """240 is the title of a work of the 1XX: its authority has both, the title in $t. Without a 1XX it is a title alone."""
    titles = fields.filter(pl.col("tag") == "240")
    others = fields.filter(pl.col("tag") != "240")
    if not titles.height:
        return others
    creators = fields.filter(pl.col("tag").is_in(["100", "110", "111"]))
    first = creators.group_by("record").agg(pl.col("field").min())
    creators = creators.join(first, on=["record", "field"], how="semi")
    of_titles = titles.select("record", pl.col("field").alias("of")).unique(["record"], keep="first")
    before = creators.join(of_titles, on="record").with_columns(pl.col("of").alias("field")).drop("of")
    has_creator = pl.col("record").is_in(creators["record"].unique().implode())
    titles = titles.join(before.select("record", tag_of="tag").unique("record"), on="record", how="left").with_columns(
        pl.when(has_creator).then("tag_of").otherwise(pl.lit("130")).alias("tag"),
        pl.when(has_creator & (pl.col("code") == "a")).then(pl.lit("t")).otherwise("code").alias("code"),
    )
    # The creator's own title subfields, if any, are not of this work.
    names_only = before.filter(pl.col("code").is_in(list("abcdq")))
    rest = titles.select(fields.columns)
    return pl.concat([others, names_only.select(fields.columns), rest])
