"""`normalized_records`: a row a record with its facts, and beside it the long table of every subfield."""

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.marc.normalize import VERSION
from holdfast.marc.window import RECORDS, normalize_part
from holdfast.outcomes import Conservation
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata


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
    with lake.replace("normalized_records", partition) as writer:
        for index in lake.batches("harvested_marc", partition):
            part = normalize_part(index, source=source, window=day, reading=SETTINGS.sources[source].reading)
            writer.write("rows", part.records)
            writer.write("subfields", part.subfields)
            writer.write("unreadable", part.unreadable)
    rows, unreadable = writer.rows["rows"], writer.rows["unreadable"]
    came_in = lake.rows("harvested_marc", partition)
    return dg.MaterializeResult(
        metadata=table_metadata(rows, RECORDS, subfields=writer.rows["subfields"], unreadable=unreadable),
        check_results=[conservation_result(Conservation(came_in, {"normalized": rows, "quarantined": unreadable}))],
    )
