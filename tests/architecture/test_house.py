"""The house stands as the design says: assets whole, graph as drawn, docs true to the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import dagster as dg
import pytest

import catalog_assets.definitions
import preservation_assets.definitions
from catalog_assets.matching.catalog_snapshot import RECORDS as SNAPSHOT
from commands.recover import JOBS as RECOVERIES
from commands.reference import pages
from holdfast.authority.linking import AUTHORITY_LINKS
from holdfast.authority.records import AUTHORITIES, REFERENCES
from holdfast.authority.what_if import AUTHORITY_CHANGES, TOUCHED
from holdfast.catalogue.matching import MATCHED, SIDES
from holdfast.catalogue.outcomes import OUTCOMES
from holdfast.catalogue.patch import CHANGES
from holdfast.catalogue.plan import PLAN
from holdfast.catalogue.plan_document import COUNTS, DOCUMENT
from holdfast.catalogue.surprises import SURPRISES
from holdfast.circulation.folding import STATE as CIRCULATION_STATE
from holdfast.feeds.elements import ELEMENTS
from holdfast.feeds.plan import CHANGES as FEED_CHANGES
from holdfast.feeds.plan import PLAN as FEED_PLAN
from holdfast.feeds.rows import rows_schema
from holdfast.glossary import CHANGES as SHOWN_CHANGES
from holdfast.glossary import COLUMNS, FEEDS, PAGES, feed_columns
from holdfast.harvest.completeness import COMPLETENESS, HELD
from holdfast.holdings.columns import HOLDINGS
from holdfast.holdings.delta import DELTAS
from holdfast.holdings.statements import STATEMENTS
from holdfast.marc.harvest import INDEX
from holdfast.marc.validation import ISSUES
from holdfast.marc.window import RECORDS
from holdfast.partners.delta import EXPORTED
from holdfast.preservation.custody import MASTERS
from holdfast.preservation.pages import SURVEYED
from holdfast.preservation.reading import ENRICHED, TEXTS
from holdfast.preservation.technical import TECHNICAL
from holdfast.quality.figures import TABLES
from resources.deltas.circulation import ROWS as CIRCULATION
from resources.lake.reuse import STATE
from resources.ledger.reconciling import RECONCILED
from resources.ledger.undo_tables import ROLLBACK, STAYS
from tests.conftest import ROOT

LOCATIONS = {"catalog": catalog_assets.definitions, "preservation": preservation_assets.definitions}
ASSETS = [
    (location, asset)
    for location, module in LOCATIONS.items()
    # In an order, so that every process of a suite run side by side collects the same.
    for asset in sorted(module.build_defs().resolve_all_asset_specs(), key=lambda each: each.key)
]
NAMES = [asset.key.to_user_string() for _, asset in ASSETS]
PACKAGES = (
    "catalog_assets",
    "preservation_assets",
    "sensors",
    "resources",
    "holdfast",
    "commands",
    "demo",
    "benchmarks",
)

# The graph, as the UI draws it. A change here is seen in review.
GRAPH = {
    "harvested_marc": [],
    "harvest_completeness": [],
    "normalized_records": ["harvested_marc"],
    "catalog_snapshot": [],
    "record_issues": ["normalized_records"],
    "quality_report": ["harvested_marc", "normalized_records", "record_issues"],
    "matched_records": ["catalog_snapshot", "normalized_records", "record_issues"],
    "change_plan": ["matched_records", "normalized_records"],
    "ils_commits": ["change_plan"],
    "holdings_deltas": [],
    "circulation_deltas": [],
    "authority_records": [],
    "authority_links": ["authority_records", "normalized_records"],
    "authority_what_if": ["authority_records", "catalog_snapshot"],
    "feed_drops": [],
    "feed_plan": ["feed_drops"],
    "feed_commits": ["feed_plan"],
    "partner_exports": ["catalog_snapshot", "circulation_deltas", "holdings_deltas"],
    "museum_export": [],
    "museum_objects": ["museum_export"],
    "museum_index": ["museum_objects"],
    "batch_manifests": [],
    "verified_masters": ["batch_manifests"],
    "technical_metadata": ["batch_manifests"],
    "ocr_text": ["technical_metadata", "verified_masters"],
    "enriched_metadata": ["ocr_text", "technical_metadata"],
}


def python_files() -> list[Path]:
    return [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]


def test_the_asset_graph_is_as_drawn() -> None:
    graph = {asset.key.path[-1]: sorted(dep.asset_key.path[-1] for dep in asset.deps) for _, asset in ASSETS}
    assert graph == {name: sorted(deps) for name, deps in GRAPH.items()}


@pytest.mark.parametrize(("location", "asset"), ASSETS, ids=NAMES)
def test_every_asset_says_what_it_is_and_whose(location: str, asset: dg.AssetSpec) -> None:
    assert asset.description and len(asset.description) > 40
    assert asset.owners
    assert asset.kinds
    assert asset.code_version
    assert asset.group_name and asset.group_name != "default"


@pytest.mark.parametrize(("location", "asset"), ASSETS, ids=NAMES)
def test_every_asset_is_a_file_of_its_name_in_the_folder_of_its_group(location: str, asset: dg.AssetSpec) -> None:
    package = LOCATIONS[location].__name__.split(".")[0]
    file = ROOT / package / str(asset.group_name) / f"{asset.key.path[-1]}.py"
    assert file.is_file(), file
    assert len(re.findall(r"^@dg\.(asset|multi_asset)", file.read_text(), re.MULTILINE)) == 1


def test_functions_of_assets_and_ops_are_short() -> None:
    for location, module in LOCATIONS.items():
        defs = module.build_defs()
        ops = [each.op for each in defs.resolve_asset_graph().assets_defs if each.keys]
        jobs = [each for each in defs.jobs or () if isinstance(each, dg.JobDefinition)]
        ops += [op for job in jobs for op in job.graph.node_defs]
        assert {op.name for op in ops} >= (set(RECOVERIES.values()) if location == "catalog" else set())
        for op in ops:
            lines, _ = inspect.getsourcelines(op.compute_fn.decorated_fn)
            start = next(n for n, line in enumerate(lines) if re.match(r"\) -> |def .*\) -> .*:$", line))
            assert len(lines) - start - 1 <= 25, f"{location}: {op.name}"


def test_no_module_is_a_catch_all() -> None:
    names = {path.stem for path in python_files()} | {path.parent.name for path in python_files()}
    assert not names & {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def test_every_module_says_what_it_is() -> None:
    for path in python_files():
        text = path.read_text()
        assert text.lstrip().startswith(('"""', "#!")) or not text.strip(), path


@pytest.mark.parametrize(
    "schema",
    [
        INDEX,
        HELD,
        COMPLETENESS,
        RECORDS,
        ISSUES,
        STATE,
        SNAPSHOT,
        MATCHED,
        SIDES,
        PLAN,
        CHANGES,
        COUNTS,
        DOCUMENT,
        SURPRISES,
        OUTCOMES,
        ROLLBACK,
        STAYS,
        RECONCILED,
        *TABLES.values(),
    ],
)
def test_every_column_of_the_catalogue_is_explained(schema) -> None:
    assert not [name for name in schema if name not in COLUMNS]


@pytest.mark.parametrize("schema", [AUTHORITIES, REFERENCES, AUTHORITY_LINKS, AUTHORITY_CHANGES, TOUCHED])
def test_every_column_of_authority_control_is_explained(schema) -> None:
    assert not [name for name in schema if name not in COLUMNS]


@pytest.mark.parametrize("schema", [HOLDINGS, DELTAS, STATEMENTS, CIRCULATION, CIRCULATION_STATE])
def test_every_column_of_holdings_and_circulation_is_explained(schema) -> None:
    assert not [name for name in schema if name not in SHOWN_CHANGES]


@pytest.mark.parametrize("schema", [FEED_PLAN, FEED_CHANGES, EXPORTED])
def test_every_column_of_feeds_and_exports_is_explained(schema) -> None:
    assert not [name for name in schema if name not in FEEDS]


@pytest.mark.parametrize("kind", sorted(ELEMENTS))
def test_every_column_of_the_rows_of_feeds_is_explained(kind) -> None:
    assert not [name for name in rows_schema(kind) if name not in feed_columns(kind)]


@pytest.mark.parametrize("schema", [SURVEYED, MASTERS, TECHNICAL, TEXTS, ENRICHED])
def test_every_column_of_preservation_is_explained(schema) -> None:
    assert not [name for name in schema if name not in PAGES]


@pytest.mark.parametrize("page", sorted(pages()))
def test_the_reference_pages_are_what_the_code_says(page: str) -> None:
    """Mend with `make docs`."""
    assert (ROOT / "docs" / "reference" / page).read_text() == pages()[page]


def test_no_lock_file_names_a_host() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} → {target}"
