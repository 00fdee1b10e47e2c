"""`authority_what_if`: what a new authority file would change, before it is loaded."""

import dagster as dg
from pydantic import Field

from holdfast.authority.linking import VERSION
from holdfast.authority.what_if import AUTHORITY_CHANGES
from resources.authorities.client import AuthorityFolder
from resources.authorities.what_if import report_window
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.lake.tables import as_markdown

_CHANGE = ("change", "authority", "heading_before", "heading_after", "goes_to", "detail")
_TOUCHED = (
    "held_in",
    "id",
    "tag",
    "heading",
    "verdict_before",
    "verdict_after",
    "authorized_before",
    "authorized_after",
)


class WhatIfConfig(dg.Config):
    """Which files are compared, and with what."""

    names: list[str] = Field(default=[], description="[authorities.NAME] whose files are compared; empty: all")
    whole: bool = Field(
        default=True, description="the files hold all authorities: what is not in them is deleted; else what changed"
    )
    partitions: list[str] = Field(
        default=[], description="of normalized_records, as '2026-01-05|ebooks': looked at beside the catalogue"
    )


@dg.asset(
    deps=["authority_records", "catalog_snapshot"],
    group_name="matching",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version=VERSION,
    description=(
        "What the authority files that lie in their folders now would change against `authority_records`: a row an authority "
        "that is new, changed, split, merged or deleted; beside it, as `touched`, every heading of the catalogue that would be "
        "linked otherwise. Changes nothing: look at it, then materialize authority_records."
    ),
)
def authority_what_if(
    config: WhatIfConfig, lake: dg.ResourceParam[Lake], authority_folder: dg.ResourceParam[AuthorityFolder]
) -> dg.MaterializeResult:
    found = report_window(lake, authority_folder, config.names, whole=config.whole, partitions=config.partitions)
    return dg.MaterializeResult(
        metadata=table_metadata(
            sum(found.changes.values()),
            AUTHORITY_CHANGES,
            **{name.replace(" ", "_"): count for name, count in found.changes.items()},
            files=", ".join(found.files) or "none: nothing lies in the folders",
            authorities_in_files=found.authorities,
            records_touched=found.records,
            headings_touched=found.headings,
            first_changes=dg.MetadataValue.md(as_markdown(found.first_changes, _CHANGE)),
            first_touched=dg.MetadataValue.md(as_markdown(found.first_touched, _TOUCHED)),
            peak_mib=peak_mib(),
        )
    )
