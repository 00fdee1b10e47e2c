"""Asset `technical_metadata`."""

import dagster as dg
import polars as pl

from holdfast.preservation.technical import TECHNICAL, describe_pages
from preservation_assets.materialization import table_metadata
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
    kinds={"parquet", "pillow"},
    code_version="1",
    description="Format (PRONOM), dimensions, bit depth, resolution, colour profile, compression, device, page order, blank and "
    "duplicate pages. A row is a page that the manifest's validation let through; one that can't be read has its fault.",
)
def technical_metadata(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    scans: dg.ResourceParam[Scans],
    masters: dg.ResourceParam[Masters],
) -> dg.MaterializeResult:
    batch = context.partition_key
    dpi = lake.read("batch_manifests", batch, "batch")["resolution_dpi"].item()
    with scans.images() as images:
        frame, events = describe_pages(batch, lake.read("batch_manifests", batch), dpi, scans, masters, images)
    with lake.replace("technical_metadata", batch) as writer:
        writer.write("rows", frame)
    head = PreservationRecord(postgres, "technical_metadata", batch, context.run.run_id).keep([], events)
    counts = {
        "faults": frame.filter(pl.col("fault") != "").height,
        "blank": int(frame["is_blank"].sum()),
        "out_of_order": frame.filter(~pl.col("in_order")).height,
        "resolution_not_as_declared": frame.filter(~pl.col("resolution_as_declared")).height,
    }
    return dg.MaterializeResult(metadata=table_metadata(frame.height, TECHNICAL, events_head=head, **counts))
