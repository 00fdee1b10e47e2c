"""Write the plan of a feed to the library system. Values are read again from the sealed originals, and live in memory only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from holdfast.feeds.rows import mask_rows
from holdfast.outcomes import Rejection
from holdfast.settings import Feed
from holdfast.settings import Ils as Pace
from resources.ils.client import EntityUnit
from resources.ils.elements import NoNumberError, UnknownReference, written
from resources.ils.feeds import KINDS, FeedIls, ReferenceData
from resources.lake.client import Lake
from resources.ledger.applying import Applied, Row, carry_out, refusals, row_of
from resources.ledger.client import Ledger, Load
from resources.ledger.committing_entities import EntityCommitter, EntityWriting
from resources.ledger.planning_feeds import ASSET as PLAN_ASSET
from resources.redis.locks import BusyError, Locks
from resources.vault.client import Vault
from resources.vault.feeds import unmasked
from resources.vault.images import SealedImages

_HINTS = {
    "failed": "the library system's answer says what it does not take; mend the row where the feed comes from",
    "conflicted": "materialize this partition again: the record is then planned anew on what is there now",
}


class OriginalDiffersError(ValueError):
    """What is sealed is not what the plan was made of."""


@dataclass(frozen=True)
class Planned:
    """Plan and changes of a window."""

    rows: pl.DataFrame
    changes: pl.DataFrame

    def before_and_after(self) -> dict[int, list[tuple[str, str | None, str]]]:
        """record → (element, before, after), masked."""
        found: dict[int, list[tuple[str, str | None, str]]] = {}
        for record, element, before, after in self.changes.iter_rows():
            found.setdefault(record, []).append((element, before, after))
        return found


class Made(NamedTuple):
    """Units, their keys as they came (by idempotency key), and (record, why) of what can't be made one: for memory only."""

    units: list[EntityUnit]
    keys: dict[str, str]
    refused: list[tuple[int, str]]


def apply_feed(
    lake: Lake,
    vault: Vault,
    partition: str,
    feed: Feed,
    waiting: str,
    ils: FeedIls,
    ledger: Ledger,
    locks: Locks,
    load: Load,
    salt: bytes,
    masked: tuple[str, ...],
    pace: Pace,
    halted: Callable[[], str] = lambda: "",
) -> Applied:
    """Write what is planned, unless it waits for a person (`waiting` says why) or another run is at this window.

    Raises:
        OriginalDiffersError: a sealed original does not hold what the plan was made of; nothing of it is written.
    """
    plan = Planned(lake.read(PLAN_ASSET, partition), lake.read(PLAN_ASSET, partition, "changes"))
    if waiting or not plan.rows.height:
        return Applied(waiting=waiting)
    references = ReferenceData(ils)
    committer = EntityCommitter(
        EntityWriting(ils, feed.kind, feed.by, salt, references),
        ledger,
        load,
        feed.kind,
        salt,
        locks,
        masked,
        SealedImages(vault),
        chunk_records=pace.chunk_records,
        progress_records=pace.progress_records,
        total=plan.rows.height,
        halted=halted,
    )
    rows = _write(plan, lake, vault, partition, feed, ils, references, committer, salt)
    return carry_out(rows, committer, load, locks, pace, halted, _who)


def _who(error: BusyError) -> str:
    return f"{error}; what it is about stays planned: materialize feed_commits again when that run is done"


def _write(
    plan: Planned,
    lake: Lake,
    vault: Vault,
    partition: str,
    feed: Feed,
    ils: FeedIls,
    references: ReferenceData,
    committer: EntityCommitter,
    salt: bytes,
) -> Iterator[Row]:
    contents = dict(plan.rows.select("idempotency_key", "content_sha256").iter_rows())
    records = dict(plan.rows.select("idempotency_key", "record").iter_rows())
    tokens = dict(plan.rows.select("idempotency_key", "key").iter_rows())
    for made in units_of(plan, lake, vault, partition, feed, ils, references, salt):
        for record, answer in made.refused:
            yield record, "failed", answer, "feed.value"
        for each in committer.commit_entities(made.units, contents, made.keys, tokens):
            yield row_of(records[each.idempotency_key], each, committer)


def units_of(
    plan: Planned,
    lake: Lake,
    vault: Vault,
    partition: str,
    feed: Feed,
    ils: FeedIls,
    references: ReferenceData,
    salt: bytes,
) -> Iterator[Made]:
    """Units of the plan with their real values, part by part."""
    changes, table = plan.before_and_after(), ils.elements[feed.kind]
    for raw in unmasked(lake, vault, partition, feed):
        masked = mask_rows(raw, feed.kind, feed.by, salt).select("record", pl.col("content_sha256").alias("sealed"))
        part = plan.rows.join(masked, on="record", how="inner", maintain_order="left")
        if part.filter(pl.col("sealed") != pl.col("content_sha256")).height:
            raise OriginalDiffersError(
                f"{partition}: a sealed original is not what was planned; materialize feed_drops anew"
            )
        references.learn(table, raw)
        values = {row["record"]: row for row in raw.join(part, on="record", how="semi").iter_rows(named=True)}
        yield _units(part, changes, values, feed, ils, references)
    expired = plan.rows.filter(pl.col("action") == "expire")
    said = {record: {element: after for element, _, after in changes[record]} for record in expired["record"].to_list()}
    yield _units(expired, changes, said, feed, ils, references)


def _units(
    part: pl.DataFrame,
    changes: Mapping[int, list[tuple[str, str | None, str]]],
    values: Mapping[int, Mapping[str, str]],
    feed: Feed,
    ils: FeedIls,
    references: ReferenceData,
) -> Made:
    made = Made([], {}, [])
    names = ("idempotency_key", "correlation_id", "record", "target", "version")
    for row in part.iter_rows(named=True):
        said = values[row["record"]]
        try:
            found = _pointers(changes[row["record"]], said, feed, ils, references)
        except (UnknownReference, NoNumberError) as error:
            made.refused.append((row["record"], str(error)))
            continue
        action = "create" if row["action"] == "create" else "update"
        if action == "create":
            at = set(found)
            new = ils.new_records[feed.kind].items()
            found |= {pointer: (None, value) for pointer, value in new if not _within(pointer, at)}
        made.keys[row["idempotency_key"]] = said.get(feed.by, "")
        ids = {name: row[name] for name in names}
        shown = {element: (before, after) for element, before, after in changes[row["record"]]}
        made.units.append(EntityUnit(kind=KINDS[feed.kind], action=action, changes=found, shown=shown, **ids))
    return made


def _within(pointer: str, pointers: set[str]) -> bool:
    return any(each == pointer or each.startswith(f"{pointer}/") for each in pointers)


def _pointers(
    changes: Sequence[tuple[str, str | None, str]],
    said: Mapping[str, str],
    feed: Feed,
    ils: FeedIls,
    references: ReferenceData,
) -> dict[str, tuple[object, object]]:
    """JSON pointer → (before as the element, masked; after as the system's own value)."""
    table, found = ils.elements[feed.kind], dict[str, tuple[object, object]]()
    for element, before, _ in changes:
        pointer, after = written(element, said[element], table, references)
        found[pointer] = (before, after)
    return found


def _with_target(row: Mapping[str, Any]) -> str:
    return f"record {row['record']} → {row['target'] or 'a new record'}: {row['answer']}"


def feed_refusals(applied: Applied, plan: pl.DataFrame) -> list[Rejection]:
    """`refusals` of a feed: a row of it has no title, and may have no target yet."""
    return refusals(applied, plan, _with_target, _HINTS)
