"""Parquet tables by asset and partition; a partition is replaced whole and atomically.

    LAKE/<asset>/<partition>/current.json            names the version that readers see
    LAKE/<asset>/<partition>/<version>/<table>/00000.parquet

A writer fills a version of its own and names it in `current.json` with `rename` as its last step: a killed run
leaves a version that nobody reads (swept by the next writer), never half a table.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import polars as pl
import pyarrow.parquet as pq

from holdfast.parquet import write_parquet

# A reader that opened the version before this one may still be in it.
_SWEEP_AFTER_SECONDS = 3600
# So long a reader may stay in a version that two newer ones have followed.
READING_SECONDS = 60.0


class NotMaterialized(FileNotFoundError):
    """The asset's partition was never materialized; says how to mend it."""


def _folder_name(partition: str) -> str:
    """Another folder for every partition, and none that is above or beside: '_' for '', '%2E%2E' for '..'."""
    if partition.strip(".") == "" or partition == "_":  # what quote leaves as it is
        return "".join(f"%{ord(character):02X}" for character in partition) or "_"
    return quote(partition, safe="")


class PartitionWriter:
    """Takes frames a table, in order; each becomes a Parquet part, so memory holds one frame at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, int] = {}
        self.rows: dict[str, int] = {}
        self.facts: dict[str, str] = {}  # stand beside the version's name: what it was made with

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Append `frame` to `table`. A table that gets a frame without rows exists, with its columns."""
        write_parquet(frame, self._next(table))
        self.rows[table] = self.rows.get(table, 0) + frame.height

    def take(self, table: str, part: Path) -> None:
        """Append a part of an earlier version, as it is: a second name of the same file, where the file system has such.

        Raises:
            FileNotFoundError: the earlier version was swept away.
        """
        rows = pq.read_metadata(part).num_rows
        place = self._next(table)
        try:
            place.hardlink_to(part)
        except FileNotFoundError:
            self._parts[table] -= 1
            raise
        except OSError:  # another device, or a file system without links
            shutil.copyfile(part, place)
        self.rows[table] = self.rows.get(table, 0) + rows

    def last(self, table: str) -> Path:
        """File of the table's last part."""
        return self._folder / table / f"{self._parts[table] - 1:05d}.parquet"

    def _next(self, table: str) -> Path:
        part = self._parts.get(table, 0)
        folder = self._folder / table
        folder.mkdir(exist_ok=True)
        self._parts[table] = part + 1
        return folder / f"{part:05d}.parquet"


@contextmanager
def _being_written(version: Path) -> Iterator[None]:
    """Say to every sweep that this version has a living writer; the kernel takes it back when the writer dies."""
    descriptor = os.open(version, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_being_written(version: Path) -> bool:
    try:
        descriptor = os.open(version, os.O_RDONLY)
    except FileNotFoundError:  # another sweep was first
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class Lake:
    def __init__(self, root: Path) -> None:
        self.root = root

    def _folder(self, asset: str, partition: str) -> Path:
        return self.root / asset / _folder_name(partition)

    @contextmanager
    def replace(self, asset: str, partition: str = "") -> Iterator[PartitionWriter]:
        """Write the asset's partition anew; readers see it once the block ends without an error."""
        folder = self._folder(asset, partition)
        version = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        (folder / version).mkdir(parents=True)
        with _being_written(folder / version):
            writer = PartitionWriter(folder / version)
            try:
                yield writer
            except BaseException:
                shutil.rmtree(folder / version, ignore_errors=True)
                raise
            before = self._current(folder)
            named = (folder / "current.json").stat().st_mtime if before else 0.0
            pointer = folder / f"current.json.{uuid.uuid4().hex[:8]}.partial"
            pointer.write_text(json.dumps({"version": version, "rows": writer.rows, "facts": writer.facts}))
            pointer.replace(folder / "current.json")
            self._sweep(folder, {version, str(before["version"]) if before else version}, named)

    @staticmethod
    def _sweep(folder: Path, keep: set[str], named: float) -> None:
        """`named`: when the version before this one became the current one; what is older has had no new reader since."""
        now = time.time()
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name not in keep:
                born = int(entry.name.split("-")[0]) / 1e9
                unread = entry.name < min(keep) and now - named > READING_SECONDS
                if (now - born > _SWEEP_AFTER_SECONDS or unread) and not _is_being_written(entry):
                    shutil.rmtree(entry, ignore_errors=True)

    @staticmethod
    def _current(folder: Path) -> dict[str, object] | None:
        try:
            return json.loads((folder / "current.json").read_text())
        except FileNotFoundError:
            return None

    def exists(self, asset: str, partition: str = "") -> bool:
        return self._current(self._folder(asset, partition)) is not None

    def has(self, asset: str, partition: str, table: str) -> bool:
        """Whether the partition is there and has that table."""
        current = self._current(self._folder(asset, partition))
        rows = current["rows"] if current else None
        return isinstance(rows, dict) and table in rows

    def partitions(self, asset: str) -> list[str]:
        """Partitions of the asset that are there, sorted."""
        folder = self.root / asset
        names = (each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else iter(())
        keys = ("" if name == "_" else unquote(name) for name in names)
        return sorted(key for key in keys if self.exists(asset, key))

    def version(self, asset: str, partition: str = "") -> str:
        """Name of the version that readers see; changes with each materialization."""
        return str(self._need(asset, partition)[1]["version"])

    def facts(self, asset: str, partition: str = "") -> dict[str, str]:
        """What the writer said that the partition was made with; empty where it said nothing, or there is no partition."""
        current = self._current(self._folder(asset, partition))
        facts = current.get("facts") if current else None
        return dict(facts) if isinstance(facts, dict) else {}

    def _need(self, asset: str, partition: str) -> tuple[Path, dict[str, object]]:
        folder = self._folder(asset, partition)
        current = self._current(folder)
        if current is None:
            where = f"partition {partition}" if partition else "the asset"
            raise NotMaterialized(f"{asset}: {where} is not in the lake; materialize {asset} first")
        return folder, current

    def parts(self, asset: str, partition: str = "", table: str = "rows") -> list[Path]:
        """The table's Parquet files, in the order written.

        Raises:
            NotMaterialized: the partition is not there.
            KeyError: it has no such table.
        """
        folder, current = self._need(asset, partition)
        rows = current["rows"]
        if not isinstance(rows, dict) or table not in rows:
            raise KeyError(f"{asset} {partition}: no table {table!r}")
        return sorted((folder / str(current["version"]) / table).glob("*.parquet"))

    def scan(self, asset: str, partition: str = "", table: str = "rows") -> pl.LazyFrame:
        return pl.scan_parquet(self.parts(asset, partition, table))

    def read(self, asset: str, partition: str = "", table: str = "rows") -> pl.DataFrame:
        return self.scan(asset, partition, table).collect()

    def batches(self, asset: str, partition: str = "", table: str = "rows") -> Iterator[pl.DataFrame]:
        """The table part by part, as it was written: memory holds one part."""
        for part in self.parts(asset, partition, table):
            yield pl.read_parquet(part)

    def rows(self, asset: str, partition: str = "", table: str = "rows") -> int:
        _, current = self._need(asset, partition)
        rows = current["rows"]
        return int(rows.get(table, 0)) if isinstance(rows, dict) else 0
