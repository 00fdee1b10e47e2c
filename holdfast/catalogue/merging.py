"""Which fields of the live record a load may touch, and how: protected fields and subfields, and merge rules a source.

Every field of either record falls under the first rule that covers it. `replace`, where no rule does: the incoming fields take the
place of the live ones. `keep`: the live ones stay, nothing comes in. `add`: what is new comes in beside the live ones, nothing
goes; a field that MARC 21 does not repeat comes in only where the live record has none. `prefer-local`, tag by tag: the live ones
stay where there are any, else the incoming ones come in.

Protected fields stay as they are, whatever the rules say, and none comes in. Protected subfields stay in their field when it
changes, and what the incoming record has in their place is left away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from holdfast.catalogue.fields import DELIMITER
from holdfast.naming import Indicator, TagPattern

# MARC 21 Bibliographic: fields marked (NR).
NOT_REPEATED = (
    *("LDR", "001", "003", "005", "008", "010", "018", "036", "038", "040", "042", "043", "044", "045", "066"),
    *("100", "110", "111", "130", "240", "243", "245", "254", "256", "263", "306", "357", "507", "514", "841", "842"),
    *("844", "882"),
)


class MergeRule(BaseModel):
    """What becomes of the fields that it covers, where a load meets a live record; the first rule that covers a field holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: tuple[TagPattern, ...] = Field(min_length=1, description="tags, as 650, 65X, 6XX or LDR")
    rule: Literal["keep", "replace", "add", "prefer-local"] = Field(
        description="keep: the live fields stay; replace: the incoming ones take their place; add: new ones come in beside them, "
        "nothing goes; prefer-local: the live ones where there are any, else the incoming ones"
    )
    indicator2: tuple[Indicator, ...] = Field(
        default=(), description="only fields with one of these second indicators; empty: any"
    )
    subfield: str = Field(default="", pattern=r"^([a-z0-9])?$", description="only fields that have this subfield")
    value: str = Field(default="", description="… with this value")

    @model_validator(mode="after")
    def _fits_its_fields(self) -> MergeRule:
        if self.value and not self.subfield:
            raise ValueError("subfield: missing; `value` says what the subfield must hold")
        control = [tag for tag in self.fields if tag == "LDR" or tag.startswith("00")]
        if control and (self.indicator2 or self.subfield):
            raise ValueError(f"fields: {', '.join(control)}: control fields have no indicators and no subfields")
        single = [tag for tag in self.fields if tag in NOT_REPEATED]
        if single and self.rule == "add":
            raise ValueError(
                f"fields: {', '.join(single)}: MARC 21 does not repeat it, so nothing can be added beside it; prefer-local "
                "takes it where the live record has none"
            )
        return self

    def covers(self) -> pl.Expr:
        """Of rows with the columns tag and text (as in fields.FIELDS)."""
        covered = covers_tag(self.fields)
        if self.indicator2:
            covered &= pl.col("text").str.slice(1, 1).is_in(list(self.indicator2))
        if self.subfield:
            wanted = DELIMITER + self.subfield + self.value
            end = pl.col("text").str.ends_with(wanted) | pl.col("text").str.contains(wanted + DELIMITER, literal=True)
            covered &= end if self.value else pl.col("text").str.contains(wanted, literal=True)
        return covered


def covers_tag(specs: Sequence[str]) -> pl.Expr:
    """Whether the column tag is one of these, as '650', '65X', '6XX' or with a subfield '541$h'."""
    if not specs:
        return pl.lit(False)
    patterns = "|".join(sorted({spec[:3].replace("X", ".") if spec != "LDR" else spec for spec in specs}))
    return pl.col("tag").str.contains(f"^(?:{patterns})$")


class Protection:
    """`specs` as in settings.Source.protected: '59X' a whole field, '020$c' a subfield."""

    def __init__(self, specs: Sequence[str]) -> None:
        self._whole = [spec for spec in specs if "$" not in spec]
        self._codes: dict[str, str] = {}  # pattern of tags → codes
        for spec in specs:
            if "$" in spec:
                self._codes[spec[:3]] = self._codes.get(spec[:3], "") + spec[4]

    def field(self) -> pl.Expr:
        """Whether the whole field stays."""
        return covers_tag(self._whole)

    def neighbour(self) -> pl.Expr:
        """Whether a subfield of such a field is protected."""
        return covers_tag(list(self._codes))

    def subfield(self) -> pl.Expr:
        """Of rows with the columns tag and code."""
        answer = pl.lit(False)
        for pattern, codes in self._codes.items():
            answer |= covers_tag([pattern]) & pl.col("code").is_in(list(codes))
        return answer

    def bare(self) -> pl.Expr:
        """The column text without its protected subfields."""
        text = pl.col("text")
        for pattern, codes in self._codes.items():
            without = text.str.replace_all(f"{DELIMITER}[{codes}][^{DELIMITER}]*", "")
            text = pl.when(covers_tag([pattern])).then(without).otherwise(text)
        return text.alias("bare")

    @property
    def subfields(self) -> bool:
        return bool(self._codes)


def ruled(merge: Sequence[MergeRule]) -> list[pl.Expr]:
    """Columns rule (its place in `merge`, -1: none) and how, of rows with the columns tag and text."""
    rule, how = pl.lit(-1, dtype=pl.Int16), pl.lit("replace")
    for place, each in reversed(list(enumerate(merge))):
        covered = each.covers()
        rule = pl.when(covered).then(pl.lit(place, dtype=pl.Int16)).otherwise(rule)
        how = pl.when(covered).then(pl.lit(each.rule)).otherwise(how)
    return [rule.alias("rule"), how.alias("how")]
