"""`holdfast check-config`: is holdfast.toml right? Starts nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from holdfast.environment import read_environment
from holdfast.marc.validation import RulesError, rules_by_source
from holdfast.settings import SettingsError, load_settings
from resources.ils.feeds import check_feeds


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser(
        "check-config", help="check holdfast.toml and the environment without starting anything"
    )
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.set_defaults(call=check_config)


def check_config(arguments: argparse.Namespace) -> int:
    faults = []
    settings = None
    try:
        settings = load_settings(arguments.config)
        print(
            f"holdfast.toml: right. {len(settings.sources)} sources, {len(settings.collections)} collections, "
            f"{len(settings.scanners)} scanners, {len(settings.feeds)} feeds, {len(settings.exports)} exports; "
            f"data under {settings.var}"
        )
        check_feeds(settings)
        schemas = {
            tables.schema.name for rules in rules_by_source(settings).values() for tables in rules.tables.values()
        }
        print(f"validation: right. Schemas: {', '.join(sorted(schemas - {'no schema'}))}")
    except (SettingsError, RulesError) as error:
        faults.append(str(error))
    try:
        environment = read_environment()
        if settings is not None:
            environment.check_logins(settings)
        for name, state, what in environment.describe():
            print(f"{name:32} {state:8} {what}")
    except SettingsError as error:
        faults.append(str(error))
    if faults:
        print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0
