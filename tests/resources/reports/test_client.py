"""Pages are replaced whole, under names that are checked; the latest day's is `latest.html`."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.reports.client import ReportFolder


def test_the_latest_page_is_that_of_the_latest_day(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "http://127.0.0.1:3080")
    page = folder.write_quality("ebooks", "2026-01-06", "six")
    folder.write_quality("ebooks", "2026-01-05", "five")
    assert (tmp_path / "quality/ebooks/latest.html").read_text() == "six"
    assert folder.url(page) == "http://127.0.0.1:3080/quality/ebooks/2026-01-06.html"
    folder.write_quality("ebooks", "2026-01-06", "six again")
    assert (tmp_path / "quality/ebooks/latest.html").read_text() == page.read_text() == "six again"
    assert sorted(each.name for each in page.parent.iterdir()) == ["2026-01-05.html", "2026-01-06.html", "latest.html"]
    assert folder.pages() == {"ebooks": ["2026-01-06", "2026-01-05"]}


def test_without_an_address_there_is_no_url(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    assert folder.url(folder.write_quality("ebooks", "2026-01-06", "six")) == ""
    assert ReportFolder(tmp_path / "none").pages() == {}


@pytest.mark.parametrize(("source", "day"), [("../x", "2026-01-05"), ("a", "../../b"), ("A", "2026-01-05"), ("a", "")])
def test_no_name_leaves_the_folder(tmp_path: Path, source: str, day: str) -> None:
    with pytest.raises(ValueError, match="no name of a report"):
        ReportFolder(tmp_path / "reports").write_quality(source, day, "x")
    assert not list(tmp_path.rglob("*.html"))


def test_the_page_of_a_plan_has_its_hash_in_its_name(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    page = folder.write_plan("ebooks", "2026-01-05", "ab" * 32, "plan")
    folder.write_plan("ebooks", "2026-01-06", "cd" * 32, "another")
    (tmp_path / "plans/ebooks/notes.html").write_text("no page of ours hides no page of ours")
    assert page == tmp_path / "plans/ebooks/2026-01-05-abababababab.html" and page.read_text() == "plan"
    assert folder.plan_pages() == {"ebooks": ["2026-01-06-cdcdcdcdcdcd", "2026-01-05-abababababab"]}
    assert folder.plan_page("ebooks", "2026-01-05", "ab" * 32) == page
    assert folder.plan_page("ebooks", "2026-01-05", "ef" * 32) is None and folder.plan_page("..", "x", "y") is None
    for source, day, sha in (("../x", "2026-01-05", "ab" * 32), ("a", "2026-01-05", "../../b"), ("a", "x", "ab" * 32)):
        with pytest.raises(ValueError, match="no name of a plan's page"):
            folder.write_plan(source, day, sha, "x")
