"""Fill `feed_plan` of a window: what a feed would change in the library system, each live record looked up by its key.

Keys and values stand in the sealed originals alone. They are read again, looked up in memory, and masked before anything is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from holdfast.catalogue.budget import Budget, Measures, reasons_to_wait
from holdfast.catalogue.plan_document import HASHED_OF_FEEDS, PlanHash, count_changes
from holdfast.catalogue.surprises import frequencies, surprising
from holdfast.feeds.document import as_changes, measure_feed, titled
from holdfast.feeds.elements import ELEMENTS, masked_elements
from holdfast.feeds.plan import CHANGES, PLAN, FeedPlan, expiries, live_schema, plan_feed
from holdfast.feeds.rows import content_hash
from holdfast.feeds.surprises import feed_reasons
from holdfast.identity import idempotency_key
from holdfast.outcomes import Rejection
from holdfast.settings import Feed
from resources.ils.client import Entity, Written
from resources.ils.elements import NoNumberError, UnknownReference, written
from resources.ils.feeds import KINDS, FeedIls, ReferenceData, chunks, masked_live
from resources.lake.client import Lake, PartitionWriter
from resources.ledger.client import Ledger
from resources.ledger.planning import Made, Planned, Terms, is_first_load, write_document
from resources.ledger.plans import Plans
from resources.vault.client import Vault
from resources.vault.feeds import ASSET as DROPS
from resources.vault.feeds import unmasked

ASSET = "feed_plan"
STANDING = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,
        "fault": pl.String,  # why it can't be used; null: it can
        "verdict": pl.String,
        "detail": pl.String,
    }
)

_TOLD = {"correlation_id": pl.String, "told": pl.String}
# Who is expired came in by absence. Numbers so high are no row's, also where a later file of the day brings more rows.
EXPIRED_FROM = 2_000_000_001


class PlannedFeed(NamedTuple):
    """The plan, and rows that it can't be made of."""

    plan: Planned
    rejections: list[Rejection]


def plan_feed_window(
    lake: Lake,
    vault: Vault,
    ledger: Ledger,
    plans: Plans,
    ils: FeedIls,
    partition: str,
    terms: Terms[Feed],
    *,
    run_id: str = "",
) -> PlannedFeed:
    """Tables `rows` (shape feeds.plan.PLAN), `changes` (CHANGES), `standing` (STANDING, all that came in), and those of every plan:
    `counts`, `surprises` and `document`."""
    feed, rejections, references = terms.source, list[Rejection](), ReferenceData(ils)
    rows, drops, rejected = (lake.read(DROPS, partition, table) for table in ("rows", "drops", "rejected"))
    current, older = _current(rows, drops, feed)
    live = _live_of(lake, vault, partition, current, feed, ils, references, terms.secret)
    everybody = _everybody(feed, ils, references, terms.secret) if feed.missing == "expire" else None
    good, faults = _usable(current, live, feed, ils, references, rejections)
    plan = plan_feed(good, live, feed.kind, feed.by)
    known, unread = _known(ledger, ils.name, terms.name, partition), 0
    catalogue = ils.count_entities(feed.kind) if everybody is None else everybody.height
    if everybody is not None and current.height:
        newest = rejected.filter(pl.col("record") >= drops["first_record"].max())
        first = max(EXPIRED_FROM, *(record + 1 for record in known["record"]), 0)
        plan, unread = _with_expiries(plan, current, newest, everybody, feed, partition, first)
    plan = _without_settled(plan, known, ledger, ils.name)
    plan = _without_taken_back(plan, ledger.taken_back(ils.name, terms.name, partition))
    standing = _standing(plan.standing, rejected, older, faults, known)
    seen = {"came_in": standing.height, "catalogue": catalogue, "unread": unread}
    with lake.replace(ASSET, partition) as writer:
        writer.write("rows", plan.plan.cast(PLAN))
        writer.write("changes", plan.changes.cast(CHANGES))
        writer.write("standing", standing)
        planned = _document(writer, plan, rows.select("record", "place"), partition, terms, plans, seen)
    plans.keep(terms.name, planned.document, planned.counts, run_id=run_id)
    return PlannedFeed(planned, rejections)


def _document(
    writer: PartitionWriter,
    plan: FeedPlan,
    places: pl.DataFrame,
    partition: str,
    terms: Terms[Feed],
    plans: Plans,
    seen: dict[str, int],
) -> Planned:
    """seen: came_in, catalogue and unread of `measure_feed`."""
    day, history = partition.split("|")[0], plans.history(terms.name, without=[partition])
    changes = as_changes(plan.changes)
    counts = count_changes(plan.plan, changes, KINDS[terms.source.kind])
    rare = frequencies(counts, history.kinds, history.changes)
    surprises = surprising(changes, titled(plan.plan, places), rare, feed_reasons(day))
    measures = measure_feed(plan.plan, plan.changes, day, to_approve=terms.budget.elements_to_approve, **seen)
    waiting = reasons_of(measures, history.measures, plans, terms.name, terms.source, terms.budget)
    found = hash_of(plan.plan.cast(PLAN), plan.changes.cast(CHANGES), plans.ils, partition)
    return write_document(
        writer, Made(partition, plans.ils, found, counts, surprises, measures, waiting), terms, history
    )


def _current(rows: pl.DataFrame, drops: pl.DataFrame, feed: Feed) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows that count, rows that a later file of the day has overtaken, with why).

    A later file says it anew: of a full feed about everybody, else about those whom it names.
    """
    starts = drops.select(pl.col("first_record").alias("record"), pl.col("name").alias("drop")).sort("record")
    of_drop = rows.sort("record").join_asof(starts.with_columns(pl.col("record").alias("start")), on="record")
    newest = starts["record"].max() if feed.full else pl.col("start").max().over("key")
    old = pl.col("start") < newest
    named = "a later file of the day holds everybody" if feed.full else "a later file of the day has this record again"
    return of_drop.filter(~old).select(rows.columns), of_drop.filter(old).with_columns(pl.lit(named).alias("detail"))


def _live_of(
    lake: Lake,
    vault: Vault,
    partition: str,
    current: pl.DataFrame,
    feed: Feed,
    ils: FeedIls,
    references: ReferenceData,
    salt: bytes,
) -> pl.DataFrame:
    """The live records that the rows' keys lead to, masked; each once. Shape feeds.plan.live_schema."""
    parts, seen, table = [pl.DataFrame(schema=live_schema(feed.kind))], set[str](), ils.elements[feed.kind]
    for raw in unmasked(lake, vault, partition, feed):
        references.learn(table, raw)
        # Named in the requests as they are named everywhere: by the correlation ids of the masked rows.
        both = raw.select("record", "key").join(current.select("record", "correlation_id"), on="record")
        ids = dict(both.unique("key", keep="first", maintain_order=True).select("key", "correlation_id").iter_rows())
        found: dict[str, Entity] = {}
        for chunk in chunks([key for key in ids if key not in seen]):
            for entities in ils.find_entities(feed.kind, feed.by, chunk, [ids[key] for key in chunk]).values():
                found |= {each.id: each for each in entities}
        seen |= ids.keys()
        parts.append(masked_live(feed.kind, list(found.values()), table, references, salt))
    return pl.concat(parts).unique("target", keep="first", maintain_order=True)


def _everybody(feed: Feed, ils: FeedIls, references: ReferenceData, salt: bytes) -> pl.DataFrame:
    """All patrons that the feed answers for, masked."""
    table = ils.elements[feed.kind]
    pages = (masked_live(feed.kind, page, table, references, salt) for page in ils.entities(KINDS[feed.kind]))
    everybody = pl.concat([pl.DataFrame(schema=live_schema(feed.kind)), *pages])
    return everybody.filter(pl.col("group").is_in(list(feed.groups))) if feed.groups else everybody


def _usable(
    rows: pl.DataFrame,
    live: pl.DataFrame,
    feed: Feed,
    ils: FeedIls,
    references: ReferenceData,
    rejections: list[Rejection],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows in the library system's own names, faults: columns record, correlation_id, fault). Faults go to `rejections` too."""
    table, known = ils.elements[feed.kind], live[feed.by].drop_nulls().implode()
    # A column of a CSV that has no place is a mistake in holdfast.toml; a MARC record says what it says.
    rows = rows.with_columns(pl.lit(None, pl.String).alias(name) for name in ELEMENTS[feed.kind] if name not in table)
    faults: dict[int, tuple[str, Rejection]] = {}
    for element, at in table.items():
        if not at.reference and at.form != "number":
            continue
        if element in masked_elements(feed.kind):  # a token is no number; the library system will say
            continue
        own: dict[str, str] = {}
        wrong: dict[str, UnknownReference | NoNumberError] = {}
        for value in rows[element].drop_nulls().unique().to_list():
            try:
                _, number = written(element, value, table, references)
                own[value] = references.names(at.reference).get(number, value) if at.reference else value
            except (UnknownReference, NoNumberError) as error:
                wrong[value] = error
        for each in rows.filter(pl.col(element).is_in(list(wrong))).iter_rows(named=True):
            faults.setdefault(each["record"], (each["correlation_id"], _unknown(each, element, wrong[each[element]])))
        if at.reference:
            rows = rows.with_columns(pl.col(element).replace(own))
    new = rows.filter(~pl.col("key").is_in(known))
    for element, at in table.items():
        if at.required:
            for each in new.filter(pl.col(element).is_null()).iter_rows(named=True):
                faults.setdefault(each["record"], (each["correlation_id"], _incomplete(each, element, ils.name)))
    rejections += [each for _, each in faults.values()]
    bad = pl.DataFrame(
        [(record, correlation, each.code) for record, (correlation, each) in faults.items()],
        schema={"record": pl.UInt32, "correlation_id": pl.String, "fault": pl.String},
        orient="row",
    )
    return rows.join(bad, on="record", how="anti", maintain_order="left"), bad


def _unknown(row: dict[str, str], element: str, error: UnknownReference | NoNumberError) -> Rejection:
    return Rejection(
        code="feed.reference" if isinstance(error, UnknownReference) else "feed.number",
        place=f"{row['place']} element {element}",
        rule=str(error),
        hint="add it to the library system's own list, or have the feed say what is there; then materialize the partition again",
        correlation_id=row["correlation_id"],
    )


def _incomplete(row: dict[str, str], element: str, system: str) -> Rejection:
    return Rejection(
        code="feed.incomplete",
        place=f"{row['place']} element {element}",
        rule=f"nothing in {system} has this key, so it would be new, and a new record must have {element}",
        hint="export the column, set it in the feed's `constants`, or make the record in the library system",
        correlation_id=row["correlation_id"],
    )


def _with_expiries(
    plan: FeedPlan,
    rows: pl.DataFrame,
    rejected: pl.DataFrame,
    live: pl.DataFrame,
    feed: Feed,
    partition: str,
    first_record: int,
) -> tuple[FeedPlan, int]:
    """(the plan with those whom the feed misses; rows that can't be read, so that who is missing is not sure)."""
    day, name = partition.split("|")
    unread = rejected.filter(pl.col("key").is_null()).height
    # Whom a rejected row names is not missing.
    named = pl.concat([rows.select("key"), rejected.select("key").drop_nulls()])
    gone = expiries(named, live, feed.by, day, first_record=first_record, feed=name)
    if not gone.height:
        return plan, 0
    content = content_hash([("expires", day)])
    keys = [
        idempotency_key(correlation, target, content)
        for correlation, target in gone.select("correlation_id", "target").iter_rows()
    ]
    more = gone.select(
        "record",
        "correlation_id",
        pl.Series("idempotency_key", keys, dtype=pl.String),
        pl.lit(content).alias("content_sha256"),
        pl.lit("expire").alias("action"),
        *("target", "version", "key"),
    ).cast(PLAN)
    changes = gone.select("record", pl.lit("expires").alias("element"), "before", pl.lit(day).alias("after")).cast(
        CHANGES
    )
    standing = gone.select(
        "record", "correlation_id", pl.lit("update").alias("verdict"), pl.lit("not in the feed").alias("detail")
    )
    return (
        FeedPlan(
            pl.concat([plan.plan, more]), pl.concat([plan.changes, changes]), pl.concat([plan.standing, standing])
        ),
        unread,
    )


def _known(ledger: Ledger, ils: str, source: str, partition: str) -> pl.DataFrame:
    """What the ledger has of the window: columns record, correlation_id, content_sha256, idempotency_key, state."""
    names = ("record", "correlation_id", "content_sha256", "idempotency_key", "state")
    rows = [tuple(row[name] for name in names) for row in ledger.rows(ils, source, partition)]
    schema = {"record": pl.UInt32, **dict.fromkeys(names[1:], pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _without_settled(plan: FeedPlan, known: pl.DataFrame, ledger: Ledger, ils: str) -> FeedPlan:
    """The plan without what is written already. What a run that died had sent, and is there now, is acknowledged."""
    doubtful = known.filter(pl.col("state") == "sent")
    there = plan.standing.filter(pl.col("verdict") == "unchanged").select("record")
    found = doubtful.join(there, on="record", how="semi")["idempotency_key"].to_list()
    ledger.settle(ils, [Written(key, "acknowledged", answer="found written") for key in found])
    written = known.filter((pl.col("state") == "acknowledged") | pl.col("idempotency_key").is_in(found))
    seen = written.select("correlation_id", pl.lit(True).alias("written"))
    standing = plan.standing.join(seen.unique(), on="correlation_id", how="left", maintain_order="left")
    standing = standing.with_columns(
        pl.when("written").then(pl.lit("seen")).otherwise("verdict").alias("verdict")
    ).drop("written")
    rows = plan.plan.join(seen, on="correlation_id", how="anti", maintain_order="left")
    return FeedPlan(rows, plan.changes.join(rows, on="record", how="semi", maintain_order="left"), standing)


def _without_taken_back(plan: FeedPlan, taken_back: list[dict[str, Any]]) -> FeedPlan:
    """The plan without what of this window was written and rolled back: it does not come back by itself. What was created and
    hidden again would look unchanged, and is rolled back all the same."""
    told = {
        each[
            "correlation_id"
        ]: f"was rolled back on {each['settled_at']:%Y-%m-%d} by {each['who']} because {each['why']}"
        for each in taken_back
    }
    seen = pl.DataFrame({"correlation_id": list(told), "told": list(told.values())}, schema_overrides=_TOLD)
    standing = plan.standing.join(seen, on="correlation_id", how="left", maintain_order="left")
    mine = pl.col("told").is_not_null() & pl.col("verdict").is_in(["new", "update", "unchanged"])
    standing = standing.with_columns(
        pl.when(mine).then(pl.lit("rolled back")).otherwise("verdict").alias("verdict"),
        pl.when(mine).then("told").otherwise("detail").alias("detail"),
    ).drop("told")
    rows = plan.plan.join(seen, on="correlation_id", how="anti", maintain_order="left")
    return FeedPlan(rows, plan.changes.join(rows, on="record", how="semi", maintain_order="left"), standing)


def reasons_of(
    measures: Measures, earlier: Sequence[Measures], plans: Plans, name: str, feed: Feed, budget: Budget
) -> list[str]:
    """Why a person must look at the plan first, a sentence each: the reasons of every plan, and those of a full feed."""
    first_load = is_first_load(name, feed, plans)
    said = reasons_to_wait(measures, budget, earlier, first_load=first_load, entity=KINDS[feed.kind])
    gone = measures.missing
    if gone and measures.unread:
        said.append(
            f"{gone:,} patrons would be expired, but {measures.unread:,} rows can't be read, and whom they name is not known: "
            "mend the rows, and nobody is expired by mistake"
        )
    if gone > feed.missing_share * measures.catalogue:
        said.append(
            f"{gone:,} of {measures.catalogue:,} patrons are missing in the feed and would be expired; "
            f"feeds.{name}.missing_share is {feed.missing_share:.0%}"
        )
    return said


def hash_of(plan: pl.DataFrame, changes: pl.DataFrame, ils: str, partition: str) -> str:
    """Of the plan's content. Versions are no part of it: each is read anew when it is written, and a loan raises an item's."""
    hashed = PlanHash(ils, partition, HASHED_OF_FEEDS)
    hashed.add(plan.drop("version"), changes)
    return hashed.hexdigest()


def _standing(
    planned: pl.DataFrame, rejected: pl.DataFrame, older: pl.DataFrame, faults: pl.DataFrame, known: pl.DataFrame
) -> pl.DataFrame:
    """All that came in, a row each."""
    overtaken = older.select("record", "correlation_id", pl.lit("duplicate").alias("verdict"), "detail")
    unreadable = rejected.select("record", pl.col("code").alias("fault"))
    # Who was expired by an earlier run does not go on, and so is not missing any more.
    before = known.filter((pl.col("record") >= EXPIRED_FROM) & (pl.col("state") == "acknowledged"))
    expired = before.select(
        "record", "correlation_id", pl.lit("seen").alias("verdict"), pl.lit("not in the feed").alias("detail")
    ).join(planned, on="correlation_id", how="anti")
    rows = pl.concat([planned, overtaken, unreadable, faults, expired], how="diagonal")
    return rows.select([pl.col(name).cast(dtype) for name, dtype in STANDING.items()]).sort("record")
