"""Records that can't be read, mended: as a drop of its own in the same window, made from the sealed originals, which stay."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from holdfast.catalogue.mending import MendError, mend_bytes
from holdfast.marc.opening import Content, unpacked
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from resources.vault.client import Vault

_PIECE = 1 << 20


def original_of(lake: Lake, vault: Vault, drops: Drops, partition: str, sha256: str) -> bytes:
    """The bytes of a record as received, by their hash.

    Raises:
        MendError: the window has no such record in ISO 2709, or its drop is not in the vault.
    """
    day, source = partition.split("|")
    rows = lake.scan("harvested_marc", partition).filter(pl.col("sha256") == sha256)
    found = rows.select("file", "format", "record", "offset", "length").collect()
    if not found.height:
        raise MendError(f"no record with the hash {sha256[:12]} is in harvested_marc of {partition}")
    row = found.row(0, named=True)
    if row["format"] != "iso2709":
        raise MendError(f"record {row['record']} came as {row['format']}: only ISO 2709 is mended by its bytes")
    held = [each for each in drops.of(source, dt.date.fromisoformat(day)) if each.first_record <= row["record"]]
    for drop in reversed(held):
        with vault.open(drop.sha256) as stream:
            for content in unpacked(drop.name, stream):
                data = _piece_of(content, row["offset"], row["length"]) if content.name == row["file"] else b""
                if data and hashlib.sha256(data).hexdigest() == sha256:
                    return data
    raise MendError(f"{row['file']} record {row['record']}: its bytes are not in the vault as they were indexed")


def _piece_of(content: Content, offset: int, length: int) -> bytes:
    left = offset
    while left:
        piece = content.read(min(left, _PIECE))
        if not piece:
            return b""
        left -= len(piece)
    data = b""
    while len(data) < length and (more := content.read(length - len(data))):
        data += more
    return data


def mend_records(
    lake: Lake, vault: Vault, postgres: Postgres, entries: Sequence[dict[str, Any]], mend: str, value: str
) -> dict[str, str]:
    """Seal the mended records of each partition as a drop of it; partition → the drop's name. The next run reads it.

    Raises:
        MendError: one of them can't be mended so, or is not there; nothing was registered.
    """
    drops, by_partition = Drops(postgres), dict[str, list[bytes]]()
    for entry in entries:
        data = original_of(lake, vault, drops, entry["partition"], entry["sha256"])
        try:
            by_partition.setdefault(entry["partition"], []).append(mend_bytes(data, mend, value))
        except MendError as error:
            raise MendError(f"{entry['place']}: {error}") from error
    names = {}
    for partition, records in by_partition.items():
        day, source = partition.split("|")
        date = dt.date.fromisoformat(day)
        sealed = vault.seal(io.BytesIO(b"".join(records)))
        names[partition] = f"mended-{sealed.sha256[:12]}.mrc"
        with drops.window(source, date):
            drops.register(source, date, names[partition], sealed.sha256, sealed.length)
    return names
