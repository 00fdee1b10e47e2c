"""Runs the job `catalogue_load` on a drop of today, in this process or in one of its own, and looks at what came out."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from catalog_assets.definitions import build_defs
from catalog_assets.partitions import SETTINGS
from resources.lake.client import Lake

ROOT = Path(__file__).resolve().parents[1]
# The beginning of one day, also where the tests run over midnight: it lies in the past at any hour, as a file's last change does.
# Processes that a test starts have the same one.
_LATELY = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
DAY = dt.datetime.fromisoformat(os.environ.setdefault("DAY_OF_THE_TESTS", f"{_LATELY:%Y-%m-%d}T00:00:00+00:00"))
ALL = (
    "harvested_marc",
    "normalized_records",
    "record_issues",
    "catalog_snapshot",
    "matched_records",
    "change_plan",
    "ils_commits",
)


def partition(source: str = "ebooks") -> str:
    return f"{DAY.date().isoformat()}|{source}"


def drop(data: bytes | Iterable[bytes], name: str = "drop.mrc", source: str = "ebooks") -> Path:
    """A file in the source's drop folder, changed on DAY."""
    folder = SETTINGS.drops / source
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else b"".join(data))
    os.utime(path, (DAY.timestamp(), DAY.timestamp()))
    return path


def messages_of(result: dg.ExecuteInProcessResult) -> str:
    """Messages of the steps that failed, with their causes."""
    said = []
    for event in result.get_step_failure_events():
        found = event.step_failure_data.error
        while found is not None:
            said.append(found.message)
            found = found.cause
    return "\n".join(said)


class Loaded:
    """What a run of the job came to; `last`: the asset whose rows have an outcome each."""

    last = "ils_commits"

    def __init__(self, result: dg.ExecuteInProcessResult, source: str) -> None:
        self.result, self._source = result, source
        self.success = result.success
        self.lake = Lake(SETTINGS.var / "lake")

    def rows(self, asset: str = "", table: str = "rows") -> pl.DataFrame:
        return self.lake.read(asset or self.last, partition(self._source), table)

    @property
    def outcomes(self) -> dict[str, int]:
        """Outcome → records; those that are none are left out."""
        return dict(self.rows().group_by("outcome").len().sort("outcome").iter_rows())

    @property
    def of_records(self) -> dict[int, str]:
        return dict(self.rows().select("record", "outcome").iter_rows())

    @property
    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        """Asset.check → its evaluation."""
        return {
            f"{each.asset_key.to_user_string()}.{each.check_name}": each
            for each in self.result.get_asset_check_evaluations()
        }

    def metadata(self, asset: str) -> dict[str, Any]:
        (event,) = self.result.asset_materializations_for_node(asset)
        return {name: each.value for name, each in event.metadata.items()}

    @property
    def error(self) -> str:
        """Messages of the steps that failed, with their causes."""
        return messages_of(self.result)


def load(source: str = "ebooks", only: tuple[str, ...] = ALL) -> Loaded:
    """The job in this process; with `only`, these assets of it."""
    key = dg.MultiPartitionKey({"source": source, "day": DAY.date().isoformat()})
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_defs()
            .resolve_job_def("catalogue_load")
            .execute_in_process(
                partition_key=key,
                instance=instance,
                raise_on_error=False,
                asset_selection=[dg.AssetKey(each) for each in only],
            )
        )
    return Loaded(result, source)


def assert_conserved(loaded: Loaded) -> None:
    assert loaded.success, loaded.error
    failed = {
        name: each.description for name, each in loaded.checks.items() if "conservation" in name and not each.passed
    }
    assert not failed


def fine(source: str = "ebooks", only: tuple[str, ...] = ALL) -> Loaded:
    """`load`, which must succeed with every conservation check passed."""
    loaded = load(source, only)
    assert_conserved(loaded)
    return loaded


def start_load(
    source: str = "ebooks",
    *,
    chunk_records: int = 5,
    before: str = "",
    only: tuple[str, ...] = ALL,
    ils: str = "",
) -> subprocess.Popen[bytes]:
    """The job in a process of its own, to be killed; it ends with 0 where the run succeeds. `before` is run first; `ils`:
    more lines of the table."""
    own = f"chunk_records = {chunk_records}\nlease_seconds = 1\n{ils}\n"
    return in_a_process(f"{before}\nfrom tests.catalogue_load import load\nloaded = load({source!r}, {only!r})", own)


def in_a_process(code: str, ils: str) -> subprocess.Popen[bytes]:
    """`code`, which makes `loaded`, in a process that ends with 0 where the run succeeds; `ils`: the table of that name."""
    config = SETTINGS.var / "holdfast.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "holdfast.toml").read_text()
    if "koha" in ils:  # the demo's feeds say what FOLIO has a place for
        text = re.sub(r"^\[feeds\..*?(?=^\[(?!feeds))", "", text, flags=re.MULTILINE | re.DOTALL)
    config.write_text(text + f"\n[ils]\n{ils}")
    code = (
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}\n"
        "print(loaded.error, file=sys.stderr)\nsys.exit(not loaded.success)"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, "HOLDFAST_CONFIG": str(config)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
