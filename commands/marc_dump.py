"""`holdfast marc dump FILE…`: records as people read them, a line a field."""

from __future__ import annotations

import argparse
import sys

import polars as pl

from commands.marc_inputs import Piece, add_files, read_files, shown
from holdfast.marc.faults import FAULTS
from holdfast.marc.lines import STYLES, to_lines

_LAST = 4_000_000_000


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "show records as people read them"
    parser = parsers.add_parser(
        "dump", help=what, description=f"{what}; 1 where a record can't be read, or none is as asked for"
    )
    add_files(parser)
    parser.add_argument(
        "--style", choices=STYLES, default="line", help="line: as yaz-marcdump; mrk: as MarcEdit (default: line)"
    )
    parser.add_argument(
        "--record",
        type=_span,
        action="append",
        metavar="N",
        default=[],
        help="only this record of each file, or these: 5, 5-9, 5- (may be repeated)",
    )
    parser.add_argument(
        "--control-number",
        action="append",
        metavar="X",
        default=[],
        help="only records with this 001 (may be repeated)",
    )
    parser.set_defaults(call=run)


def _span(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or not (last.isdecimal() or not last) or (first.isdecimal() and int(first) < 1):
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number from 1, or two as 5-9 or 5-")
    return int(first), int(last) if last else _LAST if dash else int(first)


def run(arguments: argparse.Namespace) -> int:
    """0; 1 where a record can't be read, or none is as asked for."""
    found = faulty = 0
    for piece in read_files(arguments, streams=True):
        chosen = _chosen(piece, arguments)
        for row in chosen.filter(pl.col("fault").is_not_null()).iter_rows(named=True):
            faulty += 1
            print(_as_fault(piece, row), file=sys.stderr)
        wanted = chosen.filter(pl.col("fault").is_null())
        if wanted.height:
            found += wanted.height
            part = piece.part
            texts = to_lines(part._replace(records=wanted), arguments.style)
            sys.stdout.write("".join(texts["text"]))
        if _is_done(piece, arguments):
            break
    if not found and not faulty:
        print("no such record", file=sys.stderr)
    return 0 if found and not faulty else 1


def _chosen(piece: Piece, arguments: argparse.Namespace) -> pl.DataFrame:
    """Rows of the records that are asked for."""
    records = piece.part.records
    if arguments.record:
        number = pl.col("record") - piece.before
        records = records.filter(pl.any_horizontal(number.is_between(*span) for span in arguments.record))
    if arguments.control_number:
        wanted = [each.strip() for each in arguments.control_number]
        of_001 = (pl.col("tag") == "001") & pl.col("value").str.strip_chars().is_in(wanted)
        records = records.join(piece.part.subfields.filter(of_001).select("record"), on="record", how="semi")
    return records


def _is_done(piece: Piece, arguments: argparse.Namespace) -> bool:
    """Is there nothing more to come? A big file is not read to its end for its first record."""
    if len(arguments.files) > 1 or not arguments.record:
        return False
    last = max((end for _, end in arguments.record), default=_LAST)
    records = piece.part.records["record"]
    return bool(len(records)) and int(records[-1]) - piece.before >= last


def _as_fault(piece: Piece, row: dict[str, object]) -> str:
    fault = FAULTS[str(row["fault"])]
    place = f"{piece.file} record {int(str(row['record'])) - piece.before} byte {row['fault_byte']}"
    return f"{place}: {row['fault']}: {shown(str(row['fault_detail'] or fault.rule))}; {fault.hint}"
