"""The minimal patch from a live record to an incoming one, and its application.

A patch is a list of whole fields to delete and to add: what both records have, in whatever order, is in neither. Fields
with masked values, protected fields and the system's own (999 ff) are in no patch: they stay as they are. Which of the others
come and go is for the source's merge rules to say (holdfast.catalogue.merging).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import polars as pl

from holdfast.catalogue.fields import DELIMITER, comparable
from holdfast.catalogue.merging import NOT_REPEATED, MergeRule, Protection, ruled
from holdfast.marc.nfc import nfc_beside
from holdfast.privacy.masking import PREFIX

PATCHES = pl.Schema(
    {
        "record": pl.UInt32,
        "op": pl.String,  # 'delete' or 'add'
        "field": pl.Int32,  # order in the record that the field is from
        "tag": pl.String,
        "text": pl.String,
    }
)

CHANGES = pl.Schema(
    {
        "record": pl.UInt32,
        "kind": pl.String,  # 'added', 'removed' or 'changed'
        "tag": pl.String,
        "indicators": pl.String,
        "code": pl.String,  # '' for control fields and the leader
        "before": pl.String,
        "after": pl.String,
    }
)


class PatchConflictError(ValueError):
    """The live record no longer has a field that the patch deletes."""


_NTH = pl.int_range(pl.len(), dtype=pl.Int32)  # over something: number of a row among those that are alike


def _taking_part(fields: pl.DataFrame, protection: Protection, merge: Sequence[MergeRule]) -> pl.DataFrame:
    """Comparable fields that the load may touch, with `key` and, where there is something to say, `bare`, `rule` and `how`."""
    rows = comparable(fields)
    rows = rows.filter(~protection.field())
    if protection.subfields:
        rows = rows.with_columns(protection.bare()).with_columns(
            pl.when(pl.col("bare") == pl.col("text")).then("key").otherwise("bare").alias("key"),
            (pl.col("bare") != pl.col("text")).alias("held"),
        )
        held = rows.filter("held")
        if held.height:
            keys = held.with_columns(nfc_beside(held["bare"]).fill_null(held["bare"]).alias("key"))
            rows = pl.concat([rows.filter(~pl.col("held")), keys])
        # Nothing is left of it to compare.
        rows = rows.filter(~pl.col("held") | pl.col("bare").str.contains(DELIMITER, literal=True))
    return rows.with_columns(ruled(merge)) if merge else rows


def diff(
    live: pl.DataFrame,
    incoming: pl.DataFrame,
    protected: Sequence[str] = (),
    merge: Sequence[MergeRule] = (),
) -> pl.DataFrame:
    """Patches (shape PATCHES) that make the live fields the incoming ones; both have the shape fields.FIELDS.

    A record without rows in the result would not change. 005 follows where something else changes. Where the incoming record
    has a masked value in a tag, the live fields of that tag stay: one of them may be the same field, and it can't be told which.
    An incoming field that a live one is, but for masked subfields, is not added.

    Args:
        protected: fields and subfields that stay, as settings.Source.protected.
        merge: rules, the first that covers a field holds (see holdfast.catalogue.merging).
    """
    protection = Protection(protected)
    before, after = (_taking_part(each, protection, merge) for each in (live, incoming))
    deletes, adds = _not_in_both(before, after)
    veiled = incoming.filter("masked").select("record", "tag").unique()
    deletes = deletes.join(veiled, on=["record", "tag"], how="anti")
    adds = adds.join(_public_keys(live), on=["record", "tag", "key"], how="anti")
    if merge:
        deletes, adds = _as_ruled(live, deletes, adds, merge)
    if protection.subfields:
        deletes, adds = _keeping_subfields(deletes, adds, protection)
    patches = pl.concat(
        frame.with_columns(pl.lit(op).alias("op")).select(PATCHES.names()).cast(PATCHES)
        for frame, op in ((deletes, "delete"), (adds, "add"))
    )
    touched = patches.select("record").unique()
    dates = [
        _dates(frame, protection, merge).join(touched, on="record", how="semi").with_columns(pl.lit(op).alias("op"))
        for frame, op in (
            (live.join(incoming.filter(pl.col("tag") == "005"), on="record", how="semi"), "delete"),
            (incoming, "add"),
        )
    ]
    # `field` numbers of the two records are their own; in the order of a patch they only have to keep each one's order.
    whole = pl.concat([patches, *(frame.select(PATCHES.names()).cast(PATCHES) for frame in dates)])
    return whole.sort("record", "field", "op", descending=[False, False, True])


def _dates(fields: pl.DataFrame, protection: Protection, merge: Sequence[MergeRule]) -> pl.DataFrame:
    rows = fields.filter(pl.col("tag") == "005").filter(~protection.field())
    return rows.with_columns(ruled(merge)).filter(pl.col("how") == "replace") if merge else rows


def _not_in_both(before: pl.DataFrame, after: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of each that the other has not as often: two equal notes are two fields."""
    same = ["record", "tag", "key"]
    sides = pl.concat(
        [
            before.select(*same, pl.lit(1, dtype=pl.Int32).alias("live")),
            after.select(*same, pl.lit(-1, dtype=pl.Int32).alias("live")),
        ]
    )
    counts = sides.group_by(same).agg(pl.col("live").sum().alias("more"), pl.len().cast(pl.Int32).alias("all"))
    # `all` with `more` gives how many each side has; what both have as often is gone by now.
    counts = counts.filter(pl.col("more") != 0).with_columns(
        ((pl.col("all") + pl.col("more")) // 2).alias("ours"), ((pl.col("all") - pl.col("more")) // 2).alias("theirs")
    )
    found = []
    for rows, others in ((before, "theirs"), (after, "ours")):
        own = rows.join(
            counts.select(*same, pl.col(others).alias("others")), on=same, how="inner", maintain_order="left"
        )
        own = own.sort("record", "field", maintain_order=True)
        found.append(own.filter(_NTH.over(same) >= pl.col("others")).drop("others"))
    return found[0], found[1]


def _public_keys(live: pl.DataFrame) -> pl.DataFrame:
    """Columns record, tag, key of the live fields with masked values, as they are without these."""
    masked = live.filter("masked").with_columns(public_text().alias("text"))
    return masked.select("record", "tag", nfc_beside(masked["text"]).fill_null(masked["text"]).alias("key"))


def _as_ruled(
    live: pl.DataFrame, deletes: pl.DataFrame, adds: pl.DataFrame, merge: Sequence[MergeRule]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    present = live.filter(~_ours()).with_columns(ruled(merge)).select("record", "tag", "rule").unique()
    there = present.with_columns(pl.lit(True).alias("under_rule"))
    tags = present.select("record", "tag").unique().with_columns(pl.lit(True).alias("has_tag"))
    adds = adds.join(there, on=["record", "tag", "rule"], how="left", maintain_order="left")
    adds = adds.join(tags, on=["record", "tag"], how="left", maintain_order="left")
    how, single = pl.col("how"), pl.col("tag").is_in(NOT_REPEATED)
    comes = (
        (how == "replace")
        | ((how == "add") & ~(single & pl.col("has_tag").fill_null(False)))
        | ((how == "prefer-local") & ~pl.col("under_rule").fill_null(False))
    )
    return deletes.filter(how == "replace"), adds.filter(comes)


def _keeping_subfields(
    deletes: pl.DataFrame, adds: pl.DataFrame, protection: Protection
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A live field with protected subfields gives them to the incoming field that takes its place: the one with the same
    first subfield, else the only other one of its tag; without such it stays whole. What comes in has none of its own."""
    adds = adds.with_columns(pl.col("bare").alias("text")).with_row_index("add")
    deletes = deletes.with_row_index("delete")
    opening = pl.col("bare").str.extract(f"^..({DELIMITER}[^{DELIMITER}]*)").fill_null("").alias("opening")
    alike = ["record", "tag", "opening"]
    ours = deletes.with_columns(opening).sort("record", ~pl.col("held"), "delete")
    ours = ours.with_columns(_NTH.over(alike).alias("nth"))
    theirs = adds.with_columns(opening).with_columns(_NTH.over(alike).alias("nth"))
    first = ours.join(theirs.select("add", *alike, "nth"), on=[*alike, "nth"], how="inner").select("delete", "add")
    alone = pl.len().over("record", "tag") == 1
    last = (
        deletes.join(first, on="delete", how="anti")
        .filter(alone)
        .join(
            adds.join(first, on="add", how="anti").filter(alone).select("record", "tag", "add"),
            on=["record", "tag"],
            how="inner",
        )
        .select("delete", "add")
    )
    pairs = pl.concat([first, last])
    held = deletes.filter("held").join(pairs, on="delete", how="inner")
    stay = deletes.filter("held").join(pairs, on="delete", how="anti").select("delete")
    texts = _with_subfields(held, adds, protection)
    adds = adds.join(texts, on="add", how="left", maintain_order="left")
    return (
        deletes.join(stay, on="delete", how="anti", maintain_order="left"),
        adds.with_columns(pl.coalesce("whole", "text").alias("text")),
    )


def _with_subfields(held: pl.DataFrame, adds: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """Columns add, whole: the text of incoming fields with the protected subfields of the live ones behind as many others as
    they stood behind."""
    ours = _pieces(held.select("add", "tag", "text")).with_columns(protection.subfield().alias("stays"))
    ours = ours.with_columns((~pl.col("stays")).cum_sum().over("add").cast(pl.Int32).alias("behind")).filter("stays")
    theirs = _pieces(adds.join(held.select("add"), on="add", how="semi").select("add", "tag", "text"))
    theirs = theirs.with_columns(pl.lit(False).alias("stays"), (_NTH.over("add") + 1).alias("behind"))
    names = ["add", "behind", "stays", "at", "piece"]
    joined = (
        pl.concat([theirs.select(names), ours.select(names)])
        .sort("add", "behind", "stays", "at")
        .group_by("add", maintain_order=True)
        .agg(pl.concat_str(pl.lit(DELIMITER), "piece").str.join("").alias("subfields"))
    )
    starts = adds.select("add", pl.col("text").str.slice(0, 2).alias("indicators"))
    return joined.join(starts, on="add", how="left").select(
        "add", pl.concat_str("indicators", "subfields").alias("whole")
    )


def _pieces(fields: pl.DataFrame) -> pl.DataFrame:
    """A row a subfield of data fields: the columns beside `text`, and piece (code and value), code, at (its place)."""
    rows = fields.with_columns(
        pl.col("text").str.slice(2).str.split(DELIMITER).list.slice(1).alias("piece")
    ).with_columns(pl.int_ranges(pl.col("piece").list.len(), dtype=pl.Int32).alias("at"))
    rows = rows.filter(pl.col("piece").list.len() > 0).drop("text").explode("piece", "at")
    return rows.with_columns(pl.col("piece").str.slice(0, 1).alias("code"))


def _ours() -> pl.Expr:
    return (pl.col("tag") == "999") & pl.col("text").str.starts_with("ff")


def public_text() -> pl.Expr:
    """The column text without its masked subfields."""
    return pl.col("text").str.replace_all(DELIMITER + "." + PREFIX + "[0-9a-f]{64}", "")


def additions(incoming: pl.DataFrame) -> pl.DataFrame:
    """Patches that create the incoming records, without their masked subfields, and without fields that have no other."""
    rows = incoming.with_columns(pl.when("masked").then(public_text()).otherwise("text").alias("text"))
    rows = rows.filter(~pl.col("masked") | pl.col("text").str.contains(DELIMITER))
    return rows.with_columns(pl.lit("add").alias("op")).select(PATCHES.names()).cast(PATCHES)


def changes_of(patches: pl.DataFrame) -> pl.DataFrame:
    """The patches as a person reads them: before and after of each subfield (shape CHANGES).

    A deleted and an added field of the same tag are one changed field: those with the same first subfield first, the others in their
    order. In a changed field the n-th $a is compared with the n-th $a; `ind` stands for the indicators.
    """
    pairs, alone = _paired(patches)
    rows = pl.concat([_of_pairs(pairs), _of_single(alone)])
    return rows.sort("record", "order", "tag", "place", maintain_order=True).select(CHANGES.names()).cast(CHANGES)


_ORDER = pl.col("field").cast(pl.Int64)


def _paired(patches: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(columns record, order, tag, before, after of changed fields; record, order, tag, kind, text of the others)."""
    both = patches.filter(pl.col("op").n_unique().over("record", "tag") == 2)
    opening = pl.when(_is_data()).then(pl.col("text").str.extract(f"^..({DELIMITER}[^{DELIMITER}]*)")).fill_null("")
    both = both.with_row_index("row").with_columns(opening.alias("opening"))
    found = []
    left = both
    for alike in (["record", "tag", "opening"], ["record", "tag"]):
        left = left.with_columns(_NTH.over(*alike, "op").alias("nth"))
        old, new = (left.filter(pl.col("op") == op) for op in ("delete", "add"))
        pairs = old.join(
            new.select(*alike, "nth", pl.col("text").alias("after"), _ORDER.alias("order"), pl.col("row").alias("new")),
            on=[*alike, "nth"],
            how="inner",
        )
        found.append(pairs.select("record", "order", "tag", pl.col("text").alias("before"), "after"))
        done = pl.concat([pairs["row"], pairs["new"]])
        left = left.filter(~pl.col("row").is_in(done.implode()))
    others = pl.concat(
        [
            patches.filter(pl.col("op").n_unique().over("record", "tag") == 1).select(
                "record", "field", "tag", "op", "text"
            ),
            left.select("record", "field", "tag", "op", "text"),
        ]
    )
    kind = pl.when(pl.col("op") == "delete").then(pl.lit("removed")).otherwise(pl.lit("added")).alias("kind")
    return pl.concat(found), others.select("record", _ORDER.alias("order"), "tag", kind, "text")


def _is_data() -> pl.Expr:
    return (pl.col("tag") != "LDR") & ~pl.col("tag").str.starts_with("00")


_CHANGED = ["record", "order", "tag", "place", "kind", "indicators", "code", "before", "after"]


def _of_single(fields: pl.DataFrame) -> pl.DataFrame:
    """Rows of fields that are added or removed as a whole."""
    control = fields.filter(~_is_data()).with_columns(
        pl.lit(0, dtype=pl.Int32).alias("place"),
        pl.lit("").alias("indicators"),
        pl.lit("").alias("code"),
        pl.col("text").alias("value"),
    )
    data = _pieces(
        fields.filter(_is_data()).with_columns(pl.col("text").str.slice(0, 2).alias("indicators"))
    ).with_columns(pl.col("at").alias("place"), pl.col("piece").str.slice(1).alias("value"))
    names = ["record", "order", "tag", "place", "kind", "indicators", "code", "value"]
    added = pl.col("kind") == "added"
    return (
        pl.concat([control.select(names), data.select(names)])
        .with_columns(
            pl.when(~added).then("value").alias("before"),
            pl.when(added).then("value").alias("after"),
        )
        .select(_CHANGED)
    )


def _of_pairs(pairs: pl.DataFrame) -> pl.DataFrame:
    """Rows of what differs in changed fields."""
    pairs = pairs.with_row_index("pair").with_columns(pl.lit("changed").alias("kind"))
    whole = pl.lit(-1, dtype=pl.Int32).alias("place")
    control = pairs.filter(~_is_data()).with_columns(whole, pl.lit("").alias("indicators"), pl.lit("").alias("code"))
    data = pairs.filter(_is_data()).with_columns(pl.col("after").str.slice(0, 2).alias("indicators"))
    first = pl.col("before").str.slice(0, 2)
    indicators = data.filter(first != pl.col("indicators")).with_columns(
        whole, pl.lit("ind").alias("code"), first.alias("before"), pl.col("indicators").alias("after")
    )
    sides = []
    for side in ("before", "after"):
        pieces = _pieces(data.select("pair", pl.col(side).alias("text")))
        pieces = pieces.with_columns(_NTH.over("pair", "code").alias("nth"), pl.col("piece").str.slice(1).alias(side))
        sides.append(pieces.select("pair", "code", "nth", side, pl.col("at").alias(f"at_{side}")))
    pieces = sides[0].join(sides[1], on=["pair", "code", "nth"], how="full", coalesce=True)
    pieces = pieces.filter(pl.col("before").ne_missing(pl.col("after")))
    # What is new in a field comes behind what was there.
    place = pl.coalesce("at_before", pl.col("at_after") + 10_000).cast(pl.Int32).alias("place")
    subfields = pieces.with_columns(place).join(
        data.select("pair", "record", "order", "tag", "kind", "indicators"), on="pair", how="left"
    )
    return pl.concat(frame.select(_CHANGED) for frame in (control, indicators, subfields))


def apply_patch(
    live: list[tuple[str, str]], deletes: list[tuple[str, str]], adds: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Fields of the live record with the patch applied; an added field comes where the deleted one of its tag was, else
    after the last field with a tag not above its own.

    Raises:
        PatchConflictError: a field to delete is not there any more.
    """
    fields: list[tuple[str, str]] = list(live)
    holes: dict[str, list[int]] = {}
    marker = ("", "")
    for tag, text in deletes:
        wanted = unicodedata.normalize("NFC", text)
        for position, (have, value) in enumerate(fields):
            if have == tag and unicodedata.normalize("NFC", value) == wanted:
                fields[position] = marker
                holes.setdefault(tag, []).append(position)
                break
        else:
            raise PatchConflictError(f"the live record has no field {tag} as it was planned to change")
    later: list[tuple[str, str]] = []
    for tag, text in adds:
        waiting = holes.get(tag)
        if waiting:
            fields[waiting.pop(0)] = (tag, text)
        else:
            later.append((tag, text))
    fields = [each for each in fields if each != marker]
    for tag, text in later:
        order = "000" if tag == "LDR" else tag
        at = len(fields)
        while at and ("000" if fields[at - 1][0] == "LDR" else fields[at - 1][0]) > order:
            at -= 1
        fields.insert(at, (tag, text))
    return fields


__all__ = [
    "CHANGES",
    "PATCHES",
    "PatchConflictError",
    "additions",
    "apply_patch",
    "changes_of",
    "diff",
    "public_text",
]
