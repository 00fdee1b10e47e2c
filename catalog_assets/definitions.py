"""The code location `catalog`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from catalog_assets.approval import APPROVE_PLAN
from catalog_assets.deltas.circulation_deltas import circulation_deltas
from catalog_assets.deltas.holdings_deltas import holdings_deltas
from catalog_assets.exports.partner_exports import partner_exports
from catalog_assets.feeds.feed_commits import feed_commits
from catalog_assets.feeds.feed_drops import feed_drops
from catalog_assets.feeds.feed_plan import feed_plan
from catalog_assets.jobs import (
    AUTHORITY_LINKING,
    AUTHORITY_LOAD,
    AUTHORITY_WHAT_IF,
    CATALOGUE_LOAD,
    CHANGED_RULES,
    CIRCULATION_READING,
    COMPLETENESS,
    FEED_LOAD,
    HOLDINGS_READING,
    MUSEUM_LOAD,
    PARTNER_EXPORT,
    QUALITY_REPORTING,
    WRITE_APPROVED_FEED,
    WRITE_APPROVED_PLAN,
)
from catalog_assets.matching.authority_links import authority_links
from catalog_assets.matching.authority_records import authority_records
from catalog_assets.matching.authority_what_if import authority_what_if
from catalog_assets.matching.catalog_snapshot import catalog_snapshot
from catalog_assets.matching.matched_records import matched_records
from catalog_assets.museum.museum_export import museum_export
from catalog_assets.museum.museum_index import museum_index
from catalog_assets.museum.museum_objects import museum_objects
from catalog_assets.partitions import SETTINGS
from catalog_assets.records.drops_come_as_expected import drops_come_as_expected
from catalog_assets.records.harvest_completeness import harvest_completeness
from catalog_assets.records.harvested_marc import harvested_marc
from catalog_assets.records.normalized_records import normalized_records
from catalog_assets.records.quality_report import quality_report
from catalog_assets.records.record_issues import RULES, record_issues
from catalog_assets.recovery.halt_ingestion import halt_ingestion
from catalog_assets.recovery.reconcile_window import reconcile_window
from catalog_assets.recovery.release_quarantine import release_quarantine
from catalog_assets.recovery.replay_window import replay_window
from catalog_assets.recovery.resume_ingestion import resume_ingestion
from catalog_assets.recovery.rollback_window import rollback_window
from catalog_assets.writing.change_plan import change_plan
from catalog_assets.writing.ils_commits import ils_commits
from holdfast.logs import log_to_stderr
from resources.authorities.resource import authority_folder_resource
from resources.drop_sites.resource import drop_sites_resource
from resources.ils.resource import ils_resource
from resources.lake.resource import lake_resource
from resources.ledger.resource import ledger_resource, locks_resource
from resources.museum_exports.resource import museum_exports_resource
from resources.postgres.resource import postgres_resource
from resources.redis.resource import filter_resource, redis_resource
from resources.reports.resource import report_folder_resource
from resources.repositories.resource import repositories_resource
from resources.search.resource import search_resource
from resources.vault.resource import vault_resource
from sensors.approved_plan_sensor import build_approved_plan_sensor
from sensors.asked_runs_sensor import build_asked_runs_sensor
from sensors.authority_sensors import build_authority_sensors
from sensors.completeness_schedules import build_completeness_schedules
from sensors.completeness_sensor import build_completeness_sensor
from sensors.delta_gap_sensors import build_delta_gap_sensors
from sensors.delta_schedules import build_delta_schedules
from sensors.drop_rhythm_sensor import build_drop_rhythm_sensor
from sensors.drop_site_sensors import build_drop_site_sensors
from sensors.feed_drop_sensor import build_feed_drop_sensor
from sensors.feed_schedules import build_feed_schedules
from sensors.harvest_gap_sensor import build_harvest_gap_sensor
from sensors.marc_drop_sensor import build_marc_drop_sensor
from sensors.museum_export_sensor import build_museum_export_sensor
from sensors.museum_schedules import build_museum_schedules
from sensors.nightly_schedules import build_nightly_schedules
from sensors.partner_export_schedules import build_partner_export_schedules
from sensors.quality_sensor import build_quality_sensor
from sensors.run_failure_sensor import build_run_failure_sensor
from sensors.stale_partitions_sensor import build_stale_partitions_sensor


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; tests and tools pass their own resources by key."""
    log_to_stderr()
    resources: dict[str, Any] = {
        "lake": lake_resource(SETTINGS),
        "authority_folder": authority_folder_resource(SETTINGS),
        "vault": vault_resource(SETTINGS),
        "postgres": postgres_resource,
        "ledger": ledger_resource,
        "locks": locks_resource(SETTINGS),
        "redis": redis_resource(SETTINGS),
        "idempotency_filter": filter_resource,
        "ils": ils_resource(SETTINGS),
        "museum_exports": museum_exports_resource(SETTINGS),
        "search": search_resource,
        "report_folder": report_folder_resource(SETTINGS),
        "drop_sites": drop_sites_resource(SETTINGS),
        "repositories": repositories_resource(SETTINGS),
        **(resource_overrides or {}),
    }
    return dg.Definitions(
        assets=[
            *(harvested_marc, harvest_completeness, normalized_records, record_issues, quality_report),
            *(catalog_snapshot, matched_records, change_plan, ils_commits),
            *(holdings_deltas, circulation_deltas),
            *(authority_records, authority_links, authority_what_if),
            *(museum_export, museum_objects, museum_index),
            *(feed_drops, feed_plan, feed_commits, partner_exports),
        ],
        asset_checks=[drops_come_as_expected],
        jobs=[
            CATALOGUE_LOAD,
            APPROVE_PLAN,
            WRITE_APPROVED_PLAN,
            CHANGED_RULES,
            COMPLETENESS,
            AUTHORITY_LOAD,
            AUTHORITY_LINKING,
            AUTHORITY_WHAT_IF,
            QUALITY_REPORTING,
            HOLDINGS_READING,
            CIRCULATION_READING,
            MUSEUM_LOAD,
            *(halt_ingestion, resume_ingestion, reconcile_window, replay_window, rollback_window),
            release_quarantine,
            FEED_LOAD,
            WRITE_APPROVED_FEED,
            PARTNER_EXPORT,
        ],
        sensors=[
            build_marc_drop_sensor(SETTINGS),
            *build_drop_site_sensors(SETTINGS),
            build_drop_rhythm_sensor(SETTINGS),
            build_harvest_gap_sensor(SETTINGS),
            *build_delta_gap_sensors(SETTINGS),
            build_completeness_sensor(SETTINGS),
            build_stale_partitions_sensor(SETTINGS, {name: rules.version for name, rules in RULES.items()}),
            build_museum_export_sensor(SETTINGS),
            build_feed_drop_sensor(SETTINGS),
            build_quality_sensor(),
            build_approved_plan_sensor(SETTINGS, [WRITE_APPROVED_PLAN, WRITE_APPROVED_FEED]),
            build_run_failure_sensor(),
            build_asked_runs_sensor([CATALOGUE_LOAD, FEED_LOAD, MUSEUM_LOAD, WRITE_APPROVED_PLAN, WRITE_APPROVED_FEED]),
            *build_authority_sensors(SETTINGS),
        ],
        schedules=[
            *build_nightly_schedules(SETTINGS),
            *build_completeness_schedules(SETTINGS),
            *build_museum_schedules(SETTINGS),
            *build_feed_schedules(SETTINGS),
            *build_partner_export_schedules(SETTINGS),
            *build_delta_schedules(SETTINGS),
        ],
        resources=resources,
        executor=dg.in_process_executor,  # Polars has all cores already
    )


defs = build_defs()
