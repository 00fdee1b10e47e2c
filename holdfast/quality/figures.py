"""Figures of a load: what came in, what is wrong with it, what it lacks, and how it was encoded.

A load is counted part by part, so memory holds one part and the figures. The figures are small tables of fixed schemas: a trend
reads those of earlier loads and none of their records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from holdfast.quality.expected import Expected

# The code of this package: a change of what it counts is a change of this number.
VERSION = "1"

EXAMPLES_A_CODE = 3
EXAMPLES_A_FAULT = 3

SUMMARY = pl.Schema(
    {
        "records": pl.Int64,  # that came in
        "readable": pl.Int64,
        "rejected": pl.Int64,  # unreadable: in quarantine by their fault
        "stopped": pl.Int64,  # readable: in quarantine by the source's stop_on
        "errors": pl.Int64,
        "warnings": pl.Int64,
        "notes": pl.Int64,
        "with_errors": pl.Int64,  # records that have an error
        "with_issues": pl.Int64,  # records that have an error or a warning
    }
)
ISSUE_COUNTS = pl.Schema(
    {"code": pl.String, "severity": pl.String, "issues": pl.Int64, "records": pl.Int64, "message": pl.String, "hint": pl.String}
)  # fmt: skip
COMPLETENESS = pl.Schema({"expected": pl.String, "material_type": pl.String, "present": pl.Int64, "records": pl.Int64})
ENCODINGS = pl.Schema({"claims": pl.String, "found": pl.String, "encoding": pl.String, "records": pl.Int64})
FAULT_COUNTS = pl.Schema({"fault": pl.String, "records": pl.Int64})
EXAMPLES = pl.Schema(
    {
        "code": pl.String,
        "file": pl.String,
        "record": pl.UInt32,
        "control_number": pl.String,
        "title": pl.String,
        "tag": pl.String,
        "occurrence": pl.UInt16,
        "subfield": pl.String,
        "position": pl.UInt32,
        "value": pl.String,
        "message": pl.String,
        "hint": pl.String,
    }
)
FAULT_EXAMPLES = pl.Schema(
    {"fault": pl.String, "file": pl.String, "record": pl.UInt32, "fault_byte": pl.UInt64, "fault_detail": pl.String}
)
TABLES: Mapping[str, pl.Schema] = {
    "rows": SUMMARY,
    "issues": ISSUE_COUNTS,
    "completeness": COMPLETENESS,
    "encodings": ENCODINGS,
    "faults": FAULT_COUNTS,
    "stopped": FAULT_COUNTS,
    "examples": EXAMPLES,
    "fault_examples": FAULT_EXAMPLES,
}
_SEVERITIES = {"errors": "error", "warnings": "warning", "notes": "info"}
_ORDER = {"error": 0, "warning": 1, "info": 2}
MASKED = r"pii:[0-9a-f]{64}"


@dataclass(frozen=True)
class Figures:
    """What a load comes to.

    Attributes:
        tables: name → frame, of the schemas of TABLES; `rows` has one row.
    """

    source: str
    day: str
    tables: Mapping[str, pl.DataFrame]

    @cached_property
    def summary(self) -> dict[str, int]:
        return self.tables["rows"].row(0, named=True)

    def share(self, name: str) -> float | None:
        """Of the summary's counts: of all records that came in (rejected), else of the readable ones; None without any."""
        of = self.summary["records" if name in ("rejected", "readable") else "readable"]
        return self.summary[name] / of if of else None

    @cached_property
    def completeness(self) -> dict[str, float]:
        """Name of the expected field → share of the records that should have it; without those that no record should have."""
        return shares(self.tables["completeness"])

    @cached_property
    def found(self) -> dict[str, int]:
        """Verdict of encoding.FOUND → records."""
        sums = self.tables["encodings"].group_by("found").agg(pl.col("records").sum()).drop_nulls()
        return dict(sums.iter_rows())

    @cached_property
    def not_as_claimed(self) -> int:
        """Records whose bytes are not what they claim to be."""
        return int(self.tables["encodings"].filter(~as_claimed())["records"].sum())


def as_claimed() -> pl.Expr:
    """Is what was found what was claimed? ASCII is part of every encoding, and who claims nothing known is not wrong."""
    return (pl.col("found") == pl.col("claims")) | (pl.col("found") == "ascii") | (pl.col("claims") == "unknown")


def shares(completeness: pl.DataFrame) -> dict[str, float]:
    """`completeness`: shape COMPLETENESS."""
    sums = completeness.group_by("expected", maintain_order=True).agg(pl.col("present", "records").sum())
    return {name: present / records for name, present, records in sums.iter_rows() if records}


class Counting:
    """Takes a load's frames part by part, in any order."""

    def __init__(self, expected: Sequence[Expected]) -> None:
        self._expected = expected
        self._records = self._with_errors = self._with_issues = 0
        self._parts: dict[str, list[pl.DataFrame]] = {name: [] for name in TABLES}
        self._examples_of: dict[str, int] = {}
        self._faults_of: dict[str, int] = {}

    def add_index(self, index: pl.DataFrame) -> None:
        """Of harvest.INDEX: file, record, claims, found, encoding, fault, fault_byte and fault_detail; `format` if it is there: what
        came in XML or JSON is UTF-8 by that, whatever its leader/09 says."""
        if "format" in index.columns:
            by_format = pl.col("format").is_not_null() & (pl.col("format") != "iso2709") & pl.col("fault").is_null()
            index = index.with_columns(pl.when(by_format).then(pl.lit("utf-8")).otherwise("claims").alias("claims"))
        self._records += index.height
        read = index.filter(pl.col("fault").is_null())
        self._parts["encodings"].append(_counted(index, "claims", "found", "encoding"))
        if read.height == index.height:
            return
        rejected = index.filter(pl.col("fault").is_not_null())
        self._parts["faults"].append(_counted(rejected, "fault"))
        self._parts["fault_examples"].append(
            _first_of(rejected, "fault", self._faults_of, EXAMPLES_A_FAULT).select(FAULT_EXAMPLES.names())
        )

    def add_records(self, records: pl.DataFrame, subfields: pl.DataFrame) -> None:
        """`records`: record and material_type of normalize.NORMALIZED; `subfields`: record, tag, code and value of the same."""
        self._parts["completeness"].append(present(records, subfields, self._expected))

    def add_issues(self, issues: pl.DataFrame) -> None:
        """Shape validation.ISSUES. All issues of a record come in one part."""
        counts = issues.group_by("code", "severity").agg(
            pl.len().cast(pl.Int64).alias("issues"),
            pl.col("record").n_unique().cast(pl.Int64).alias("records"),
            pl.col("message", "hint").first(),
        )
        self._parts["issues"].append(counts)
        self._with_errors += issues.filter(pl.col("severity") == "error")["record"].n_unique()
        self._with_issues += issues.filter(pl.col("severity") != "info")["record"].n_unique()
        once = issues.unique(["code", "record"], keep="first", maintain_order=True)
        self._parts["examples"].append(_first_of(once, "code", self._examples_of, EXAMPLES_A_CODE))

    def add_stopped(self, stopped: pl.DataFrame) -> None:
        """record and code of those that the source's `stop_on` stopped, a row a record."""
        self._parts["stopped"].append(_counted(stopped.rename({"code": "fault"}), "fault"))

    @property
    def shown_records(self) -> list[int]:
        """Numbers of the records that are examples."""
        return sorted({number for part in self._parts["examples"] for number in part["record"]})

    def figures(self, source: str, day: str, shown: pl.DataFrame) -> Figures:
        """`shown`: record, file, control_number and title of `shown_records`."""
        tables = {
            "issues": _by_frequency(self._summed("issues", ["code", "severity"])),
            "completeness": self._completeness(),
            **{
                name: self._summed(name, [each for each in TABLES[name] if each != "records"]).sort(
                    "records", *(each for each in TABLES[name] if each != "records"), descending=[True, *[False] * (len(TABLES[name]) - 1)]
                )
                for name in ("encodings", "faults", "stopped")
            },
            "examples": _without_masked(self._examples(shown)),
            "fault_examples": _without_masked(self._all("fault_examples")),
        }  # fmt: skip
        rejected = int(tables["faults"]["records"].sum())
        issues = tables["issues"]
        summary = {
            "records": self._records,
            "readable": self._records - rejected,
            "rejected": rejected,
            "stopped": int(tables["stopped"]["records"].sum()),
            **{name: int(issues.filter(severity=of)["issues"].sum()) for name, of in _SEVERITIES.items()},
            "with_errors": self._with_errors,
            "with_issues": self._with_issues,
        }
        tables["rows"] = pl.DataFrame([summary], schema=SUMMARY)
        return Figures(
            source, day, {name: tables[name].select(TABLES[name].names()).cast(TABLES[name]) for name in TABLES}
        )

    def _all(self, name: str) -> pl.DataFrame:
        parts = self._parts[name]
        return pl.concat(parts) if parts else pl.DataFrame(schema=TABLES[name])

    def _summed(self, name: str, by: list[str]) -> pl.DataFrame:
        own = [each for each, dtype in TABLES[name].items() if each not in by and dtype == pl.Int64]
        rest = [each for each in TABLES[name] if each not in by and each not in own]
        return self._all(name).group_by(by, maintain_order=True).agg(pl.col(own).sum(), pl.col(rest).first())

    def _completeness(self) -> pl.DataFrame:
        summed = self._summed("completeness", ["expected", "material_type"])
        order = {each.name: number for number, each in enumerate(self._expected)}
        number = pl.col("expected").replace_strict(order, default=len(order), return_dtype=pl.Int64)
        return summed.sort(number, "material_type") if summed.height else summed

    def _examples(self, shown: pl.DataFrame) -> pl.DataFrame:
        if not self._parts["examples"]:
            return pl.DataFrame(schema=EXAMPLES)
        return (
            self._all("examples").join(shown, on="record", how="left", maintain_order="left").select(EXAMPLES.names())
        )


def present(records: pl.DataFrame, subfields: pl.DataFrame, expected: Sequence[Expected]) -> pl.DataFrame:
    """Shape COMPLETENESS: of each type of material how many records have each field that they should have. A blank value is none."""
    tags = sorted({tag for each in expected for tag in each.tags})
    rows = subfields.filter(pl.col("tag").is_in(tags) & pl.col("value").str.contains(r"\S"))
    has = rows.group_by("record").agg(_has(each).any().alias(each.name) for each in expected)
    names = [each.name for each in expected]
    counts = (
        records.select("record", "material_type")
        .join(has, on="record", how="left")
        .group_by("material_type")
        .agg(pl.col(names).fill_null(False).sum().cast(pl.Int64), pl.len().cast(pl.Int64).alias("records"))
    )
    long = counts.unpivot(on=names, index=["material_type", "records"], variable_name="expected", value_name="present")
    should = [
        {"expected": each.name, "material_type": material}
        for each in expected
        for material in counts["material_type"].to_list()
        if each.holds_for(material)
    ]
    wanted = pl.DataFrame(should, schema={"expected": pl.String, "material_type": pl.String})
    return (
        wanted.join(long, on=["expected", "material_type"], how="left").select(COMPLETENESS.names()).cast(COMPLETENESS)
    )


def _has(expected: Expected) -> pl.Expr:
    found = pl.col("tag").is_in(list(expected.tags))
    if expected.codes:
        found &= pl.col("code").is_in(list(expected.codes))
    if expected.form:
        found &= pl.col("value").str.contains(expected.form)
    if expected.not_form:
        found &= ~pl.col("value").str.contains(expected.not_form)
    return found.fill_null(False)


def _counted(frame: pl.DataFrame, *by: str) -> pl.DataFrame:
    return frame.group_by(by, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("records"))


def _first_of(frame: pl.DataFrame, by: str, before: dict[str, int], wanted: int) -> pl.DataFrame:
    """The first rows of each value of `by`, `wanted` in all with those `before`, which is counted on."""
    full = [each for each, count in before.items() if count >= wanted]
    new = frame.filter(~pl.col(by).is_in(full))
    place = pl.int_range(pl.len()).over(by) + pl.col(by).replace_strict(before, default=0, return_dtype=pl.Int64)
    new = new.filter(place < wanted)
    for each, count in new.group_by(by).len().iter_rows():
        before[each] = before.get(each, 0) + count
    return new


def _by_frequency(issues: pl.DataFrame) -> pl.DataFrame:
    """Errors first, and of each severity the most frequent."""
    severity = pl.col("severity").replace_strict(_ORDER, default=len(_ORDER), return_dtype=pl.Int64)
    return issues.sort(severity, "issues", "code", descending=[False, True, False])


def _without_masked(frame: pl.DataFrame) -> pl.DataFrame:
    """Titles and details may hold a masked value, where a rule masks a field that they are made of."""
    return frame.with_columns(pl.col(pl.String).str.replace_all(MASKED, "pii:…"))
