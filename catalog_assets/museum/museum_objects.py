"""`museum_objects`: the export's objects as Dublin Core, validated."""

from collections.abc import Iterator
from itertools import chain

import dagster as dg
import polars as pl

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.museum.museum_export import received_files
from catalog_assets.partitions import EXPORTS, export_of
from holdfast.museum.objects import COLUMNS
from holdfast.museum.validation import Batch, rejections_of, validate_export
from holdfast.outcomes import Conservation, Outcome
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.museum_exports.client import MuseumExports
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine

ASSET = "museum_objects"


def write_batches(lake: Lake, partition: str, batches: Iterator[Batch]) -> Conservation:
    """Tables `rows` (objects), `rejected` and `counts` of the partition, batch by batch."""
    came_in = 0
    counts = dict.fromkeys((Outcome.PLANNED, Outcome.DUPLICATE, Outcome.QUARANTINED), 0)
    with lake.replace(ASSET, partition) as writer:
        for batch in batches:
            writer.write("rows", batch.objects)
            writer.write("rejected", batch.rejected)
            came_in += batch.came_in
            counts[Outcome.PLANNED] += batch.objects.height
            counts[Outcome.QUARANTINED] += batch.rejected.height
            counts[Outcome.DUPLICATE] += batch.duplicates
        names = [str(name) for name in counts]
        writer.write("counts", pl.DataFrame({"outcome": names, "count": list(counts.values()), "in": came_in}))
    return Conservation(came_in, {str(name): count for name, count in counts.items()})


@dg.asset(
    name=ASSET,
    deps=["museum_export"],
    partitions_def=EXPORTS,
    group_name="museum",
    owners=["team:museum"],
    kinds={"polars", "parquet"},
    code_version="1",
    check_specs=[conservation_spec(ASSET, EXPORTS)],
    description="Objects of the export as Dublin Core; a row an object. CSV by the mapping in holdfast.toml, LIDO 1.0 "
    "and 1.1 by its crosswalk. What can't be read or breaks a rule is in quarantine; the rest goes on.",
)
def museum_objects(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    museum_exports: dg.ResourceParam[MuseumExports],
    postgres: dg.ResourceParam[Postgres],
) -> dg.MaterializeResult:
    collection, _ = export_of(context)
    partition, rules = context.partition_key, museum_exports.collection(collection)
    files = museum_exports.files(received_files(lake, partition))
    batches = validate_export(collection, rules, files, record_bytes=museum_exports.record_bytes)
    conservation = write_batches(lake, partition, batches)
    quarantine = Quarantine(postgres, "museum")
    rejected = chain.from_iterable(map(rejections_of, lake.batches(ASSET, partition, "rejected")))
    quarantine.replace(ASSET, partition, rejected, run_id=context.run.run_id)
    quarantine.count_outcomes(ASSET, partition, conservation, run_id=context.run.run_id)
    return dg.MaterializeResult(
        metadata=table_metadata(
            conservation.outcomes["planned"], COLUMNS, **{"in": conservation.came_in}, **conservation.outcomes
        ),
        check_results=[conservation_result(conservation)],
    )
