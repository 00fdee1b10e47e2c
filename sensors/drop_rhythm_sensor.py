"""A drop that was due and did not come is noticed: once for each missed date.

What a librarian sees: `harvested_marc` with the failed check `drops_come_as_expected`, whose text names source and dates; an
observation on the partition that stayed empty; a line in the sensor's log.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import datetime as dt
import json
import zoneinfo
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import dagster as dg

from holdfast.harvest.rhythm import missed_of
from holdfast.settings import Settings, Source
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops

ASSET, CHECK = dg.AssetKey("harvested_marc"), "drops_come_as_expected"


class RhythmPlan(NamedTuple):
    """news: (source, day) missed and not said before. missed: all that are missed now. changed: whether that is another
    set than at the tick before. cursor: source → {"since": day it is expected from, "missed": days said}."""

    news: list[tuple[str, dt.date]]
    missed: dict[str, list[dt.date]]
    changed: bool
    cursor: dict[str, dict[str, Any]]


def plan_rhythm(
    cursor: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, Source],
    came: Mapping[str, Collection[dt.date]],
    *,
    now: dt.datetime,
    timezone: str,
) -> RhythmPlan:
    """What is missed by the rhythms of `sources`, of whose drops `came` has the days."""
    news, missed, kept = [], {}, {}
    today = now.astimezone(zoneinfo.ZoneInfo(timezone)).date()
    for name, source in sorted(sources.items()):
        if not source.rhythm:
            continue
        since = cursor.get(name, {}).get("since", today.isoformat())
        days = missed_of(source, came[name], now=now, timezone=timezone, since=dt.date.fromisoformat(since))
        said = set(cursor.get(name, {}).get("missed", ()))
        news += [(name, day) for day in days if day.isoformat() not in said]
        if days:
            missed[name] = days
        kept[name] = {"since": since, "missed": [day.isoformat() for day in days]}
    before = {name: each["missed"] for name, each in cursor.items() if each["missed"]}
    after = {name: each["missed"] for name, each in kept.items() if each["missed"]}
    return RhythmPlan(news, missed, before != after, kept)


def build_drop_rhythm_sensor(settings: Settings) -> dg.SensorDefinition:
    expected = {name: source for name, source in settings.sources.items() if source.rhythm}

    @dg.sensor(
        name="drop_rhythm_sensor",
        minimum_interval_seconds=900,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says which drops did not come, by the sources' settings `rhythm` and `grace_hours`; each date once.",
    )
    def drop_rhythm_sensor(
        context: dg.SensorEvaluationContext, postgres: dg.ResourceParam[Postgres]
    ) -> dg.SensorResult | dg.SkipReason:
        drops = Drops(postgres)
        plan = plan_rhythm(
            json.loads(context.cursor or "{}"),
            expected,
            {name: drops.days(name) for name in expected},
            now=dt.datetime.now(dt.UTC),
            timezone=settings.library.timezone,
        )
        cursor = json.dumps(plan.cursor)
        if not plan.changed:
            context.update_cursor(cursor)
            return dg.SkipReason(f"{len(expected)} sources with a rhythm; nothing new is missed")
        for name, day in plan.news:
            context.log.warning(f"{name}: the drop of {day} did not come (rhythm: {expected[name].rhythm})")
        return dg.SensorResult(asset_events=[*_observations(expected, plan), _evaluation(plan)], cursor=cursor)

    return drop_rhythm_sensor


def _observations(sources: Mapping[str, Source], plan: RhythmPlan) -> list[dg.AssetObservation]:
    return [
        dg.AssetObservation(
            ASSET,
            description=f"the drop of {day} did not come",
            partition=f"{day.isoformat()}|{name}",
            metadata={"source": sources[name].title or name, "rhythm": sources[name].rhythm},
        )
        for name, day in plan.news
    ]


def _evaluation(plan: RhythmPlan) -> dg.AssetCheckEvaluation:
    said = "; ".join(f"{name}: {', '.join(str(day) for day in days)}" for name, days in plan.missed.items())
    return dg.AssetCheckEvaluation(
        asset_key=ASSET,
        check_name=CHECK,
        passed=not plan.missed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"did not come: {said}" if plan.missed else "every drop that was due came",
        metadata={name: ", ".join(str(day) for day in days) for name, days in plan.missed.items()},
    )
