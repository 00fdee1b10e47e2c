"""`holdfast marc grep QUERY [PATTERN] FILE…`: values of fields and subfields that match, or the records that hold them."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from commands.marc_inputs import Piece, UsageError, add_files, check_files, count_from_1, is_address, read_files, shown
from commands.marc_outputs import RecordFile, add_writing, check_output, format_of, in_form_c, only, record_file
from holdfast.marc.lines import printable, to_lines
from holdfast.marc.nfc import nfc_beside
from holdfast.marc.places import QueryError, query


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "find values of fields and subfields, or the records that hold them"
    parser = parsers.add_parser(
        "grep",
        help=what,
        description=f"{what}: 0 where something was found, 1 where nothing was, 2 where it can't be said. "
        "Put QUERY in single quotes: a shell takes $a for a variable.",
    )
    parser.add_argument(
        "query", metavar="QUERY", help="places: 245, '245$a', '6XX_0$a' (_ is a blank), '020$a,024$a', LDR"
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="[PATTERN] FILE",
        help="a regular expression that a value matches, and the files; the first word is the PATTERN where there are two "
        "or more and it is no file's name",
    )
    parser.add_argument("-e", "--regexp", metavar="PATTERN", help="the PATTERN; then all words are files")
    add_files(parser, files=False)
    parser.add_argument("-i", "--ignore-case", action="store_true", help="capital and small letters are the same")
    parser.add_argument(
        "-v",
        "--invert-match",
        action="store_true",
        help="values that do not match; without a PATTERN records that have no such place",
    )
    parser.add_argument(
        "-L", "--records-without", action="store_true", help="records in which nothing matches, by their 001"
    )
    parser.add_argument("-c", "--count", action="store_true", help="how many, a line a file; with --record of records")
    parser.add_argument("--record", action="store_true", help="show the whole records")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.add_argument("-m", "--limit", type=count_from_1, metavar="N", help="stop after so many")
    parser.add_argument("-o", "--output", metavar="OUT", help="write the records to a file; nothing is shown")
    add_writing(parser)
    parser.set_defaults(call=run)


class _Wanted(NamedTuple):
    """places: filter of rows. pattern: of their values, None: any. leader: is the leader asked for?"""

    places: pl.Expr
    pattern: str | None
    leader: bool
    invert: bool
    without: bool


def run(arguments: argparse.Namespace) -> int:
    """As grep: 0 where something was found, 1 where nothing was."""
    pattern, arguments.files = _pattern_and_files(arguments)
    check_files(arguments.files)
    wanted = _wanted(arguments, pattern)
    whole = bool(arguments.output or arguments.record)
    if arguments.output:
        check_output(arguments.output, arguments.force, arguments.files)
    by_file: dict[tuple[str, int], int] = {}
    found = faulty = refused = 0
    with contextlib.ExitStack() as stack:
        out = _output(arguments, stack)
        for piece in read_files(arguments, streams=not arguments.output and not arguments.count):
            faulty += piece.part.records.height - int(piece.part.records["fault"].null_count())
            rows = _find(piece, wanted, arguments.limit and arguments.limit - found, whole)
            key = (piece.file, piece.before)
            by_file[key] = by_file.get(key, 0) + rows.height
            found += rows.height
            if rows.height and out:
                part = only(piece.part, rows["record"])
                refused += out.write(in_form_c(part) if arguments.nfc else part).height
            elif rows.height and not arguments.count:
                _show(piece, rows, arguments)
            if arguments.limit and found >= arguments.limit:
                break
        if out:
            out.end()
    if arguments.count:
        for (file, _), count in by_file.items():
            print(f"{file}:{count}" if len(by_file) > 1 else count)
    elif out and arguments.output != "-":
        print(f"{shown(arguments.output)}: {out.records:,} records")
    if faulty:
        print(f"{faulty:,} records can't be read (holdfast marc summary says why)", file=sys.stderr)
    if refused:
        print(f"{refused:,} records have no place in the format and are left out", file=sys.stderr)
    return 0 if found else 1


def _output(arguments: argparse.Namespace, stack: contextlib.ExitStack) -> RecordFile | None:
    if not arguments.output:
        return None
    format = format_of(arguments, arguments.output)
    return stack.enter_context(record_file(arguments.output, format, arguments.encoding))


def _pattern_and_files(arguments: argparse.Namespace) -> tuple[str | None, list[str]]:
    first, *others = arguments.words
    if arguments.regexp is not None or not others:
        return arguments.regexp, arguments.words
    if first == "-" or is_address(first) or Path(first).exists():
        return None, arguments.words
    return first, others


def _wanted(arguments: argparse.Namespace, pattern: str | None) -> _Wanted:
    places = [each.strip() for each in arguments.query.split(",")]
    leader = any(each.upper() == "LDR" for each in places)
    others = [each for each in places if each.upper() != "LDR"]
    try:
        expression = query(",".join(others)) if others else pl.lit(False)
    except QueryError as error:
        raise UsageError(str(error)) from error
    if leader:
        expression = expression | (pl.col("tag") == "LDR")
    if pattern is not None:
        pattern = ("(?i)" if arguments.ignore_case else "") + pattern
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.ComputeError as error:
            raise UsageError(f"{shown(pattern)}: is no regular expression: {_last_line(str(error))}") from error
    invert = arguments.invert_match and pattern is not None
    without = arguments.records_without or (arguments.invert_match and pattern is None)
    return _Wanted(expression, pattern, leader, invert, without)


def _last_line(text: str) -> str:
    """What is wrong, of Polars' several paragraphs."""
    return text.partition("\n\n")[0].splitlines()[-1].removeprefix("error: ")


def _find(piece: Piece, wanted: _Wanted, limit: int | None, whole: bool) -> pl.DataFrame:
    """Rows of subfields that are wanted; a row a record, where records are."""
    rows = piece.part.subfields
    readable = piece.part.records.filter(pl.col("fault").is_null())
    if wanted.leader:
        leaders = readable.select("record", tag=pl.lit("LDR"), value="leader")
        rows = pl.concat([leaders, rows], how="diagonal").select(rows.columns).sort("record", maintain_order=True)
    chosen = rows.filter(wanted.places)
    if wanted.pattern is not None and chosen.height:
        chosen = chosen.filter(_matches(chosen["value"], wanted.pattern, wanted.invert))
    if wanted.without:
        records = readable.select("record").join(chosen, on="record", how="anti", maintain_order="left")
        own = piece.part.subfields.filter(pl.col("tag") == "001").unique("record", keep="first", maintain_order=True)
        chosen = records.join(own, on="record", how="left", maintain_order="left").with_columns(tag=pl.lit("001"))
    elif whole:
        chosen = chosen.unique("record", keep="first", maintain_order=True)
    return chosen if limit is None else chosen.head(limit)


def _matches(values: pl.Series, pattern: str, invert: bool) -> pl.Series:
    """Does the value match, as it stands or in form C? People type é as one character, MARC-8 has two."""
    found = values.str.contains(pattern).fill_null(False)
    nfc = nfc_beside(values)
    composed = unicodedata.normalize("NFC", pattern)
    if composed != pattern or nfc.null_count() < len(nfc):
        found = found | nfc.fill_null(values).str.contains(composed).fill_null(False)
    return ~found if invert else found


def _show(piece: Piece, rows: pl.DataFrame, arguments: argparse.Namespace) -> None:
    if arguments.json:
        for row in rows.iter_rows(named=True):
            sys.stdout.write(json.dumps(_as_json(piece, row), ensure_ascii=False) + "\n")
    elif arguments.record:
        records = piece.part.records.join(rows.select("record"), on="record", how="semi")
        sys.stdout.write("".join(to_lines(piece.part._replace(records=records))["text"]))
    else:
        sys.stdout.write("".join(rows.select(_as_line(piece))["line"]))


def _as_json(piece: Piece, row: dict[str, Any]) -> dict[str, Any]:
    return {"file": piece.file} | row | {"record": row["record"] - piece.before}


def _as_line(piece: Piece) -> pl.Expr:
    """`file:record:tag ind $code value`"""
    indicators = pl.concat_str(pl.lit(" "), "ind1", "ind2")
    code = pl.concat_str(pl.lit(" $"), "code")
    return pl.concat_str(
        pl.lit(f"{piece.file}:"),
        (pl.col("record") - piece.before).cast(pl.String),
        pl.lit(":"),
        "tag",
        pl.when(pl.col("ind1").is_not_null()).then(indicators).otherwise(pl.lit("")),
        pl.when(pl.col("code").is_not_null()).then(code).otherwise(pl.lit("")),
        pl.lit(" "),
        printable(pl.col("value").fill_null("")),
        pl.lit("\n"),
    ).alias("line")
