"""`holdfast marc convert FILE… -o OUT`: records in another format or encoding; what can't be is kept beside, and counted."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from commands.marc_inputs import add_files, check_files, read_files, shown
from commands.marc_outputs import (
    Rejected,
    add_output,
    check_output,
    format_of,
    in_form_c,
    record_file,
    rejected_path,
    say_rejected,
)


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "write the records in another format or encoding, in one file"
    parser = parsers.add_parser("convert", help=what, description=f"{what}; 1 where a record had to be left out")
    add_files(parser)
    add_output(parser, "file to write, packed where it ends in .gz or .zst; - for standard output")
    add_rejected(parser)
    parser.set_defaults(call=run)


def add_rejected(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rejected", type=Path, metavar="PATH", help="what can't be read or written (default: OUT.rejected.jsonl)"
    )


def run(arguments: argparse.Namespace) -> int:
    """0 where every record is in the file, 1 where some are not."""
    name = arguments.output
    beside = arguments.rejected or rejected_path(name)
    check_files(arguments.files)
    for each in (name, *([str(beside)] if beside else [])):
        check_output(each, arguments.force, arguments.files)
    unmapped: Counter[str] = Counter()
    with Rejected(beside) as rejected:
        with record_file(name, format_of(arguments, name), arguments.encoding) as out:
            for piece in read_files(arguments, streams=name == "-"):
                part = in_form_c(piece.part) if arguments.nfc else piece.part
                rejected.add(piece, out.write(part))
                for _, property_, count in piece.part.unmapped.iter_rows():
                    unmapped[property_] += count
            left_out = out.end()
        rejected.forget_earlier()
    if name != "-":
        print(f"{shown(name)}: {out.records:,} records")
    _say("fields that have no place in the format", left_out.rows())
    _say("statements of BIBFRAME that have no place in MARC", unmapped.most_common())
    say_rejected(rejected)
    return 1 if rejected.count else 0


def _say(what: str, counts: list[Any]) -> None:
    if counts:
        print(f"{what}: {', '.join(f'{shown(name)} ({count:,})' for name, count in counts)}", file=sys.stderr)
