"""`release_quarantine`: triage of what waits, a cluster of the same cause at a time."""

from enum import Enum
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from catalog_assets.partitions import SETTINGS
from catalog_assets.recovery.orders import READS, Ordered
from holdfast.catalogue.mending import MendError
from resources.lake.client import Lake
from resources.lake.tables import as_markdown
from resources.ledger.replaying import Order, Recoveries
from resources.postgres.client import Postgres
from resources.postgres.triage import Mend, Triage
from resources.vault.client import Vault
from resources.vault.mending import mend_records

_SHOWN = 30
_JOBS = {"catalogue": "catalogue_load", "museum": "museum_load", "preservation": "digitization"}
_OF_FEEDS = ("feed_drops", "feed_plan")  # what they reject has no plan yet
_BY_BYTES = ("set_leader_byte", "read_as")


class Flow(Enum):
    """Whose quarantine."""

    catalogue = "catalogue"
    museum = "museum"
    preservation = "preservation"


class Decided(Enum):
    """What is decided."""

    show = "show"
    release = "release"
    mend_and_replay = "mend and replay"
    discard = "discard"


class Mended(Enum):
    """How it is mended."""

    none = "none"
    source_corrected = "source_corrected"
    accept_as_new = "accept_as_new"
    choose_target = "choose_target"
    set_leader_byte = "set_leader_byte"
    read_as = "read_as"


class Release(Ordered):
    """Which entries, and what is decided about them."""

    flow: Flow = Field(default=Flow.catalogue, description="catalogue, museum or preservation")
    decision: Decided = Field(
        default=Decided.show,
        description="show lists the clusters that wait; release: as it is (a stopped record goes on, a refused change is tried again); "
        "mend_and_replay: with `mend`; discard: it stays out",
    )
    cluster: str = Field(default="", description="id of the cluster, as `show` lists it; needed but for show")
    partition: str = Field(
        default="", description="only entries of this partition (DAY|SOURCE, COLLECTION|DAY or BATCH); empty: all"
    )
    entries: list[int] = Field(default=[], description="only these entries of the cluster, by their id; empty: all")
    mend: Mended = Field(
        default=Mended.none,
        description="source_corrected: what came was corrected where it came from, run it again; accept_as_new: a collision is a "
        "record of its own; choose_target: a collision updates the live record `value`; set_leader_byte: `value` as 9=a; "
        "read_as: `value` is the encoding that the bytes have",
    )
    value: str = Field(default="", description="of the mend: an instance id, POSITION=CHARACTER or an encoding")
    dry_run: bool = Field(default=True, description="true: only say which entries it would be about; false: decide")


def refusal(config: Release, entries: list[dict[str, Any]]) -> str:
    """Why these entries can't be decided so; '' where they can."""
    if not entries:
        return f"cluster {config.cluster!r}: nothing of it waits; `decision: show` lists what does"
    entry, decision, mend = entries[0], config.decision, config.mend
    code = entry["code"]
    if decision is Decided.discard:
        return ""
    unreadable = entry["asset"] == "harvested_marc"
    if decision is Decided.release:
        if config.flow is not Flow.catalogue:
            return "only what the catalogue stopped can be released as it is: correct the source and replay it, or discard it"
        if entry["asset"] in _OF_FEEDS:
            return f"{code}: a row of a feed can't be released as it is: correct it where it comes from and replay it, or discard it"
        if unreadable:
            return f"{code}: a record that can't be read can't be released as it is: mend and replay it, or discard it"
        if code == "match.collision":
            return (
                "a collision has no one target: mend and replay it with accept_as_new or choose_target, or discard it"
            )
        return ""
    if mend is Mended.none:
        return "mend: none is named; one of " + ", ".join(each.value for each in Mended if each is not Mended.none)
    if mend is Mended.source_corrected:
        return ""
    if config.flow is not Flow.catalogue:
        return f"mend: {mend.value} is for MARC records; here it is source_corrected"
    if mend.value in _BY_BYTES:
        return "" if unreadable else f"mend: {mend.value} is for records that can't be read; {code} is none of these"
    if code != "match.collision":
        return f"mend: {mend.value} is for collisions; {code} is none"
    if mend is Mended.choose_target and not config.value:
        return "value: the instance id of the live record is missing"
    return ""


@dg.op(description="Lists the clusters, or decides about one: recorded entry by entry, with who and why.")
def release(
    context: dg.OpExecutionContext,
    config: Release,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    vault: dg.ResourceParam[Vault],
) -> None:
    triage, order = Triage(postgres, config.flow.value), config.order(context.run_id)
    if config.decision is Decided.show:
        clusters = triage.clusters(config.partition)
        table = pl.DataFrame(clusters, infer_schema_length=None) if clusters else pl.DataFrame()
        context.add_output_metadata(
            {"clusters": len(clusters), "waiting": dg.MetadataValue.md(as_markdown(table, nothing="nothing waits"))}
        )
        return
    entries = triage.waiting(config.cluster, config.partition, config.entries)
    if said := refusal(config, entries):
        raise dg.Failure(said, allow_retries=False)
    decided = 0 if config.dry_run else _decide(config, triage, entries, order, lake, postgres, vault)
    shown = pl.DataFrame(
        [{name: each[name] for name in ("id", "partition", "code", "place")} for each in entries[:_SHOWN]]
    )
    metadata: dict[str, Any] = {"entries": len(entries), "decided": decided, "dry_run": config.dry_run}
    context.add_output_metadata(metadata | {"about": dg.MetadataValue.md(as_markdown(shown))})
    context.log.info(f"{config.decision.value}: {len(entries)} entries of cluster {config.cluster}, {decided} decided")


def _decide(
    config: Release,
    triage: Triage,
    entries: list[dict[str, Any]],
    order: Order,
    lake: Lake,
    postgres: Postgres,
    vault: Vault,
) -> int:
    mend, said = config.mend.value if config.decision is Decided.mend_and_replay else "", ""
    names: dict[str, str] = {}
    if mend in _BY_BYTES:
        try:
            names = mend_records(lake, vault, postgres, entries, mend, config.value)
        except MendError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
    if mend:
        said = " ".join(part for part in (mend, config.value, ", ".join(names.values())) if part)
    ordered = "accept" if config.decision is Decided.release and entries[0]["asset"] == "record_issues" else mend
    mends = [
        Mend(each["correlation_id"], ordered, config.value, order.who, order.why)
        for each in entries
        if ordered in ("accept", "accept_as_new", "choose_target") and each["correlation_id"]
    ]
    # The bytes of an original that was mended stay as they are: its rejection is settled, its mended twin goes on.
    again = config.decision is not Decided.discard and mend not in _BY_BYTES
    decision: Any = config.decision.value
    count = triage.decide(entries, decision, order.who, order.why, order.run_id, mend=said, mends=mends, again=again)
    partitions = {each["partition"] for each in entries}
    if config.decision is not Decided.discard:
        for partition in sorted(partitions):
            name = partition.split("|")[0 if config.flow is Flow.museum else -1]
            job = "feed_load" if name in SETTINGS.feeds else _JOBS[config.flow.value]
            Recoveries(postgres).ask(job, name, partition, f"triage:{order.run_id}:{partition}", order)
    for partition in sorted(partitions):
        of_it = sum(each["partition"] == partition for each in entries)
        Recoveries(postgres).keep("triage", "", config.flow.value, partition, order, {config.decision.value: of_it})
    return count


@dg.job(
    name="release_quarantine",
    tags=READS,
    description="Triage: release, mend and replay, or discard what waits in quarantine, by cluster of the same cause; each decision "
    "is recorded. `decision: show` lists the clusters. docs/operations/release-quarantine.md",
)
def release_quarantine() -> None:
    release()
