"""`matched_records`: each record against its load and against the catalogue."""

import dagster as dg
import polars as pl

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.catalogue.by_carrier import with_carrier
from holdfast.catalogue.collisions import collisions
from holdfast.catalogue.matching import MATCHED, RECORD_COLUMNS, VERSION, Matches, match_unstopped
from holdfast.catalogue.mending import Ordered, mend_matches
from holdfast.catalogue.snapshot import FIELDS
from holdfast.outcomes import Conservation
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.lake.tables import as_markdown
from resources.ledger.client import Ledger
from resources.ledger.replaying import mark_rolled_back
from resources.ledger.seen import mark_seen, settle_doubts
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from resources.postgres.triage import Triage
from resources.redis.filter import IdempotencyFilter

_SHOWN = (
    *("record", "held_in", "number", "evidence", "control_number", "title", "author", "year"),
    *("agreed", "disagreed", "target"),
)


@dg.asset(
    deps=["normalized_records", "record_issues", "catalog_snapshot"],
    partitions_def=LOADS,
    group_name="matching",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version=VERSION,
    check_specs=[conservation_spec("matched_records")],
    description=(
        "A row a record: new, update, unchanged, duplicate (within the load), collision (in quarantine, with both sides), "
        "stopped (in quarantine, for an issue that the source stops on), seen (written by an earlier run of the same window) or rolled "
        "back, "
        "with the key that decided and what else agrees or differs; beside it the sides of every collision and the live fields "
        "of its matches."
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
    records = with_carrier(lake.scan("normalized_records", partition)).select(RECORD_COLUMNS).collect()
    snapshot, state = lake.scan("catalog_snapshot"), lake.read("catalog_snapshot", table="state")
    ils = state["ils"][0]
    settle_doubts(ledger, ils, source, partition, snapshot)
    triage = Triage(postgres, "catalogue")
    stopped = unreleased(lake.read("record_issues", partition, "stopped"), records, triage, partition)
    how = SETTINGS.sources[source]
    found = match_unstopped(records, stopped, snapshot, how.match, across_carriers=how.match_across_carriers)
    rows = mended(found.rows, triage, partition, snapshot)
    rows = mark_seen(rows, records, ledger, idempotency_filter, ils, source, partition)
    matched = mark_rolled_back(rows, records, postgres, ils, source, partition)
    found = found._replace(rows=matched)
    write_matches(lake, partition, found, snapshot, state)
    quarantine = Quarantine(postgres, "catalogue")
    quarantine.replace("matched_records", partition, collisions(found, records), run_id=context.run.run_id)
    counts, first = verdicts(matched), dg.MetadataValue.md(as_markdown(found.sides.head(30), _SHOWN))
    return dg.MaterializeResult(
        metadata=table_metadata(
            matched.height, MATCHED, **counts, **by_key(matched), first_collisions=first, peak_mib=peak_mib()
        ),
        check_results=[conservation_result(Conservation(records.height, counts))],
    )


def verdicts(matched: pl.DataFrame) -> dict[str, int]:
    return dict(matched.drop_nulls("verdict").group_by("verdict").len().sort("verdict").iter_rows())


def by_key(matched: pl.DataFrame) -> dict[str, int]:
    """How many each kind of key decided."""
    keys = matched.filter(pl.col("matched_by") != "").group_by("matched_by").len().sort("matched_by")
    return {f"by_{key}": count for key, count in keys.iter_rows()}


def unreleased(stopped: pl.DataFrame, records: pl.DataFrame, triage: Triage, partition: str) -> pl.DataFrame:
    """The stopped records without those that a person released."""
    released = records.filter(pl.col("correlation_id").is_in(list(triage.mends(partition))))
    return stopped.join(released, on="record", how="anti", maintain_order="left")


def mended(rows: pl.DataFrame, triage: Triage, partition: str, snapshot: pl.LazyFrame) -> pl.DataFrame:
    """The matches with what a person ordered for them in triage."""
    orders = {
        key: Ordered(each.mend, each.value, f"by {each.who} because {each.why}")
        for key, each in triage.mends(partition).items()
    }
    wanted = [each.value for each in orders.values() if each.mend == "choose_target"]
    live = snapshot.filter(pl.col("instance_id").is_in(wanted)).select("instance_id").collect() if wanted else None
    return mend_matches(rows, orders, set(live["instance_id"]) if live is not None else set())


def write_matches(lake: Lake, partition: str, found: Matches, snapshot: pl.LazyFrame, state: pl.DataFrame) -> None:
    """`rows`, the `sides` of collisions, and of the matched live records their `live_fields` and `versions`."""
    targets = found.rows.filter(pl.col("verdict").is_in(["update", "unchanged"]))["target"].unique().implode()
    with lake.replace("matched_records", partition) as writer:
        writer.write("rows", found.rows)
        writer.write("sides", found.sides)
        live = lake.scan("catalog_snapshot", table="fields").filter(pl.col("instance_id").is_in(targets))
        writer.write("live_fields", pl.DataFrame(schema=FIELDS))
        for part in live.collect_batches(chunk_size=500_000):
            writer.write("live_fields", part)
        versions = snapshot.filter(pl.col("instance_id").is_in(targets))
        versions = versions.select(pl.col("instance_id").alias("target"), "version", "source_id")
        writer.write("versions", versions.collect(engine="streaming"))
        writer.write("state", state)
