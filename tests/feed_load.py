"""Runs the job `feed_load` on files of today, in this process or in one of its own, and looks at what came out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from catalog_assets.definitions import build_defs
from catalog_assets.partitions import SETTINGS
from resources.lake.client import Lake
from tests.catalogue_load import DAY, ROOT, messages_of

ALL = ("feed_drops", "feed_plan", "feed_commits")
HEAD = "matriculation,card,login,family_name,given_name,mail,born,status,until\n"


def feed_partition(feed: str = "students") -> str:
    return f"{DAY.date().isoformat()}|{feed}"


def put(data: str | bytes, name: str = "students.csv", feed: str = "students", later: float = 0) -> Path:
    """A file in the feed's folder, changed on DAY, so many seconds after noon."""
    folder = SETTINGS.feed_drops / feed
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, (DAY.timestamp() + later, DAY.timestamp() + later))
    return path


def student(number: int, family: str = "", until: str = "30.09.2031", status: str = "undergrad", **more: str) -> str:
    """A row of the students' feed."""
    cells = {"card": f"C{number:06d}", "login": f"login{number}", "given": "Ada", "mail": "", "born": "01.02.2003"}
    cells |= more
    values = (f"M{number:06d}", cells["card"], cells["login"], family or f"Family{number}", cells["given"])
    return ",".join((*values, cells["mail"], cells["born"], status, until)) + "\n"


class FeedLoaded:
    """What a run of the job came to."""

    def __init__(self, result: dg.ExecuteInProcessResult, feed: str) -> None:
        self.result, self._feed, self.success = result, feed, result.success
        self.lake = Lake(SETTINGS.var / "lake")
        self.error = messages_of(result)

    def rows(self, asset: str = "feed_commits", table: str = "rows") -> pl.DataFrame:
        return self.lake.read(asset, feed_partition(self._feed), table)

    @property
    def outcomes(self) -> dict[str, int]:
        return dict(self.rows().group_by("outcome").len().sort("outcome").iter_rows())

    @property
    def of_records(self) -> dict[int, str]:
        return dict(self.rows().select("record", "outcome").iter_rows())

    @property
    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        found = self.result.get_asset_check_evaluations()
        return {f"{each.asset_key.to_user_string()}.{each.check_name}": each for each in found}

    def metadata(self, asset: str) -> dict[str, Any]:
        (event,) = self.result.asset_materializations_for_node(asset)
        return {name: each.value for name, each in event.metadata.items()}

    @property
    def waits_for(self) -> str:
        return self.checks["feed_commits.all_planned_is_written"].description or ""


def feed_load(
    feed: str = "students", only: tuple[str, ...] = ALL, instance: dg.DagsterInstance | None = None
) -> FeedLoaded:
    """The job in this process; with `only`, these assets of it."""
    key = dg.MultiPartitionKey({"feed": feed, "day": DAY.date().isoformat()})
    given: dict[str, Any] = {"partition_key": key, "raise_on_error": False}
    given["asset_selection"] = [dg.AssetKey(each) for each in only]
    job = build_defs().resolve_job_def("feed_load")
    if instance is not None:
        return FeedLoaded(job.execute_in_process(instance=instance, **given), feed)
    with dg.DagsterInstance.ephemeral() as made:
        return FeedLoaded(job.execute_in_process(instance=made, **given), feed)


def fine_feed(
    feed: str = "students", only: tuple[str, ...] = ALL, instance: dg.DagsterInstance | None = None
) -> FeedLoaded:
    """`feed_load`, which must succeed with every conservation check passed."""
    loaded = feed_load(feed, only, instance)
    assert loaded.success, loaded.error
    failed = {
        name: each.description for name, each in loaded.checks.items() if "conservation" in name and not each.passed
    }
    assert not failed
    return loaded


def start_feed_load(feed: str = "students", *, chunk_records: int = 3) -> subprocess.Popen[bytes]:
    """The job in a process of its own, to be killed; it ends with 0 where the run succeeds."""
    config = SETTINGS.var / "holdfast.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    pace = f"\n[ils]\nchunk_records = {chunk_records}\nprogress_records = 100\nlease_seconds = 2\n"
    config.write_text((ROOT / "holdfast.toml").read_text() + pace)
    code = (
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.feed_load import feed_load\n"
        f"loaded = feed_load({feed!r})\nprint(loaded.error, file=sys.stderr)\nsys.exit(not loaded.success)"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, "HOLDFAST_CONFIG": str(config)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
