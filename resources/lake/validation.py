"""Validate a window's records, part by part, into the lake."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from holdfast.marc.frames import Frames
from holdfast.marc.validation import ISSUES, KINDS, Rules, validate
from holdfast.outcomes import Rejection, scrub
from resources.lake.client import Lake

STOPPED = pl.Schema({"record": pl.UInt32, "code": pl.String, "detail": pl.String})


@dataclass
class Validated:
    """What a window's validation came to.

    Attributes:
        records: how many were looked at.
        issues: code → how many.
        severities: severity → how many issues.
        with_errors: records that have an issue of severity error.
        examples: code → the first issue's place and message.
        rejections: of the records that are stopped, one each.
    """

    records: int = 0
    issues: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    with_errors: int = 0
    examples: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)


def validate_window(lake: Lake, partition: str, rules: Rules, stop_on: tuple[str, ...] = ()) -> Validated:
    """Fill `record_issues`: tables `rows` (shape validation.ISSUES) and `stopped` (shape STOPPED: records with an issue whose
    code is in `stop_on`)."""
    got = Validated()
    parts = zip(
        lake.batches("normalized_records", partition),
        lake.batches("normalized_records", partition, "subfields"),
        strict=True,
    )
    with lake.replace("record_issues", partition) as writer:
        writer.write("rows", pl.DataFrame(schema=ISSUES))
        writer.write("stopped", pl.DataFrame(schema=STOPPED))
        for records, subfields in parts:
            issues = validate(Frames(records, subfields), rules)
            writer.write("rows", issues)
            got.records += records.height
            _count(got, issues, records)
            stopping = issues.filter(pl.col("code").is_in(list(stop_on)))
            if stopping.height:
                stopped = stopping.group_by("record", maintain_order=True).agg(
                    pl.col("code").first(), pl.col("code").unique(maintain_order=True).str.join(", ").alias("detail")
                )
                writer.write("stopped", stopped.select(STOPPED.names()).cast(STOPPED))
                got.rejections += _rejections(stopping, records)
    return got


def _count(got: Validated, issues: pl.DataFrame, records: pl.DataFrame) -> None:
    got.issues.update(dict(issues.group_by("code").len().iter_rows()))
    got.severities.update(dict(issues.group_by("severity").len().iter_rows()))
    got.with_errors += issues.filter(pl.col("severity") == "error")["record"].n_unique()
    new = issues.filter(~pl.col("code").is_in(list(got.examples))).unique("code", keep="first", maintain_order=True)
    for row in new.join(records.select("record", "file"), on="record", how="left").iter_rows(named=True):
        got.examples[row["code"]] = (row["severity"], place_of(row), row["message"])


def place_of(row: dict[str, object]) -> str:
    """Where an issue is: 'vendor.mrc record 17 field 245 (1) $a character 3'. `row`: shape validation.ISSUES, and file."""
    place = f"{row['file']} record {row['record']}"
    if row["tag"]:
        place += f" field {row['tag']}" + (f" ({row['occurrence']})" if row["occurrence"] else "")
    if row["subfield"]:
        place += f" ${row['subfield']}"
    return place + (f" character {row['position']}" if row["position"] is not None else "")


def _rejections(stopping: pl.DataFrame, records: pl.DataFrame) -> list[Rejection]:
    """One a record, for its first stopping issue; the place says how many more there are."""
    rows = stopping.with_columns(pl.len().over("record").alias("all")).unique(
        "record", keep="first", maintain_order=True
    )
    facts = records.select("record", "file", "correlation_id", "content_sha256")
    return [
        Rejection(
            code=row["code"],
            place=place_of(row)
            + f": {row['message']}"
            + (f", and {row['all'] - 1} more that stop it" if row["all"] > 1 else ""),
            rule=row["rule"],
            hint=(row["hint"] or KINDS[row["code"]].hint if row["code"] in KINDS else row["hint"] or "mend the record")
            + f"; or take {row['code']} out of the source's `stop_on`, then materialize again",
            correlation_id=row["correlation_id"],
            sha256=row["content_sha256"],
            preview=scrub((row["value"] or "").encode()),
        )
        for row in rows.join(facts, on="record", how="left", maintain_order="left").iter_rows(named=True)
    ]
