"""Harvest a window: receive its drops, index and mask them block by block, put the unreadable into quarantine."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from holdfast.marc.harvest import INDEX, index_drop
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Settings
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from resources.postgres.quarantine import Quarantine
from resources.vault.client import Vault
from resources.vault.drops import received


@dataclass
class Harvest:
    """Counts of a harvested window."""

    drops: int = 0
    files: str = ""
    bytes: int = 0
    records: int = 0
    rejected: int = 0
    unaccounted: int = 0


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
) -> Harvest:
    """Fill `harvested_marc` of the window (table `rows`, shape harvest.INDEX) from every drop of it."""
    partition, drops = f"{day}|{source}", Drops(postgres)
    got, names, rejections = Harvest(), [], list[Rejection]()
    with (
        received(settings, drops, vault, source, day) as window,
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
                ):
                    writer.write("rows", part.frame)
                    count += part.frame.height
                    got.unaccounted += part.unaccounted
                    rejections += part.rejections
            drops.counted(source, dt.date.fromisoformat(day), drop.sha256, count)
            got.drops, got.bytes, got.records = got.drops + 1, got.bytes + drop.bytes, got.records + count
            names.append(drop.name)
    got.rejected, got.files = len(rejections), ", ".join(names)
    Quarantine(postgres, "catalogue").replace("harvested_marc", partition, rejections, run_id=run_id)
    return got
