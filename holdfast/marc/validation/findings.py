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
_PARTS = ("of", "at", "row", "whole", "position", "code", "tag", "found", "detail", "rule")
_SCHEMA_RULE = "schema"
_NONE = -1
Texts = str | Sequence[str | None] | None


class _Words:
    """Texts by number, each kept once: issues repeat themselves."""

    def __init__(self) -> None:
        self._numbers: dict[str | None, int] = {None: 0}

    def numbers(self, texts: Texts, count: int) -> Ints:
        if texts is None or isinstance(texts, str):
            return np.full(count, self._number(texts), dtype=np.int32)
        return np.array([self._number(text) for text in texts], dtype=np.int32)

    def _number(self, text: str | None) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def column(self, numbers: Ints, meaning: Mapping[str, str] | None = None) -> pl.Series:
        """The texts of these numbers, or what they mean."""
        texts = [text if meaning is None or text is None else meaning.get(text) for text in self._numbers]
        return pl.Series(texts, dtype=pl.String)[numbers]


@dataclass
class Findings:
    """Of one kind of record.

    Attributes:
        wanted: codes that are reported, each with its severity.
        schema: name of the schema.
        hints: of local rules.
    """

    rows: Rows
    wanted: Mapping[str, str]
    schema: str
    hints: Mapping[str, str] = field(default_factory=dict)
    _words: _Words = field(default_factory=_Words)
    _parts: dict[str, list[Ints]] = field(default_factory=lambda: {name: [] for name in _PARTS})

    def at_rows(self, code: str, rows: Ints, *, whole: bool = False, **more: Any) -> None:
        """Issues of subfields, by their places; with `whole`, of the fields that they are all of.

        more: position (characters, a number or an array, -1 for none), detail (message), rule, found (shown instead of the
        value): a text or a list of them, None for what the kind says.
        """
        if len(rows) and code in self.wanted:
            fields = self.rows.field[rows]
            self._add(code, self.rows.of[fields], fields, rows, whole, **more)

    def at_fields(self, code: str, fields: Ints, **more: Any) -> None:
        """Issues of fields as a whole, by their places; the value shown is that of the first subfield."""
        if len(fields) and code in self.wanted:
            self._add(code, self.rows.of[fields], fields, self.rows.first[fields], True, **more)

    def at_records(self, code: str, records: Ints, *, tag: str, **more: Any) -> None:
        """Issues of records, by their places: of the leader, or of what is missing."""
        if len(records) and code in self.wanted:
            none = np.full(len(records), _NONE, dtype=np.int64)
            self._add(code, records, none, none, True, tag=tag, **more)

    def _add(
        self,
        code: str,
        of: Ints,
        at: Ints,
        row: Ints,
        whole: bool,
        *,
        position: int | Ints | Sequence[int] = _NONE,
        tag: Texts = None,
        found: Texts = None,
        detail: Texts = None,
        rule: Texts = None,
    ) -> None:
        count = len(of)
        own: dict[str, Ints] = {
            "of": of,
            "at": at,
            "row": row,
            "whole": np.full(count, whole),
            "position": np.broadcast_to(np.asarray(position, dtype=np.int64), (count,)),
            "code": self._words.numbers(code, count),
            "tag": self._words.numbers(tag, count),
            "found": self._words.numbers(found, count),
            "detail": self._words.numbers(detail, count),
            "rule": self._words.numbers(rule, count),
        }
        for name, values in own.items():
            self._parts[name].append(values)

    def frame(self) -> pl.DataFrame:
        """All that was found, in the shape of ISSUES."""
        if not self._parts["of"]:
            return pl.DataFrame(schema=ISSUES)
        rows = self.rows
        parts = {name: np.concatenate(arrays) for name, arrays in self._parts.items()}
        # By record and field, and then in the order of the checks.
        order = np.argsort(parts["of"] * (len(rows.tag) + 1) + parts["at"] + 1, kind="stable")
        parts = {name: array[order] for name, array in parts.items()}
        at = parts["at"]
        occurrence = np.zeros(len(at), dtype=np.uint16)
        occurrence[at >= 0] = rows.occurrence(at[at >= 0])
        row = pl.Series(parts["row"]).set(pl.Series(parts["row"] < 0), None)
        own = rows.subfields.select(pl.col("tag", "field", "code", "value").gather(row))
        found = pl.DataFrame(
            {
                "record": rows.records["record"][parts["of"]],
                "occurrence": occurrence,
                "position": parts["position"],
                "whole": parts["whole"],
                "there": at >= 0,
                **{name: self._words.column(parts[name]) for name in ("code", "tag", "found", "detail", "rule")},
                **{name: self._words.column(parts["code"], meaning) for name, meaning in self._meanings().items()},
                **{f"own_{each.name}": each for each in own},
            }
        )
        frame = found.select(
            "record",
            "code",
            "severity",
            pl.coalesce("tag", "own_tag").alias("tag"),
            pl.col("own_field").alias("field"),
            pl.when("there").then("occurrence").alias("occurrence"),
            pl.when(~pl.col("whole")).then("own_code").alias("subfield"),
            pl.when(pl.col("position") >= 0).then("position").alias("position"),
            pl.coalesce("found", "own_value").alias("value"),
            pl.coalesce("rule", "own_rule").alias("rule"),
            pl.coalesce("detail", "what").alias("message"),
            "hint",
        )
        return excerpts(frame.with_columns(self._place_in_schema().alias("rule"))).cast(ISSUES)

    def _meanings(self) -> dict[str, Mapping[str, str]]:
        return {
            "severity": self.wanted,
            "own_rule": {code: kind.rule for code, kind in KINDS.items()},
            "what": {code: kind.what for code, kind in KINDS.items()},
            "hint": {code: kind.hint for code, kind in KINDS.items()} | dict(self.hints),
        }

    def _place_in_schema(self) -> pl.Expr:
        place = pl.concat_str(
            pl.lit(f"{self.schema}: "), pl.col("tag"), pl.concat_str(pl.lit("$"), "subfield").fill_null("")
        )
        return pl.when(pl.col("rule") == _SCHEMA_RULE).then(place).otherwise(pl.col("rule"))


_MASKED = r"pii:[0-9a-f]{64}"
_LOGIN = r"//[^/@\s]+@"
_PICTURES = {chr(n): chr(0x2400 + n) for n in range(0x20)} | {"\x7f": "␡"}


def excerpts(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with the first characters of each `value` as they may be shown: masked values and logins of addresses are left out,
    control characters are their pictures."""
    value = pl.col("value")
    # One step after the other: within one, Polars would do each replacement once a branch.
    frame = frame.with_columns(value.str.replace_all(_MASKED, "pii:…").str.replace_all(_LOGIN, "//…@"))
    cut = pl.concat_str(value.str.slice(0, SHOWN - 1), pl.lit("…"))
    frame = frame.with_columns(pl.when(value.str.len_chars() > SHOWN).then(cut).otherwise(value).alias("value"))
    return frame.with_columns(value.str.replace_many(list(_PICTURES), list(_PICTURES.values())))


def is_masked(value: str) -> bool:
    return value.startswith("pii:") and re.match(_MASKED, value) is not None


def listed(codes: Sequence[str]) -> str:
    return ", ".join(repr(code) if code.strip() != code else code for code in codes)
