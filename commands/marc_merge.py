"""`holdfast marc merge FILE… -o OUT`: the records of all files in one, each in its own bytes where that is ISO 2709."""

from __future__ import annotations

import argparse

from commands import marc_convert
from commands.marc_inputs import add_files
from commands.marc_outputs import add_output


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "put the records of several files into one"
    parser = parsers.add_parser("merge", help=what, description=f"{what}; 1 where a record had to be left out")
    add_files(parser)
    add_output(parser, "file to write, packed where it ends in .gz or .zst; - for standard output")
    marc_convert.add_rejected(parser)
    parser.set_defaults(call=run)


def run(arguments: argparse.Namespace) -> int:
    """As convert: formats may differ from file to file."""
    return marc_convert.run(arguments)
