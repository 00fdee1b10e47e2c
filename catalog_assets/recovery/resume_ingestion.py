"""`resume_ingestion`: lifts a halt, and asks for the loads that it stopped or that were missed meanwhile."""

import datetime as dt
from collections.abc import Iterable

import dagster as dg
from pydantic import Field

from catalog_assets.partitions import SETTINGS
from catalog_assets.recovery.halt_ingestion import Halt
from catalog_assets.recovery.orders import READS, WRITES
from holdfast.nights import nights
from resources.ledger.replaying import Order, Recoveries
from resources.ledger.stopping import Stopped, StoppedWrites
from resources.postgres.client import Postgres
from resources.postgres.halts import Halt as Standing
from resources.postgres.halts import Halts, Scope


class Resume(Halt):
    """Which halt is lifted: the one of this scope and name, and no other."""

    run_missed: bool = Field(
        default=True,
        description="ask for the nightly loads whose hour came meanwhile; drops are taken up anyway",
    )
    continue_stopped: bool = Field(
        default=True,
        description="go on with the plans whose writing the halt stopped; false: what is left of them stays planned",
    )


def plan_missed(scope: Scope, name: str, since: dt.datetime, until: dt.datetime) -> list[tuple[str, str, str]]:
    """(job, source or collection, partition) of the nightly loads that schedules skipped after `since` and up to `until`; both
    with a time zone."""
    schedules = [
        ("catalogue_load", source, rules.schedule, "{day}|{of}")
        for source, rules in sorted(SETTINGS.sources.items())
        if scope == "all" or (scope, name) in (("source", source), ("queue", "ils.sync.holdings"))
    ]
    # A collection's files are taken up by their sensor; what is harvested has its schedule only.
    schedules += [
        ("museum_load", collection, rules.schedule, "{of}|{day}")
        for collection, rules in sorted(SETTINGS.collections.items())
        if rules.kind == "oai-pmh" and (scope == "all" or (scope, name) == ("queue", "ingestion_high"))
    ]
    return [
        (job, of, partition.format(day=day, of=of))
        for job, of, schedule, partition in schedules
        for day in nights(schedule, since, until, SETTINGS.library.timezone)
        if day >= SETTINGS.partitions.first_day
    ]


def plan_continued(stopped: Iterable[Stopped], scope: Scope, name: str) -> list[Stopped]:
    """Of the writes that were stopped those that a halt of this scope and name holds up, where holdfast.toml has their source
    still."""
    held_up, known = {("all", ""), ("queue", WRITES["dagster-celery/queue"])}, {*SETTINGS.sources, *SETTINGS.feeds}
    return [each for each in stopped if each.source in known and (scope, name) in held_up | {("source", each.source)}]


@dg.op(description="Lifts the halt and asks for what it stopped and for the missed nightly loads.")
def resume(context: dg.OpExecutionContext, config: Resume, postgres: dg.ResourceParam[Postgres]) -> None:
    halts, order = Halts(postgres), config.order(context.run_id)
    halt = halts.find(config.scope.value, config.name)
    if halt is None:
        said = "; ".join(each.sentence for each in halts.standing()) or "nothing is halted"
        raise dg.Failure(f"no halt of {config.scope.value} {config.name} stands: {said}", allow_retries=False)
    # Asked for first, lifted then: what is asked for waits as long, and is not forgotten where this run dies between the two.
    continued = _continue(config, postgres, halt, order) if config.continue_stopped else []
    missed = _ask_for_missed(config, postgres, halt, order, set(continued)) if config.run_missed else []
    halts.resume(config.scope.value, config.name, config.who, config.why, context.run_id)
    context.log.info(f"lifted: {halt.sentence}")
    context.add_output_metadata(
        {
            "lifted": halt.sentence,
            "standing": dg.MetadataValue.json([each.sentence for each in halts.standing()]),
            "continued": dg.MetadataValue.json(continued),
            "asked_for": dg.MetadataValue.json(missed),
        }
    )


def _continue(config: Resume, postgres: Postgres, halt: Standing, order: Order) -> list[str]:
    """Windows of which a run is asked for that goes on where the halt stopped it."""
    stopped = plan_continued(StoppedWrites(postgres).standing(halt.since), config.scope.value, config.name)
    for each in stopped:
        Recoveries(postgres).ask(each.job, each.source, each.partition, each.run_key, order)
    return [each.partition for each in stopped]


def _ask_for_missed(config: Resume, postgres: Postgres, halt: Standing, order: Order, continued: set[str]) -> list[str]:
    """Windows whose missed load is asked for. One that is gone on with was loaded, and its plan may be approved as it is."""
    missed = plan_missed(config.scope.value, config.name, halt.since, dt.datetime.now(dt.UTC))
    missed = [each for each in missed if each[2] not in continued]
    for job, source, partition in missed:
        Recoveries(postgres).ask(job, source, partition, f"missed:{partition}:{halt.at.isoformat()}", order)
    return [partition for _, _, partition in missed]


@dg.job(
    name="resume_ingestion",
    tags=READS,
    description="Lift a halt. Sensors take up what came meanwhile by themselves; the plans whose writing it stopped are gone on with, "
    "and the nightly loads that were skipped are asked for. docs/operations/halt-and-resume.md",
)
def resume_ingestion() -> None:
    resume()
