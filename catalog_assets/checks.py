"""Checks that the catalogue's assets make of themselves. A blocking one stops what comes after it."""

import datetime as dt
import warnings
from collections.abc import Mapping

import dagster as dg
import polars as pl

from catalog_assets.partitions import ASKED, DAYS, LOADS
from holdfast.harvest.completeness import VERDICTS
from holdfast.outcomes import Conservation

# A check of its own for each partition is a preview in Dagster; without it the last run of any partition stands for all.
warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)


def conservation_spec(asset: str, partitions: dg.PartitionsDefinition | None = LOADS) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="conservation",
        asset=asset,
        blocking=True,
        partitions_def=partitions,
        description="What came in equals the sum of what came out, each record counted once.",
    )


def conservation_result(conservation: Conservation) -> dg.AssetCheckResult:
    counts = {name: dg.MetadataValue.int(count) for name, count in conservation.outcomes.items()}
    return dg.AssetCheckResult(
        check_name="conservation",
        passed=conservation.holds,
        description=conservation.sentence,
        metadata={"in": dg.MetadataValue.int(conservation.came_in), **counts},
    )


def issues_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="no_errors",
        asset=asset,
        partitions_def=LOADS,
        description="No record has an issue of severity error; it stops nothing (sources.*.stop_on does).",
    )


def issues_result(errors: int, records: int) -> dg.AssetCheckResult:
    """`records`: how many have an error."""
    return dg.AssetCheckResult(
        check_name="no_errors",
        passed=not errors,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{errors:,} errors in {records:,} records" if errors else "no errors",
    )


def written_spec(asset: str, partitions: dg.PartitionsDefinition = LOADS) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="all_planned_is_written",
        asset=asset,
        partitions_def=partitions,
        description="Every planned change was written, or it says what it waits for.",
    )


def written_result(waiting: str, *, failed: bool) -> dg.AssetCheckResult:
    """`failed`: the library system did not take it (an error); else it waits for a person (a warning)."""
    return dg.AssetCheckResult(
        check_name="all_planned_is_written",
        passed=not waiting,
        severity=dg.AssetCheckSeverity.ERROR if failed else dg.AssetCheckSeverity.WARN,
        description=waiting or "everything that was planned is written",
    )


def gaps_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="no_gaps",
        asset=asset,
        partitions_def=DAYS,
        description="Every day from the first that was read to this one was read, after it was over. What is missing is asked for.",
    )


def gaps_result(gaps: Mapping[dt.date, str]) -> dg.AssetCheckResult:
    """`gaps`: day → why it is one."""
    lines = ["| day | |", "|---|---|", *(f"| {day} | {why} |" for day, why in list(gaps.items())[:_SHOWN])]
    return dg.AssetCheckResult(
        check_name="no_gaps",
        passed=not gaps,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(gaps):,} days are missing or not whole; a sensor asks for them once they are over"
        if gaps
        else "no gap",
        metadata={"days": dg.MetadataValue.md("\n".join(lines) if gaps else "none")},
    )


def budget_spec(asset: str, partitions: dg.PartitionsDefinition = LOADS) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="within_budget",
        asset=asset,
        partitions_def=partitions,
        description="The plan may be written at once: it is within the source's budget and not larger than usual.",
    )


def budget_result(waiting: list[str], page: dg.MetadataValue) -> dg.AssetCheckResult:
    """`waiting`: why the plan needs approval; it stops nothing by itself, what writes it waits. `page`: the plan's."""
    return dg.AssetCheckResult(
        check_name="within_budget",
        passed=not waiting,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(waiting) or "it needs no approval",
        metadata={"page": page},
    )


def complete_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="complete",
        asset=asset,
        partitions_def=ASKED,
        description="All that the source lists is held as the source has it now, and nothing else is.",
    )


_SHOWN = 30


def complete_result(report: pl.DataFrame) -> dg.AssetCheckResult:
    """`report`: shape completeness.COMPLETENESS."""
    counts = {verdict: report.filter(pl.col("verdict") == verdict).height for verdict in VERDICTS}
    differing = {verdict: count for verdict, count in counts.items() if verdict != "held" and count}
    lines = ["| identifier | verdict | detail |", "|---|---|---|"]
    shown = report.filter(pl.col("verdict") != "held").head(_SHOWN).select("identifier", "verdict", "detail")
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in shown.iter_rows()]
    return dg.AssetCheckResult(
        check_name="complete",
        passed=not differing,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{count:,} {verdict}: {VERDICTS[verdict]}" for verdict, count in differing.items())
        or f"all {report.height:,} are held as the source has them",
        metadata={**counts, "differences": dg.MetadataValue.md("\n".join(lines) if differing else "none")},
    )
