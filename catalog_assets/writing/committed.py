"""What a writing came to, kept in the lake and the quarantine and shown in Dagster: of records and of feeds alike."""

from collections.abc import Callable

import dagster as dg
import polars as pl

from catalog_assets.checks import conservation_result, written_result
from catalog_assets.writing.gate_metadata import gate_metadata
from holdfast.catalogue.outcomes import OUTCOMES, conservation, outcomes
from holdfast.outcomes import Rejection
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.ledger.applying import Applied
from resources.ledger.gate import Gate
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.quarantine import Quarantine


def committed(
    context: dg.AssetExecutionContext,
    lake: Lake,
    postgres: Postgres,
    planned_by: str,
    applied: Applied,
    gate: Gate,
    refusals: Callable[[Applied, pl.DataFrame], list[Rejection]],
) -> dg.MaterializeResult:
    """The outcome of each record of the window, as the context's asset.

    Args:
        planned_by: asset that holds the plan, and in its table `standing` what was not planned.
        refusals: quarantine entries of what was refused, of (applied, plan).
    """
    asset, partition, run_id = context.asset_key.to_user_string(), context.partition_key, context.run.run_id
    plan = lake.read(planned_by, partition)
    rows = outcomes(lake.read(planned_by, partition, "standing"), plan, applied.written)
    with lake.replace(asset, partition) as writer:
        writer.write("rows", rows)
    counted, quarantine = conservation(rows), Quarantine(postgres, "catalogue")
    quarantine.replace(asset, partition, refusals(applied, plan), run_id=run_id)
    quarantine.count_outcomes(asset, partition, counted, run_id=run_id)
    metadata = table_metadata(
        rows.height, OUTCOMES, written_now=applied.now, **applied.pace, peak_mib=peak_mib(), **counted.outcomes
    )
    return dg.MaterializeResult(
        metadata=metadata | gate_metadata(gate, applied.waiting) | quarantine_metadata(quarantine, partition),
        check_results=[conservation_result(counted), written_result(applied.waiting, failed=applied.failed)],
    )
