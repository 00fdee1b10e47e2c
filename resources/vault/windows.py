"""Fetch a window from a repository: its records as one sealed MARCXML drop, its identifiers beside it.

A drop holds what the windows' drops before it do not: fetching a window again seals only what is new or changed. A list that
breaks off leaves nothing; it starts again from its beginning, as an expired resumption token wants it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import polars as pl

from holdfast.harvest.completeness import HELD, latest
from holdfast.harvest.marcxml import CLOSING, OPENING, deletion, stub_from_identifier
from holdfast.outcomes import Rejection, sha256_hex
from holdfast.settings import Source
from resources.lake.client import Lake
from resources.oai_pmh.client import RepositoryError, TokenExpired
from resources.postgres.harvest_log import HarvestLog, WindowFetch
from resources.repositories.client import Harvested, Repository
from resources.vault.client import Sealed, Vault

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ASSET, TABLE = "harvested_marc", "identifiers"
_RESTARTS = 3


class Deletion(NamedTuple):
    identifier: str
    datestamp: str


@dataclass
class FetchedWindow:
    """What a fetch came to.

    identifiers: shape HELD, everything that the window has been seen to hold, earlier fetches included.
    sealed: the drop; None where nothing is new.
    """

    identifiers: pl.DataFrame
    rejections: list[Rejection]
    sealed: Sealed | None
    name: str
    records: int
    deleted: int
    size: int | None
    log: WindowFetch


@dataclass
class _Attempt:
    """One way through the list."""

    known: frozenset[bytes]
    rows: list[tuple[object, ...]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    records: int = 0
    size: int | None = None

    def is_new(self, digest: bytes) -> bool:
        if digest in self.known or digest in self.seen:
            return False
        self.seen.add(digest)
        return True


def identifiers_of(lake: Lake, source: str) -> pl.DataFrame:
    """Shape HELD: all windows of the source."""
    frames = [
        lake.read(ASSET, partition, TABLE)
        for partition in lake.partitions(ASSET)
        if partition.endswith(f"|{source}") and lake.has(ASSET, partition, TABLE)
    ]
    return pl.concat([pl.DataFrame(schema=HELD), *frames])


def fetch_window(
    repository: Repository,
    lake: Lake,
    vault: Vault,
    log: HarvestLog,
    name: str,
    source: Source,
    day: dt.date,
    run_id: str,
) -> FetchedWindow:
    """The window of a source as a sealed drop; the caller registers it and stores the identifiers.

    Raises:
        RepositoryError: the window could not be fetched whole; the log says so, and nothing of it is kept.
    """
    began = dt.datetime.now(dt.UTC)
    partition = f"{day.isoformat()}|{name}"
    earlier = lake.read(ASSET, partition, TABLE) if lake.has(ASSET, partition, TABLE) else pl.DataFrame(schema=HELD)
    known = frozenset(bytes.fromhex(each)[:16] for each in earlier["record_sha256"])
    restarts = 0
    try:
        window = repository.window(day)
        while True:
            attempt = _Attempt(known)
            document = _document(repository, lake, name, source, day, attempt)
            try:
                first = next(document, None)
                sealed = vault.seal(_stream(first, document)) if first is not None else None
                break
            except TokenExpired:
                restarts += 1
                if restarts > _RESTARTS:
                    raise
    except RepositoryError as error:
        log.failed(name, day, began, str(error), requests=repository.requests, restarts=restarts, run_id=run_id)
        raise
    new = pl.DataFrame([(*row, day, began) for row in attempt.rows], schema=HELD, orient="row")
    identifiers = pl.concat([earlier, new]).unique(["identifier", "record_sha256"], keep="first", maintain_order=True)
    return FetchedWindow(
        identifiers,
        attempt.rejections,
        sealed,
        f"{name}-{day.isoformat()}-{began:%Y%m%dT%H%M%SZ}.xml",
        attempt.records,
        len(attempt.deletions),
        attempt.size,
        WindowFetch(
            source=name,
            day=day,
            window_from=window.from_,
            window_until=window.until,
            began_at=began,
            records=attempt.records,
            deleted=sum(1 for row in attempt.rows if row[2]),
            new_records=len(attempt.seen),
            complete_list_size=attempt.size,
            identifiers_sha256=_hash_of(identifiers),
            drop_sha256=sealed.sha256 if sealed else "",
            requests=repository.requests,
            restarts=restarts,
            run_id=run_id,
        ),
    )


def _hash_of(identifiers: pl.DataFrame) -> str:
    """Hex SHA-256 over the window's identifiers with their datestamps, in their order: equal for equal windows."""
    lines = latest(identifiers).select(pl.concat_str("identifier", pl.lit("\t"), "datestamp", pl.lit("\n")))
    digest = hashlib.sha256()
    for line in lines.to_series().sort():
        digest.update(line.encode())
    return digest.hexdigest()


def _document(
    repository: Repository, lake: Lake, name: str, source: Source, day: dt.date, attempt: _Attempt
) -> Iterator[bytes]:
    """The MARCXML document of what is new, in parts; nothing at all where nothing is."""
    begun = False
    for page in repository.pages(day):
        attempt.size = page.size if page.size is not None else attempt.size
        for each in page.records:
            xml = _take(each, attempt, repository.url)
            if xml is not None:
                yield xml + b"\n" if begun else OPENING + xml + b"\n"
                begun = True
    stubs = _stubs(lake, name, attempt.deletions)
    for gone in attempt.deletions:
        stub = stubs.get(gone.identifier) or stub_from_identifier(
            gone.identifier, source.number_pattern, source.number_org
        )
        xml = deletion(stub, gone.datestamp)
        yield xml + b"\n" if begun else OPENING + xml + b"\n"
        begun = True
    if begun:
        yield CLOSING


def _take(each: Harvested, attempt: _Attempt, url: str) -> bytes | None:
    """Count a record in; its XML, if it is to be sealed now."""
    attempt.records += 1
    xml = each.marc.xml if each.marc else b""
    digest = hashlib.sha256(
        "\t".join((each.identifier, each.datestamp, "deleted" if each.deleted else "")).encode() + b"\n" + xml
    )
    new = attempt.is_new(digest.digest()[:16])
    if each.fault:
        attempt.rejections.append(
            Rejection(
                code="harvest.no_record",
                place=f"{url} {each.identifier}",
                rule=f"a record of the window must be one MARCXML record; {each.fault}",
                hint="check metadata_prefix (OAI-PMH) or record_schema (SRU), or tell the source; fetch the window again",
                sha256=sha256_hex(xml),
            )
        )
        return None
    stub = each.marc.stub if each.marc else ""
    attempt.rows.append((each.identifier, each.datestamp, each.deleted, digest.hexdigest(), stub))
    if not new:
        return None
    if each.deleted:
        attempt.deletions.append(Deletion(each.identifier, each.datestamp))
        return None
    return xml


def _stubs(lake: Lake, name: str, deletions: list[Deletion]) -> dict[str, str]:
    """Identifier → the fields by which its record, harvested before, is found again."""
    if not deletions:
        return {}
    held = identifiers_of(lake, name).filter(
        pl.col("identifier").is_in([each.identifier for each in deletions]) & (pl.col("stub") != "")
    )
    return dict(latest(held).select("identifier", "stub").iter_rows())


class _Parts(io.RawIOBase):
    """A stream of what an iterator gives."""

    def __init__(self, first: bytes, parts: Iterator[bytes]) -> None:
        self._rest = first
        self._parts = parts

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = next(self._parts, b"")
        count = min(len(into), len(self._rest))
        into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _stream(first: bytes, parts: Iterator[bytes]) -> BinaryIO:
    return io.BufferedReader(_Parts(first, parts), 1 << 20)
