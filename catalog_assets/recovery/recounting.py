"""The outcomes of a window, counted anew after a recovery changed some of them: each record has one, in = their sum."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from catalog_assets.checks import conservation_result
from holdfast.catalogue.outcomes import OUTCOMES, conservation
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.ledger.undo_tables import overlay_outcomes
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine


def recount(
    context: dg.OpExecutionContext,
    lake: Lake,
    postgres: Postgres,
    asset: str,
    partition: str,
    outcomes: Mapping[int, tuple[str, str]],
) -> None:
    """`asset` (ils_commits or feed_commits) of the window with these outcomes (record → outcome, detail) in place of what it said: in the lake, in the
    counts and, as a materialization with its conservation check, in Dagster.

    Raises:
        dg.Failure: the sum does not hold.
    """
    if not outcomes or not lake.exists(asset, partition):
        return
    rows = overlay_outcomes(lake, asset, partition, outcomes)
    counted = conservation(rows)
    Quarantine(postgres, "catalogue").count_outcomes(asset, partition, counted, run_id=context.run_id)
    context.log_event(
        dg.AssetMaterialization(
            asset, partition=partition, metadata=table_metadata(rows.height, OUTCOMES, **counted.outcomes)
        )
    )
    check = conservation_result(counted)
    evaluation: Any = (  # log_event takes it, its annotation does not say so
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(asset),
            check_name="conservation",
            passed=bool(check.passed),
            description=check.description,
            metadata=check.metadata,
            partition=partition,
        )
    )
    context.log_event(evaluation)
    if not counted.holds:
        raise dg.Failure(counted.sentence, allow_retries=False)
