"""`holdfast governor`: what all workers go by when they talk to the library system."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

from commands.running import use_what_runs
from holdfast.environment import read_environment
from holdfast.settings import Settings, load_settings
from resources.governor.client import GovernorState
from resources.governor.resource import governor_of
from resources.redis.client import Redis, Unreachable, namespace_of


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser(
        "governor",
        help="say what the quota is now, what is used, and whether the library system counts as down; exit code 1 if it does",
    )
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.set_defaults(call=governor)


def governor(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    use_what_runs(settings)
    environment = read_environment()
    redis = Redis(environment.need("HOLDFAST_REDIS_URL"), namespace=namespace_of(settings))
    with contextlib.closing(redis):
        found = governor_of(settings, environment, redis)
        try:
            state = found.state()
        except Unreachable as error:
            print(f"Redis is away ({type(error).__name__}): each worker goes on with its share of the quota, if it can")
            return 1
    print("\n".join(lines(found.name, state, settings)))
    return 0 if state.circuit == "closed" else 1


def lines(name: str, state: GovernorState, settings: Settings) -> list[str]:
    limits, readers = state.limits, settings.ils.readers
    of_day = f" of {limits.per_day:,}" if limits.per_day else ""
    ends = dt.datetime.fromtimestamp(limits.day_ends, ZoneInfo(settings.library.timezone))
    out = [
        f"library system  {name}",
        f"rate            {state.rate:g} of {limits.per_second:g} requests a second, {limits.concurrency} in flight at most",
        f"in flight       {state.in_flight}, from {state.workers} worker{'' if state.workers == 1 else 's'} of the last minute",
        f"day             {state.used:,}{of_day} requests used on {limits.day}, until {ends.isoformat(timespec='minutes')}",
    ]
    if state.remaining is not None:
        out.append(f"                {state.remaining:,} left, says the library system")
    circuit = {
        "closed": "closed: it answers",
        "open": f"open: it is left alone, and tried again in {state.opens_in:.0f} s",
        "half-open": "half-open: the next request tries it",
    }
    out.append(f"circuit         {circuit[state.circuit]}")
    if state.paused:
        out.append(f"pause           {state.paused:.0f} s, as the library system asked")
    if not readers.url:
        out.append("readers         nobody watches: ils.readers.url is empty")
    elif state.readers_ms is None:
        out.append("readers         no load runs, so nobody watches")
    else:
        out.append(
            f"readers         95 of 100 wait less than {state.readers_ms:.0f} ms; the limit is {readers.limit_ms:.0f}"
        )
    return out
