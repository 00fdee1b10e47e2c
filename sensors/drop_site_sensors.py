"""A sensor a source whose drops come from a vendor's server: looks into the folder there, and starts the loads.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import datetime as dt
import hashlib
import json
import time
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import dagster as dg

from holdfast.harvest.file_names import is_unfinished, shown_name
from holdfast.settings import Settings
from resources.drop_sites.client import DropSites
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from sensors.halting import unless_halted
from sensors.marc_drop_sensor import wait_of

# A run that failed, as for a server that was down, is asked for again after so long, so often.
AGAIN_SECONDS = 3600.0
ATTEMPTS = 5
_PATIENCE = 15.0


class Remote(NamedTuple):
    """A file on the server, as it is now."""

    name: str
    state: str
    day: str


class SeenSite(NamedTuple):
    """What a sensor keeps between two ticks, of what lies on the server still.

    files: name → [state, since when it is seen so]. asked: day → [shape of its files, when a run was asked for, how often].
    """

    files: dict[str, list[Any]]
    asked: dict[str, list[Any]]

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "SeenSite":
        return cls(**json.loads(cursor)) if cursor else cls({}, {})

    def to_cursor(self) -> str:
        return json.dumps(self._asdict(), separators=(",", ":"))


class SitePlan(NamedTuple):
    """requests: (day, run key's end). waiting: what waits and why, for people."""

    requests: list[tuple[str, str]]
    waiting: list[str]
    seen: SeenSite


def plan_site(
    seen: SeenSite,
    listing: Sequence[Remote],
    *,
    now: float,
    wait: float,
    days: tuple[str, str],
    is_fetched: Callable[[str, str, str], bool],
) -> SitePlan:
    """The windows to load: all of a day's files are finished, looked the same for `wait` seconds by our own clock (a server's
    may be anything), and one at least is not fetched as it is now. `is_fetched` takes day, name and state.

    `days`: the first and the last day that is a partition.
    """
    files: dict[str, list[Any]] = {}
    windows: dict[str, list[Remote]] = {}
    for each in listing:
        before = seen.files.get(each.name)
        files[each.name] = before if before and before[0] == each.state else [each.state, now]
        windows.setdefault(each.day, []).append(each)
    requests, waiting = [], []
    asked: dict[str, list[Any]] = {}
    for day, members in sorted(windows.items()):
        if day in seen.asked:
            asked[day] = seen.asked[day]
        if not days[0] <= day <= days[1]:
            names = ", ".join(shown_name(each.name) for each in members[:3])
            waiting.append(f"{day} is not between {days[0]} and {days[1]}: {names} will not be loaded")
            continue
        restless = [each.name for each in members if is_unfinished(each.name) or now - files[each.name][1] < wait]
        if restless:
            waiting.append(f"{day}: waits for {', '.join(shown_name(name) for name in sorted(restless)[:5])}")
            continue
        if all(is_fetched(day, each.name, each.state) for each in members):
            continue
        shape = hashlib.sha256(json.dumps(sorted(members)).encode("utf-8", "surrogateescape")).hexdigest()
        last, when, times = asked.get(day, ["", 0.0, 0])
        if last != shape:
            when, times = 0.0, 0
        if times == 0 or (times < ATTEMPTS and now - when >= AGAIN_SECONDS):
            asked[day] = [shape, now, times + 1]
            requests.append((day, f"{shape}:{times + 1}"))
        else:
            waiting.append(f"{day}: asked for {times} times, not fetched yet")
    return SitePlan(requests, waiting, SeenSite(files, asked))


def build_drop_site_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    return [_sensor(settings, name) for name, source in sorted(settings.sources.items()) if source.remote_files]


def _sensor(settings: Settings, name: str) -> dg.SensorDefinition:
    source = settings.sources[name]

    @dg.sensor(
        name=f"drop_site_{name}",
        job_name="catalogue_load",
        minimum_interval_seconds=source.poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks into {source.url} and starts the load of a day once all of its files are complete and still. "
        "A tick that fails says why the server can't be reached.",
    )
    @unless_halted(source=name, queue="ils.sync.holdings")
    def drop_site_sensor(
        context: dg.SensorEvaluationContext,
        postgres: dg.ResourceParam[Postgres],
        drop_sites: dg.ResourceParam[DropSites],
    ) -> dg.SensorResult | dg.SkipReason:
        site = drop_sites.of(name, patience=_PATIENCE)
        if site is None:
            return dg.SkipReason(f"{name} has no address")
        listing, drops = site.listing(), Drops(postgres)
        fetched = {day: drops.fetched_of(name, day) for day in {day for _, day in listing.files}}
        today = dt.datetime.now(zoneinfo.ZoneInfo(settings.library.timezone)).date()
        plan = plan_site(
            SeenSite.from_cursor(context.cursor),
            [Remote(file.name, file.state, day.isoformat()) for file, day in listing.files],
            now=time.time(),
            wait=wait_of(source),
            days=(settings.partitions.first_day.isoformat(), today.isoformat()),
            is_fetched=lambda day, file, state: (shown_name(file), state) in fetched[dt.date.fromisoformat(day)],
        )
        if not plan.requests:
            context.update_cursor(plan.seen.to_cursor())
            return dg.SkipReason(
                "; ".join([*listing.refused, *plan.waiting]) or f"{len(listing.files)} files, nothing new"
            )
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"site:{name}:{day}:{key}",
                    partition_key=dg.MultiPartitionKey({"source": name, "day": day}),
                )
                for day, key in plan.requests
            ],
            cursor=plan.seen.to_cursor(),
        )

    return drop_site_sensor
