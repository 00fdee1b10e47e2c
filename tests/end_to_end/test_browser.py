"""What a librarian sees and does, in a real browser."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.browser, pytest.mark.dagster]
# A busy machine takes its time to draw a page; what never comes fails all the same.
expect.set_options(timeout=60_000)
TODAY = dt.datetime.now(dt.UTC).date().isoformat()
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


def test_the_two_code_locations_are_shown_as_loaded(platform: Platform, page: Page) -> None:
    page.goto(f"{platform.url}/locations")
    for name in ("catalog", "preservation"):
        expect(
            page.get_by_role("link", name=name, exact=True).or_(page.get_by_text(name, exact=True)).first
        ).to_be_visible()
    expect(page.get_by_text("Loaded").first).to_be_visible()


def test_the_asset_graph_shows_the_main_line(platform: Platform, page: Page) -> None:
    page.goto(f"{platform.url}/locations/catalog/asset-groups/writing")
    for name in ("change_plan", "ils_commits"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.goto(f"{platform.url}/asset-groups")
    for group in ("records", "matching", "writing", "museum", "custody", "text"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()


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
        since = [run for run in platform.api.runs(since=began - 1) if run.job != "quality_reporting"]
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
