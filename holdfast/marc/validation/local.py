"""Local rules: what an institution asks of its records, said in `holdfast.toml`, kept over columns."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from holdfast.marc.validation.findings import Findings, listed
from holdfast.marc.validation.issues import LOCAL, Severity
from holdfast.marc.validation.links import Links, paired
from holdfast.marc.validation.rows import TAGS, Ints, Mask, Rows
from holdfast.naming import Indicators, Name, NumberedSpec

RecordKind = Literal["bibliographic", "authority", "holdings", "unimarc"]
DEMANDS = (
    "required", "forbidden", "pattern", "not_pattern", "values", "subfields", "first_subfield", "linked_880", "indicator1",
    "indicator2", "at_most", "at_least", "at_most_as_many_as",
)  # fmt: skip
_OF_SUBFIELD = ("pattern", "not_pattern", "values")
_OF_FIELD = ("subfields", "first_subfield", "linked_880", "indicator1", "indicator2", "at_most_as_many_as")


def _check_regex(value: str) -> str:
    try:
        pl.Series([""]).str.contains(value)
    except pl.exceptions.ComputeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"must be a regular expression of Rust's regex crate, without look-around ({reason})"
        ) from error
    return value


Regex = Annotated[str, AfterValidator(_check_regex)]


class LocalRule(BaseModel):
    """A rule of the institution's own: which fields, and one demand on them. Its issues have the code `local.NAME`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="stable; the issues' code is `local.` and this")
    fields: tuple[NumberedSpec, ...] = Field(
        min_length=1, description="tags, `X` for any digit, each with a subfield or without: 245, 24X, 245$a"
    )
    severity: Severity = Field(default="warning", description="error, warning or info")
    message: str = Field(default="", description="in words, for people; default: what the demand says")
    hint: str = Field(default="", description="what would mend it")
    sources: tuple[str, ...] = Field(default=(), description="sources that it holds for; empty: all")
    records: tuple[RecordKind, ...] = Field(default=(), description="kinds of record that it holds for; empty: all")
    when: tuple[NumberedSpec, ...] = Field(
        default=(), description="only records that have one of these fields or subfields"
    )
    unless: tuple[NumberedSpec, ...] = Field(default=(), description="only records that have none of these")
    ignoring: Regex = Field(default="", description="fields with a value that matches this are left out of the rule")
    required: bool = Field(default=False, description="demand: the record has one of the fields or subfields")
    forbidden: bool = Field(default=False, description="demand: the record has none of them")
    pattern: Regex = Field(default="", description="demand: each value matches (Rust's regex; ^ and $ for the whole)")
    not_pattern: Regex = Field(default="", description="demand: no value matches")
    values: tuple[str, ...] = Field(default=(), description="demand: each value is one of these")
    subfields: str = Field(default="", pattern=r"^[a-z0-9]*$", description="demand: each field has all these subfields")
    first_subfield: str = Field(
        default="", pattern=r"^[a-z0-9]?$", description="demand: a field that has this subfield has it first"
    )
    linked_880: bool = Field(
        default=False, description="demand: each field is linked with an 880, and the 880 is there"
    )
    indicator1: Indicators | None = Field(default=None, description="demand: one of these characters")
    indicator2: Indicators | None = Field(default=None, description="demand: one of these characters")
    at_most: int | None = Field(
        default=None, ge=0, description="demand: so many of the fields or subfields in a record at most"
    )
    at_least: int | None = Field(default=None, ge=1, description="demand: so many of them at least")
    at_most_as_many_as: tuple[NumberedSpec, ...] = Field(
        default=(), description="demand: not more of the fields than of these"
    )

    @property
    def demand(self) -> str:
        return next(name for name in DEMANDS if self._demands(name))

    def _demands(self, name: str) -> bool:
        value = getattr(self, name)
        return value is not None and value is not False and value != "" and value != ()

    @model_validator(mode="after")
    def _one_demand(self) -> LocalRule:
        found = [name for name in DEMANDS if self._demands(name)]
        if len(found) != 1:
            raise ValueError(
                f"{self.name}: found {', '.join(found) or 'no demand'}; a rule has one of: {', '.join(DEMANDS)}"
            )
        for spec in (*self.fields, *self.at_most_as_many_as):
            if "$" in spec and found[0] in _OF_FIELD:
                raise ValueError(
                    f"{self.name}: {spec}: {found[0]} is asked of fields, not of subfields; leave '{spec[3:]}' out"
                )
        if found[0] in _OF_SUBFIELD and not all("$" in spec or spec.startswith("00") for spec in self.fields):
            whole = next(spec for spec in self.fields if "$" not in spec)
            raise ValueError(f"{self.name}: {whole}: {found[0]} is asked of values; name a subfield, as '{whole}$a'")
        return self

    @property
    def code(self) -> str:
        return LOCAL + self.name


def tags_of(specs: tuple[str, ...]) -> Mask:
    """By tag: is it one of these?"""
    table = np.zeros(TAGS, dtype=bool)
    for spec in specs:
        low = int(spec[:3].replace("X", "0"))
        table[low : low + 10 ** spec[:3].count("X")] = True
    return table


class _Chosen:
    """The fields and subfields of `specs` in the rows."""

    def __init__(self, rows: Rows, specs: tuple[str, ...], ignoring: str = "") -> None:
        self.fields: Mask = np.zeros(len(rows.tag), dtype=bool)
        whole = tuple(spec for spec in specs if "$" not in spec)
        left_out = np.zeros(len(rows.tag), dtype=bool)
        if ignoring:
            of_rule = np.flatnonzero(tags_of(specs)[rows.tag][rows.field])
            hit = rows.values(of_rule).str.contains(ignoring).fill_null(False).to_numpy()
            left_out[rows.field[of_rule[hit]]] = True
        if whole:
            self.fields |= tags_of(whole)[rows.tag] & ~left_out
        self.rows: Ints = np.flatnonzero(self.fields[rows.field]) if whole else np.zeros(0, dtype=np.int64)
        parts = [
            np.flatnonzero((tags_of((spec,))[rows.tag] & ~left_out)[rows.field] & (rows.code == ord(spec[4])))
            for spec in specs
            if "$" in spec
        ]
        self.subfields: Ints = np.unique(np.concatenate([*parts, np.zeros(0, dtype=np.int64)]))
        height = rows.records.height
        # How many in each record: fields where fields are named, subfields where subfields are.
        self.counts: Ints = np.bincount(rows.of[self.fields], minlength=height) + np.bincount(
            rows.of[rows.field[self.subfields]], minlength=height
        )


def check_local(rule: LocalRule, rows: Rows, links: Links, findings: Findings) -> None:
    """Issues of one rule; `links` are those of `rows`."""
    chosen = _Chosen(rows, rule.fields, rule.ignoring)
    asked = np.ones(rows.records.height, dtype=bool)
    if rule.when:
        asked &= _Chosen(rows, rule.when).counts > 0
    if rule.unless:
        asked &= _Chosen(rows, rule.unless).counts == 0
    if rule.demand in ("required", "at_least", "at_most", "at_most_as_many_as"):
        _of_records(rule, rows, chosen, asked, findings)
    elif rule.demand == "forbidden":
        fields = np.flatnonzero(chosen.fields & asked[rows.of])
        findings.at_fields(rule.code, fields, **_said(rule, f"{', '.join(rule.fields)} may not be there"))
        places = chosen.subfields[asked[rows.of[rows.field[chosen.subfields]]]]
        findings.at_rows(rule.code, places, **_said(rule, f"{', '.join(rule.fields)} may not be there"))
    elif rule.demand in _OF_SUBFIELD:
        places = np.union1d(chosen.subfields, chosen.rows).astype(np.int64)
        _of_values(rule, rows, places[asked[rows.of[rows.field[places]]]], findings)
    else:
        _of_fields(rule, rows, links, np.flatnonzero(chosen.fields & asked[rows.of]), findings)


def _said(rule: LocalRule, demand: str) -> dict[str, Any]:
    return {"detail": rule.message or demand, "rule": f"holdfast.toml: validation.rules {rule.name}"}


def _of_records(rule: LocalRule, rows: Rows, chosen: _Chosen, asked: Mask, findings: Findings) -> None:
    names = ", ".join(rule.fields)
    if rule.demand == "required":
        wrong, demand = (
            chosen.counts == 0,
            f"{names}: one of them is required" if len(rule.fields) > 1 else f"{names} is required",
        )
    elif rule.demand == "at_least":
        wrong, demand = chosen.counts < (rule.at_least or 0), f"at least {rule.at_least} of {names}"
    elif rule.demand == "at_most":
        wrong, demand = chosen.counts > (rule.at_most or 0), f"at most {rule.at_most} of {names}"
    else:
        others = _Chosen(rows, rule.at_most_as_many_as).counts
        wrong, demand = chosen.counts > others, f"more of {names} than of {', '.join(rule.at_most_as_many_as)}"
    findings.at_records(rule.code, np.flatnonzero(wrong & asked), tag=rule.fields[0][:3], **_said(rule, demand))


def _of_values(rule: LocalRule, rows: Rows, places: Ints, findings: Findings) -> None:
    values = rows.values(places)
    known = values.is_not_null() & ~values.str.starts_with("pii:").fill_null(False)
    if rule.demand == "values":
        wrong, demand = ~values.is_in(list(rule.values)), f"allowed: {listed(rule.values)}"
    elif rule.demand == "pattern":
        wrong, demand = ~values.str.contains(rule.pattern), f"does not match {rule.pattern}"
    else:
        wrong, demand = values.str.contains(rule.not_pattern), f"matches {rule.not_pattern}"
    findings.at_rows(rule.code, places[(wrong & known).fill_null(False).to_numpy()], **_said(rule, demand))


def _of_fields(rule: LocalRule, rows: Rows, links: Links, fields: Ints, findings: Findings) -> None:
    if rule.demand == "linked_880":
        fields = fields[rows.tag[fields] != 880]
        wrong, demand = np.setdiff1d(fields, paired(rows, links, fields)), "has no 880"
    elif rule.demand in ("indicator1", "indicator2"):
        number, values = rule.demand[-1], rows.ind1 if rule.demand == "indicator1" else rows.ind2
        allowed = getattr(rule, rule.demand)
        wrong = fields[~np.isin(values[fields], [ord(each) for each in allowed])]
        demand = f"indicator {number} is one of: {listed(list(allowed))}"
    elif rule.demand == "subfields":
        lacking = np.zeros(len(rows.tag), dtype=bool)
        for code in rule.subfields:
            has = np.zeros(len(rows.tag), dtype=bool)
            has[rows.field[rows.code == ord(code)]] = True
            lacking |= ~has
        wrong, demand = fields[lacking[fields]], f"each has ${' $'.join(rule.subfields)}"
    else:
        own = np.zeros(len(rows.tag), dtype=bool)
        own[rows.field[rows.code == ord(rule.first_subfield)]] = True
        first = rows.code[rows.first[fields]] == ord(rule.first_subfield)
        wrong, demand = fields[own[fields] & ~first], f"${rule.first_subfield} is the first subfield"
    findings.at_fields(rule.code, wrong, **_said(rule, demand))
