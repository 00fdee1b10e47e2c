"""`feed_drops`: the files of a feed and day as received, sealed, with their masked rows beside them."""

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import FEEDS, SETTINGS, feed_of
from holdfast.environment import read_environment
from holdfast.feeds.rows import rows_schema
from holdfast.outcomes import Conservation
from resources.ils.feeds import check_feeds
from resources.lake.client import Lake
from resources.lake.metadata import feed_metadata
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.quarantine import Quarantine
from resources.vault.client import Vault
from resources.vault.feeds import receive_feed

check_feeds(SETTINGS)


@dg.asset(
    partitions_def=FEEDS,
    group_name="feeds",
    owners=["team:circulation"],
    kinds={"file", "parquet"},
    code_version="1",
    check_specs=[conservation_spec("feed_drops", FEEDS)],
    description=(
        "The files of a feed and day as received: the originals are sealed in the vault before anything else; here is a row a "
        "patron, item or holdings record, with what is private as tokens. What can't be used is in quarantine, with its place."
    ),
)
def feed_drops(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    vault: dg.ResourceParam[Vault],
) -> dg.MaterializeResult:
    (name, day), partition = feed_of(context), context.partition_key
    kind = SETTINGS.feeds[name].kind
    salt = read_environment().need("HOLDFAST_MASKING_SALT").encode()
    got = receive_feed(SETTINGS, lake, postgres, vault, name, day, salt, context.run.run_id)
    quarantine = Quarantine(postgres, "catalogue")
    conservation = Conservation(
        got.records, {"readable": lake.rows("feed_drops", partition), "quarantined": got.rejected}
    )
    quarantine.count_outcomes("feed_drops", partition, conservation, run_id=context.run.run_id)
    waiting = (
        {"not_taken": dg.MetadataValue.md("\n".join(f"- {each}" for each in got.waiting[:50]))} if got.waiting else {}
    )
    return dg.MaterializeResult(
        metadata=feed_metadata(
            got.rows, rows_schema(kind), kind, drops=got.drops, bytes=got.bytes, quarantined=got.rejected
        )
        | waiting
        | quarantine_metadata(quarantine, partition),
        check_results=[conservation_result(conservation)],
    )
