"""Checks that the catalogue's assets make of themselves. A blocking one stops what comes after it."""

import warnings

import dagster as dg

from catalog_assets.partitions import LOADS
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


def written_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="all_planned_is_written",
        asset=asset,
        partitions_def=LOADS,
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
