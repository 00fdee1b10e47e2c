"""`holdfast marc split FILE… -n 10000 -o PREFIX`: files of so many records each, in the order they came in."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from commands.marc_inputs import Piece, UsageError, add_files, check_files, count_from_1, read_files, shown
from commands.marc_outputs import (
    SUFFIXES,
    RecordFile,
    Rejected,
    add_writing,
    check_output,
    in_form_c,
    only,
    record_file,
    say_rejected,
)


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "cut files into files of so many records each"
    parser = parsers.add_parser("split", help=what, description=f"{what}; 1 where a record had to be left out")
    add_files(parser)
    parser.add_argument("-n", "--records", type=count_from_1, required=True, metavar="N", help="records a file")
    parser.add_argument(
        "-o", "--output", required=True, metavar="PREFIX", help="the files are PREFIX-00001.mrc, PREFIX-00002.mrc …"
    )
    parser.add_argument("--pack", choices=("gz", "zst"), help="pack them")
    add_writing(parser)
    parser.set_defaults(call=run)


def run(arguments: argparse.Namespace) -> int:
    """0 where every record is in a file, 1 where some are not."""
    format = arguments.to or "iso2709"
    suffix = SUFFIXES[format] + (f".{arguments.pack}" if arguments.pack else "")
    prefix = Path(arguments.output)
    beside = f"{arguments.output}.rejected.jsonl"
    check_files(arguments.files)
    if arguments.output.endswith("/") or prefix.is_dir():
        raise UsageError(f"{shown(arguments.output)}: is a directory; name a prefix in it, as {prefix / 'part'}")
    check_output(beside, arguments.force, arguments.files)
    written = number = 0
    with Rejected(Path(beside)) as rejected:
        pieces = _pieces(arguments, rejected)
        held = next(pieces, None)
        while held is not None:
            number += 1
            name = f"{arguments.output}-{number:05}{suffix}"
            check_output(name, arguments.force, arguments.files)
            with record_file(name, format, arguments.encoding) as out:
                held = _fill(out, held, pieces, arguments.records, rejected)
                out.end()
            written += out.records
        rejected.forget_earlier()
    print(f"{shown(arguments.output)}-*{suffix}: {written:,} records in {number:,} files")
    say_rejected(rejected)
    return 1 if rejected.count else 0


def _pieces(arguments: argparse.Namespace, rejected: Rejected) -> Iterator[Piece]:
    """The readable records; the others are set aside."""
    for piece in read_files(arguments):
        rejected.add(piece)
        readable = piece.part.records.filter(pl.col("fault").is_null())["record"]
        if len(readable):
            part = in_form_c(piece.part) if arguments.nfc else piece.part
            yield piece._replace(part=only(part, readable))


def _fill(out: RecordFile, held: Piece | None, pieces: Iterator[Piece], limit: int, rejected: Rejected) -> Piece | None:
    """Write `limit` records; what is left of the last piece, None at the end."""
    while held is not None and out.records < limit:
        records = held.part.records["record"]
        now = held._replace(part=only(held.part, records.head(limit - out.records)))
        rejected.add(now, out.write(now.part))
        rest = records.slice(now.part.records.height)
        held = held._replace(part=only(held.part, rest)) if len(rest) else next(pieces, None)
    return held
