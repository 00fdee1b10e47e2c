"""The rollback of a window, of a source or of a feed, as the settings of this library have it."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from functools import partial
from typing import Any

from catalog_assets.partitions import SETTINGS
from catalog_assets.recovery.orders import RULES, WRITES, salt
from resources.ledger.client import Load
from resources.ledger.undoing import Created, Rollback
from resources.ledger.undoing_feeds import FeedRollback
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts
from resources.redis.locks import Locks
from resources.vault.client import Vault
from resources.vault.images import SealedImages


def rollback_of(load: Load, created: Created, vault: Vault, postgres: Postgres, ils: Any, locks: Locks) -> Rollback:
    """`ils`: an Ils, and a FeedIls where the window is a feed's."""
    halted = partial(Halts(postgres).reason, source=load.source, queue=WRITES["dagster-celery/queue"])
    chunk, feed = SETTINGS.ils.chunk_records, SETTINGS.feeds.get(load.source)
    if feed is None:
        return Rollback(postgres, ils, load, RULES, salt(), locks, created=created, halted=halted, chunk_records=chunk)
    today = dt.datetime.now(zoneinfo.ZoneInfo(SETTINGS.library.timezone)).date()
    return FeedRollback(
        postgres, ils, load, feed.kind, salt(), locks, SealedImages(vault), today, SETTINGS.masking.entities,
        created=created, halted=halted, chunk_records=chunk,
    )  # fmt: skip
