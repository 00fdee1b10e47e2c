"""Parquet tables by asset and partition; a partition is replaced whole and atomically.

    LAKE/<asset>/<partition>/current.json            names the version that readers see
    LAKE/<asset>/<partition>/<version>/<table>/00000.parquet
    LAKE/<asset>/<partition>/<version>/.lock

A writer fills a version of its own and names it in `current.json` with `rename` as its last step: a killed run
leaves a version that nobody reads (swept by the next writer), never half a table.

Writers hold their version with an exclusive lock (flock on .lock), readers theirs with a shared one; the kernel takes both back
when a process dies. A sweep removes only what it got an exclusive lock on. No clock of a worker is asked: ages are
differences of times that the file system gave.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import polars as pl
import pyarrow.parquet as pq

from holdfast.parquet import write_parquet

# So long a version that two newer ones have followed stays, for readers that hold it no more and have its files' names.
READING_SECONDS = 60.0
_LOCK = ".lock"  # of a version: NFS gives an exclusive lock only on what is open for writing, and a folder is not (flock(2))
_HELD = 200  # versions that a lake's readers hold at once: each is an open file


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
    descriptor = os.open(version / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _free(version: Path) -> Iterator[bool]:
    """Whether nobody writes or reads this version; nobody begins to in the block."""
    try:
        descriptor = os.open(version / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:  # another sweep was first
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _hold(version: Path) -> int | None:
    """A descriptor with a shared lock, or None where the version was swept away."""
    try:
        descriptor = os.open(version / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for its writer, who is in the last step, or for a sweep
    if (version / _LOCK).exists():
        return descriptor
    os.close(descriptor)
    return None


def _let_go(held: dict[Path, int]) -> None:
    while held:
        os.close(held.popitem()[1])


class Lake:
    """Of what was read, the versions are held until the lake is let go.

    With `steady`, for a run: a partition that was read or written once stays as it was then, until this lake writes it. So a plan is
    not another one halfway through, though another run makes it anew.
    """

    def __init__(self, root: Path, *, steady: bool = False) -> None:
        self.root = root
        self._steady = steady
        self._read: dict[Path, dict[str, object]] = {}  # by the partition's folder: what current.json said
        self._held: dict[Path, int] = {}  # by the version's folder: the descriptor that has the lock
        self._lock = threading.Lock()
        weakref.finalize(self, _let_go, self._held)

    def let_go(self) -> None:
        """Hold nothing of what was read any more."""
        with self._lock:
            self._read.clear()
            _let_go(self._held)

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
            current: dict[str, object] = {"version": version, "rows": writer.rows, "facts": writer.facts}
            pointer.write_text(json.dumps(current))
            now = pointer.stat().st_mtime
            pointer.replace(folder / "current.json")
            self._sweep(folder, {version, str(before["version"]) if before else version}, named, now)
        if self._steady:
            descriptor = _hold(folder / version)
            with self._lock:
                self._read.pop(folder, None)
                if descriptor is not None:
                    self._read[folder] = current
            if descriptor is not None:
                self._keep(folder / version, descriptor)

    @classmethod
    def _sweep(cls, folder: Path, keep: set[str], named: float, now: float) -> None:
        """`named`: when the version before this one became the current one; what is older has had no new reader since. Both
        times are the file system's."""
        for entry in folder.iterdir():
            try:
                born = entry.stat().st_mtime
            except FileNotFoundError:
                continue
            if not entry.is_dir() or entry.name in keep or now - max(named, born) <= READING_SECONDS:
                continue
            with _free(entry) as free:
                # Asked with the lock: a writer names its version before it lets it go.
                if free and (cls._current(folder) or {}).get("version") != entry.name:
                    shutil.rmtree(entry, ignore_errors=True)

    @staticmethod
    def _current(folder: Path) -> dict[str, object] | None:
        try:
            return json.loads((folder / "current.json").read_text())
        except FileNotFoundError:
            return None

    def _seen(self, folder: Path) -> dict[str, object] | None:
        """What the partition is to a reader of this lake."""
        with self._lock:
            return self._read.get(folder) or self._current(folder)

    def _open(self, asset: str, partition: str) -> tuple[Path, dict[str, object]]:
        """The partition's folder and what it is, with its version held.

        Raises:
            NotMaterialized: the partition is not there.
        """
        while True:
            folder, current = self._need(asset, partition)
            version = folder / str(current["version"])
            if version not in self._held:
                # Not under the lake's own lock: its writer may be another thread of this lake.
                descriptor = _hold(version)
                if descriptor is not None:
                    self._keep(version, descriptor)
                elif self._seen(folder) != current:
                    continue  # another one is current since
            with self._lock:
                if self._steady:
                    self._read.setdefault(folder, current)
            return folder, current

    def _keep(self, version: Path, descriptor: int) -> None:
        with self._lock:
            if version in self._held:  # another thread was first
                os.close(descriptor)
                return
            self._held[version] = descriptor
            if len(self._held) > _HELD:
                os.close(self._held.pop(next(iter(self._held))))

    def exists(self, asset: str, partition: str = "") -> bool:
        return self._seen(self._folder(asset, partition)) is not None

    def has(self, asset: str, partition: str, table: str) -> bool:
        """Whether the partition is there and has that table."""
        current = self._seen(self._folder(asset, partition))
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
        current = self._seen(self._folder(asset, partition))
        facts = current.get("facts") if current else None
        return dict(facts) if isinstance(facts, dict) else {}

    def _need(self, asset: str, partition: str) -> tuple[Path, dict[str, object]]:
        folder = self._folder(asset, partition)
        current = self._seen(folder)
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
        folder, current = self._open(asset, partition)
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
