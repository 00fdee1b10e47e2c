"""The `holdfast` command: finds the subcommand and turns its errors into one line and an exit code."""

from __future__ import annotations

import argparse
import sys

from commands import authority, check_config, reference, run, scan, search, services, setup
from commands.graphql import DagsterError
from holdfast.marc.validation import RulesError
from holdfast.settings import SettingsError
from resources.embedded.errors import ServiceError


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="holdfast", description="Loads that are previewed, provable and undoable.")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (run, check_config, scan, search, authority, services, setup, reference):
        module.add(parsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.call(arguments))
    except (SettingsError, RulesError, ServiceError, DagsterError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
