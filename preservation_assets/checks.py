"""Checks of preservation: in = sum of the outcomes, and whether a manifest was accepted."""

from __future__ import annotations

import warnings

import dagster as dg

from holdfast.outcomes import Conservation
from preservation_assets.partitions import BATCHES

# A check of its own for each partition is a preview in Dagster; without it the last run of any partition stands for all.
warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)

CONSERVATION = "every_page_has_one_outcome"
ACCEPTED = "manifest_accepted"


def conservation_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        CONSERVATION,
        asset=asset,
        partitions_def=BATCHES,
        blocking=True,
        description="Pages of the manifest and files beyond it = committed + quarantined + duplicate.",
    )


def conservation_check(conservation: Conservation) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=CONSERVATION,
        passed=conservation.holds,
        metadata={"conservation": conservation.sentence},
        description=conservation.sentence,
    )


def accepted_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        ACCEPTED,
        asset=asset,
        partitions_def=BATCHES,
        description="The manifest is there, follows its schema, and the drop's name is a batch name.",
    )


def accepted_check(accepted: bool, why: str) -> dg.AssetCheckResult:
    # Not blocking: the rejected batch still runs to its end, where its pages are counted as quarantined.
    return dg.AssetCheckResult(
        check_name=ACCEPTED, passed=accepted, severity=dg.AssetCheckSeverity.ERROR, description=why or "accepted"
    )
