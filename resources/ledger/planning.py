"""Fill `change_plan` of a window, part by part, from the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import polars as pl

from holdfast.catalogue.budget import Budget, Measures, reasons_to_wait
from holdfast.catalogue.estimate import Cost, Estimate, Quota, estimate
from holdfast.catalogue.merging import Protection
from holdfast.catalogue.plan import CHANGES, PATCHES, PLAN, plan_part, to_plan
from holdfast.catalogue.plan_document import (
    COUNTS,
    DOCUMENT,
    PlanHash,
    add_counts,
    add_measures,
    count_changes,
    measure_part,
    measures_text,
    sign,
)
from holdfast.catalogue.surprises import SURPRISES, Reasons, first_of, frequencies, marc_reasons, surprising
from holdfast.settings import Feed, Source
from resources.ils.client import Capabilities, Kind
from resources.lake.client import Lake, PartitionWriter
from resources.ledger.plans import History, Plans

STANDING = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,
        "fault": pl.String,  # why it can't be read; null: it can
        "verdict": pl.String,
        "detail": pl.String,
    }
)


S = TypeVar("S", Source, Feed)


class Planned(NamedTuple):
    """What was planned.

    Attributes:
        rows: row counts by table.
        document: a row of the shape plan_document.DOCUMENT.
        counts: shape plan_document.COUNTS.
        surprises: shape surprises.SURPRISES.
        waiting: why it needs approval, a sentence each.
    """

    rows: dict[str, int]
    document: dict[str, Any]
    counts: pl.DataFrame
    surprises: pl.DataFrame
    measures: Measures
    cost: Estimate
    waiting: list[str]

    @property
    def plan_sha256(self) -> str:
        return str(self.document["plan_sha256"])


class Terms(NamedTuple, Generic[S]):
    """What a plan is held against. source: the settings of the source or feed, `name` in holdfast.toml. secret: the
    institution's."""

    name: str
    source: S
    budget: Budget
    cost: Cost
    quota: Quota
    secret: bytes


def cost_of(capabilities: Capabilities, chunk_records: int, kind: Kind = "bib") -> Cost:
    """What a change of a record asks of an API, with so many records in a request. Of holdings, items and patrons a chunk is
    read in one before it is written, whatever the adapter reads by itself."""
    write, read = capabilities.write_requests.get(kind, 1), capabilities.read_requests.get(kind, int(kind == "bib"))
    batch = min(chunk_records, capabilities.batches.get(kind, 1))
    if kind == "bib":
        return Cost(write, read, batch, capabilities.own_reads.get(kind, 0))
    return Cost(write, 1 + read, batch, capabilities.own_reads.get(kind, 0), read_batch=chunk_records)


def plan_window(lake: Lake, partition: str, terms: Terms[Source], plans: Plans, *, run_id: str = "") -> Planned:
    """Tables `rows` (shape plan.PLAN), `patches`, `changes`, `standing` (every record that came in, with what is known of it),
    `counts`, `surprises` and `document`."""
    source, protection = terms.source, Protection(terms.source.protected)
    matched = lake.read("matched_records", partition)
    versions = lake.read("matched_records", partition, "versions")
    live = lake.scan("matched_records", partition, "live_fields")
    hashed, counts, parts = PlanHash(plans.ils, partition), [], []
    measures = Measures()
    with lake.replace("change_plan", partition) as writer:
        for table, schema in (("rows", PLAN), ("patches", PATCHES), ("changes", CHANGES)):
            writer.write(table, pl.DataFrame(schema=schema))
        batches = zip(
            lake.batches("normalized_records", partition),
            lake.batches("normalized_records", partition, "subfields"),
            strict=True,
        )
        for records, subfields in batches:
            todo = to_plan(records, matched, suppress_deleted=source.suppress_deleted)
            if not todo.height:
                continue
            targets = todo.select(pl.col("target").alias("instance_id")).drop_nulls().lazy()
            its_live = live.join(targets, on="instance_id", how="semi").collect()
            part = plan_part(todo, subfields, its_live, versions, source.protected, source.merge)
            hashed.add(*part)
            counts.append(count_changes(part.plan, part.changes))
            measures = add_measures(
                measures, measure_part(part, protection, Protection(terms.budget.fields_to_approve))
            )
            writer.write("rows", part.plan)
            writer.write("patches", part.patches)
            writer.write("changes", part.changes)
            parts.append((writer.last("rows"), writer.last("changes")))
        standing = _standing(lake, partition, matched)
        writer.write("standing", standing)
        writer.write("state", lake.read("matched_records", partition, "state"))
        measures = measures._replace(came_in=standing.height, catalogue=lake.rows("catalog_snapshot"))
        history = plans.history(terms.name, without=[partition])
        whole = add_counts(counts)
        surprises = _surprises(parts, whole, history, marc_reasons(protection))
        first_load = is_first_load(terms.name, source, plans)
        waiting = reasons_to_wait(measures, terms.budget, history.measures, first_load=first_load)
        made = Made(partition, plans.ils, hashed.hexdigest(), whole, surprises, measures, waiting)
        planned = write_document(writer, made, terms, history)
    plans.keep(terms.name, planned.document, planned.counts, run_id=run_id)
    return planned


def _standing(lake: Lake, partition: str, matched: pl.DataFrame) -> pl.DataFrame:
    unreadable = lake.read("normalized_records", partition, "unreadable").select("record", "fault")
    standing = pl.concat([matched.select("record", "correlation_id", "verdict", "detail"), unreadable], how="diagonal")
    return standing.select([pl.col(name).cast(dtype) for name, dtype in STANDING.items()]).sort("record")


class Made(NamedTuple):
    """What a document is made of: see Planned and plan_document.DOCUMENT."""

    partition: str
    ils: str
    plan_sha256: str
    counts: pl.DataFrame
    surprises: pl.DataFrame
    measures: Measures
    waiting: list[str]


def write_document(writer: PartitionWriter, made: Made, terms: Terms[S], history: History) -> Planned:
    """Tables `counts`, `surprises` and `document` of a plan whose other tables are written."""
    measures = made.measures
    changed = measures.updated + measures.suppressed
    cost = estimate(measures.created, changed, terms.cost, terms.quota, history.seconds_a_record)
    document = {
        "ils": made.ils,
        "partition": made.partition,
        "plan_sha256": made.plan_sha256,
        "signature": sign(made.plan_sha256, measures, terms.secret),
        "measures": measures_text(measures),
        "requests": cost.requests,
        "seconds": cost.seconds,
        "waiting_for": "; ".join(made.waiting),
    }
    writer.write("counts", made.counts.cast(COUNTS))
    writer.write("surprises", made.surprises)
    writer.write("document", pl.DataFrame([document], schema=DOCUMENT))
    return Planned(writer.rows, document, made.counts, made.surprises, measures, cost, made.waiting)


def is_first_load(name: str, source: Source | Feed, plans: Plans) -> bool:
    """Whether the source or feed never wrote anything, and must not begin unseen."""
    return source.first_load == "ask" and not plans.has_written(name)


def _surprises(
    parts: list[tuple[Path, Path]], counts: pl.DataFrame, history: History, reasons: Reasons
) -> pl.DataFrame:
    """What is rare is known once all parts are counted; so they are read again, one at a time."""
    rare = frequencies(counts, history.kinds, history.changes)
    found = pl.DataFrame(schema=SURPRISES)
    for rows, changes in parts:
        own = surprising(pl.read_parquet(changes), pl.read_parquet(rows), rare, reasons)
        found = first_of(pl.concat([found, own]))
    return found
