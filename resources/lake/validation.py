"""Validate a window's records, part by part, into the lake."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from holdfast.marc.frames import Frames
from holdfast.marc.validation import ISSUES, KINDS, Rules, validate
from holdfast.outcomes import Rejection, scrub
from resources.lake.client import Lake
from resources.lake.recurring import Recurring
from resources.lake.reuse import Reuse, made_of

ASSET = "record_issues"
STOPPED = pl.Schema({"record": pl.UInt32, "code": pl.String, "detail": pl.String})


# Of a record: what issues and rejections name, and what it is known by in a later drop.
_FACTS = ("record", "file", "correlation_id", "content_sha256", "comparable_sha256")


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
        reused, computed, kept: records, as in reuse.Reuse.
        data_version: the same as long as issues and stopped records are.
    """

    records: int = 0
    issues: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    with_errors: int = 0
    examples: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    reused: int = 0
    computed: int = 0
    kept: int = 0
    data_version: str = ""


def validate_window(lake: Lake, partition: str, rules: Rules, stop_on: tuple[str, ...] = ()) -> Validated:
    """Fill `record_issues`: tables `rows` (shape validation.ISSUES), `stopped` (shape STOPPED: records with an issue whose
    code is in `stop_on`) and `state` (shape reuse.STATE).

    Issues of a part of `normalized_records` that is the same as when these rules judged it are taken over; so are those of a record
    that is, to the byte, one of an earlier drop. Which records they stop is told anew: `stop_on` is no rule.
    """
    got = Validated()
    reuse = Reuse.of(lake, ASSET, partition, ("rows",), rules.version)
    records_parts = lake.parts("normalized_records", partition)
    recurring = Recurring(records_parts)
    subfields_parts = lake.parts("normalized_records", partition, "subfields")
    with lake.replace(ASSET, partition) as writer:
        writer.write("stopped", pl.DataFrame(schema=STOPPED))
        if not records_parts:
            writer.write("rows", pl.DataFrame(schema=ISSUES))
        parts = zip(_inputs(lake, partition, len(records_parts)), records_parts, subfields_parts, strict=True)
        for number, (given, records_path, subfields_path) in enumerate(parts):
            before = reuse.before(given)
            records = pl.read_parquet(records_path, columns=["leader", *_FACTS])
            recurring.enter(number, records)
            if before is not None and before.current:
                issues = pl.read_parquet(before.paths["rows"])
                reuse.take(writer, given, before, records.height)
            else:
                found = recurring.earlier(records)
                issues = _validate(records, subfields_path, rules, recurring, found)
                reuse.write(writer, given, {"rows": issues}, records.height, reused=found.height)
            recurring.done(writer.last("rows"), records)
            got.records += records.height
            _count(got, issues, records)
            stopping = issues.filter(pl.col("code").is_in(list(stop_on)))
            if stopping.height:
                stopped = stopping.group_by("record", maintain_order=True).agg(
                    pl.col("code").first(), pl.col("code").unique(maintain_order=True).str.join(", ").alias("detail")
                )
                writer.write("stopped", stopped.select(STOPPED.names()).cast(STOPPED))
                got.rejections += _rejections(stopping, records)
        reuse.finish(writer, of=lake.facts("normalized_records", partition).get("made", ""))
    got.reused, got.computed, got.kept = reuse.reused, reuse.computed, reuse.kept
    # Which records are stopped is no part of the issues' state, and what comes after depends on it.
    got.data_version = made_of([reuse.data_version, *(f"{each.correlation_id} {each.code}" for each in got.rejections)])
    return got


def _validate(
    records: pl.DataFrame, subfields: Path, rules: Rules, recurring: Recurring, found: pl.DataFrame
) -> pl.DataFrame:
    """A part's issues; those of records in `found` are known."""
    if not found.height:
        return validate(Frames(records, pl.read_parquet(subfields)), rules)
    rest = records.join(found, on="record", how="anti", maintain_order="left")
    known = recurring.issues(found)
    if not rest.height:
        return known.sort("record", maintain_order=True)
    rows = pl.read_parquet(subfields).join(rest.select("record"), on="record", how="semi", maintain_order="left")
    return pl.concat([validate(Frames(rest, rows), rules), known]).sort("record", maintain_order=True)


def _inputs(lake: Lake, partition: str, parts: int) -> list[str]:
    """What each part of `normalized_records` was made of; of one that an older Holdfast made nobody knows, and no two are alike."""
    if lake.has("normalized_records", partition, "state"):
        return lake.read("normalized_records", partition, "state")["made"].to_list()
    version = lake.version("normalized_records", partition)
    return [f"{version}/{part}" for part in range(parts)]


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
