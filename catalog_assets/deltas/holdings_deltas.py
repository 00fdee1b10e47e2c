"""`holdings_deltas`: holdings records and items that changed on a day, and what changed in them."""

import datetime as dt

import dagster as dg

from catalog_assets.checks import gaps_result, gaps_spec
from catalog_assets.partitions import DAYS, SETTINGS
from holdfast.deltas.windows import window_of
from holdfast.environment import read_environment
from holdfast.holdings.columns import HOLDINGS
from resources.deltas.holdings import ASSET, Rules, read_holdings_day
from resources.ils.client import EntityIls
from resources.lake.client import Lake
from resources.lake.metadata import delta_metadata
from resources.postgres.client import Postgres

RULES = Rules(
    SETTINGS.deltas.settling,
    dt.timedelta(days=SETTINGS.deltas.whole_days),
    SETTINGS.deltas.removed_share,
    SETTINGS.masking.entities,
)


@dg.asset(
    group_name="deltas",
    owners=["team:metadata"],
    kinds={"ils", "parquet"},
    partitions_def=DAYS,
    check_specs=[gaps_spec(ASSET)],
    code_version="1",
    description=(
        "Holdings records and items that were changed on this day, as columns, notes for staff and prices masked. Beside it, "
        "as `deltas`, what changed in them: added, changed with before and after, removed. Deletions show where everything "
        "was read, once in `deltas.whole_days`."
    ),
)
def holdings_deltas(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[EntityIls],
) -> dg.MaterializeResult:
    salt = read_environment().need("HOLDFAST_MASKING_SALT").encode()
    day = dt.date.fromisoformat(context.partition_key)
    window = window_of(day, SETTINGS.library.timezone, SETTINGS.deltas.overlap)
    read = read_holdings_day(lake, postgres, ils, window, salt, RULES, context.run.run_id)
    facts = {
        **read.changes,
        "read": read.read,
        "whole": read.whole,
        "first": read.baseline,
        "watermark": read.watermark,
    }
    facts |= {"read_at": read.read_at.isoformat(), "gaps": len(read.gaps)}
    return dg.MaterializeResult(
        metadata=delta_metadata(read.rows, HOLDINGS, **facts),
        check_results=[gaps_result(read.gaps)],
    )
