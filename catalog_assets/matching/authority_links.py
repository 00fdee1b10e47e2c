"""`authority_links`: the headings of a source and day, linked to authority records."""

import dagster as dg
import polars as pl

from catalog_assets.partitions import LOADS
from holdfast.authority.linking import AUTHORITY_LINKS, VERSION
from resources.authorities.lake import link_window
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.lake.tables import as_markdown

_SHOWN = ("record", "tag", "heading", "verdict", "authorized", "authority", "evidence")


@dg.asset(
    deps=["normalized_records", "authority_records"],
    partitions_def=LOADS,
    group_name="matching",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version=VERSION,
    description=(
        "A row a heading: linked, linked by a see-from reference (the heading was changed), ambiguous, deprecated or unlinked, "
        "with the authority, the authorized form and the evidence. Nothing waits for it: a load is written without it."
    ),
)
def authority_links(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    partition = context.partition_key
    counts = link_window(lake, partition)
    loaded = lake.rows("authority_records") if lake.exists("authority_records") else 0
    links = lake.scan("authority_links", partition)
    return dg.MaterializeResult(
        metadata=table_metadata(
            lake.rows("authority_links", partition),
            AUTHORITY_LINKS,
            **counts,
            authorities=f"{loaded:,}" if loaded else "none is loaded: every heading is unlinked ([authorities.NAME])",
            top_unlinked=dg.MetadataValue.md(as_markdown(most_frequent(links, "unlinked"))),
            to_correct=dg.MetadataValue.md(as_markdown(first(links, "linked_by_reference", "deprecated"), _SHOWN)),
            to_decide=dg.MetadataValue.md(as_markdown(first(links, "ambiguous"), _SHOWN)),
            peak_mib=peak_mib(),
        )
    )


def most_frequent(links: pl.LazyFrame, verdict: str, shown: int = 20) -> pl.DataFrame:
    """thesaurus, heading, records: the headings with this verdict that most records have."""
    rows = links.filter(pl.col("verdict") == verdict).group_by("thesaurus", "key")
    counted = rows.agg(pl.col("heading").min(), pl.col("record").n_unique().alias("records"))
    return counted.sort("records", "key", descending=[True, False]).head(shown).drop("key").collect()


def first(links: pl.LazyFrame, *verdicts: str, shown: int = 20) -> pl.DataFrame:
    return links.filter(pl.col("verdict").is_in(verdicts)).head(shown).collect()
