"""Taking pages into custody: each into the master store with the hash that its manifest promised, or into quarantine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from holdfast.outcomes import Outcome, Rejection
from holdfast.preservation.drop import NotInDrop
from holdfast.preservation.events import EventOutcome, EventType, NewEvent
from holdfast.preservation.fixity import Digest, FixityError, digest_of_open
from holdfast.preservation.manifest import page_rejection
from holdfast.preservation.page_image import AGENT as DECODER
from holdfast.preservation.page_image import ImageReader, PageFault
from holdfast.preservation.pages import AGENT, VERDICT, quarantine_event, rejection_of, verdict

MASTERS: dict[str, type[pl.DataType]] = {
    "page": pl.Int64,
    "path": pl.String,
    "sha256": pl.String,  # of the master; as declared where there is none
    "bytes": pl.Int64,
    "is_new": pl.Boolean,  # written in this run
    "duplicate_of": pl.Int64,  # page with the same bytes; null where there is none
    **VERDICT,
}


class Drop(Protocol):
    """Where pages come from."""

    def open(self, batch: str, page: str) -> int: ...
    def is_there(self, batch: str) -> bool: ...


class Store(Protocol):
    """Where masters stay."""

    def open(self, batch: str, page: str) -> int: ...
    def digest(self, batch: str, page: str) -> Digest | None: ...
    def take_in(
        self, batch: str, page: str, source: int, expected: Digest, *, inspect: Callable[[int], object]
    ) -> bool: ...


@dataclass
class Custody:
    """What became of a batch's pages: a frame of `MASTERS`, the new rejections, the events."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)

    @property
    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows, schema=MASTERS)


@contextlib.contextmanager
def opened(file: int) -> Iterator[int]:
    try:
        yield file
    finally:
        os.close(file)


def take_custody(
    batch: str, pages: pl.DataFrame, drop: Drop, store: Store, images: ImageReader, before: pl.DataFrame | None = None
) -> Custody:
    """Take each page of `pages` (a frame of `SURVEYED`) that goes on into `store`.

    A master that is there with the right hash is read again and stays. Where the drop is gone, pages without a master
    keep the verdict that they had.

    Args:
        before: the frame of the last run (`MASTERS`).
    """
    custody = Custody()
    masters: dict[str, int] = {}
    earlier = {row["page"]: row for row in before.iter_rows(named=True)} if before is not None else {}
    gone = not drop.is_there(batch)
    for page in pages.iter_rows(named=True):
        row = {"is_new": False, "duplicate_of": None} | {key: page[key] for key in MASTERS if key in page}
        if page["outcome"] is None:
            row |= _take(
                batch, page, drop, store, images, masters, custody, earlier.get(page["page"]) if gone else None
            )
        custody.rows.append(row)
    return custody


def _take(
    batch: str,
    page: dict[str, Any],
    drop: Drop,
    store: Store,
    images: ImageReader,
    masters: dict[str, int],
    custody: Custody,
    earlier: dict[str, Any] | None,
) -> dict[str, Any]:
    path, expected = page["path"], Digest(page["sha256"], page["bytes"])
    first = masters.get(expected.sha256)
    try:
        if first is not None:
            _same_bytes(batch, path, expected, drop, earlier)
            return {"outcome": str(Outcome.DUPLICATE), "code": "page.duplicate", "duplicate_of": first} | _SAME
        if store.digest(batch, path) == expected:
            is_new = False
        else:
            with opened(drop.open(batch, path)) as source:
                is_new = store.take_in(batch, path, source, expected, inspect=images.inspect)
    except (NotInDrop, FixityError, PageFault) as error:
        rejection = _rejection(batch, page, error, earlier)
        custody.rejections.append(rejection)
        custody.events += [
            *_fault_events(path, expected.sha256, error),
            quarantine_event(path, expected.sha256, rejection),
        ]
        return verdict(rejection)
    masters[expected.sha256] = page["page"]
    custody.events += _custody_events(path, expected.sha256)
    return {"is_new": is_new}


_SAME = {"rule": "a page is scanned once", "hint": "compare the two pages; number the second one anew if it is another"}


def _same_bytes(batch: str, path: str, expected: Digest, drop: Drop, earlier: dict[str, Any] | None) -> None:
    """Is the file really what its entry says, before it counts as a duplicate of it?"""
    if earlier and earlier["outcome"] == Outcome.DUPLICATE:
        return
    with opened(drop.open(batch, path)) as source:
        found = digest_of_open(source)
    if found != expected:
        rule = f"a page has the SHA-256 of its entry: declared {expected.sha256}, found {found.sha256}"
        raise FixityError("fixity.sha256", rule, "copy the file again, or correct its entry in the manifest")


def _rejection(
    batch: str, page: dict[str, Any], error: NotInDrop | FixityError | PageFault, earlier: dict[str, Any] | None
) -> Rejection:
    if isinstance(error, NotInDrop) and earlier and earlier["outcome"] == Outcome.QUARANTINED:
        return rejection_of(batch, earlier)
    code = error.code.replace("fixity.", "page.")
    return page_rejection(batch, page["page"], page["path"], code, error.rule, error.hint, page["sha256"])


def _custody_events(path: str, sha256: str) -> list[NewEvent]:
    done = EventOutcome.SUCCESS
    return [
        NewEvent(
            EventType.MESSAGE_DIGEST_CALCULATION, path, sha256, done, "SHA-256 as declared in the manifest", AGENT
        ),
        NewEvent(EventType.FIXITY_CHECK, path, sha256, done, "master read back from storage, SHA-256 compared", AGENT),
        NewEvent(EventType.VALIDATION, path, sha256, done, "image decoded to its last line", DECODER),
    ]


def _fault_events(path: str, sha256: str, error: NotInDrop | FixityError | PageFault) -> list[NewEvent]:
    if isinstance(error, PageFault):
        return [NewEvent(EventType.VALIDATION, path, sha256, EventOutcome.FAIL, f"{error.code}: {error.rule}", DECODER)]
    if isinstance(error, FixityError):
        return [NewEvent(EventType.FIXITY_CHECK, path, sha256, EventOutcome.FAIL, f"{error.code}: {error.rule}", AGENT)]
    return []
