"""`holdfast marc summary FILE…`: what is in files of MARC, in figures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from commands.marc_inputs import Piece, add_files, count_from_1, read_files, shown

if TYPE_CHECKING:
    from rich.console import Console

    from holdfast.marc.summary import Figures


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "say what is in files: records, faults, encodings, languages, fields, identifiers"
    parser = parsers.add_parser("summary", help=what, description=f"{what}; 1 where a record can't be read")
    add_files(parser)
    parser.add_argument("--json", action="store_true", help="all figures as a JSON object")
    parser.add_argument("--top", type=count_from_1, default=15, metavar="N", help="languages shown at most (15)")
    parser.set_defaults(call=run)


def run(arguments: argparse.Namespace) -> int:
    """0 where every record can be read, 1 where some can't."""
    from holdfast.marc.parallel import map_in_order
    from holdfast.marc.summary import Summary

    summary = Summary()
    for figures in map_in_order(_figures, read_files(arguments)):
        summary.add(figures)
    found = summary.as_dict()
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found, arguments.top)
    return 1 if found["unreadable"] else 0


def _figures(piece: Piece) -> Figures:
    from holdfast.marc.summary import figures_of

    return figures_of(piece.part, piece.file, piece.before)


def _show(found: dict[str, Any], top: int) -> None:
    from commands.piped_console import PipedConsole

    console = PipedConsole(
        file=sys.stdout, width=None if sys.stdout.isatty() else 110, highlight=False, markup=False, emoji=False
    )
    unreadable = f", {found['unreadable']:,} can't be read" if found["unreadable"] else ", all readable"
    console.print(
        f"{found['records']:,} records{unreadable}; {found['subfields']:,} subfields, {found['bytes']:,} bytes"
    )
    if len(found["files"]) > 1:
        _table(
            console,
            "Files",
            ("file", "format", "records", "unreadable"),
            [tuple(each.values()) for each in found["files"]],
        )
    else:
        console.print(f"{found['files'][0]['file']}: {', '.join(found['formats'])}")
    _show_faults(console, found["faults"])
    total = found["records"]
    _table(
        console,
        "Encodings",
        ("leader claims", "bytes are", "decoded as", "records", "share"),
        [
            (
                each["claims"],
                each["found"],
                each["decoded_as"] or "not",
                each["records"],
                _share(each["records"], total),
            )
            for each in found["encodings"]
        ],
    )
    _counts(console, "Material types (leader/06-07)", found["material_types"], found["readable"], top)
    _counts(console, "Languages (008/35-37)", found["languages"], found["readable"], top)
    if found["readable"]:
        _table(console, "Facts", ("what", "how many"), list(_facts(found)))
    numbers = found["control_numbers"]
    if numbers["first_duplicates"]:
        duplicates = [
            (each["control_number"], _place(each["first"]), _place(each["again"]))
            for each in numbers["first_duplicates"]
        ]
        _table(console, "First duplicates", ("control number", "first", "again"), duplicates)
    fields = [
        (each["tag"], each["fields"], each["records"], _share(each["records"], found["readable"]))
        for each in found["fields"]
    ]
    _table(console, "Fields", ("tag", "fields", "records", "share"), fields)


def _facts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    lengths, years, numbers = found["lengths"], found["years"], found["control_numbers"]
    yield "record length, bytes", f"{lengths['min']:,} to {lengths['max']:,}, median {lengths['median']:,}"
    known = f"{years['first']} to {years['last']}, median {years['median']}; " if years["first"] is not None else ""
    yield "years (008/07-10)", f"{known}{years['records_without']:,} records without"
    yield (
        "control numbers (001)",
        ", ".join(
            (
                f"{numbers['records']:,} records",
                f"{numbers['missing']:,} without",
                f"{numbers['duplicates']:,} that came before",
            )
        ),
    )
    for name, each in found["identifiers"].items():
        yield f"{name.upper()}, valid", f"{each['values']:,} in {each['records']:,} records"


def _show_faults(console: Console, faults: list[dict[str, Any]]) -> None:
    rows = []
    for each in faults:
        for n, place in enumerate(each["first"]):
            head = (each["code"], each["records"]) if n == 0 else ("", "")
            rows.append((*head, f"{_place(place)} byte {place['byte']:,}", place["detail"] or ""))
    _table(console, "Faults", ("code", "records", "first places", "what was found"), rows)


def _counts(console: Console, title: str, counts: dict[str, int], total: int, top: int) -> None:
    rows: list[tuple[Any, ...]] = [
        (name or "(none)", count, _share(count, total)) for name, count in list(counts.items())[:top]
    ]
    if len(counts) > top:
        rest = sum(list(counts.values())[top:])
        rows.append((f"{len(counts) - top} others", rest, _share(rest, total)))
    _table(console, title, ("which", "records", "share"), rows)


def _table(console: Console, title: str, head: tuple[str, ...], rows: list[Any]) -> None:
    if not rows:
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console.print(title, style="bold")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    numbers = {n for n in range(len(head)) if all(isinstance(row[n], int) or row[n] == "" for row in rows)}
    for n, name in enumerate(head):
        table.add_column(name, justify="right" if n in numbers or name == "share" else "left", overflow="fold")
    for row in rows:
        # What stands in a record must not steer the terminal.
        table.add_row(*(_plain(cell) for cell in row))
    console.print(table)
    console.print()


def _plain(cell: Any) -> str:
    if cell is None:
        return "none"
    return f"{cell:,}" if isinstance(cell, int) else shown(str(cell))


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else ""


def _place(place: dict[str, Any]) -> str:
    return f"{place['file']} record {place['record']:,}"
