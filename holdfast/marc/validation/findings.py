"""Collects what the checks find, and makes the frame of issues of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from holdfast.marc.validation.issues import ISSUES, KINDS
from holdfast.marc.validation.rows import Ints, Rows

SHOWN = 80  # characters of a value
_SCHEMA_RULE = "schema"

_FOUND = pl.Schema(
    {
        "code": pl.String,
        "of": pl.Int64,  # place of the record
        "at": pl.Int64,  # place of the field; null: none
        "row": pl.Int64,  # place of the subfield whose value is shown; null: none
        "tag": pl.String,  # null: that of the field
        "whole": pl.Boolean,  # the field as a whole, not the subfield of `row`
        "position": pl.UInt32,
        "found": pl.String,  # what is shown instead of the value of `row`
        "detail": pl.String,  # the message; null: what the kind says
        "rule": pl.String,  # null: what the kind says
    }
)


@dataclass
class Findings:
    """Of one kind of record. wanted: codes that are reported, each with its severity. hints: of local rules."""

    rows: Rows
    wanted: Mapping[str, str]
    schema: str
    hints: Mapping[str, str] = field(default_factory=dict)
    parts: list[pl.DataFrame] = field(default_factory=list)

    def at_rows(self, code: str, rows: Ints, *, whole: bool = False, **more: Any) -> None:
        """Issues of subfields, by their places."""
        fields = self.rows.field[rows]
        self._add(code, len(rows), of=self.rows.of[fields], at=fields, row=rows, whole=whole, **more)

    def at_fields(self, code: str, fields: Ints, **more: Any) -> None:
        """Issues of fields as a whole, by their places; the value shown is that of the first subfield."""
        row = self.rows.first[fields]
        self._add(code, len(fields), of=self.rows.of[fields], at=fields, row=row, whole=True, **more)

    def at_records(self, code: str, records: Ints, **more: Any) -> None:
        """Issues of records, by their places: of the leader, or of what is missing."""
        self._add(code, len(records), of=records, **more)

    def _add(self, code: str, count: int, **columns: Any) -> None:
        if not count or code not in self.wanted:
            return
        frame = pl.DataFrame({"of": columns.pop("of")}).with_columns(
            [
                pl.Series(name, values) if isinstance(values, np.ndarray | list | pl.Series) else pl.lit(values).alias(name)
                for name, values in columns.items()
            ]
        )
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in _FOUND.items() if name not in (*frame.columns, "code")]
        frame = frame.with_columns(pl.lit(code).alias("code"), *missing)
        self.parts.append(frame.select(_FOUND.names()).cast(_FOUND))

    def frame(self) -> pl.DataFrame:
        """All that was found, in the shape of ISSUES."""
        if not self.parts:
            return pl.DataFrame(schema=ISSUES)
        found = pl.concat(self.parts)
        rows, subfields = self.rows, self.rows.subfields
        shown = subfields.select(
            pl.col("code").alias("subfield"), pl.col("value").alias("own"), pl.col("tag").alias("own_tag"),
            pl.col("field").alias("number"),
        ).select(pl.all().gather(found["row"]))  # fmt: skip
        at = found["at"].to_numpy()
        have = ~np.isnan(at) if at.dtype.kind == "f" else np.ones(len(at), dtype=bool)
        occurrence = np.zeros(len(at), dtype=np.uint16)
        if have.any():
            occurrence[have] = rows.occurrence(at[have].astype(np.int64))
        records = rows.records["record"].gather(found["of"])
        found = pl.concat([found, shown], how="horizontal")
        own = pl.coalesce("found", pl.when(pl.col("found").is_null()).then("own"))
        frame = found.select(
            records.alias("record"),
            pl.col("code"),
            _lookup("code", self.wanted).alias("severity"),
            pl.coalesce("tag", "own_tag").alias("tag"),
            pl.col("number").alias("field"),
            pl.when(pl.col("at").is_not_null()).then(pl.Series(occurrence)).alias("occurrence"),
            pl.when(pl.col("whole").fill_null(True).not_()).then("subfield").alias("subfield"),
            pl.col("position"),
            own.alias("value"),
            pl.coalesce("rule", _lookup("code", {code: kind.rule for code, kind in KINDS.items()})).alias("rule"),
            pl.coalesce("detail", _lookup("code", {code: kind.what for code, kind in KINDS.items()})).alias("message"),
            _lookup("code", {**{code: kind.hint for code, kind in KINDS.items()}, **self.hints}).alias("hint"),
        )
        return frame.with_columns(excerpt(pl.col("value")), self._place_in_schema().alias("rule")).cast(ISSUES)

    def _place_in_schema(self) -> pl.Expr:
        place = pl.concat_str(
            pl.lit(f"{self.schema}: "), pl.col("tag"), pl.concat_str(pl.lit("$"), "subfield").fill_null("")
        )
        return pl.when(pl.col("rule") == _SCHEMA_RULE).then(place).otherwise(pl.col("rule"))


def _lookup(column: str, table: Mapping[str, str]) -> pl.Expr:
    return pl.col(column).replace_strict(dict(table), default=None, return_dtype=pl.String)


_TOKEN = r"pii:[0-9a-f]{64}"
_LOGIN = r"//[^/@\s]+@"
_PICTURES = {chr(n): chr(0x2400 + n) for n in range(0x20)} | {"\x7f": "␡"}


def excerpt(value: pl.Expr) -> pl.Expr:
    """The first characters of a value as they may be shown: masked values and logins of addresses are left out, control
    characters are their pictures."""
    masked = value.str.replace_all(_TOKEN, "pii:…").str.replace_all(_LOGIN, "//…@")
    cut = pl.when(masked.str.len_chars() > SHOWN).then(pl.concat_str(masked.str.slice(0, SHOWN - 1), pl.lit("…"))).otherwise(masked)
    return cut.str.replace_many(list(_PICTURES), list(_PICTURES.values()))


def is_masked(value: str) -> bool:
    return value.startswith("pii:") and re.match(_TOKEN, value) is not None


def listed(codes: Sequence[str]) -> str:
    return ", ".join(repr(code) if code.strip() != code else code for code in codes)
