"""Harvest a window: receive its drops, index and mask them block by block, put the unreadable into quarantine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from holdfast.marc.harvest import INDEX, index_drop
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Settings
from resources.drop_sites.client import DropSites
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from resources.postgres.harvest_log import HarvestLog
from resources.postgres.quarantine import Quarantine
from resources.repositories.client import Repositories
from resources.vault.client import Sealed, Vault
from resources.vault.drops import received
from resources.vault.windows import FetchedWindow, fetch_window


@dataclass
class Harvest:
    """Counts of a harvested window."""

    drops: int = 0
    files: str = ""
    bytes: int = 0
    records: int = 0
    rejected: int = 0
    unaccounted: int = 0
    waiting: list[str] = field(default_factory=list)  # files that were not taken yet, for people
    window: FetchedWindow | None = None  # of a source that is asked


def harvest_window(
    settings: Settings,
    lake: Lake,
    postgres: Postgres,
    vault: Vault,
    source: str,
    day: str,
    rules: MaskingRules,
    salt: bytes,
    run_id: str,
    sites: DropSites | None = None,
    repositories: Repositories | None = None,
) -> Harvest:
    """Fill `harvested_marc` of the window (table `rows`, shape harvest.INDEX) from every drop of it.

    A source that is asked is asked for the window first; its identifiers are the table `identifiers`, shape
    completeness.HELD.
    """
    partition, drops, date = f"{day}|{source}", Drops(postgres), dt.date.fromisoformat(day)
    got, names, rejections = Harvest(), [], list[Rejection]()
    asked = _Asked(settings, lake, postgres, vault, source, date, run_id, repositories)
    site = sites.of(source) if sites else None
    with (
        received(settings, drops, vault, source, day, site, asked.arriving, got.waiting) as window,
        lake.replace("harvested_marc", partition) as writer,
    ):
        writer.write("rows", pl.DataFrame(schema=INDEX))
        for drop in window:
            count = 0
            with vault.open(drop.sha256) as stream:
                for part in index_drop(
                    stream,
                    drop.name,
                    rules,
                    salt,
                    first_record=drop.first_record,
                    block_bytes=settings.limits.block_bytes,
                    reading=settings.sources[source].reading,
                ):
                    writer.write("rows", part.frame)
                    count += part.frame.height
                    got.unaccounted += part.unaccounted
                    rejections += part.rejections
            drops.counted(source, date, drop.sha256, count)
            got.drops, got.bytes, got.records = got.drops + 1, got.bytes + drop.bytes, got.records + count
            names.append(drop.name)
        if asked.fetched:
            writer.write("identifiers", asked.fetched.identifiers)
            got.window, got.records = asked.fetched, got.records + len(asked.fetched.rejections)
            rejections += asked.fetched.rejections
    # The log is last: what it calls whole is in the lake.
    if asked.fetched:
        HarvestLog(postgres).enter(asked.fetched.log)
    got.rejected, got.files = len(rejections), ", ".join(names)
    Quarantine(postgres, "catalogue").replace("harvested_marc", partition, rejections, run_id=run_id)
    return got


class _Asked:
    """The window of a source that is asked, fetched when it is its turn."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        postgres: Postgres,
        vault: Vault,
        source: str,
        day: dt.date,
        run_id: str,
        repositories: Repositories | None,
    ) -> None:
        self._fetch = partial(
            fetch_window,
            lake=lake,
            vault=vault,
            log=HarvestLog(postgres),
            name=source,
            source=settings.sources[source],
            day=day,
            run_id=run_id,
        )
        self._open = partial(repositories.of, source) if repositories else None
        self.fetched: FetchedWindow | None = None

    def arriving(self) -> Iterator[tuple[str, Sealed]]:
        repository = self._open() if self._open else None
        if repository is None:
            return
        with closing(repository):
            self.fetched = self._fetch(repository)
        if self.fetched.sealed:
            yield self.fetched.name, self.fetched.sealed
