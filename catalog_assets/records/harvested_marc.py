"""`harvested_marc`: the drops of a source and day as received, sealed, with their masked records beside them."""

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.environment import read_environment
from holdfast.marc.harvest import INDEX
from holdfast.outcomes import Conservation
from holdfast.privacy.masking import MaskingRules
from resources.drop_sites.client import DropSites
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.postgres.client import Postgres
from resources.postgres.metadata import quarantine_metadata
from resources.postgres.quarantine import Quarantine
from resources.repositories.client import Repositories
from resources.vault.client import Vault
from resources.vault.harvest import harvest_window
from resources.vault.metadata import harvest_metadata

RULES = MaskingRules(SETTINGS.masking.fields, SETTINGS.masking.notes_when_private)


@dg.asset(
    partitions_def=LOADS,
    group_name="records",
    owners=["team:metadata"],
    kinds={"marc", "parquet"},
    code_version="2",
    check_specs=[conservation_spec("harvested_marc")],
    description=(
        "The drops of a source and day as received. The originals are sealed in the vault; here is the index, a row a "
        "record (file, format, offset, length, SHA-256, encoding, fault), with the record after masking. Drops may be ISO 2709, "
        "MARCXML, MARC-in-JSON or BIBFRAME, plain or as gzip, zstd or zip. What can't be read is in quarantine, with its place."
    ),
)
def harvested_marc(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    vault: dg.ResourceParam[Vault],
    drop_sites: dg.ResourceParam[DropSites],
    repositories: dg.ResourceParam[Repositories],
) -> dg.MaterializeResult:
    source, day = load_of(context)
    salt = read_environment().need("HOLDFAST_MASKING_SALT").encode()
    got = harvest_window(
        SETTINGS, lake, postgres, vault, source, day, RULES, salt, context.run.run_id, drop_sites, repositories
    )
    return dg.MaterializeResult(
        metadata=table_metadata(
            got.records, INDEX, drops=got.drops, files=got.files, bytes=got.bytes, quarantined=got.rejected
        )
        | harvest_metadata(got)
        | quarantine_metadata(Quarantine(postgres, "catalogue"), context.partition_key),
        check_results=[
            conservation_result(
                # A byte that is in no row counts as something that came in and did not come out.
                Conservation(
                    got.records + got.unaccounted, {"readable": got.records - got.rejected, "quarantined": got.rejected}
                )
            )
        ],
    )
