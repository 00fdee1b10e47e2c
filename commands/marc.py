"""`holdfast marc SUBCOMMAND`: files of MARC on the command line, of any size, in any of the formats.

Exit codes: 0 fine; 1 errors were found, records refused, or nothing matched; 2 wrong usage, or a file that can't be read or
written; 130 stopped by Ctrl-C; 141 whoever read the output went away.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from commands.marc_inputs import UsageError

# Subcommand → its module of `commands`, which has `add(parsers)`: it names the subcommand and sets `call`.
SUBCOMMANDS = {
    "summary": "marc_summary",
    "dump": "marc_dump",
    "validate": "marc_validate",
    "convert": "marc_convert",
    "to-parquet": "marc_to_parquet",
    "grep": "marc_grep",
    "split": "marc_split",
    "merge": "marc_merge",
    "compare": "marc_compare",
}


class _Intermixed(argparse.ArgumentParser):
    """Options may stand between the files, as people type them."""

    _inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # What stands behind -- is a file: that and options between files don't go together in argparse.
        if self._inside or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._inside = False


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser], only: str | None = None) -> None:
    """`only`: this subcommand alone, so that no other one is brought in; all, where it is none of SUBCOMMANDS."""
    parser = parsers.add_parser(
        "marc", help="summarize, show, validate, convert, search, split and compare files of MARC", description=__doc__
    )
    kinds = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND", parser_class=_Intermixed)
    for name in [only] if only in SUBCOMMANDS else SUBCOMMANDS:
        import_module(f"commands.{SUBCOMMANDS[name]}").add(kinds)
    for own in kinds.choices.values():
        own.set_defaults(call=quietly(own.get_default("call")))


def quietly(call: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The call with what may happen to any tool in a pipe as an exit code, not as a traceback."""

    def quiet(arguments: argparse.Namespace) -> int:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # What the terminal's encoding lacks is shown by its number.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            code = call(arguments)
            sys.stdout.flush()
        except UsageError as error:
            print(f"holdfast marc {arguments.subcommand}: {error}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            # Python flushes once more at its end: into nothing.
            if isinstance(sys.stdout, io.TextIOWrapper):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except KeyboardInterrupt:
            return 130
        return code

    return quiet
