"""Receive a window's drops: seal what lies in the folder, register it, and hand out every drop of the window from the vault.

From then on the folder is not needed: materializing again reads the sealed originals.
"""

from __future__ import annotations

import datetime as dt
import os
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.settings import Settings
from resources.postgres.drops import Drop, Drops
from resources.vault.client import Vault

# Names that transfer programs give to what they have not finished.
UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".crdownload")


def is_unfinished(name: str) -> bool:
    return name.lower().endswith(UNFINISHED)


def shown_name(name: str) -> str:
    """A file's name as text that can be stored: bytes in it that are not UTF-8 are shown as U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


def day_of(path: Path, timezone: str) -> str:
    """The day that a file belongs to: that of its last change, in the library's time zone."""
    moment = dt.datetime.fromtimestamp(path.stat().st_mtime, zoneinfo.ZoneInfo(timezone))
    return moment.date().isoformat()


def files_of(settings: Settings, source: str, day: str) -> list[Path]:
    """Finished files of the source's drop folder that match its pattern and belong to the day, by name."""
    folder = settings.drops / source
    if not folder.is_dir():
        return []
    found = (
        each
        for each in folder.glob(settings.sources[source].pattern)
        if each.is_file() and not each.name.startswith(".") and not is_unfinished(each.name)
    )
    return sorted(each for each in found if day_of(each, settings.library.timezone) == day)


@contextmanager
def received(settings: Settings, drops: Drops, vault: Vault, source: str, day: str) -> Iterator[Iterator[Drop]]:
    """The window's drops, one by one: those known, then what is new in the folder. One run at a time holds a window.

    Each drop must be `drops.counted` before the next one is asked for: its records come before the next one's.
    """
    date = dt.date.fromisoformat(day)

    def each() -> Iterator[Drop]:
        known = drops.of(source, date)
        yield from known
        hashes = {drop.sha256 for drop in known}
        for path in files_of(settings, source, day):
            with path.open("rb") as stream:
                sealed = vault.seal(stream)
            if sealed.sha256 not in hashes:
                hashes.add(sealed.sha256)
                yield drops.register(source, date, shown_name(path.name), sealed.sha256, sealed.length)

    with drops.window(source, date):
        yield each()
