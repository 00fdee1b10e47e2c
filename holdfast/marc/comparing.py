"""What old and new rules or code make of the same records, held against each other by column, by subfield and by issue.

Parts of a corpus are added one after the other; counts and a few examples are kept, so memory is that of a part. A value that one of
the sides masks is shown by neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from holdfast.marc.frames import SUBFIELDS
from holdfast.marc.validation import ISSUES
from holdfast.privacy.masking import PREFIX

SHOWN = 120  # characters of a value in an example
MASKED = "(masked)"

DIFFERENCES = pl.Schema(
    {
        "part": pl.String,  # 'record', 'column' (of normalized_records), 'subfield', 'stopped' or 'issue'
        "name": pl.String,  # of the column, '245$a', '245 ind1', code of the issue …
        "records": pl.UInt64,  # how many records differ in it
        "gone": pl.UInt64,  # values or issues that only the old side has
        "new": pl.UInt64,  # that only the new side has
        "changed": pl.UInt64,  # that both have, otherwise
        "same": pl.UInt64,  # issues that both have alike; null: not counted
    }
)
EXAMPLES = pl.Schema(
    {
        "part": pl.String,
        "name": pl.String,
        "file": pl.String,
        "record": pl.UInt32,
        "before": pl.String,  # as text; null: it is not there
        "after": pl.String,
    }
)
_NAMED = ["part", "name"]
_PLACE = ["record", "code", "tag", "field", "occurrence", "subfield", "position", "value"]
_SAID = ["severity", "rule", "message", "hint"]
_HIDDEN = r"pii\W?[0-9a-f]{64}"


class Made(NamedTuple):
    """What one side makes of some records.

    records: shape window.RECORDS, or an earlier one. subfields: shape frames.SUBFIELDS at least. unreadable: shape
    window.UNREADABLE. issues: shape validation.ISSUES. stopped: numbers of the records that are sent to quarantine.
    """

    records: pl.DataFrame
    subfields: pl.DataFrame
    unreadable: pl.DataFrame
    issues: pl.DataFrame
    stopped: pl.Series


@dataclass
class Comparison:
    """Sums over all parts that were added.

    Attributes:
        examples_each: how many examples are kept of each difference.
        records: looked at, readable or not.
        differing: of these, how many differ in anything.
        differences: shape DIFFERENCES.
        examples: shape EXAMPLES.
    """

    examples_each: int = 3
    records: int = 0
    differing: int = 0
    differences: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DIFFERENCES))
    examples: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EXAMPLES))

    @property
    def same(self) -> bool:
        return not self.differing

    def add(self, before: Made, after: Made) -> pl.Series:
        """Count the same records as two sides have made them; gives the numbers of those that differ."""
        files = pl.concat([each.select("record", "file") for made in (before, after) for each in made[:3:2]]).unique(
            "record"
        )
        values, hidden = _subfields(before.subfields, after.subfields)
        found = [
            _readable(before, after),
            _hide(_columns(before.records, after.records), hidden),
            values,
            _stopped(before.stopped, after.stopped),
            _issues(before.issues, after.issues, hidden),
        ]
        rows = pl.concat(found)
        differing = rows.filter(pl.col("kind") != "same")
        self.records += files.height
        numbers = differing["record"].unique().sort()
        self.differing += len(numbers)
        self._sum(rows)
        self._keep(differing.join(files, on="record", how="left", maintain_order="left"))
        return numbers

    def _sum(self, rows: pl.DataFrame) -> None:
        counts = rows.group_by(_NAMED).agg(
            pl.col("record").filter(pl.col("kind") != "same").n_unique().alias("records"),
            *((pl.col("kind") == kind).sum().alias(kind) for kind in ("gone", "new", "changed", "same")),
        )
        both = pl.concat([self.differences, counts.select(DIFFERENCES.names()).cast(DIFFERENCES)])
        self.differences = both.group_by(_NAMED).sum().sort("part", "name").select(DIFFERENCES.names())

    def _keep(self, rows: pl.DataFrame) -> None:
        new = rows.select(EXAMPLES.names()).cast(EXAMPLES)
        # One a record first: the same change ten times in a record says less than in ten records.
        kept = pl.concat([self.examples, new.unique([*_NAMED, "record"], keep="first", maintain_order=True)])
        self.examples = kept.filter(pl.int_range(pl.len()).over(_NAMED) < self.examples_each)


# All of the functions below give rows of the shape: part, name, record, kind (gone, new, changed, same), before, after.
_ROWS = pl.Schema(
    {
        "part": pl.String,
        "name": pl.String,
        "record": pl.UInt32,
        "kind": pl.String,
        "before": pl.String,
        "after": pl.String,
    }
)


def _rows(frame: pl.DataFrame, part: str) -> pl.DataFrame:
    """`frame`: columns name, record, before, after, and kind where it is not to be told by them."""
    kind = pl.when(pl.col("before").is_null()).then(pl.lit("new")).when(pl.col("after").is_null()).then(pl.lit("gone"))
    if "kind" not in frame.columns:
        frame = frame.with_columns(kind.otherwise(pl.lit("changed")).alias("kind"))
    return frame.with_columns(pl.lit(part).alias("part")).select(_ROWS.names()).cast(_ROWS)


def _readable(before: Made, after: Made) -> pl.DataFrame:
    """Records that only one of the sides can read, and faults that are others."""

    def states(made: Made, name: str) -> pl.DataFrame:
        fine = made.records.select("record", pl.lit("readable").alias(name))
        return pl.concat([fine, made.unreadable.select("record", pl.col("fault").alias(name))])

    both = states(before, "before").join(states(after, "after"), on="record", how="full", coalesce=True)
    differ = both.filter(pl.col("before").ne_missing(pl.col("after")))
    return _rows(differ.with_columns(pl.lit("readable").alias("name")), "record")


def _columns(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Cells of normalized records; a column that one of the sides does not have is null there."""
    if before.equals(after):
        return pl.DataFrame(schema=_ROWS)
    names = [name for name in dict.fromkeys([*before.columns, *after.columns]) if name != "record"]

    def texts(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select("record", *(_as_text(name, frame.schema.get(name)) for name in names))

    # Records that only one side can read differ in that, not in every column.
    both = texts(before).join(texts(after), on="record", how="inner", suffix="__after", maintain_order="left")
    found = []
    for name in names:
        old, new = pl.col(name), pl.col(f"{name}__after")
        differ = both.filter(old.ne_missing(new))
        if differ.height:
            found.append(differ.select(pl.lit(name).alias("name"), "record", old.alias("before"), new.alias("after")))
    return _rows(pl.concat(found), "column") if found else pl.DataFrame(schema=_ROWS)


def _as_text(name: str, dtype: pl.DataType | None) -> pl.Expr:
    if dtype is None:
        return pl.lit(None, pl.String).alias(name)
    if isinstance(dtype, pl.List):
        return pl.col(name).cast(pl.List(pl.String)).list.join(" | ")
    return pl.col(name).cast(pl.String)


def _subfields(before: pl.DataFrame, after: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """(rows, numbers of the records in which one side masks what the other does not)."""
    columns = SUBFIELDS.names()
    before, after = before.select(columns), after.select(columns)
    if before.equals(after):
        return pl.DataFrame(schema=_ROWS), pl.Series("record", [], pl.UInt32)
    before, after = _of_both(before, after)
    old, new = _cells(before), _cells(after)
    keys = ["record", "tag", "occurrence", "what", "nth"]
    both = old.join(new, on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_after")
    differ = both.filter(pl.col("value").ne_missing(pl.col("value_after"))).sort(keys, nulls_last=False)
    masked = pl.col("value").str.starts_with(PREFIX), pl.col("value_after").str.starts_with(PREFIX)
    unequal = differ.filter(masked[0].fill_null(False) != masked[1].fill_null(False))["record"].unique()
    rows = differ.select(
        pl.concat_str("tag", "what").alias("name"), "record", pl.col("value").alias("before"), pl.col("value_after").alias("after")
    )  # fmt: skip
    return _shown(_rows(rows, "subfield")), unequal


def _of_both(before: pl.DataFrame, after: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of the records that both sides have and that differ in any."""
    numbered = [each.with_columns(pl.int_range(pl.len()).over("record").alias("nth")) for each in (before, after)]
    keys = numbered[0].columns
    old, new = numbered
    ways = [old.join(new, on=keys, how="anti", nulls_equal=True), new.join(old, on=keys, how="anti", nulls_equal=True)]
    differ = pl.concat(ways).select("record").unique()
    for each in (before, after):
        differ = differ.join(each.select("record"), on="record", how="semi")
    rows = [each.join(differ, on="record", how="semi", maintain_order="left") for each in (before, after)]
    return rows[0], rows[1]


def _cells(subfields: pl.DataFrame) -> pl.DataFrame:
    """A row a value or indicator: record, tag, occurrence (of the tag), what ('', '$a', ' ind1'), nth (of it in the field), value."""
    first = np.ones(subfields.height, dtype=np.bool_)
    record, number = subfields["record"].to_numpy(), subfields["field"].to_numpy()
    first[1:] = (record[1:] != record[:-1]) | (number[1:] != number[:-1])
    rows = subfields.with_columns(pl.Series("first", first)).with_columns(
        pl.col("first").cast(pl.UInt32).cum_sum().over("record", "tag").alias("occurrence"),
        pl.concat_str(pl.lit("$"), "code").fill_null("").alias("what"),
    )
    values = rows.select(
        "record",
        "tag",
        "occurrence",
        "what",
        pl.int_range(pl.len()).over("record", "field", "what").alias("nth"),
        pl.col("value").fill_null(""),
    )
    data = rows.filter(pl.col("first") & pl.col("ind1").is_not_null())
    indicators = [
        data.select(
            "record", "tag", "occurrence", pl.lit(f" {name}").alias("what"), pl.lit(0, pl.Int64).alias("nth"),
            pl.col(name).alias("value"),
        )
        for name in ("ind1", "ind2")
    ]  # fmt: skip
    return pl.concat([values.cast({"nth": pl.Int64}), *indicators])


def _stopped(before: pl.Series, after: pl.Series) -> pl.DataFrame:
    found = [
        pl.DataFrame({"record": one.filter(~one.is_in(other.implode()))}).select(
            "record",
            pl.lit("in quarantine").alias("name"),
            pl.lit(old, pl.String).alias("before"),
            pl.lit(new, pl.String).alias("after"),
        )
        for one, other, old, new in ((before, after, "stopped", None), (after, before, None, "stopped"))
    ]
    return _rows(pl.concat(found), "stopped")


def _issues(before: pl.DataFrame, after: pl.DataFrame, hidden: pl.Series) -> pl.DataFrame:
    """Issues of the same place and value are one issue; it is changed where severity, rule, message or hint is another. Of the
    records `hidden` no message is shown: it may repeat what one side masks."""
    counted = [
        each.select(ISSUES.names()).with_columns(pl.int_range(pl.len()).over(_PLACE).alias("nth"))
        for each in (before, after)
    ]
    marked = [each.with_columns(pl.lit(True).alias("there")) for each in counted]
    both = marked[0].join(marked[1], on=[*_PLACE, "nth"], how="full", coalesce=True, nulls_equal=True, suffix="_after")
    alike = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_after")) for name in _SAID)
    kind = (
        pl.when(pl.col("there").is_null())
        .then(pl.lit("new"))
        .when(pl.col("there_after").is_null())
        .then(pl.lit("gone"))
        .when(alike)
        .then(pl.lit("same"))
        .otherwise(pl.lit("changed"))
    )
    place = pl.concat_str(
        pl.col("tag").fill_null(""),
        pl.concat_str(pl.lit(" ("), "occurrence", pl.lit(")")).fill_null(""),
        pl.concat_str(pl.lit(" $"), "subfield").fill_null(""),
    )

    def said(suffix: str) -> pl.Expr:
        message = pl.when(~pl.col("record").is_in(hidden.implode())).then(f"message{suffix}").otherwise(pl.lit(MASKED))
        text = pl.concat_str(pl.lit(": "), pl.col(f"severity{suffix}"), pl.lit(", "), message.fill_null(""))
        return pl.when(pl.col(f"there{suffix}").is_not_null()).then(pl.concat_str(place, text))

    rows = both.sort("record", "field", "code", nulls_last=False, maintain_order=True).select(
        pl.col("code").alias("name"), "record", kind.alias("kind"), said("").alias("before"), said("_after").alias("after")
    )  # fmt: skip
    return _shown(_rows(rows, "issue"))


def _shown(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` as they may be shown: where one side masks a value, the other does not tell it."""
    token = [pl.col(name).str.contains(_HIDDEN).fill_null(False) for name in ("before", "after")]

    def one(name: str, own: pl.Expr) -> pl.Expr:
        hidden = pl.when(own).then(pl.col(name).str.replace_all(_HIDDEN, "pii:…")).otherwise(pl.lit(MASKED))
        text = pl.when((token[0] | token[1]) & pl.col(name).is_not_null()).then(hidden).otherwise(name)
        return pl.when(text.str.len_chars() > SHOWN).then(text.str.slice(0, SHOWN - 1) + "…").otherwise(text)

    return rows.with_columns(one("before", token[0]).alias("before"), one("after", token[1]).alias("after"))


def _hide(rows: pl.DataFrame, records: pl.Series) -> pl.DataFrame:
    """`rows`, those of `records` without what they say: a fact may repeat what one side masks."""
    if not len(records):
        return _shown(rows)
    hidden = pl.col("record").is_in(records.implode()) & (pl.col("name") != "masked_values")
    return _shown(rows).with_columns(
        pl.when(hidden & pl.col(name).is_not_null()).then(pl.lit(MASKED)).otherwise(name).alias(name)
        for name in ("before", "after")
    )


def compare(parts: Iterable[tuple[Made, Made]], *, examples_each: int = 3) -> Comparison:
    """All parts of a corpus, each as the old and as the new side makes it."""
    total = Comparison(examples_each)
    for before, after in parts:
        total.add(before, after)
    return total
