"""`holdfast marc to-parquet FILE… -o FOLDER`: records, subfields and facts as Parquet, on all cores."""

from __future__ import annotations

import argparse
import re
import shutil
import uuid
from pathlib import Path

import polars as pl

from commands.marc_inputs import Piece, UsageError, add_files, check_files, read_files, shown

_OURS = re.compile(r"(records|subfields|facts)-\d{5,}\.parquet")


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "write records, subfields and normalized facts as Parquet files"
    parser = parsers.add_parser("to-parquet", help=what, description=f"{what}; 1 where a record can't be read")
    add_files(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FOLDER",
        help="folder of records-*.parquet, subfields-*.parquet and facts-*.parquet; made whole or not at all",
    )
    parser.add_argument("--force", action="store_true", help="replace such files in the folder")
    parser.set_defaults(call=run)


def run(arguments: argparse.Namespace) -> int:
    """0 where every record can be read, 1 where some can't: they are rows of records with a fault."""
    from holdfast.marc.parallel import map_in_order

    check_files(arguments.files)
    folder = Path(arguments.output)
    _check(folder, arguments.force)
    partial = folder.absolute().with_name(f".{uuid.uuid4().hex}.partial")
    counts = [0, 0, 0]
    try:
        partial.mkdir()
        numbered = enumerate(read_files(arguments), 1)
        for written in map_in_order(lambda each: _write(*each, partial), numbered):
            counts = [a + b for a, b in zip(counts, written, strict=True)]
        _move(partial, folder)
    except OSError as error:
        raise UsageError(f"{shown(arguments.output)}: can't be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    records, subfields, faulty = counts
    unread = f"; {faulty:,} can't be read, see the column fault of records" if faulty else ""
    print(f"{shown(arguments.output)}: {records:,} records, {subfields:,} subfields{unread}")
    return 1 if faulty else 0


def _check(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{shown(str(folder))}: is a file; name a folder")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"{shown(str(folder))}: there is no folder {shown(str(folder.parent))}; make it first")
    held = sorted(each.name for each in folder.iterdir()) if folder.exists() else []
    other = [name for name in held if not _OURS.fullmatch(name)]
    if other:
        raise UsageError(f"{shown(str(folder))}: holds other files, as {shown(other[0])}; name a folder for this alone")
    if held and not force:
        raise UsageError(
            f"{shown(str(folder))}: holds Parquet files already; name another one, or replace them with --force"
        )


def _write(number: int, piece: Piece, folder: Path) -> tuple[int, int, int]:
    """Records, subfields and faults of a block, written."""
    from holdfast.marc.nfc import with_nfc
    from holdfast.marc.normalize import normalize
    from holdfast.parquet import write_parquet

    file = pl.lit(piece.file).alias("file")
    subfields = with_nfc(piece.part.subfields)
    records = piece.part.records.with_columns(file, pl.lit(piece.part.format).alias("format"))
    index = records.with_columns(masked_values=pl.lit(0, pl.UInt32))
    # What belongs to a load: a record of a file has no correlation ID, and nothing was masked.
    facts = normalize(index, subfields, source="", window="").drop("correlation_id", "masked_values")
    for name, table in (("records", records), ("subfields", subfields), ("facts", facts)):
        write_parquet(table, folder / f"{name}-{number:05}.parquet")
    return records.height, subfields.height, records.height - int(records["fault"].null_count())


def _move(partial: Path, folder: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    for each in folder.iterdir():
        if _OURS.fullmatch(each.name):
            each.unlink()
    for each in sorted(partial.iterdir()):
        each.rename(folder / each.name)
