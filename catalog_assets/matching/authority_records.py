"""`authority_records`: the authority files as columns."""

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec
from holdfast.authority.linking import see_also
from holdfast.authority.records import AUTHORITIES, VERSION
from holdfast.outcomes import Conservation
from resources.authorities.client import AuthorityFolder
from resources.authorities.lake import load_authorities, read_all
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine


@dg.asset(
    group_name="matching",
    owners=["team:metadata"],
    kinds={"marc", "parquet"},
    code_version=VERSION,
    check_specs=[conservation_spec("authority_records", None)],
    description=(
        "The authority files of holdfast.toml ([authorities.NAME]) as columns: a row an authority record with its heading, NACO "
        "key, thesaurus and status; beside it, as `references`, its see-from and see-also references. All files in one table: "
        "a heading is looked for in all of them. Records that can't be read are in quarantine."
    ),
)
def authority_records(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    authority_folder: dg.ResourceParam[AuthorityFolder],
) -> dg.MaterializeResult:
    got = load_authorities(lake, authority_folder)
    quarantine = Quarantine(postgres, "catalogue")
    quarantine.replace("authority_records", "", got.rejections, run_id=context.run.run_id)
    leads = see_also(read_all(lake))
    outcomes = {"held": got.authorities, "superseded": got.superseded, "quarantined": len(got.rejections)}
    return dg.MaterializeResult(
        metadata=table_metadata(
            got.authorities,
            AUTHORITIES,
            files=", ".join(got.files) or "none: holdfast.toml names no authority file, or its folder is empty",
            quarantined=len(got.rejections),
            superseded=got.superseded,
            see_also=leads.height,
            see_also_leads_nowhere=leads["to"].null_count(),
            peak_mib=peak_mib(),
        ),
        check_results=[conservation_result(Conservation(got.records, outcomes))],
    )
