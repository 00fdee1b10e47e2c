"""`circulation_deltas`: loans, renewals and returns of a day, and the last state of each item."""

import datetime as dt

import dagster as dg

from catalog_assets.checks import gaps_result, gaps_spec
from catalog_assets.partitions import DAYS, SETTINGS
from holdfast.deltas.windows import window_of
from holdfast.environment import read_environment
from resources.deltas.circulation import ASSET, ROWS, read_circulation_day
from resources.ils.client import EntityIls
from resources.lake.client import Lake
from resources.lake.metadata import delta_metadata
from resources.postgres.client import Postgres


@dg.asset(
    group_name="deltas",
    owners=["team:metadata"],
    kinds={"ils", "parquet"},
    partitions_def=DAYS,
    check_specs=[gaps_spec(ASSET)],
    code_version="1",
    description=(
        "Loans, renewals and returns that the library system wrote down on this day, by its own clock: patrons masked before "
        "the first byte is stored. Beside it, as `state`, the last state of each item. Read again it gives the same rows."
    ),
)
def circulation_deltas(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[EntityIls],
) -> dg.MaterializeResult:
    salt = read_environment().need("HOLDFAST_MASKING_SALT").encode()
    day = dt.date.fromisoformat(context.partition_key)
    window = window_of(day, SETTINGS.library.timezone, SETTINGS.deltas.overlap)
    read = read_circulation_day(lake, postgres, ils, window, salt, SETTINGS.deltas.settling, context.run.run_id)
    facts = {"items": read.items, "late": read.late, "read_at": read.read_at.isoformat(), "watermark": read.watermark}
    return dg.MaterializeResult(
        metadata=delta_metadata(read.rows, ROWS, **facts, gaps=len(read.gaps)),
        check_results=[gaps_result(read.gaps)],
    )
