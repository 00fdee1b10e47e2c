"""Headings of bibliographic records linked to authority records by their NACO keys.

The whole heading is looked for first; then, as the Library of Congress validates subject strings (Subject Headings Manual, H 1090
ff.: free-floating subdivisions have no authority with every main heading), what is left of it without its last subdivisions; of
a name and title, last, the name. What no authority covers is said.
"""

from __future__ import annotations

import polars as pl

from holdfast.authority.headings import NAMES, headings
from holdfast.authority.records import DEPRECATED, AuthorityFile
from holdfast.authority.records import VERSION as RECORDS_VERSION

VERSION = f"1.{RECORDS_VERSION}"

VERDICTS = ("linked", "linked_by_reference", "ambiguous", "deprecated", "unlinked")

_LINKS: dict[str, pl.DataType | type[pl.DataType]] = {
    "record": pl.UInt32,
    "field": pl.UInt16,
    "tag": pl.String,
    "occurrence": pl.UInt16,
    "thesaurus": pl.String,
    "heading": pl.String,
    "key": pl.String,
    "verdict": pl.String,  # of VERDICTS
    "matched": pl.String,  # 'whole', 'main heading', 'name'; '' where nothing did
    "authority": pl.String,
    "authorized": pl.String,  # the heading as the authority has it, with the subdivisions that it does not cover
    "alternatives": pl.List(pl.String),  # ambiguous: all authorities that have the key
    "unverified_subdivisions": pl.List(pl.String),  # that no authority covers: free-floating, or wrong
    "evidence": pl.String,
}
AUTHORITY_LINKS = pl.Schema(_LINKS)

_ESTABLISHED, _SEE_FROM, _DEPRECATED, _REFERENCE = range(4)
_NO_WORDS = pl.lit([], dtype=pl.List(pl.String))


def lookup(file: AuthorityFile) -> pl.DataFrame:
    """A row a key that a heading can be looked for by: thesaurus, key, rank (established, see from, no longer used, reference
    record), authority, authorized, authority_tag, alternatives, is_earlier_form, replaced_by."""
    rows = file.authorities.filter(~pl.col("tag").str.starts_with("18"))
    used = ~pl.col("status").is_in(list(DEPRECATED))
    own = rows.select(
        "authority",
        "key",
        pl.when(~used)
        .then(_DEPRECATED)
        .when("established")
        .then(_ESTABLISHED)
        .otherwise(_REFERENCE)
        .cast(pl.UInt8)
        .alias("rank"),
        pl.lit(False).alias("is_earlier_form"),
    )
    from_here = (
        file.references.filter(pl.col("reference") == "see from")
        .join(rows.filter(used & pl.col("established")), on="authority", how="semi")
        .select("authority", "key", pl.lit(_SEE_FROM, pl.UInt8).alias("rank"), "is_earlier_form")
    )
    facts = rows.select(
        "authority", "thesaurus", "as_name", "as_subject", "replaced_by", authorized="heading", authority_tag="tag"
    )
    # One key twice in a record: what one of its references says of it counts.
    every = pl.concat([own, from_here]).group_by("authority", "key", "rank").agg(pl.col("is_earlier_form").any())
    every = every.join(facts, on="authority")
    scoped = pl.concat(
        [
            every.filter("as_name").with_columns(pl.lit(NAMES).alias("thesaurus")),
            every.filter("as_subject"),
        ]
    )
    return (
        scoped.sort("thesaurus", "key", "rank", "authority")
        .group_by("thesaurus", "key", "rank", maintain_order=True)
        .agg(
            pl.col("authority", "authorized", "authority_tag", "replaced_by", "is_earlier_form").first(),
            pl.col("authority").alias("alternatives"),
        )
    )


def _candidates(distinct: pl.DataFrame) -> pl.DataFrame:
    """Columns id, thesaurus, key, covered: the keys by which each heading is looked for; `covered` subdivisions are in the key,
    -1: only the name of a name and title."""
    count = pl.col("subdivisions").list.len().cast(pl.Int64)
    by_length = distinct.with_columns(pl.int_ranges(0, count + 1).alias("covered")).explode("covered")
    rest = pl.col("subdivisions").list.head(pl.col("covered")).list.join("")
    strings = by_length.select("id", "thesaurus", pl.concat_str("name", "title", rest).alias("key"), "covered")
    names = distinct.filter(pl.col("title") != "").select(
        "id", "thesaurus", pl.col("name").alias("key"), pl.lit(-1, pl.Int64).alias("covered")
    )
    return pl.concat([strings, names])


def candidate_keys(found: pl.DataFrame) -> pl.Series:
    """All keys by which these headings (shape HEADINGS) are looked for: what of an authority file is needed for them."""
    distinct = found.unique(["thesaurus", "name", "title", "subdivisions"]).with_row_index("id")
    return _candidates(distinct)["key"].unique()


def _unverified(distinct: pl.DataFrame, file: AuthorityFile) -> pl.DataFrame:
    """Columns id, unverified_subdivisions: those beyond `covered` that no subdivision authority (18X) has."""
    known = file.subdivisions.filter(~pl.col("status").is_in(list(DEPRECATED))).select("thesaurus", part="key").unique()
    beyond = (
        distinct.select(
            "id",
            "thesaurus",
            pl.col("subdivisions").list.slice(pl.col("beyond")).alias("part"),
            pl.col("subdivision_texts").list.slice(pl.col("beyond")).alias("text"),
        )
        .explode("part", "text")
        .drop_nulls("part")
    )
    missing = beyond.join(known, on=["thesaurus", "part"], how="anti", maintain_order="left")
    return missing.group_by("id", maintain_order=True).agg(pl.col("text").alias("unverified_subdivisions"))


def link(found: pl.DataFrame, file: AuthorityFile, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """The headings with what they are linked to, in the shape of AUTHORITY_LINKS, a row a heading.

    Args:
        found: shape `headings.HEADINGS`.
        keys: `lookup(file)`, where it is made already.
    """
    keys = lookup(file) if keys is None else keys
    whole_key = pl.concat_str("name", "title", pl.col("subdivisions").list.join("")).alias("key")
    rows = found.with_columns(whole_key)
    # The same heading comes again and again: each is looked for once.
    distinct = rows.unique(["thesaurus", "key"], keep="first", maintain_order=True).with_row_index("id")
    hits = (
        _candidates(distinct)
        .join(keys, on=["thesaurus", "key"], how="inner")
        .sort("id", "covered", "rank", descending=[False, True, False])
        .unique("id", keep="first", maintain_order=True)
        .drop("thesaurus", "key")
    )
    distinct = distinct.join(hits, on="id", how="left", maintain_order="left").with_columns(
        pl.max_horizontal(pl.col("covered").fill_null(0), 0).alias("beyond")
    )
    distinct = distinct.join(_unverified(distinct, file), on="id", how="left", maintain_order="left")
    verdicts = _verdicts(distinct)
    columns = [name for name in AUTHORITY_LINKS if name not in found.columns or name in ("thesaurus",)]
    linked = rows.join(verdicts.select(columns), on=["thesaurus", "key"], how="left", maintain_order="left")
    # Written otherwise than the authority has it, in what the rules do not compare.
    otherwise = (pl.col("verdict") == "linked") & (_bare("heading") != _bare("authorized"))
    evidence = (
        pl.when(otherwise)
        .then(pl.concat_str("evidence", pl.lit("; differs in punctuation, case or diacritics")))
        .otherwise("evidence")
    )
    return linked.with_columns(evidence.alias("evidence")).select(
        pl.col(name).cast(dtype) for name, dtype in AUTHORITY_LINKS.items()
    )


def _bare(name: str) -> pl.Expr:
    return pl.col(name).str.normalize("NFC").str.strip_chars(" .,")


def _verdicts(distinct: pl.DataFrame) -> pl.DataFrame:
    rank, several = pl.col("rank"), pl.col("alternatives").list.len() > 1
    subdivisions = pl.col("subdivisions").list.len()
    left_over = pl.col("subdivision_texts").list.slice(pl.col("beyond"))
    matched = (
        pl.when(rank.is_null())
        .then(pl.lit(""))
        .when(pl.col("covered") < 0)
        .then(pl.lit("name"))
        .when(pl.col("covered") < subdivisions)
        .then(pl.lit("main heading"))
        .otherwise(pl.lit("whole"))
    )
    replaced = pl.col("replaced_by").list.len() == 1
    authorized = (
        pl.when(rank.is_null() | several | (rank == _REFERENCE))
        .then(None)
        .when(rank == _DEPRECATED)
        .then(pl.when(replaced).then(pl.col("replaced_by").list.first()))
        .when(pl.col("covered") < 0)
        .then("authorized")
        .otherwise(pl.concat_list("authorized", left_over).list.join("--"))
    )
    field = (
        pl.when(rank == _SEE_FROM)
        .then(pl.concat_str(pl.lit("4"), pl.col("authority_tag").str.slice(1)))
        .otherwise("authority_tag")
    )
    source = (
        pl.when(pl.col("thesaurus") == "")
        .then(pl.lit("the field names no thesaurus"))
        .otherwise(pl.concat_str(pl.lit("no authority of "), "thesaurus", pl.lit(" has it")))
    )
    parts = [
        pl.concat_str(matched, pl.lit(" = "), field, pl.lit(" of "), "authority"),
        pl.when((rank == _SEE_FROM) & pl.col("is_earlier_form")).then(pl.lit("the form established before")),
        pl.when(rank == _DEPRECATED).then(pl.lit("no longer to be used (leader/05)")),
        pl.when(rank == _REFERENCE).then(pl.lit("a reference record: see its 260, 664 or 666")),
        pl.when(several).then(pl.concat_str(pl.col("alternatives").list.len(), pl.lit(" authorities have the key"))),
    ]
    return distinct.with_columns(
        pl.when(rank.is_null())
        .then(pl.lit("unlinked"))
        .when(several | (rank == _REFERENCE))
        .then(pl.lit("ambiguous"))
        .when(rank == _DEPRECATED)
        .then(pl.lit("deprecated"))
        .when(rank == _SEE_FROM)
        .then(pl.lit("linked_by_reference"))
        .otherwise(pl.lit("linked"))
        .alias("verdict"),
        matched.alias("matched"),
        authorized.alias("authorized"),
        pl.when(several).then(None).otherwise("authority").alias("authority"),
        pl.when(several).then("alternatives").otherwise(_NO_WORDS).alias("alternatives"),
        pl.col("unverified_subdivisions").fill_null(_NO_WORDS),
        pl.when(rank.is_null()).then(source).otherwise(pl.concat_str(parts, separator="; ", ignore_nulls=True)).alias("evidence"),
    )  # fmt: skip


def link_records(subfields: pl.DataFrame, file: AuthorityFile, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """Shape AUTHORITY_LINKS, of whole records in the shape of `marc.SUBFIELDS`."""
    return link(headings(subfields), file, keys)


def see_also(file: AuthorityFile) -> pl.DataFrame:
    """The see-also references with where they lead: columns authority, relation, heading, to (the authority that is established
    under the heading; null where the file has none)."""
    established = file.authorities.filter(pl.col("established") & ~pl.col("status").is_in(list(DEPRECATED)))
    keys = established.sort("authority").unique("key", keep="first").select("key", to="authority")
    edges = file.references.filter(pl.col("reference") == "see also")
    return edges.join(keys, on="key", how="left", maintain_order="left").select(
        "authority", "relation", "heading", "to"
    )
