"""`holdfast authority what-if NEW.mrc`: what a new authority file would touch; nothing is changed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from holdfast.authority.records import joined
from holdfast.settings import load_settings
from resources.authorities.client import read_file
from resources.authorities.lake import read_all
from resources.authorities.what_if import ask, first_of
from resources.lake.client import Lake, NotMaterialized

_SHOWN = 20


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("authority", help="say what a new authority file would touch, before it is loaded")
    parser.add_argument("task", choices=("what-if",), help="what-if: compare NEW with the authorities that are loaded")
    parser.add_argument("new", type=Path, nargs="+", metavar="NEW", help="authority records in ISO 2709, plain or .gz")
    parser.add_argument(
        "--name", default="", help="which [authorities.NAME] of holdfast.toml it is (default: the only one)"
    )
    parser.add_argument("--update", action="store_true", help="NEW holds what changed: what is not in it stays")
    parser.add_argument(
        "--partition",
        action="append",
        default=[],
        help="look at this partition of normalized_records, too (DAY|SOURCE)",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line: every change, every heading touched")
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.set_defaults(call=authority)


def authority(arguments: argparse.Namespace) -> int:
    """0 where it would touch nothing, 1 where it would, 2 where it can't be said."""
    settings = load_settings(arguments.config)
    names = sorted(settings.authorities)
    name = arguments.name or (names[0] if len(names) == 1 else "")
    if name not in names:
        said = f"--name {arguments.name}: not in holdfast.toml" if arguments.name else "--name is needed"
        print(f"{said} (authority files: {', '.join(names) or 'none; add [authorities.NAME]'})", file=sys.stderr)
        return 2
    missing = [str(path) for path in arguments.new if not path.is_file()]
    if missing:
        print(f"{', '.join(missing)}: no such file", file=sys.stderr)
        return 2
    thesaurus = settings.authorities[name].thesaurus
    lake = Lake(settings.var / "lake")
    parts = [part for path in arguments.new for part in read_file(path, authority_file=name, thesaurus=thesaurus)]
    rejected = sum(len(part.rejections) for part in parts)
    if rejected:
        print(f"{rejected} records can't be read as authority records and are left out", file=sys.stderr)
    new = joined([part.found for part in parts])
    if not new.authorities.height:
        # An empty file taken for a whole one would delete every authority.
        print(f"{', '.join(map(str, arguments.new))}: no authority record in it", file=sys.stderr)
        return 2
    try:
        answer = ask(
            lake,
            read_all(lake),
            new,
            whole=not arguments.update,
            partitions=arguments.partition,
        )
        if arguments.json:
            return _as_lines(answer.changes.iter_rows(named=True), answer.touched)
        first, headings, records = first_of(answer.touched, _SHOWN)
    except NotMaterialized as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(width=None if Console().is_terminal else 150)
    counts = dict(answer.changes.group_by("change", maintain_order=True).len().iter_rows())
    said = ", ".join(f"{count:,} {change}" for change, count in counts.items()) or "none"
    console.print(f"Authorities that change: {said}.")
    console.print(
        _table(answer.changes.head(_SHOWN), ("change", "authority", "heading_before", "heading_after", "detail"))
    )
    console.print(f"Headings that would be linked otherwise: {headings:,}, in {records:,} records.")
    console.print(
        _table(first, ("held_in", "id", "tag", "heading", "verdict_before", "verdict_after", "authorized_after"))
    )
    return 1 if headings else 0


def _as_lines(changes: Iterable[dict[str, Any]], touched: Iterable[pl.DataFrame]) -> int:
    for row in changes:
        print(json.dumps({"authority_change": row}, ensure_ascii=False))
    found = False
    for part in touched:
        for row in part.iter_rows(named=True):
            found = True
            print(json.dumps({"touched": row}, ensure_ascii=False))
    return 1 if found else 0


def _table(frame: pl.DataFrame, columns: tuple[str, ...]) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name.replace("_", " "))
    for row in frame.select(columns).iter_rows():
        # Headings are not ours: they must not steer a terminal, nor be read as markup.
        cells = ("".join(c if c.isprintable() else " " for c in str("" if each is None else each)) for each in row)
        table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    return table
