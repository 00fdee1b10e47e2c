"""Asset `verified_masters`."""

import dagster as dg

from holdfast.preservation.custody import MASTERS, take_custody
from holdfast.preservation.pages import outcome_counts
from preservation_assets.checks import conservation_check, conservation_spec
from preservation_assets.materialization import outcome_metadata, table_metadata
from preservation_assets.partitions import BATCHES
from resources.lake.client import Lake
from resources.masters.client import Masters
from resources.postgres.client import Postgres
from resources.postgres.preservation_record import PreservationRecord
from resources.scans.client import Scans


@dg.asset(
    deps=["batch_manifests"],
    partitions_def=BATCHES,
    group_name="custody",
    owners=["team:digitization"],
    kinds={"file", "parquet", "postgres"},
    code_version="1",
    check_specs=[conservation_spec("verified_masters")],
    description="Masters in write-once storage: SHA-256 compared with the manifest on the way in, read back after, decoded to "
    "the last line. A row is a page with its verdict; what is damaged, changed or no image waits in quarantine.",
)
def verified_masters(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    scans: dg.ResourceParam[Scans],
    masters: dg.ResourceParam[Masters],
) -> dg.MaterializeResult:
    batch = context.partition_key
    pages = lake.read("batch_manifests", batch)
    before = lake.read("verified_masters", batch) if lake.exists("verified_masters", batch) else None
    with scans.images() as images:
        custody = take_custody(batch, pages, scans, masters, images, before)
    with lake.replace("verified_masters", batch) as writer:
        writer.write("rows", custody.frame)
    record = PreservationRecord(postgres, "verified_masters", batch, context.run.run_id)
    head = record.keep(custody.rejections, custody.events)
    counts = outcome_counts(custody.frame, came_in=pages.height)
    record.count(counts)
    held = int(custody.frame.filter(custody.frame["outcome"].is_null())["bytes"].sum())
    metadata = table_metadata(pages.height, MASTERS, bytes_held=held, events_head=head, **outcome_metadata(counts))
    return dg.MaterializeResult(metadata=metadata, check_results=[conservation_check(counts)])
