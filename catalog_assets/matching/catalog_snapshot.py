"""`catalog_snapshot`: the live catalogue as columns."""

import datetime as dt
from functools import partial

import dagster as dg

from catalog_assets.partitions import SETTINGS
from holdfast.catalogue.snapshot import RECORDS
from holdfast.environment import read_environment
from holdfast.privacy.masking import MaskingRules
from resources.ils.client import Ils
from resources.ils.snapshot import refresh_or_keep
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.ledger.client import Ledger

RULES = MaskingRules(SETTINGS.masking.fields, SETTINGS.masking.notes_when_private)


@dg.asset(
    group_name="matching",
    owners=["team:metadata"],
    kinds={SETTINGS.ils.adapter, "parquet"},
    code_version="3",
    description=(
        "The live catalogue as columns: a row a record with its ids, version, identifiers and content hash; beside it, as "
        "`fields`, its fields with masked values replaced. Kept fresh from the library system's change feed, read whole "
        "once a day."
    ),
)
def catalog_snapshot(
    lake: dg.ResourceParam[Lake], ils: dg.ResourceParam[Ils], ledger: dg.ResourceParam[Ledger]
) -> dg.MaterializeResult:
    salt = read_environment().need("HOLDFAST_MASKING_SALT").encode()
    now = dt.datetime.now(dt.UTC)
    got = refresh_or_keep(lake, ils, RULES, salt, now, partial(ledger.conflicted_since, ils.name))
    return dg.MaterializeResult(
        metadata=table_metadata(got.records, RECORDS, read=got.read, whole=got.whole, watermark=got.watermark)
        | ({"waiting": got.waiting} if got.waiting else {})
    )
