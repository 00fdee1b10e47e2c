"""What a new authority file would change, before anything is done: among the authorities, and in the records that use them."""

from __future__ import annotations

import polars as pl

from holdfast.authority.linking import link, lookup
from holdfast.authority.records import DEPRECATED, AuthorityFile

CHANGES = ("new", "changed heading", "changed form", "changed references", "split", "merged", "deleted")

_AUTHORITY_CHANGES: dict[str, pl.DataType | type[pl.DataType]] = {
    "authority": pl.String,
    "change": pl.String,  # of CHANGES
    "heading_before": pl.String,  # null: it was not there
    "heading_after": pl.String,  # null: it is not there any more
    "goes_to": pl.List(pl.String),  # split, merged: the authorities that take the heading over
    "detail": pl.String,
}
AUTHORITY_CHANGES = pl.Schema(_AUTHORITY_CHANGES)

_TOUCHED: dict[str, pl.DataType | type[pl.DataType]] = {
    "held_in": pl.String,  # 'catalogue', or the partition of normalized_records
    "id": pl.String,  # instance id, or record number in the partition
    "field": pl.UInt16,
    "tag": pl.String,
    "occurrence": pl.UInt16,
    "thesaurus": pl.String,
    "heading": pl.String,
    "verdict_before": pl.String,
    "verdict_after": pl.String,
    "authority_before": pl.String,
    "authority_after": pl.String,
    "authorized_before": pl.String,
    "authorized_after": pl.String,
}
TOUCHED = pl.Schema(_TOUCHED)


def _used(authorities: pl.DataFrame) -> pl.DataFrame:
    return authorities.filter(~pl.col("status").is_in(list(DEPRECATED)))


def after(current: AuthorityFile, new: AuthorityFile, *, whole: bool) -> AuthorityFile:
    """The authorities once `new` is taken over.

    Args:
        whole: `new` holds every authority of the files that it names (column authority_file): what is not in it is gone. Else
            it holds what changed.
    """
    names = new.authorities["authority_file"].unique().implode()
    replaced = pl.col("authority").is_in(new.authorities["authority"].implode())
    gone = pl.col("authority_file").is_in(names) if whole else pl.lit(False)
    kept = current.authorities.filter(~(replaced | gone))
    references = current.references.join(kept, on="authority", how="semi", maintain_order="left")
    return AuthorityFile(pl.concat([kept, new.authorities]), pl.concat([references, new.references]), new.rejected)


def authority_changes(current: AuthorityFile, new: AuthorityFile, *, whole: bool) -> pl.DataFrame:
    """A row an authority that `new` makes otherwise, in the shape of AUTHORITY_CHANGES."""
    then = after(current, new, whole=whole)
    before, later = _used(current.authorities), _used(then.authorities)
    facts = ["authority", "heading", "key", "status"]
    rows = before.select(facts).join(
        later.select(facts), on="authority", how="full", coalesce=True, suffix="_after", maintain_order="left_right"
    )
    rows = rows.join(_references_of(current, "references"), on="authority", how="left", maintain_order="left")
    rows = rows.join(_references_of(then, "references_after"), on="authority", how="left", maintain_order="left")
    rows = rows.join(_heirs(before, later, then), on="authority", how="left", maintain_order="left")
    statuses = new.authorities.select("authority", new_status="status")
    rows = rows.join(statuses, on="authority", how="left", maintain_order="left")
    heirs = pl.col("goes_to").list.len().fill_null(0)
    came, went = pl.col("heading").is_null(), pl.col("heading_after").is_null()
    changed = rows.with_columns(
        pl.when(came)
        .then(pl.lit("new"))
        .when(went & ((pl.col("new_status") == "s") | (heirs > 1)).fill_null(False))
        .then(pl.lit("split"))
        .when(went & (heirs == 1))
        .then(pl.lit("merged"))
        .when(went)
        .then(pl.lit("deleted"))
        .when(pl.col("key") != pl.col("key_after"))
        .then(pl.lit("changed heading"))
        .when(pl.col("heading") != pl.col("heading_after"))
        .then(pl.lit("changed form"))
        .when(pl.col("references").fill_null("") != pl.col("references_after").fill_null(""))
        .then(pl.lit("changed references"))
        .alias("change"),
    ).filter(pl.col("change").is_not_null())
    kept = then.references.filter(pl.col("reference") == "see from").select("authority", "key").unique()
    refers = changed.join(kept, on=["authority", "key"], how="semi").select("authority", pl.lit(True).alias("refers"))
    changed = changed.join(refers, on="authority", how="left", maintain_order="left")
    empty = pl.lit([], dtype=pl.List(pl.String))
    detail = (
        pl.when(pl.col("change").is_in(["split", "merged", "deleted"]))
        .then(
            pl.when(pl.col("new_status").is_null())
            .then(pl.lit("not in the new file"))
            .otherwise(pl.concat_str(pl.lit("leader/05 is "), "new_status"))
        )
        .when(pl.col("change") == "changed heading")
        .then(
            pl.when("refers")
            .then(pl.lit("the heading before is a see-from reference now"))
            .otherwise(pl.lit("nothing refers from the heading before"))
        )
        .when(pl.col("change") == "changed form")
        .then(pl.lit("differs in what the NACO rules do not compare: punctuation, case or diacritics"))
        .otherwise(pl.lit(""))
    )
    return (
        changed.with_columns(detail.alias("detail"), pl.col("goes_to").fill_null(empty))
        .with_columns(heading_before="heading")
        .select(pl.col(name).cast(dtype) for name, dtype in AUTHORITY_CHANGES.items())
        .sort(pl.col("change").replace_strict({name: n for n, name in enumerate(CHANGES)}), "authority")
    )


def _references_of(file: AuthorityFile, name: str) -> pl.DataFrame:
    part = pl.concat_str("reference", "relation", "key", separator=" ")
    return file.references.group_by("authority").agg(part.sort().str.join("\n").alias(name))


def _heirs(before: pl.DataFrame, later: pl.DataFrame, then: AuthorityFile) -> pl.DataFrame:
    """Columns authority, goes_to: of each that is gone, who has its heading now, established or as a see-from reference."""
    gone = before.join(later, on="authority", how="anti").select("authority", "key")
    held = pl.concat(
        [
            later.select("key", heir="authority"),
            then.references.filter(pl.col("reference") == "see from")
            .join(later, on="authority", how="semi")
            .select("key", heir="authority"),
        ]
    )
    heirs = gone.join(held, on="key").filter(pl.col("heir") != pl.col("authority"))
    return heirs.group_by("authority").agg(pl.col("heir").unique().sort().alias("goes_to"))


class WhatIf:
    """Two states of the authorities, and what of a record's headings differs between them."""

    def __init__(self, current: AuthorityFile, new: AuthorityFile, *, whole: bool) -> None:
        self._current, self._then = current, after(current, new, whole=whole)
        self._keys, self._keys_then = lookup(current), lookup(self._then)
        self.changes = authority_changes(current, new, whole=whole)

    def touched(self, found: pl.DataFrame, ids: pl.DataFrame, held_in: str) -> pl.DataFrame:
        """The headings that would be linked otherwise than now, in the shape of TOUCHED.

        Args:
            found: shape `headings.HEADINGS`.
            ids: columns record, id (how the record is named where it is held).
        """
        now = link(found, self._current, self._keys)
        later = link(found, self._then, self._keys_then)
        names = ("verdict", "authority", "authorized")
        both = pl.concat(
            [
                now.rename({name: f"{name}_before" for name in names}),
                later.select(pl.col(name).alias(f"{name}_after") for name in names),
            ],
            how="horizontal",
        )
        differs = pl.any_horizontal(pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in names)
        rows = both.filter(differs).join(ids, on="record", how="left", maintain_order="left")
        return rows.with_columns(pl.lit(held_in).alias("held_in")).select(
            pl.col(name).cast(dtype) for name, dtype in TOUCHED.items()
        )
