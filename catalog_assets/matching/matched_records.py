"""`matched_records`: each record against its load and against the catalogue."""

import dagster as dg
import polars as pl

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.catalogue.matching import MATCHED, collisions, match_unstopped
from holdfast.outcomes import Conservation
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.ledger.client import Ledger
from resources.ledger.seen import mark_seen, settle_doubts
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from resources.redis.filter import IdempotencyFilter


@dg.asset(
    deps=["normalized_records", "record_issues", "catalog_snapshot"],
    partitions_def=LOADS,
    group_name="matching",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version="1",
    check_specs=[conservation_spec("matched_records")],
    description=(
        "A row a record: new, update, unchanged, duplicate (within the load), collision (in quarantine, with both sides), "
        "stopped (in quarantine, for an issue that the source stops on) or seen (written by an earlier run of the same window), with the evidence; beside it the live fields of its matches."
    ),
)
def matched_records(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ledger: dg.ResourceParam[Ledger],
    idempotency_filter: dg.ResourceParam[IdempotencyFilter],
) -> dg.MaterializeResult:
    (source, _), partition = load_of(context), context.partition_key
    records = lake.read("normalized_records", partition)
    snapshot, state = lake.read("catalog_snapshot"), lake.read("catalog_snapshot", table="state")
    ils = state["ils"][0]
    settle_doubts(ledger, ils, source, partition, snapshot)
    stopped = lake.read("record_issues", partition, "stopped")
    matched = match_unstopped(records, stopped, snapshot, SETTINGS.sources[source].match)
    matched = mark_seen(matched, records, ledger, idempotency_filter, ils, source, partition)
    targets = matched.filter(pl.col("verdict").is_in(["update", "unchanged"])).select("target").unique().lazy()
    with lake.replace("matched_records", partition) as writer:
        writer.write("rows", matched)
        live = lake.scan("catalog_snapshot", table="fields").join(
            targets, left_on="instance_id", right_on="target", how="semi"
        )
        writer.write("live_fields", live.collect(engine="streaming"))
        versions = snapshot.lazy().select(pl.col("instance_id").alias("target"), "version", "source_id")
        writer.write("versions", versions.join(targets, on="target", how="semi").collect())
        writer.write("state", state)
    rejected = collisions(matched, records)
    Quarantine(postgres, "catalogue").replace("matched_records", partition, rejected, run_id=context.run.run_id)
    counts = dict(matched.drop_nulls("verdict").group_by("verdict").len().sort("verdict").iter_rows())
    return dg.MaterializeResult(
        metadata=table_metadata(matched.height, MATCHED, **counts),
        check_results=[conservation_result(Conservation(records.height, counts))],
    )
