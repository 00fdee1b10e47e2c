"""The changes of a plan that a person should look at first.

A change is the more surprising, the more reasons it has: each that holds adds to its score. Of bibliographic records they are
these (docs/decisions/0017 says why these; of holdings, items and patrons see holdfast.feeds.surprises):

- it says what the record is about: title, main entry, a standard number, the kind of record, date or language, and the new value
  has few words of the old one;
- its kind is rare: (tag, subfield, added or removed or changed) is seldom in this plan and in the plans of the source before;
- something goes: a record is hidden, an access point or another field is removed;
- a subfield of the same field is protected.

New records are left out: of them everything is new, and the budget counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from holdfast.catalogue.merging import Protection

SHOWN = 100
A_RECORD = 3  # so that one record does not fill the list
A_KIND = 25  # nor one kind of change: a hundred records that are hidden would leave no room for what else happens

SURPRISES = pl.Schema(
    {
        "score": pl.Float64,
        "reasons": pl.String,
        "record": pl.UInt32,
        "target": pl.String,
        "title": pl.String,
        "kind": pl.String,
        "tag": pl.String,
        "indicators": pl.String,
        "code": pl.String,
        "before": pl.String,
        "after": pl.String,
    }
)

Kind = tuple[str, str, str]  # (tag, code, kind)
_KIND = ["tag", "code", "kind"]

_MAIN_ENTRIES = ("100", "110", "111", "130")
_NUMBERS = ("010", "020", "022", "024", "027", "028")
_ACCESS = "^(?:1..|240|6[0-59].|7[0-5].|8[0-3].|856)$"
_WORDS = r"[\p{L}\p{N}]+"
# A kind of change that is one of two in a thousand gives a third of what a foreign title does.
_RAREST_BITS = 12.0


class Reasons(NamedTuple):
    """Why changes of one kind of record are surprising.

    Attributes:
        points: columns `why:…`, as `worth` makes them, with what each reason adds to the score. They see the columns of
            patch.CHANGES, action, bits (`frequencies`) and, of what is `compared`, likeness: the share of words that before and after have in common.
        compared: of which changes.
        left_out: changes that are never shown.
    """

    points: Sequence[pl.Expr]
    compared: pl.Expr
    left_out: pl.Expr


def worth(reason: str, condition: pl.Expr, points: pl.Expr | float) -> pl.Expr:
    """A reason in words, when it holds, and how much it adds."""
    value = points if isinstance(points, pl.Expr) else pl.lit(float(points))
    return pl.when(condition.fill_null(False)).then(value).otherwise(0.0).alias(f"why:{reason}")


def surprising(
    changes: pl.DataFrame, plan: pl.DataFrame, frequency: pl.DataFrame, reasons: Reasons, shown: int = SHOWN
) -> pl.DataFrame:
    """The most surprising changes of a part of a plan, shape SURPRISES, the first one first.

    Args:
        changes: shape patch.CHANGES.
        plan: columns record, target, title and action at least.
        frequency: as `frequencies` makes it, of the whole plan.
    """
    known = plan.filter(pl.col("action") != "create").select("record", "target", "title", "action")
    rows = changes.filter(~reasons.left_out).join(
        known.select("record", "action"), on="record", how="inner", maintain_order="left"
    )
    kinds = frequency.with_row_index("of", 1)
    rows = rows.join(kinds, on=_KIND, how="left", maintain_order="left").with_columns(pl.col("of").fill_null(0))
    rare = worth("a rare kind of change", pl.col("bits") > 4, pl.col("bits") / 6)
    rows = _with_likeness(rows, reasons.compared).with_columns([*reasons.points, rare])
    names = [name for name in rows.columns if name.startswith("why:")]
    rows = _candidates(rows.with_columns(pl.sum_horizontal(names).alias("score")), shown)
    in_words = pl.concat_str(
        [pl.when(pl.col(name) > 0).then(pl.lit(name.removeprefix("why:"))) for name in names],
        separator="; ",
        ignore_nulls=True,
    )
    rows = rows.with_columns(in_words.alias("reasons")).join(
        known.select("record", "target", "title"), on="record", how="left", maintain_order="left"
    )
    return first_of(rows.select(SURPRISES.names()).cast(SURPRISES), shown)


def _candidates(rows: pl.DataFrame, shown: int) -> pl.DataFrame:
    """The rows that can be among the first: so many records, A_KIND of a kind at most, have one with as high a score as the least of these."""
    highest = pl.col("score").arg_max()
    best = rows.group_by("record").agg(pl.col("score").get(highest), pl.col("of").get(highest))
    few = best.filter(pl.col("score") > 0).group_by("of").agg(pl.col("score").top_k(A_KIND)).explode("score")["score"]
    return rows.filter(pl.col("score") >= few.top_k(shown).min()) if len(few) >= shown else rows


def first_of(rows: pl.DataFrame, shown: int = SHOWN) -> pl.DataFrame:
    """The most surprising of them, shape SURPRISES: at most A_RECORD of a record, and more than A_KIND of a kind only where the others
    leave room, after these; what has no reason comes last."""
    order = rows.sort("score", "record", "tag", "code", descending=[True, False, False, False], maintain_order=True)
    few = order.filter(pl.int_range(pl.len()).over("record") < A_RECORD)
    again = (pl.int_range(pl.len()).over(_KIND) >= A_KIND).cast(pl.Int8)
    turn = pl.when(pl.col("score") > 0).then(again).otherwise(2).alias("turn")
    return few.with_columns(turn).sort("turn", maintain_order=True).head(shown).drop("turn")


def frequencies(counts: pl.DataFrame, history: Mapping[Kind, int], changes_before: int) -> pl.DataFrame:
    """Columns tag, code, kind, bits: how rare a kind of change is, −log2 of its share of this plan and of those before.

    Args:
        counts: shape plan_document.COUNTS, of this plan.
        history: changes of subfields by kind, in the source's earlier plans.
        changes_before: of how many in all.
    """
    now = counts.filter(pl.col("action") != "create").group_by("tag", "code", "kind").agg(pl.col("subfields").sum())
    then = pl.DataFrame(
        [(*kind, count) for kind, count in history.items()],
        schema={"tag": pl.String, "code": pl.String, "kind": pl.String, "earlier": pl.Int64},
        orient="row",
    )
    whole = int(now["subfields"].sum()) + changes_before
    share = (pl.col("subfields") + pl.col("earlier").fill_null(0)) / max(whole, 1)
    return now.join(then, on=_KIND, how="left").select(
        "tag", "code", "kind", (-share.log(2)).clip(0, _RAREST_BITS).alias("bits")
    )


def _with_likeness(rows: pl.DataFrame, compared: pl.Expr) -> pl.DataFrame:
    """Column likeness of what is compared: share of the words that both values have, of those that either has (Jaccard); 0
    where one is missing."""
    rows = rows.with_row_index("row")
    words = [
        pl.col(side).fill_null("").str.to_lowercase().str.extract_all(_WORDS).list.unique().alias(side)
        for side in ("before", "after")
    ]
    both = pl.col("before").list.set_intersection("after").list.len()
    either = pl.col("before").list.set_union("after").list.len()
    # Marks alone differ: as good as the same.
    share = pl.when(either == 0).then(1.0).otherwise(both / either).alias("likeness")
    found = rows.filter(compared).select("row", *words).select("row", share)
    return rows.join(found, on="row", how="left", maintain_order="left").drop("row")


def marc_reasons(protected: Protection) -> Reasons:
    """Of bibliographic records; `protected` of the source."""
    tag, code, kind = pl.col("tag"), pl.col("code"), pl.col("kind")
    unlike = 1 - pl.col("likeness")
    title = (tag == "245") & code.is_in(["a", "b", "n", "p"])
    author = tag.is_in(_MAIN_ENTRIES) & code.is_in(["a", "b", "d", "t"])
    number = tag.is_in(_NUMBERS) & code.is_in(["a", "z"])
    update, fixed, gone = pl.col("action") == "update", kind == "changed", kind == "removed"

    def differs(start: int, length: int) -> pl.Expr:
        return pl.col("before").str.slice(start, length).ne_missing(pl.col("after").str.slice(start, length))

    of_008 = (tag == "008") & fixed & ((differs(7, 4)) | differs(35, 3))
    access = tag.str.contains(_ACCESS)
    subfield_gone = fixed & pl.col("after").is_null() & code.ne("") & (code != "ind")
    points = [
        worth("the record is hidden", (pl.col("action") == "suppress") & (tag == "LDR"), 6),
        worth("another kind of record", (tag == "LDR") & update & fixed & differs(6, 2), 5),
        worth("another title", title & (unlike > 0.5), 2 + 4 * unlike),
        worth("another main entry", author & (unlike > 0.5), 2 + 3 * unlike),
        worth("a standard number goes or changes", number & (kind != "added") & (unlike > 0), 3),
        worth("another date or language in 008", of_008, 2),
        worth("an access point goes", gone & access, 2),
        worth("a field goes", gone & ~access, 1),
        worth("a subfield goes", subfield_gone, 1),
        worth("beside a protected subfield", protected.neighbour(), 1),
    ]
    compared = (tag == "245") | tag.is_in(_MAIN_ENTRIES) | tag.is_in(_NUMBERS)
    return Reasons(points, compared, tag == "005")
