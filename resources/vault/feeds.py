"""Receive the drops of a feed: the originals sealed, masked rows in the lake. Raw values are read again from the seal."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from stat import S_ISREG

import polars as pl

from holdfast.feeds.mfhd import read_mfhd
from holdfast.feeds.rows import Batch, mask_rejection, mask_rows, read_feed, rows_schema
from holdfast.harvest.file_names import is_unfinished
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import token
from holdfast.settings import Feed, Settings
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.drops import Drop, Drops
from resources.postgres.quarantine import Quarantine
from resources.vault.client import Vault
from resources.vault.drops import received

ASSET = "feed_drops"
REJECTED = pl.Schema(
    {
        "record": pl.UInt32,
        "code": pl.String,
        "unit": pl.String,  # 'record', or 'file' where the rest of the file could not be read
        "key": pl.String,  # of whom it speaks, as masked as the rows; null where that can't be read
    }
)
DROPS = pl.Schema({"name": pl.String, "sha256": pl.String, "bytes": pl.Int64, "first_record": pl.UInt32})


@dataclass
class ReceivedFeed:
    """Counts of a window."""

    drops: int = 0
    bytes: int = 0
    rows: int = 0
    rejected: int = 0
    waiting: list[str] = field(default_factory=list)  # files that were not taken yet, for people

    @property
    def records(self) -> int:
        return self.rows + self.rejected


@dataclass(frozen=True)
class FeedFile:
    """A file in the feed's folder. `day` is that of its last change, in the library's time zone."""

    path: Path
    day: dt.date
    bytes: int
    modified_ns: int


def feed_files(settings: Settings, name: str) -> list[FeedFile]:
    """Finished files of the feed's folder that match its pattern, by name. No links, nothing hidden."""
    folder, timezone = settings.feed_drops / name, zoneinfo.ZoneInfo(settings.library.timezone)
    found = []
    for path in sorted(folder.glob(settings.feeds[name].pattern)) if folder.is_dir() else []:
        if path.parent != folder or path.name.startswith(".") or is_unfinished(path.name):
            continue
        try:
            stat = path.lstat()
        except FileNotFoundError:  # cleaned up while we look
            continue
        if S_ISREG(stat.st_mode):
            day = dt.datetime.fromtimestamp(stat.st_mtime, timezone).date()
            found.append(FeedFile(path, day, stat.st_size, stat.st_mtime_ns))
    return found


def _files_of_day(settings: Settings, name: str, day: str) -> list[Path]:
    of_day = [each for each in feed_files(settings, name) if each.day.isoformat() == day]
    return [each.path for each in sorted(of_day, key=lambda each: (each.modified_ns, each.path.name))]


def batches_of(vault: Vault, drop: Drop, name: str, feed: Feed, day: str) -> Iterator[Batch]:
    """The rows of a sealed drop, unmasked.

    Raises:
        FileNotFoundError, SealBrokenError: the original is not in the vault, or not as it was sealed.
    """
    reader = read_mfhd if feed.format == "marc" else read_feed
    with vault.open(drop.sha256) as stream:
        yield from reader(stream, feed, feed_name=name, window=day, file_name=drop.name, first_record=drop.first_record)


def receive_feed(
    settings: Settings, lake: Lake, postgres: Postgres, vault: Vault, name: str, day: str, salt: bytes, run_id: str
) -> ReceivedFeed:
    """Fill `feed_drops` of the window: tables `rows` (masked, shape rows.rows_schema), `rejected` (REJECTED) and `drops`
    (DROPS, in the order of their registration)."""
    feed, partition, date = settings.feeds[name], f"{day}|{name}", dt.date.fromisoformat(day)
    drops, got, rejections, known = Drops(postgres), ReceivedFeed(), list[Rejection](), list[Drop]()
    files = partial(_files_of_day, settings, name, day)
    with (
        received(settings, drops, vault, name, day, waiting=got.waiting, files=files) as window,
        lake.replace(ASSET, partition) as writer,
    ):
        writer.write("rows", pl.DataFrame(schema=rows_schema(feed.kind)))
        writer.write("rejected", pl.DataFrame(schema=REJECTED))
        for drop in window:
            count = 0
            for batch in batches_of(vault, drop, name, feed, day):
                writer.write("rows", mask_rows(batch.rows, feed.kind, feed.by, salt))
                writer.write("rejected", _rejected(batch, salt))
                rejections += [mask_rejection(each, feed.kind, salt) for _, each in batch.rejected]
                got.rows, got.rejected = got.rows + batch.rows.height, got.rejected + len(batch.rejected)
                count += batch.rows.height + len(batch.rejected)
            drops.counted(name, date, drop.sha256, count)
            known.append(drop)
        got.drops, got.bytes = len(known), sum(each.bytes for each in known)
        rows = [(each.name, each.sha256, each.bytes, each.first_record) for each in known]
        writer.write("drops", pl.DataFrame(rows, schema=DROPS, orient="row"))
    Quarantine(postgres, "catalogue").replace(ASSET, partition, rejections, run_id=run_id)
    return got


def _rejected(batch: Batch, salt: bytes) -> pl.DataFrame:
    rows = [
        (record, each.code, each.unit, token(batch.named[record], salt) if record in batch.named else None)
        for record, each in batch.rejected
    ]
    return pl.DataFrame(rows, schema=REJECTED, orient="row")


def unmasked(lake: Lake, vault: Vault, partition: str, feed: Feed) -> Iterator[pl.DataFrame]:
    """The rows of `feed_drops` of the window as they came, read again from the sealed originals: for memory only."""
    day, name = partition.split("|")
    for row in lake.read(ASSET, partition, "drops").iter_rows(named=True):
        for batch in batches_of(vault, Drop(**row), name, feed, day):
            yield batch.rows
