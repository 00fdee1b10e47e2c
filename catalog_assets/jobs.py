"""Jobs of the catalogue."""

import dagster as dg

from catalog_assets.recovery.orders import WRITES

_PARSES = {"dagster-celery/queue": "marc21.parse"}

CATALOGUE_LOAD = dg.define_asset_job(
    "catalogue_load",
    # The rhythm is of all sources and no one's load: drop_rhythm_sensor looks at it.
    selection=dg.AssetSelection.assets(
        "harvested_marc",
        "normalized_records",
        "record_issues",
        "catalog_snapshot",
        "matched_records",
        "change_plan",
        "ils_commits",
    )
    - dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("harvested_marc"), "drops_come_as_expected")),
    tags=WRITES,
    description="The drops of a source and day, from the folder to the library system.",
)

# The plan as it was approved, and nothing made anew before it: another plan would need another approval.
WRITE_APPROVED_PLAN = dg.define_asset_job(
    "write_approved_plan",
    selection=dg.AssetSelection.assets("ils_commits"),
    tags=WRITES,
    description="Writes the plan of a source and day as it is: approved by a person (approved_plan_sensor), or after a halt "
    "stopped it or it waited for the quota or another run (asked_runs_sensor).",
)

# Not the rest of the load: whether what changed is to be matched, planned and written again is for a person to say.
CHANGED_RULES = dg.define_asset_job(
    "changed_rules",
    selection=dg.AssetSelection.assets("normalized_records", "record_issues"),
    description="Records of a source and day by the present code and rules, from what was harvested; writes no library system. Parts "
    "in which nothing differs stay as they are.",
    tags=_PARSES,
)

FEED_LOAD = dg.define_asset_job(
    "feed_load",
    selection=dg.AssetSelection.assets("feed_drops", "feed_plan", "feed_commits"),
    tags=WRITES,
    description="The files of a feed and day, of patrons, items or holdings, from the folder to the library system.",
)

WRITE_APPROVED_FEED = dg.define_asset_job(
    "write_approved_feed",
    selection=dg.AssetSelection.assets("feed_commits"),
    tags=WRITES,
    description="Writes the plan of a feed and day as it is: approved by a person (approved_plan_sensor), or after a halt "
    "stopped it or it waited for the quota or another run (asked_runs_sensor).",
)

PARTNER_EXPORT = dg.define_asset_job(
    "partner_export",
    selection=dg.AssetSelection.assets("partner_exports"),
    description="An export for a partner, of what the catalogue was when it was last looked at.",
    tags=_PARSES,
)

MUSEUM_LOAD = dg.define_asset_job(
    "museum_load",
    selection=dg.AssetSelection.assets("museum_export", "museum_objects", "museum_index"),
    description="One collection's export of one day, from the drop folder to the public search.",
    tags={"dagster-celery/queue": "ingestion_high"},
)

AUTHORITY_LOAD = dg.define_asset_job(
    "authority_load",
    selection=dg.AssetSelection.assets("authority_records"),
    description="The authority files of holdfast.toml, from their folders to the lake.",
    tags=_PARSES,
)

# A job of its own: a load is written whether or not its headings could be linked, and does not wait for it.
AUTHORITY_LINKING = dg.define_asset_job(
    "authority_linking",
    selection=dg.AssetSelection.assets("authority_links"),
    description="The headings of a source and day, linked to the authority records.",
    tags=_PARSES,
)

AUTHORITY_WHAT_IF = dg.define_asset_job(
    "authority_what_if_report",
    selection=dg.AssetSelection.assets("authority_what_if"),
    description="What the authority files that lie in their folders would change, before they are loaded. Writes a report only.",
    tags=_PARSES,
)

# A job of its own, after the load's run: writing does not wait for plots (docs/decisions/0015).
QUALITY_REPORTING = dg.define_asset_job(
    "quality_reporting",
    selection=dg.AssetSelection.assets("quality_report"),
    description="The quality report of a source and day: figures and a page.",
    tags=_PARSES | {"dagster/priority": "-1"},  # loads that wait go before
)

COMPLETENESS = dg.define_asset_job(
    "completeness",
    selection=dg.AssetSelection.assets("harvest_completeness"),
    description="What a repository lists against what was harvested of it.",
    tags=_PARSES,
)

# Reads only: it need not wait for what writes to the library system.
HOLDINGS_READING = dg.define_asset_job(
    "holdings_reading",
    selection=dg.AssetSelection.assets("holdings_deltas"),
    description="Holdings records and items that changed on a day, and what changed in them.",
    tags={"dagster-celery/queue": "ils.sync.holdings"},
)

CIRCULATION_READING = dg.define_asset_job(
    "circulation_reading",
    selection=dg.AssetSelection.assets("circulation_deltas"),
    description="Loans, renewals and returns of a day, folded to the last state of each item.",
    tags={"dagster-celery/queue": "circulation.delta.apply"},
)
