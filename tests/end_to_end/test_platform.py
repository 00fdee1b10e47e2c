"""`holdfast run` end to end, seen through Dagster's own GraphQL API, and what a librarian sees and does in a real browser.

One file, so that one platform is started for all of it and every load has ended before the browser looks.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from commands.demo_library import audit_position
from commands.follow import Expected, expected_loads, follow
from commands.graphql import DagsterApi
from holdfast.outcomes import Conservation
from holdfast.settings import load_settings
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.failures import Failures
from resources.postgres.quarantine import Quarantine
from tests.conftest import ROOT
from tests.end_to_end.conftest import Platform

pytestmark = pytest.mark.dagster
TODAY = dt.datetime.now(dt.UTC).date().isoformat()
# A busy machine takes its time to draw a page; what never comes fails all the same.
expect.set_options(timeout=60_000)
CHROMIUM = os.environ.get("HOLDFAST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
# Without these Chromium looks for its maker's servers, which a test has no business with.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

_ASSETS = """
query {
  assetNodes {
    assetKey { path } groupName description kinds repository { location { name } }
    owners { ... on TeamAssetOwner { team } ... on UserAssetOwner { email } }
    isPartitioned
    assetMaterializations(limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } }
    assetChecksOrError { ... on AssetChecks { checks { name blocking } } }
  }
}
"""
_AUTOMATION = """
query($location: String!) {
  repositoryOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: $location}) {
    ... on Repository {
      sensors { name description sensorState { status } }
      schedules { name cronSchedule scheduleState { status } }
    }
  }
}
"""


def outcomes(platform: Platform, flow: str, asset: str) -> dict[str, dict[str, int]]:
    postgres = Postgres(platform.environ["HOLDFAST_POSTGRES_URL"])
    try:
        return Quarantine(postgres, flow).outcomes(asset)
    finally:
        postgres.close()


def test_both_code_locations_are_loaded(platform: Platform) -> None:
    assert platform.api.locations() == {"catalog": "", "preservation": ""}


def test_the_sensors_started_every_load_and_every_run_succeeded(platform: Platform) -> None:
    # Reports and the linking of headings come after the loads, and may be on their way.
    after = ("quality_reporting", "authority_linking")
    loads = {(run.job, run.partition): run for run in platform.api.runs() if run.job not in after}
    assert {("catalogue_load", f"{TODAY}|{name}") for name in ("ebooks", "consortium", "own")} <= loads.keys()
    assert {("digitization", "demo-0001"), ("digitization", "demo-0002")} <= loads.keys()
    assert {("museum_load", f"{name}|{TODAY}") for name in ("prints", "objects")} <= loads.keys()
    assert {run.status for run in loads.values()} == {"SUCCESS"}


@pytest.mark.parametrize(
    ("flow", "asset", "at_least"),
    [("catalogue", "ils_commits", 500), ("museum", "museum_index", 50), ("preservation", "enriched_metadata", 15)],
)
def test_in_is_the_sum_of_the_outcomes(platform: Platform, flow: str, asset: str, at_least: int) -> None:
    total = 0
    for partition, counts in outcomes(platform, flow, asset).items():
        came_in = counts.pop("in")
        assert Conservation(came_in, counts).holds, partition
        total += came_in
    assert total >= at_least


def test_every_outcome_of_the_samples_is_as_they_were_made(platform: Platform) -> None:
    counts = outcomes(platform, "catalogue", "ils_commits")
    own = counts[f"{TODAY}|own"]
    assert (own["in"], own["committed"], own["quarantined"]) == (3, 2, 1)
    ebooks = counts[f"{TODAY}|ebooks"]
    assert ebooks["quarantined"] == 4  # the damaged ones of demo.samples
    assert ebooks["suppressed"] == 1
    assert ebooks["duplicate"] == 5
    pages = outcomes(platform, "preservation", "enriched_metadata")["demo-0001"]
    assert (pages["in"], pages["committed"], pages["quarantined"], pages["duplicate"]) == (17, 15, 1, 1)


# Made on demand, or some time after a load.
_OF_NO_LOAD = {
    *("authority_records", "authority_links", "authority_what_if"),
    *("harvest_completeness", "quality_report", "holdings_deltas", "circulation_deltas", "partner_exports"),
}


def test_every_asset_says_what_it_is_and_how_many_rows_it_has(platform: Platform) -> None:
    nodes = platform.api.ask(_ASSETS)["assetNodes"]
    assert len(nodes) >= 14
    for node in nodes:
        name = node["assetKey"]["path"][-1]
        assert node["description"] and len(node["description"]) > 40, name
        assert node["owners"], name
        assert node["kinds"], name
        assert node["groupName"] != "default", name
        if name in _OF_NO_LOAD and not node["assetMaterializations"]:
            continue
        labels = {entry["label"] for entry in node["assetMaterializations"][0]["metadataEntries"]}
        assert {"dagster/row_count", "dagster/column_schema"} <= labels, name


def test_sensors_and_schedules_are_there_to_be_switched(platform: Platform) -> None:
    catalog = platform.api.ask(_AUTOMATION, location="catalog")["repositoryOrError"]
    sensors = {each["name"]: each["sensorState"]["status"] for each in catalog["sensors"]}
    assert sensors["marc_drop_sensor"] == sensors["run_failure_sensor"] == "RUNNING"
    assert {"nightly_ebooks", "nightly_consortium", "nightly_own"} <= {each["name"] for each in catalog["schedules"]}
    preservation = platform.api.ask(_AUTOMATION, location="preservation")["repositoryOrError"]
    assert {each["sensorState"]["status"] for each in preservation["sensors"]} == {"RUNNING"}


def test_a_second_materialization_writes_nothing(platform: Platform) -> None:
    port = (platform.var / "demo" / "ils" / "port").read_text().strip()
    ils = {"HOLDFAST_ILS_URL": f"http://127.0.0.1:{port}"}
    load = Expected("catalog", "catalogue_load", f"{TODAY}|own")
    position = audit_position(ils)
    assert position > 500
    now = max(run.created for run in platform.api.runs()) + 0.001
    before = outcomes(platform, "catalogue", "ils_commits")
    runs = follow(platform.api, {load}, {load}, since=now, timeout=120, say=lambda text: None)
    assert runs[load].status == "SUCCESS"
    assert audit_position(ils) == position
    assert outcomes(platform, "catalogue", "ils_commits") == before


def test_what_run_prints_names_every_partition_and_the_address(platform: Platform) -> None:
    for partition in (f"{TODAY}|ebooks", f"{TODAY}|consortium", f"{TODAY}|own", "demo-0001"):
        assert partition in platform.printed
    assert "Writes that the library system saw" in platform.printed
    assert "words" in platform.printed


def test_search_finds_a_print(platform: Platform) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "commands.main", "search", "great wave", "--json"],
        cwd=ROOT, env=platform.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Hokusai" in done.stdout


def test_no_secret_is_in_a_log(platform: Platform) -> None:
    secrets = [platform.environ["HOLDFAST_MASKING_SALT"], "demo-secret"]
    for log in [*platform.var.rglob("*.log"), *(platform.var / "dagster" / "logs").rglob("*.err")]:
        text = log.read_bytes().decode("utf-8", "replace")
        assert not [secret for secret in secrets if secret in text], log


def test_every_log_line_of_a_written_record_has_its_correlation_id(platform: Platform) -> None:
    lake = Lake(platform.var / "lake")
    commits = lake.read("ils_commits", f"{TODAY}|own")
    ids = set(commits.filter(commits["outcome"] == "committed")["correlation_id"])
    logs = "".join(path.read_text() for path in (platform.var / "dagster" / "logs").rglob("*.err"))
    assert len(ids) == 2
    for each in ids:
        lines = [line for line in logs.splitlines() if each in line]
        assert any("ils POST" in line for line in lines) and any("acknowledged" in line for line in lines), each


def test_a_run_that_fails_is_told_with_where_to_look(platform: Platform) -> None:
    """A partition of `matched_records` alone, whose records were never normalized."""
    run_id = _launch_alone(platform.api, "matched_records", "2026-02-01|own")
    postgres = Postgres(platform.environ["HOLDFAST_POSTGRES_URL"])
    try:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            told = [each for each in Failures(postgres).latest() if each["run_id"] == run_id]
            if told:
                break
            time.sleep(1)
    finally:
        postgres.close()
    assert told, "the run-failure sensor said nothing"
    assert "normalized_records" in told[0]["message"] and f"/runs/{run_id}" in told[0]["message"]


def _launch_alone(api: DagsterApi, asset: str, partition: str) -> str:
    api.backfill([asset], [partition])
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for run in api.runs():
            if run.partition == partition:
                return run.run_id
        time.sleep(0.5)
    pytest.fail("the backfill started no run")


def test_the_expected_loads_are_those_of_the_drops(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(platform.var))
    wanted = {each.partition for each in expected_loads(load_settings(ROOT / "holdfast.toml"))}
    assert {f"{TODAY}|own", "demo-0001", f"prints|{TODAY}"} <= wanted


# ---- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(platform: Platform) -> Iterator[Page]:
    if not CHROMIUM:
        pytest.skip("no Chromium: apt-get install chromium, or name one in HOLDFAST_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1900, "height": 1000})
        page.set_default_timeout(30_000)
        try:
            yield page
        finally:
            page.screenshot(path=platform.var / "last-page.png")  # for whoever looks why a test failed
            browser.close()


@pytest.mark.browser
def test_the_two_code_locations_are_shown_as_loaded(platform: Platform, page: Page) -> None:
    page.goto(f"{platform.url}/locations")
    for name in ("catalog", "preservation"):
        expect(
            page.get_by_role("link", name=name, exact=True).or_(page.get_by_text(name, exact=True)).first
        ).to_be_visible()
    expect(page.get_by_text("Loaded").first).to_be_visible()


@pytest.mark.browser
def test_the_asset_graph_shows_the_main_line(platform: Platform, page: Page) -> None:
    page.goto(f"{platform.url}/locations/catalog/asset-groups/writing")
    for name in ("change_plan", "ils_commits"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.goto(f"{platform.url}/asset-groups")
    for group in ("records", "matching", "writing", "museum", "custody", "text"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()


@pytest.mark.browser
def test_the_quality_report_opens_from_its_asset(platform: Platform, page: Page) -> None:
    end = time.monotonic() + 180
    while not any(run.job == "quality_reporting" and run.status == "SUCCESS" for run in platform.api.runs()):
        assert time.monotonic() < end, "no quality report came"
        time.sleep(1)
    page.goto(f"{platform.url}/assets/quality_report")
    # The asset's page shows the latest one, of whichever source.
    link = page.locator(f'a[href*="/quality/"][href$="/{TODAY}.html"]').first
    expect(link).to_be_visible(timeout=60_000)
    page.goto(str(link.get_attribute("href")))
    expect(page.get_by_role("heading", name=TODAY)).to_be_visible()
    expect(page.get_by_role("heading", name="Completeness")).to_be_visible()
    assert page.locator("svg[role=img]").count() >= 2
    # The policy that it is served with lets it look as it should.
    assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"


@pytest.mark.browser
def test_a_backfill_of_three_partitions_is_launched_and_succeeds(platform: Platform, page: Page) -> None:
    page.goto(f"{platform.url}/assets/normalized_records")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize")
    dialog.get_by_role("button", name="Latest").click()  # of the days: today
    dialog.get_by_role("button", name="All").last.click()  # of the sources
    expect(dialog.get_by_text("3 partitions")).to_be_visible()
    began = time.time()
    dialog.get_by_role("button", name="Launch backfill").click()
    runs = []
    end = time.monotonic() + 120
    while time.monotonic() < end:
        # What was normalized anew, sensors have looked at: links to authorities and the report.
        sensors = ("quality_reporting", "authority_linking")
        since = [run for run in platform.api.runs(since=began - 1) if run.job not in sensors]
        runs = [run for run in since if run.partition.startswith(TODAY)]
        if len(runs) == 3 and all(run.ended for run in runs):
            break
        time.sleep(1)
    assert {run.partition for run in runs} == {f"{TODAY}|{name}" for name in ("ebooks", "consortium", "own")}
    assert [run.status for run in runs] == ["SUCCESS"] * 3
    page.goto(f"{platform.url}/runs")
    # The table is made of boxes without roles: the launched backfill's row is read as text.
    expect(page.locator("body")).to_contain_text(
        re.compile(r"3 partitions[^|]*Manually launched\s*Success"), timeout=90_000
    )
