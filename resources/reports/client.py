"""Pages in a folder: REPORTS/quality/SOURCE/DAY.html with latest.html beside them, and REPORTS/plans/SOURCE/DAY-HASH.html."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from urllib.parse import quote

# What a page of a report may be called; what is not is neither written nor served.
QUALITY_PAGE = re.compile(r"quality/[a-z][a-z0-9_]{0,39}/(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|latest)\.html")

# Of a plan, by the first 12 characters of its hash: the page of one that was written stays when the window is planned again.
PLAN_PAGE = re.compile(r"plans/[a-z][a-z0-9_]{0,39}/[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{12}\.html")


class ReportFolder:
    """address: under which the folder is served; empty: it is not."""

    def __init__(self, root: Path, address: str = "") -> None:
        self.root = root
        self._address = address.rstrip("/")

    def write_quality(self, source: str, day: str, html: str) -> Path:
        """Path of the day's page, replaced as a whole; `latest.html` is the latest day's.

        Raises:
            ValueError: source or day is not what names a page.
        """
        page = self._page(source, day)
        page.parent.mkdir(parents=True, exist_ok=True)
        _replace(page, html)
        if day == max(each.stem for each in page.parent.glob("????-??-??.html")):
            _replace(self._page(source, "latest"), html)
        return page

    def write_plan(self, source: str, day: str, plan_sha256: str, html: str) -> Path:
        """Path of the plan's page.

        Raises:
            ValueError: source, day or hash is not what names a page.
        """
        name = f"plans/{source}/{day}-{plan_sha256[:12]}.html"
        if not PLAN_PAGE.fullmatch(name):
            raise ValueError(f"{name}: no name of a plan's page: plans/SOURCE/YYYY-MM-DD-HASH.html")
        page = self.root / name
        page.parent.mkdir(parents=True, exist_ok=True)
        _replace(page, html)
        return page

    def plan_page(self, source: str, day: str, plan_sha256: str) -> Path | None:
        """Path of the plan's page, if it was written."""
        name = f"plans/{source}/{day}-{plan_sha256[:12]}.html"
        page = self.root / name
        return page if PLAN_PAGE.fullmatch(name) and page.is_file() else None

    def plan_pages(self) -> dict[str, list[str]]:
        """Source → names of its plans' pages (DAY-HASH), the latest day first."""
        folder = self.root / "plans"
        found = {
            each.name: sorted(
                (page.stem for page in each.glob("*.html") if PLAN_PAGE.fullmatch(f"plans/{each.name}/{page.name}")),
                reverse=True,
            )
            for each in (sorted(folder.glob("*")) if folder.is_dir() else [])
        }
        return {source: names for source, names in found.items() if names}

    def _page(self, source: str, day: str) -> Path:
        name = f"quality/{source}/{day}.html"
        if not QUALITY_PAGE.fullmatch(name):
            raise ValueError(f"{name}: no name of a report: quality/SOURCE/YYYY-MM-DD.html")
        return self.root / name

    def url(self, page: Path) -> str:
        """Where a browser finds the page; empty where the folder is not served."""
        return f"{self._address}/{quote(page.relative_to(self.root).as_posix())}" if self._address else ""

    def pages(self) -> dict[str, list[str]]:
        """Source → days that have a page, the latest first."""
        folders = sorted((self.root / "quality").glob("*")) if (self.root / "quality").is_dir() else []
        found = {
            each.name: sorted((page.stem for page in each.glob("????-??-??.html")), reverse=True) for each in folders
        }
        return {
            source: days
            for source, days in found.items()
            if days and all(QUALITY_PAGE.fullmatch(f"quality/{source}/{day}.html") for day in days)
        }


def _replace(path: Path, html: str) -> None:
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.write_text(html, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
