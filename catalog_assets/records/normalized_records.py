"""`normalized_records`: a row a record with its facts, and beside it the long table of every subfield."""

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.marc.normalize import VERSION
from holdfast.marc.window import RECORDS
from holdfast.outcomes import Conservation
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.lake.normalization import normalize_window


@dg.asset(
    deps=["harvested_marc"],
    partitions_def=LOADS,
    group_name="records",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version=VERSION,
    check_specs=[conservation_spec("normalized_records")],
    description=(
        "A row a record: leader and 008 facts, identifiers (001/003, OCN, ISBN, ISSN, LCCN), title and author keys, "
        "encoding, fingerprint and correlation ID; beside it, as `subfields`, a row of every subfield in its order."
    ),
)
def normalized_records(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    (source, day), partition = load_of(context), context.partition_key
    got = normalize_window(lake, partition, source, day, SETTINGS.sources[source].reading)
    counted = Conservation(
        lake.rows("harvested_marc", partition), {"normalized": got.records, "quarantined": got.unreadable}
    )
    return dg.MaterializeResult(
        metadata=table_metadata(
            got.records, RECORDS, subfields=got.subfields, unreadable=got.unreadable,
            reused=got.reused, computed=got.computed, kept=got.kept,
        ),
        data_version=dg.DataVersion(got.data_version),
        check_results=[conservation_result(counted)],
    )  # fmt: skip
