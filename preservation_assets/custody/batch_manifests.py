"""Asset `batch_manifests`."""

import dagster as dg

from holdfast.preservation.pages import SURVEYED, survey_events, survey_frames
from preservation_assets.checks import accepted_check, accepted_spec
from preservation_assets.materialization import table_metadata
from preservation_assets.partitions import BATCHES
from resources.lake.client import Lake
from resources.masters.client import Masters
from resources.postgres.client import Postgres
from resources.postgres.preservation_record import PreservationRecord
from resources.scans.client import Scans


@dg.asset(
    partitions_def=BATCHES,
    group_name="custody",
    owners=["team:digitization"],
    kinds={"json", "parquet", "postgres"},
    code_version="1",
    check_specs=[accepted_spec("batch_manifests")],
    description="The drop's manifest, validated against its schema and against what is really in the drop. A row is a page "
    "of the manifest or a file that it does not name; table `batch` has the manifest's own facts.",
)
def batch_manifests(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    scans: dg.ResourceParam[Scans],
    masters: dg.ResourceParam[Masters],
) -> dg.MaterializeResult:
    batch = context.partition_key
    survey = scans.survey(batch)
    if survey is None:
        return _kept(lake, batch, scans)
    masters.keep_manifest(batch, survey.manifest_bytes)
    about, pages = survey_frames(batch, survey)
    with lake.replace("batch_manifests", batch) as writer:
        writer.write("batch", about)
        writer.write("rows", pages)
    record = PreservationRecord(postgres, "batch_manifests", batch, context.run.run_id)
    head = record.keep(survey.rejections, survey_events(batch, survey))
    metadata = table_metadata(pages.height, SURVEYED, rejections=len(survey.rejections), events_head=head, drop="there")
    why = "; ".join(f"{each.place}: {each.rule}" for each in survey.manifest.rejections)
    return dg.MaterializeResult(metadata=metadata, check_results=[accepted_check(survey.accepted, why)])


def _kept(lake: Lake, batch: str, scans: Scans) -> dg.MaterializeResult:
    """The drop is gone: what it held when it was read last stays."""
    if not lake.exists("batch_manifests", batch):
        raise dg.Failure(f"{scans.folder / batch}: no such drop; put it there and run again", allow_retries=False)
    about = lake.read("batch_manifests", batch, "batch").row(0, named=True)
    metadata = table_metadata(lake.rows("batch_manifests", batch), SURVEYED, drop="gone; its last reading stays")
    return dg.MaterializeResult(metadata=metadata, check_results=[accepted_check(about["accepted"], "as last read")])
