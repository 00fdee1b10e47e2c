"""`resume_ingestion`: lifts a halt, and asks for the loads that were missed."""

import datetime as dt
import zoneinfo

import dagster as dg
from pydantic import Field

from catalog_assets.partitions import SETTINGS
from catalog_assets.recovery.halt_ingestion import Halt
from catalog_assets.recovery.orders import READS
from resources.ledger.replaying import Recoveries
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts, Scope


class Resume(Halt):
    """Which halt is lifted: the one of this scope and name, and no other."""

    run_missed: bool = Field(
        default=True,
        description="ask for the nightly loads of the days that ended meanwhile; drops are taken up anyway",
    )


def plan_missed(scope: Scope, name: str, since: dt.date, until: dt.date) -> list[tuple[str, str, str]]:
    """(job, source or collection, partition) of the nightly loads that schedules skipped in [since, until]: a night loads the day
    before it."""
    first = max(since - dt.timedelta(days=1), SETTINGS.partitions.first_day)
    days = [(first + dt.timedelta(days=n)).isoformat() for n in range((until - first).days)]
    missed = [
        ("catalogue_load", source, f"{day}|{source}")
        for source in sorted(SETTINGS.sources)
        if scope == "all" or (scope, name) in (("source", source), ("queue", "ils.sync.holdings"))
        for day in days
    ]
    # A collection's files are taken up by their sensor; what is harvested has its schedule only.
    missed += [
        ("museum_load", collection, f"{collection}|{day}")
        for collection, rules in sorted(SETTINGS.collections.items())
        if rules.kind == "oai-pmh" and (scope == "all" or (scope, name) == ("queue", "ingestion_high"))
        for day in days
    ]
    return missed


@dg.op(description="Lifts the halt and asks for the missed nightly loads.")
def resume(context: dg.OpExecutionContext, config: Resume, postgres: dg.ResourceParam[Postgres]) -> None:
    halts, order = Halts(postgres), config.order(context.run_id)
    lifted = halts.resume(config.scope.value, config.name, config.who, config.why, context.run_id)
    standing = [each.sentence for each in halts.standing()]
    if lifted is None:
        said = "; ".join(standing) or "nothing is halted"
        raise dg.Failure(f"no halt of {config.scope.value} {config.name} stands: {said}", allow_retries=False)
    zone = zoneinfo.ZoneInfo(SETTINGS.library.timezone)
    until = dt.datetime.now(zone).date()
    missed = (
        plan_missed(config.scope.value, config.name, lifted.at.astimezone(zone).date(), until)
        if config.run_missed
        else []
    )
    for job, source, partition in missed:
        Recoveries(postgres).ask(job, source, partition, f"missed:{partition}:{lifted.at.isoformat()}", order)
    context.log.info(f"lifted: {lifted.sentence}")
    context.add_output_metadata(
        {
            "lifted": lifted.sentence,
            "standing": dg.MetadataValue.json(standing),
            "asked_for": dg.MetadataValue.json([partition for _, _, partition in missed]),
        }
    )


@dg.job(
    name="resume_ingestion",
    tags=READS,
    description="Lift a halt. Sensors take up what came meanwhile by themselves; the nightly loads that were skipped are asked "
    "for. docs/operations/halt-and-resume.md",
)
def resume_ingestion() -> None:
    resume()
