"""Receive a window's drops: seal what lies in the source's folder, register it, and hand out every drop of the window from
the vault.

From then on the folder is not needed: materializing again reads the sealed originals. A file on a vendor's server is
fetched once for each state that it is seen in, straight into the vault.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

from holdfast.harvest.file_names import UNFINISHED, day_in_name, is_unfinished, shown_name
from holdfast.settings import Settings, Source
from resources.drop_sites.client import DropSite
from resources.drop_sites.errors import DropChanged
from resources.postgres.drops import Drop, Drops
from resources.vault.client import Sealed, Vault

__all__ = ["UNFINISHED", "day_of", "files_of", "is_unfinished", "received", "shown_name"]


def day_of(path: Path, source: Source, timezone: str) -> str | None:
    """The day that a file belongs to: the one in its name (setting `file_day`; None where there is none), else that of its
    last change, in the library's time zone."""
    if source.file_day:
        found = day_in_name(source.file_day, path.name)
        return found.isoformat() if found else None
    moment = dt.datetime.fromtimestamp(path.stat().st_mtime, zoneinfo.ZoneInfo(timezone))
    return moment.date().isoformat()


def files_of(settings: Settings, name: str, day: str) -> list[Path]:
    """Finished files of the source's drop folder that match its pattern and belong to the day, by name."""
    folder, source = settings.drops / name, settings.sources[name]
    if source.url or not folder.is_dir():
        return []
    found = (
        each
        for each in folder.glob(source.pattern)
        if each.is_file() and not each.name.startswith(".") and not is_unfinished(each.name)
    )
    return sorted(each for each in found if day_of(each, source, settings.library.timezone) == day)


@contextmanager
def received(
    settings: Settings,
    drops: Drops,
    vault: Vault,
    source: str,
    day: str,
    site: DropSite | None = None,
    asked: Callable[[], Iterator[tuple[str, Sealed]]] = lambda: iter(()),
    waiting: list[str] | None = None,
    files: Callable[[], list[Path]] | None = None,
) -> Iterator[Iterator[Drop]]:
    """The window's drops, one by one: those known, then what is new in the folder, on the `site` or from a source that is
    `asked`. One run at a time holds a window. `files` lists another folder than the source's.

    Each drop must be `drops.counted` before the next one is asked for: its records come before the next one's. A file
    that changes while it is read is left for the next run, and named in `waiting`.

    Raises:
        SiteUnreachable: the site does not answer, or broke too often.
    """
    date = dt.date.fromisoformat(day)
    left = waiting if waiting is not None else []

    def each() -> Iterator[Drop]:
        known = drops.of(source, date)
        yield from known
        hashes = {drop.sha256 for drop in known}
        arriving = (
            _fetched(drops, vault, source, date, site, left)
            if site
            else _sealed(files or partial(files_of, settings, source, day), vault, left)
        )
        for name, sealed in chain(arriving, asked()):
            if sealed.sha256 not in hashes:
                hashes.add(sealed.sha256)
                yield drops.register(source, date, name, sealed.sha256, sealed.length)

    with drops.window(source, date):
        yield each()


def _sealed(files: Callable[[], list[Path]], vault: Vault, waiting: list[str]) -> Iterator[tuple[str, Sealed]]:
    for path in files():
        try:
            with path.open("rb") as stream:
                before = os.fstat(stream.fileno())
                sealed = vault.seal(stream)
                after = os.fstat(stream.fileno())
        except FileNotFoundError:  # cleaned up since it was listed
            continue
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or sealed.length != after.st_size:
            waiting.append(f"{shown_name(path.name)}: changed while it was read")
            continue
        yield shown_name(path.name), sealed


def _fetched(
    drops: Drops, vault: Vault, source: str, day: dt.date, site: DropSite, waiting: list[str]
) -> Iterator[tuple[str, Sealed]]:
    listing = site.listing()
    waiting += listing.refused
    for file, file_day in listing.files:
        name = shown_name(file.name)
        if file_day != day or is_unfinished(file.name) or drops.was_fetched(source, day, name, file.state):
            continue
        try:
            with site.open(file) as stream:
                sealed = vault.seal(stream)
        except DropChanged as error:
            waiting.append(re.sub(r"[\r\n]+", " ", str(error)))
            continue
        yield name, sealed
        # Only now: a run that is killed before its drop is registered fetches the file again.
        drops.fetched(source, day, name, file.state, sealed.sha256, sealed.length)
