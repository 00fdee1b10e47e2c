"""Authority records as columns: who is established under which heading, and what refers to it.

Sources: MARC 21 Format for Authority Data, leader/05, 008/09, /11, /14, /15, and Tracings and References, General Information ($w).
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from holdfast.authority.headings import heading_parts, keyed
from holdfast.authority.naco import VERSION as NACO_VERSION
from holdfast.marc.frames import Frames
from holdfast.marc.normalize import normalize_lccn

VERSION = f"1.{NACO_VERSION}"

_KINDS = {
    "100": "personal name", "110": "corporate name", "111": "meeting name", "130": "uniform title", "147": "event",
    "148": "period", "150": "topic", "151": "place", "155": "genre or form", "162": "medium of performance",
    "180": "general subdivision", "181": "geographic subdivision", "182": "chronological subdivision",
    "185": "form subdivision",
}  # fmt: skip
_THESAURI = {"a": "lcsh", "b": "lcshac", "c": "mesh", "d": "nal", "k": "cash", "r": "aat", "s": "sears", "v": "rvm"}
# Leader/05 of records that are no longer to be used.
DEPRECATED = ("d", "o", "s", "x")

_AUTHORITIES: dict[str, pl.DataType | type[pl.DataType]] = {
    "authority": pl.String,  # LCCN (010 $a, normalized), else 001
    "authority_file": pl.String,  # name in holdfast.toml
    "file": pl.String,
    "record": pl.UInt32,  # number in the file
    "control_number": pl.String,
    "status": pl.String,  # leader/05
    "last_modified": pl.String,  # 005
    "established": pl.Boolean,  # 008/09: the 1XX may be used as a heading; else it refers elsewhere or is a subdivision
    "kind": pl.String,  # by the tag of the 1XX, in words
    "tag": pl.String,
    "thesaurus": pl.String,  # 008/11, else 040 $f, else that of the file
    "as_name": pl.Boolean,  # 008/14: may stand in a 1XX, 7XX or 8XX
    "as_subject": pl.Boolean,  # 008/15: may stand in a 6XX
    "heading": pl.String,
    "key": pl.String,
    "replaced_by": pl.List(pl.String),  # headings that 682 names, of a record that is no longer to be used
    "content_sha256": pl.String,
}
AUTHORITIES = pl.Schema(_AUTHORITIES)

_REFERENCES: dict[str, pl.DataType | type[pl.DataType]] = {
    "authority": pl.String,
    "file": pl.String,
    "record": pl.UInt32,
    "reference": pl.String,  # 'see from' (4XX) or 'see also' (5XX)
    "tag": pl.String,
    "relation": pl.String,  # $w/0 in words: broader, narrower, earlier, later …; '' where there is none
    "is_earlier_form": pl.Boolean,  # $w/2: the heading as it was established before
    "heading": pl.String,
    "key": pl.String,
}
REFERENCES = pl.Schema(_REFERENCES)

_RELATIONS = {
    "a": "earlier", "b": "later", "d": "acronym", "f": "musical composition", "g": "broader", "h": "narrower",
    "i": "in $i", "r": "in $i", "t": "parent body",
}  # fmt: skip


class AuthorityFile(NamedTuple):
    """authorities: shape AUTHORITIES. references: shape REFERENCES. rejected: columns record, fault, fault_detail of records
    that are readable MARC and no authority record."""

    authorities: pl.DataFrame
    references: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def subdivisions(self) -> pl.DataFrame:
        return self.authorities.filter(pl.col("tag").str.starts_with("18"))


def nothing() -> AuthorityFile:
    rejected = pl.DataFrame(schema={"record": pl.UInt32, "fault": pl.String, "fault_detail": pl.String})
    return AuthorityFile(pl.DataFrame(schema=AUTHORITIES), pl.DataFrame(schema=REFERENCES), rejected)


def _whole_key() -> pl.Expr:
    return pl.concat_str("name", "title", pl.col("subdivisions").list.join(""))


def _tracings(subfields: pl.DataFrame, first: str) -> pl.DataFrame:
    """Headings of the 1XX, 4XX or 5XX fields: record, field, tag, heading, key, w."""
    rows = subfields.filter(
        (pl.col("tag").str.slice(0, 1) == first) & pl.col("ind1").is_not_null() & (pl.col("tag").str.len_bytes() == 3)
    )
    kept = heading_parts(rows, pl.col("tag").str.slice(1), subdivided=pl.lit(True))
    found = keyed(kept.select("record", "field", "code", "value", "is_subdivision"), ["record", "field"])
    control = rows.filter(pl.col("code") == "w").group_by("record", "field").agg(pl.col("value").first().alias("w"))
    tags = rows.select("record", "field", "tag").unique(maintain_order=True)
    return (
        tags.join(found, on=["record", "field"], how="inner", maintain_order="left")
        .join(control, on=["record", "field"], how="left", maintain_order="left")
        .with_columns(_whole_key().alias("key"), pl.col("w").fill_null(""))
        .sort("record", "field")
    )


def _first(subfields: pl.DataFrame, where: pl.Expr, name: str) -> pl.DataFrame:
    return subfields.filter(where).group_by("record").agg(pl.col("value").first().alias(name))


def read_authorities(frames: Frames, *, authority_file: str, file: str, thesaurus: str = "") -> AuthorityFile:
    """The authority records among readable MARC records.

    Args:
        frames: as `marc.read_columns` returns them.
        authority_file: name of the file in the settings.
        thesaurus: of records that do not say theirs in 008/11 or 040 $f.
    """
    readable = frames.records.filter(pl.col("fault").is_null())
    kind = pl.col("leader").str.slice(6, 1)
    subfields = frames.subfields.join(
        readable.filter(kind == "z").select("record"), on="record", how="semi", maintain_order="left"
    )
    tag, code = pl.col("tag"), pl.col("code")
    heading = _tracings(subfields, "1").unique("record", keep="first", maintain_order=True)
    lccn = _first(subfields, (tag == "010") & (code == "a"), "lccn").with_columns(
        pl.col("lccn").map_elements(normalize_lccn, return_dtype=pl.String)
    )
    replaced = (
        subfields.filter((tag == "682") & (code == "a"))
        .group_by("record", maintain_order=True)
        .agg(pl.col("value").str.strip_chars(" .,;").alias("replaced_by"))
    )
    rows = readable.filter(kind == "z").select("record", "leader", "sha256")
    for part in (
        heading.select("record", "tag", "heading", "key"),
        lccn,
        replaced,
        *(_first(subfields, tag == each, f"f{each}") for each in ("001", "005", "008")),
        _first(subfields, (tag == "040") & (code == "f"), "f040"),
    ):
        rows = rows.join(part, on="record", how="left", maintain_order="left")
    coded = pl.col("f008").fill_null("")
    rows = rows.with_columns(
        pl.col("f001").fill_null("").str.strip_chars().alias("control_number"),
        pl.col("f005").fill_null("").str.strip_chars().alias("last_modified"),
        pl.col("leader").str.slice(5, 1).alias("status"),
        # Without an 008 a record says nothing against its use.
        coded.str.slice(9, 1).is_in(["a", "f", "|", ""]).alias("established"),
        tag.replace_strict(_KINDS, default="other", return_dtype=pl.String).alias("kind"),
        coded.str.slice(11, 1).replace_strict(_THESAURI, default=None, return_dtype=pl.String).alias("coded"),
        coded.str.slice(14, 1).is_in(["a", "|", ""]).alias("as_name"),
        coded.str.slice(15, 1).is_in(["a", "|", ""]).alias("as_subject"),
        pl.col("sha256").alias("content_sha256"),
        pl.lit(authority_file).alias("authority_file"),
        pl.lit(file).alias("file"),
        pl.col("replaced_by").fill_null([]),
    ).with_columns(
        pl.coalesce("lccn", "control_number").alias("authority"),
        pl.coalesce("coded", pl.col("f040").str.strip_chars(" .").str.to_lowercase(), pl.lit(thesaurus)).alias(
            "thesaurus"
        ),
    )
    whole = pl.col("key").is_not_null() & (pl.col("authority") != "")
    authorities = rows.filter(whole).select(pl.col(name).cast(dtype) for name, dtype in AUTHORITIES.items())
    rejected = pl.concat(
        [
            readable.filter(kind != "z").select(
                "record",
                pl.lit("authority.not_authority").alias("fault"),
                pl.concat_str(pl.lit("leader/06 is "), kind).alias("fault_detail"),
            ),
            rows.filter(~whole.fill_null(False)).select(
                "record",
                pl.when(pl.col("key").is_null())
                .then(pl.lit("authority.no_heading"))
                .otherwise(pl.lit("authority.no_number"))
                .alias("fault"),
                pl.when(pl.col("key").is_null())
                .then(pl.lit("no 1XX with a heading"))
                .otherwise(pl.lit("neither 010 $a nor 001"))
                .alias("fault_detail"),
            ),
        ]
    ).sort("record")
    return AuthorityFile(authorities, _references(subfields, authorities), rejected)


def _references(subfields: pl.DataFrame, authorities: pl.DataFrame) -> pl.DataFrame:
    found = pl.concat(
        [
            _tracings(subfields, first).with_columns(pl.lit(name).alias("reference"))
            for first, name in (("4", "see from"), ("5", "see also"))
        ]
    )
    ids = authorities.select("record", "authority", "file")
    return (
        found.join(ids, on="record", how="inner", maintain_order="left")
        .sort("record", "field", maintain_order=True)
        .with_columns(
            pl.col("w")
            .str.slice(0, 1)
            .replace_strict(_RELATIONS, default="", return_dtype=pl.String)
            .alias("relation"),
            pl.col("w").str.slice(2, 1).is_in(["a", "e", "o"]).alias("is_earlier_form"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in REFERENCES.items())
    )


def superseded(ids: pl.DataFrame) -> pl.DataFrame:
    """Columns file, record of the records that another one of the same authority replaces: the newest (005, then the later
    one) counts.

    Args:
        ids: columns authority, last_modified, file, record, in the order read.
    """
    rows = ids.with_row_index("place").sort("last_modified", "place")
    return rows.filter(~pl.col("authority").is_last_distinct()).sort("place").select("file", "record")


def joined(files: list[AuthorityFile]) -> AuthorityFile:
    """One file of several, each authority once."""
    authorities, references, rejected = (pl.concat(tables) for tables in zip(nothing(), *files, strict=True))
    gone = superseded(authorities)
    own = ["file", "record"]
    return AuthorityFile(
        authorities.join(gone, on=own, how="anti", maintain_order="left"),
        references.join(gone, on=own, how="anti", maintain_order="left"),
        rejected,
    )
