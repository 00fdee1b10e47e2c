"""`quality_report`: what is wrong with a load's records and what they lack, as figures, and as a page for people."""

from typing import Any

import dagster as dg

from catalog_assets.partitions import LOADS, SETTINGS, load_of
from catalog_assets.records.record_issues import RULES
from holdfast.marc.encoding import FOUND
from holdfast.quality.expected import FOLLOWED, expected_of
from holdfast.quality.figures import SUMMARY, VERSION, Figures
from holdfast.quality.page import Load, page, summary_markdown
from resources.lake.client import Lake
from resources.lake.metadata import peak_mib, table_metadata
from resources.lake.quality import report_window
from resources.reports.client import ReportFolder


@dg.asset(
    deps=["harvested_marc", "normalized_records", "record_issues"],
    partitions_def=LOADS,
    group_name="records",
    owners=["team:metadata"],
    kinds={"polars", "html"},
    code_version=VERSION,
    description=(
        "Issues by kind with examples, completeness by field and type of material, encodings claimed and found, what is in "
        "quarantine, and the trend over the source's last loads: as a page (metadata `page`), and as figures that the UI plots. "
        "Nothing waits for it: a load is written without it."
    ),
)
def quality_report(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], report_folder: dg.ResourceParam[ReportFolder]
) -> dg.MaterializeResult:
    source, day = load_of(context)
    expected = expected_of(SETTINGS.sources[source].dialect)
    figures, earlier = report_window(lake, source, day, expected)
    written = report_folder.write_quality(source, day, page(load_named(source), figures, earlier, expected))
    url = report_folder.url(written)
    return dg.MaterializeResult(
        metadata=table_metadata(
            lake.rows("quality_report", context.partition_key),
            SUMMARY,
            page=dg.MetadataValue.url(url) if url else dg.MetadataValue.path(written),
            summary=dg.MetadataValue.md(summary_markdown(figures, f"<{url}>" if url else f"`{written}`")),
            loads_before=len(earlier),
            **numbers(figures),
            peak_mib=peak_mib(),
        )
    )


def load_named(source: str) -> Load:
    return Load(
        SETTINGS.library.name,
        SETTINGS.sources[source].title or source,
        versions=f"Source {source}; rules {RULES[source].version[:12]}; report {VERSION}.",
    )


def numbers(figures: Figures) -> dict[str, Any]:
    """What Dagster plots over the partitions: keys that stay the same; a share that is of no record is left out."""
    shared = {
        "share_rejected": figures.share("rejected"),
        "share_with_errors": figures.share("with_errors"),
        **{f"completeness_{name}": figures.completeness.get(name) for name in FOLLOWED},
    }
    found = figures.found
    counts = {
        **figures.summary,
        "not_as_claimed": figures.not_as_claimed,
        **{f"found_{name.replace('-', '_')}": found.get(name, 0) for name in FOUND},
    }
    return {name: dg.MetadataValue.int(count) for name, count in counts.items()} | {
        name: dg.MetadataValue.float(share) for name, share in shared.items() if share is not None
    }
