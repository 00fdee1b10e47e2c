"""Loads that are planned and wait to be written, without Dagster: for the benchmark `apply` and the test that kills it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import polars as pl
import pymarc

from holdfast.catalogue.budget import Budget
from holdfast.catalogue.estimate import Cost, Quota
from holdfast.catalogue.matching import match
from holdfast.catalogue.snapshot import Live, snapshot
from holdfast.marc.harvest import index_drop
from holdfast.marc.window import UNREADABLE, normalize_part
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Ils, Source
from resources.ils.client import Ils as LibrarySystem
from resources.ils.snapshot import as_live
from resources.lake.client import Lake
from resources.ledger.applying import Applied, apply_window
from resources.ledger.client import Ledger, Load
from resources.ledger.planning import Terms, plan_window
from resources.ledger.plans import Plans
from resources.postgres.client import Postgres
from resources.redis.client import Redis
from resources.redis.locks import Locks, this_worker

RULES = MaskingRules(())
SALT = b"keep nothing real under it"
SOURCE = Source()


def volume(number: int, title: str, date: str, notes: Sequence[str] = ()) -> bytes:
    """A book in UTF-8."""
    record = pymarc.Record(force_utf8=True)
    record.leader = pymarc.Leader("00000nam a2200000 i 4500")
    for tag, value in (
        ("001", str(number)),
        ("003", "XX-Load"),
        ("005", date),
        ("008", "260101s1853    enk           000 1 eng d"),
    ):
        record.add_field(pymarc.Field(tag, data=value))
    for tag, ind1, value in [("245", "1", title), *(("500", " ", note) for note in notes)]:
        indicators = pymarc.Indicators(ind1, "0" if tag == "245" else " ")
        record.add_field(pymarc.Field(tag, indicators=indicators, subfields=[pymarc.Subfield("a", value)]))
    return bytes(record.as_marc())


def plan_load(
    lake: Lake, partition: str, drop: Iterable[bytes], live: Sequence[Live], postgres: Postgres
) -> pl.DataFrame:
    """Plan a drop against these live records; the plan (shape plan.PLAN).

    The plan says of no moment when the catalogue was looked at: nothing is looked at again before it is written.
    """
    rows, fields = snapshot(live, RULES, SALT)
    records, subfields = [], []
    for part in index_drop(io.BytesIO(b"".join(drop)), "drop.mrc", RULES, SALT):
        normalized = normalize_part(part.frame, source=partition, window=partition)
        records.append(normalized.records)
        subfields.append(normalized.subfields)
    whole = pl.concat(records)
    matched = match(whole, rows, SOURCE.match).rows
    with lake.replace("normalized_records", partition) as writer:
        for each, its_subfields in zip(records, subfields, strict=True):
            writer.write("rows", each)
            writer.write("subfields", its_subfields)
        writer.write("unreadable", pl.DataFrame(schema=UNREADABLE))
    with lake.replace("matched_records", partition) as writer:
        writer.write("rows", matched)
        writer.write("versions", rows.select(pl.col("instance_id").alias("target"), "version", "source_id"))
        writer.write("live_fields", fields)
        writer.write("state", pl.DataFrame({"ils": [""], "watermark": [""]}))
    with lake.replace("catalog_snapshot") as writer:
        writer.write("rows", rows)
    terms = Terms(partition, SOURCE, Budget(), Cost(2, 1, 100), Quota(), SALT)
    plan_window(lake, partition, terms, Plans(postgres, "folio:demo"))
    return lake.read("change_plan", partition)


def live_of(ils: LibrarySystem) -> list[Live]:
    return [as_live(each) for page in ils.live_records() for each in page if each.fields]


def apply_load(
    lake: Lake, partition: str, ils: LibrarySystem, postgres: Postgres, redis: Redis, pace: Ils, **more: Any
) -> Applied:
    """Write what `plan_load` planned."""
    ledger = Ledger(postgres)
    locks = Locks(
        redis,
        ils.name,
        this_worker("of a test"),
        partial(ledger.highest_fence, ils.name),
        lease_seconds=pace.lease_seconds,
        **more,
    )
    load = Load(ils.name, partition, partition, "of a test")
    return apply_window(lake, partition, ils, ledger, locks, load, SOURCE, "", RULES, SALT, pace)
