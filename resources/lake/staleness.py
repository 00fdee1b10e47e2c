"""Partitions that other code or other rules made than there are now."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from holdfast.marc.normalize import VERSION
from resources.lake.client import Lake

STALE = pl.Schema(
    {
        "partition": pl.String,  # DAY|SOURCE
        "asset": pl.String,  # normalized_records or record_issues
        "why": pl.String,  # 'code', 'rules' or 'records'
        "made_with": pl.String,  # version of the code or of the rules; empty: of before versions were kept
        "now": pl.String,
    }
)


def stale_partitions(lake: Lake, rules: Mapping[str, str], *, version: str = VERSION) -> pl.DataFrame:
    """Shape STALE, the newest day first. Reads one small file a partition, and no records.

    `records` is why issues are stale whose records were made anew since, and differ.

    Args:
        rules: version of its rules (validation.Rules.version) by source; partitions of other sources are left out.
        version: of the code that normalizes.
    """
    rows = []
    for partition in lake.partitions("normalized_records"):
        source = partition.rpartition("|")[2]
        if source not in rules:
            continue
        records, issues = lake.facts("normalized_records", partition), lake.facts("record_issues", partition)
        made_with = records.get("made_with", "")
        if made_with != version:
            rows.append((partition, "normalized_records", "code", made_with, version))
        if not lake.exists("record_issues", partition):
            continue
        if issues.get("made_with", "") != rules[source]:
            rows.append((partition, "record_issues", "rules", issues.get("made_with", ""), rules[source]))
        elif issues.get("of") != records.get("made"):
            rows.append((partition, "record_issues", "records", issues.get("of", ""), records.get("made", "")))
    # sorted() is stable: the assets of a partition stay in the order of the graph.
    rows.sort(key=lambda row: row[0], reverse=True)
    return pl.DataFrame(rows, schema=STALE, orient="row")
