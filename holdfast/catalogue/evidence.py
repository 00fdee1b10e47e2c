"""What two records have in common and what they differ in, key by key.

The comparison is symmetric: it says the same whichever of the two is on the left.
"""

from __future__ import annotations

import polars as pl

IDENTIFIERS = ("control_number", "ocn", "isbn", "issn", "lccn")
# Keys in which two records are compared; the last four alone identify nothing.
COMPARED = (*IDENTIFIERS, "title", "author", "year", "carrier")
KINDS = (*IDENTIFIERS, "title")

# What the comparison needs of a record.
_FACTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "control_numbers": pl.List(pl.String),  # '(organization)number': its own and, in the catalogue, those of its 035
    "ocn": pl.List(pl.String),
    "isbn": pl.List(pl.String),
    "issn": pl.List(pl.String),
    "lccn": pl.List(pl.String),
    "title_key": pl.String,
    "author_key": pl.String,
    "year": pl.Int32,
    "carrier": pl.String,  # null: unknown
}
FACTS = pl.Schema(_FACTS)


def keys_of(frame: pl.LazyFrame, kind: str, id_column: str, *, live: bool = False) -> pl.LazyFrame:
    """Columns id, key: a row a key of that kind of KINDS. A record may have a key twice.

    Args:
        frame: id_column, the identifier columns of NORMALIZED and its title_key, author_key and year.
        live: records of the catalogue: their suppliers' numbers, which the catalogue keeps in 035, are their own.
    """
    identity = pl.col(id_column).alias("id")
    if kind == "control_number":
        own = frame.filter(pl.col("control_number") != "").select(
            identity,
            # Numbers without an organization are no identity of their own: the title has to agree.
            pl.when(pl.col("control_number_org") != "")
            .then(pl.concat_str(pl.lit("("), "control_number_org", pl.lit(")"), "control_number"))
            .otherwise(pl.concat_str("control_number", pl.lit(" / "), "title_key"))
            .alias("key"),
        )
        if not live:
            return own
        numbers = frame.select(identity, "title_key", number="system_numbers").explode("number").drop_nulls("number")
        supplied = numbers.select(
            "id",
            pl.when(pl.col("number").str.starts_with("("))
            .then("number")
            .otherwise(pl.concat_str("number", pl.lit(" / "), "title_key"))
            .alias("key"),
        )
        return pl.concat([own, supplied])
    if kind == "title":
        # All three, or it is no key: "Annual report" is the title of many.
        whole = frame.filter((pl.col("title_key") != "") & (pl.col("author_key") != "") & pl.col("year").is_not_null())
        return whole.select(identity, pl.concat_str("author_key", "title_key", "year", separator=" / ").alias("key"))
    return frame.select(identity, pl.col(kind).alias("key")).explode("key").drop_nulls("key")


def facts_of(frame: pl.DataFrame, id_column: str, *, live: bool = False) -> pl.DataFrame:
    """Column `id` and those of FACTS; `frame` as in `keys_of`."""
    numbers = (
        keys_of(frame.lazy(), "control_number", id_column, live=live)
        .group_by("id")
        .agg(pl.col("key").unique().alias("control_numbers"))
        .collect()
    )
    return (
        frame.rename({id_column: "id"})
        .join(numbers, on="id", how="left", maintain_order="left")
        .select("id", *(pl.col(name).cast(dtype) for name, dtype in FACTS.items()))
        .with_columns(pl.col("title_key", "author_key").fill_null(""), pl.col(pl.List).fill_null([]))
    )


def _same_text(ours: str, theirs: str) -> pl.Expr:
    """Equal, or one is the beginning of the other, word by word: a title proper beside the same with its subtitle."""
    left, right = pl.concat_str(ours, pl.lit(" ")), pl.concat_str(theirs, pl.lit(" "))
    return left.str.starts_with(right) | right.str.starts_with(left)


def _organizations(name: str) -> pl.Expr:
    return pl.col(name).list.eval(pl.element().str.extract(r"^(\([^)]*\))", 1).drop_nulls())


def _share(ours: pl.Expr, theirs: pl.Expr) -> pl.Expr:
    return ours.list.set_intersection(theirs).list.len() > 0


def compared(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with `agreed` and `disagreed`: lists of the keys of COMPARED in which the two sides have a value in common, or
    have values and none in common. A key that one side lacks is in neither.

    Args:
        pairs: the columns of FACTS of one side, and those of the other with the suffix '_other'.
    """
    agrees: dict[str, pl.Expr] = {}
    known: dict[str, pl.Expr] = {}
    for kind in ("ocn", "isbn", "issn", "lccn"):
        agrees[kind] = _share(pl.col(kind), pl.col(f"{kind}_other"))
        known[kind] = (pl.col(kind).list.len() > 0) & (pl.col(f"{kind}_other").list.len() > 0)
    agrees["control_number"] = _share(pl.col("control_numbers"), pl.col("control_numbers_other"))
    # Numbers of two organizations differ and say nothing.
    known["control_number"] = _share(_organizations("control_numbers"), _organizations("control_numbers_other"))
    for kind in ("title", "author"):
        ours, theirs = f"{kind}_key", f"{kind}_key_other"
        agrees[kind] = _same_text(ours, theirs)
        known[kind] = (pl.col(ours) != "") & (pl.col(theirs) != "")
    for kind in ("year", "carrier"):
        agrees[kind] = pl.col(kind) == pl.col(f"{kind}_other")
        known[kind] = pl.col(kind).is_not_null() & pl.col(f"{kind}_other").is_not_null()
    # A number without an organization has none to compare: it agrees or says nothing.
    known["control_number"] = known["control_number"] | agrees["control_number"]

    def listed(value: bool) -> pl.Expr:
        chosen = [
            pl.when((known[kind] & (agrees[kind] == value)).fill_null(False)).then(pl.lit(kind)) for kind in COMPARED
        ]
        return pl.concat_list(chosen).list.drop_nulls()

    return pairs.with_columns(listed(True).alias("agreed"), listed(False).alias("disagreed"))
