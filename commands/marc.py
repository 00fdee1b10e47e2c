"""`holdfast marc …`: MARC files and what is made of them, a subcommand a module."""

from __future__ import annotations

import argparse

from commands import marc_compare

# Each has `add(parsers)`, which names its subcommand and sets `call`.
SUBCOMMANDS = (marc_compare,)


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("marc", help="look at MARC, and compare what old and new rules or code make of it")
    subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    for module in SUBCOMMANDS:
        module.add(subcommands)
