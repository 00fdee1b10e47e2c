"""`partner_exports`: what a partner gets of the catalogue."""

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import PARTNERS, SETTINGS, partner_export_of
from holdfast.outcomes import Conservation
from holdfast.partners.delta import EXPORTED
from resources.ils.feeds import FeedIls
from resources.lake.client import Lake
from resources.lake.metadata import feed_metadata
from resources.partners.client import export_partner
from resources.partners.contents import Stores
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.quarantine import Quarantine


@dg.asset(
    deps=["catalog_snapshot", "holdings_deltas", "circulation_deltas"],
    partitions_def=PARTNERS,
    group_name="exports",
    owners=["team:metadata"],
    kinds={"marc", "csv"},
    code_version="1",
    check_specs=[conservation_spec("partner_exports", PARTNERS)],
    description=(
        "A file for a partner, with a manifest: all of the catalogue, or what is new, changed or gone since the last export, by "
        "what is in each record. What is masked never leaves. Records that the format has no place for are in quarantine."
    ),
)
def partner_exports(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    ils: dg.ResourceParam[FeedIls],
) -> dg.MaterializeResult:
    (name, day), partition = partner_export_of(context), context.partition_key
    made = export_partner(SETTINGS, Stores(lake, postgres, ils), name, day)
    with lake.replace("partner_exports", partition) as writer:
        writer.write("rows", made.rows)
    quarantine = Quarantine(postgres, "catalogue")
    quarantine.replace("partner_exports", partition, made.refused, run_id=context.run.run_id)
    counted = Conservation(
        made.rows.height + len(made.refused), {"exported": made.manifest["records"], "quarantined": len(made.refused)}
    )
    return dg.MaterializeResult(
        metadata=feed_metadata(
            made.rows.height,
            EXPORTED,
            file=dg.MetadataValue.path(made.path),
            manifest=dg.MetadataValue.json(made.manifest),
        )
        | quarantine_metadata(quarantine, partition),
        check_results=[conservation_result(counted)],
    )
