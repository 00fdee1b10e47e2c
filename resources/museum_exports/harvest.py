"""Harvest a collection by OAI-PMH into its export folder, as a file like any that a museum leaves there."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from lxml import etree

from holdfast.harvest.answers import local
from holdfast.harvest.oai import OaiItem
from holdfast.harvest.windows import bounds
from holdfast.museum.lido import NAMESPACE as LIDO
from holdfast.museum.oai_dc_export import OAI
from resources.museum_exports.client import MuseumExports
from resources.oai_pmh.client import OaiPmhClient, RepositoryError, TokenExpired

_RESTARTS = 3


class HarvestedExport(NamedTuple):
    """deleted: at the source; of a whole set they are missing in the export and so withdrawn, of a window they are not."""

    path: Path
    objects: int
    deleted: int


def harvest_export(client: OaiPmhClient, exports: MuseumExports, name: str, day: dt.date) -> HarvestedExport | None:
    """The collection's whole set (`full`), or its window of the day, as EXPORTS/<collection>/oai-pmh-<day>.xml.

    None, and nothing done, for a whole set of another day than today: what a repository has now is not what it had then.

    Raises:
        RepositoryError: it could not be harvested whole; no file is left.
    """
    collection = exports.collection(name)
    if collection.full and day != dt.datetime.now(exports.timezone).date():
        return None
    folder = exports.folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"oai-pmh-{day.isoformat()}.xml"
    partial = target.with_name(f"{target.name}.partial")
    try:
        for attempt in range(_RESTARTS + 1):
            try:
                objects, deleted = _write(client, partial, collection.format, None if collection.full else day)
                break
            except TokenExpired:
                if attempt == _RESTARTS:
                    raise
        if collection.full and not objects:
            raise RepositoryError(f"{client.url}: it has no object at all, which would withdraw the whole collection")
        # A file belongs to the day of its last change.
        noon = dt.datetime.combine(day, dt.time(12), exports.timezone).timestamp()
        os.utime(partial, (noon, noon))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return HarvestedExport(target, objects, deleted)


def _write(client: OaiPmhClient, path: Path, form: str, day: dt.date | None) -> tuple[int, int]:
    """Objects written, and how many are deleted at the source."""
    window = bounds(day, client.identify().granularity) if day else None
    opening, closing = (
        (f'<lido:lidoWrap xmlns:lido="{LIDO}">', "</lido:lidoWrap>")
        if form == "lido"
        else (f'<ListRecords xmlns="{OAI}">', "</ListRecords>")
    )
    objects = deleted = 0
    with path.open("wb") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{opening}\n'.encode())
        for page in client.pages("ListRecords", window):
            for item in page.items:
                deleted += item.deleted
                if not item.deleted:
                    objects += 1
                    file.write((_lido(item) if form == "lido" else _oai_dc(item)) + b"\n")
        file.write(closing.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return objects, deleted


def _lido(item: OaiItem) -> bytes:
    """The LIDO record; an item without one stays as an empty record, which is rejected with its place and not lost."""
    found = [each for each in item.metadata.iter() if local(each) == "lido"] if item.metadata is not None else []
    if not found:
        return f'<lido:lido xmlns:lido="{LIDO}"><!-- {escape(item.identifier).replace("--", "- -")} --></lido:lido>'.encode()
    return etree.tostring(found[0], encoding="utf-8", with_tail=False)


def _oai_dc(item: OaiItem) -> bytes:
    header = (
        f'<record xmlns="{OAI}"><header><identifier>{escape(item.identifier)}</identifier>'
        f"<datestamp>{escape(item.datestamp)}</datestamp></header><metadata>"
    ).encode()
    inside = [each for each in item.metadata if local(each)] if item.metadata is not None else []
    body = b"".join(etree.tostring(each, encoding="utf-8", with_tail=False) for each in inside)
    return header + body + b"</metadata></record>"
