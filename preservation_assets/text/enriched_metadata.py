"""Asset `enriched_metadata`."""

import dagster as dg

from holdfast.preservation.pages import outcome_counts
from holdfast.preservation.reading import ENRICHED, batch_language, enrich_pages, enrichment_event
from preservation_assets.checks import conservation_check, conservation_spec
from preservation_assets.materialization import outcome_metadata, table_metadata
from preservation_assets.partitions import BATCHES
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.preservation_record import PreservationRecord
from resources.postgres.quarantine import Quarantine


@dg.asset(
    deps=["ocr_text", "technical_metadata"],
    partitions_def=BATCHES,
    group_name="text",
    owners=["team:digitization"],
    kinds={"python", "parquet"},
    code_version="1",
    op_tags={"dagster-celery/queue": "compute_intensive"},
    check_specs=[conservation_spec("enriched_metadata")],
    description="What the text says. A row is a page with its language and its one outcome; table `statements` has languages, "
    "dates (EDTF), persons and places, each with source, confidence and place in the text.",
)
def enriched_metadata(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], postgres: dg.ResourceParam[Postgres]
) -> dg.MaterializeResult:
    batch = context.partition_key
    technical = lake.read("technical_metadata", batch)
    with lake.replace("enriched_metadata", batch) as writer:
        for part in lake.batches("ocr_text", batch):
            rows, statements = enrich_pages(part, technical)
            writer.write("rows", rows)
            writer.write("statements", statements)
    pages = lake.read("enriched_metadata", batch)
    said = lake.read("enriched_metadata", batch, "statements")
    counts = outcome_counts(pages, came_in=lake.rows("batch_manifests", batch))
    record = PreservationRecord(postgres, "enriched_metadata", batch, context.run.run_id)
    head = record.keep([], [enrichment_event(said.height, said["source"].unique().to_list())])
    record.count(counts)
    language, share = batch_language(pages)
    about = {"statements": said.height, "language": language, "language_share": share, "events_head": head}
    metadata = table_metadata(pages.height, ENRICHED, **about, **outcome_metadata(counts))
    metadata |= quarantine_metadata(Quarantine(postgres, "preservation"), batch)
    return dg.MaterializeResult(metadata=metadata, check_results=[conservation_check(counts)])
