"""`museum_index`: the collection in the public search, switched at once."""

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import EXPORTS, export_of
from holdfast.museum.objects import COLUMNS
from holdfast.outcomes import Conservation
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.museum_exports.client import MuseumExports
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.quarantine import Quarantine
from resources.search.client import Search, Switch, SwitchRules

ASSET = "museum_index"
WITHDRAWALS = "withdrawals"


class MuseumIndexConfig(dg.Config):
    """`allow_older`: make this export public though a newer one is; to go back to an export on purpose."""

    allow_older: bool = False


def conservation_of(lake: Lake, partition: str, switch: Switch) -> Conservation:
    """What came in with the export against what became of it, from the file to the public search."""
    counts = lake.read("museum_objects", partition, "counts")
    before = dict(counts.select("outcome", "count").iter_rows())
    outcomes = {
        "committed": switch.new + switch.changed,
        "unchanged": switch.unchanged,
        "suppressed": switch.suppressed,
        "duplicate": before["duplicate"],
        "quarantined": before["quarantined"],
    }
    return Conservation(int(counts["in"][0]), outcomes)


def withdrawals_result(switch: Switch) -> dg.AssetCheckResult:
    said = switch.note or f"{switch.withdrawn:,} objects that the export no longer has were withdrawn"
    return dg.AssetCheckResult(
        check_name=WITHDRAWALS,
        passed=not switch.kept,
        severity=dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={"withdrawn": switch.withdrawn, "kept": switch.kept},
    )


@dg.asset(
    name=ASSET,
    deps=["museum_objects"],
    partitions_def=EXPORTS,
    group_name="museum",
    owners=["team:museum"],
    kinds={"postgres", "elasticsearch"},
    code_version="1",
    check_specs=[
        conservation_spec(ASSET, EXPORTS),
        dg.AssetCheckSpec(
            WITHDRAWALS,
            asset=ASSET,
            partitions_def=EXPORTS,
            description="No more vanished objects than one export may take away.",
        ),
    ],
    description="The public search of the collection; a row an object. Only objects whose content changed are written; "
    "searchers see the old catalogue until all of the new one is there. Vanished objects are withdrawn, not deleted.",
)
def museum_index(
    context: dg.AssetExecutionContext,
    config: MuseumIndexConfig,
    lake: dg.ResourceParam[Lake],
    museum_exports: dg.ResourceParam[MuseumExports],
    postgres: dg.ResourceParam[Postgres],
    search: dg.ResourceParam[Search],
) -> dg.MaterializeResult:
    (collection, day), partition = export_of(context), context.partition_key
    objects, rejected = (lake.batches("museum_objects", partition, table) for table in ("rows", "rejected"))
    rules = museum_exports.collection(collection)
    allowed = SwitchRules(rules.full, rules.withdraw_share, config.allow_older)
    switch = search.switch(collection, day, objects, rejected, allowed, run_id=context.run.run_id)
    conservation = conservation_of(lake, partition, switch)
    quarantine = Quarantine(postgres, "museum")
    quarantine.count_outcomes(ASSET, partition, conservation, run_id=context.run.run_id)
    metadata = table_metadata(
        search.count(collection), COLUMNS, engine=search.engine, peak_mib=peak_mib(), **vars(switch)
    )
    return dg.MaterializeResult(
        metadata=metadata | quarantine_metadata(quarantine, partition),
        check_results=[conservation_result(conservation), withdrawals_result(switch)],
    )
