"""The check `drops_come_as_expected` of `harvested_marc`: vendors whose drop did not come when their rhythm says."""

import datetime as dt

import dagster as dg

from catalog_assets.partitions import SETTINGS
from holdfast.harvest.rhythm import missed_of
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops


@dg.asset_check(
    asset="harvested_marc",
    name="drops_come_as_expected",
    description="No drop is missed by the sources' settings `rhythm` and `grace_hours`. drop_rhythm_sensor looks every quarter "
    "of an hour and says each missed date once.",
)
def drops_come_as_expected(postgres: dg.ResourceParam[Postgres]) -> dg.AssetCheckResult:
    drops, now = Drops(postgres), dt.datetime.now(dt.UTC)
    missed = {
        name: days
        for name, source in SETTINGS.sources.items()
        if source.rhythm and (days := missed_of(source, drops.days(name), now=now, timezone=SETTINGS.library.timezone))
    }
    said = "; ".join(f"{name}: {', '.join(str(day) for day in days)}" for name, days in missed.items())
    return dg.AssetCheckResult(
        passed=not missed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"did not come: {said}" if missed else "every drop that was due came",
        metadata={name: ", ".join(str(day) for day in days) for name, days in missed.items()},
    )
