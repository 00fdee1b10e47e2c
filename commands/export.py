"""`holdfast export NAME`: an export for a partner, now, from what the lake has of the catalogue."""

from __future__ import annotations

import argparse
import datetime as dt
import zoneinfo
from pathlib import Path

import dagster as dg

from commands.running import use_what_runs
from holdfast.settings import SettingsError, load_settings
from resources.ils.resource import ils_resource
from resources.lake.resource import lake_resource
from resources.partners.client import export_partner
from resources.partners.contents import Stores
from resources.postgres.resource import postgres_resource
from resources.redis.resource import redis_resource


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("export", help="make an export for a partner ([exports.NAME] of holdfast.toml)")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--full", action="store_true", help="everything, also where the export is of what differs")
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.set_defaults(call=export)


def export(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    if arguments.name not in settings.exports:
        allowed = ", ".join(sorted(settings.exports)) or "none: add a table [exports.NAME] to holdfast.toml"
        raise SettingsError(f"{arguments.name}: no such export (there are: {allowed})")
    use_what_runs(settings)
    day = dt.datetime.now(zoneinfo.ZoneInfo(settings.library.timezone)).date().isoformat()
    needed = {
        "lake": lake_resource(settings),
        "postgres": postgres_resource,
        "redis": redis_resource(settings),
        "ils": ils_resource(settings),
    }
    with dg.build_resources(needed) as found:
        stores = Stores(found.lake, found.postgres, found.ils)
        made = export_partner(settings, stores, arguments.name, day, full=arguments.full)
    counts = ", ".join(f"{made.manifest[name]:,} {name}" for name in ("new", "changed", "deleted", "left_out"))
    print(f"{made.path}\n{made.manifest['records']:,} records ({counts}), SHA-256 {made.manifest['sha256']}")
    return 0
