"""`holdfast marc compare`: what differs by field and by issue before changed rules or code go live; changes nothing."""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.piped_console import PipedConsole
from holdfast.environment import read_environment
from holdfast.marc.comparing import Comparison, Made
from holdfast.marc.rulebook import Rulebook, rulebooks
from holdfast.marc.validation import RulesError
from holdfast.settings import Settings, load_settings
from resources.lake.client import Lake, NotMaterialized
from resources.lake.comparing import BASELINE, against, of_files, of_partition, save
from resources.lake.staleness import stale_partitions

_BLOCK_BYTES = 1_000_000  # two sides of a block are in memory, and what differs of them
_PARTS = ("record", "column", "subfield", "stopped")


class UsageError(ValueError):
    """The arguments do not go together; the text says which, and what would."""


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser(
        "compare",
        help="what old and new rules or code make of the same records, by field and by issue; changes nothing",
        description="Runs old and new over a corpus and says what differs. Files: --old another holdfast.toml, or --against what "
        "--save put aside before the code changed. Partitions: what is in the lake against what would be made of it now, or "
        "--old another holdfast.toml.",
    )
    parser.add_argument(
        "files", type=Path, nargs="*", metavar="FILE", help="records in any format that a drop may have"
    )
    parser.add_argument(
        "--partition", action="append", default=[], metavar="DAY|SOURCE", help="the records of this partition; may be repeated"
    )  # fmt: skip
    parser.add_argument(
        "--stale", action="store_true", help="list the partitions that older code or rules made, and which differ"
    )
    parser.add_argument("--newest", type=_count, metavar="N", help="with --stale: compare the newest N only")
    parser.add_argument("--old", type=Path, metavar="TOML", help="holdfast.toml of the old rules")
    parser.add_argument(
        "--new", type=Path, metavar="TOML", help="holdfast.toml of the new rules (default: the present one)"
    )
    parser.add_argument("--source", default="", help="whose rules hold for FILE (default: the only source)")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="put aside what is made of FILE now, to compare with later"
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="compare with what --save put aside")
    parser.add_argument("--examples", type=_count, default=3, help="examples of each difference (default: 3)")
    parser.add_argument("--fail-on-difference", action="store_true", help="end with 1 where anything differs")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.set_defaults(call=compare)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number from 1")
    return int(text)


def compare(arguments: argparse.Namespace) -> int:
    """0; 1 where something differs and --fail-on-difference is given; 2 where it can't be said."""
    try:
        _check(arguments)
        settings = load_settings(arguments.new)
        if arguments.stale:
            return _stale(arguments, settings)
        if arguments.save:
            return _save(arguments, settings)
        total, notes = _compared(arguments, settings)
    except (UsageError, RulesError, NotMaterialized, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(_as_json(total, notes), ensure_ascii=False))
    else:
        _print(total, notes)
    return 1 if arguments.fail_on_difference and not total.same else 0


def _check(arguments: argparse.Namespace) -> None:
    corpora = [bool(arguments.files), bool(arguments.partition), arguments.stale]
    if sum(corpora) != 1:
        raise UsageError("which records? Name FILE …, or --partition, or --stale: one of these")
    if arguments.files and not (arguments.old or arguments.against or arguments.save):
        raise UsageError(
            "compare FILE with what? Give --old (another holdfast.toml), or --save DIR before the code changes and "
            "--against DIR after"
        )
    if (arguments.against or arguments.save) and not arguments.files:
        raise UsageError("--save and --against are of FILE; partitions are compared with what the lake has")
    if sum(map(bool, (arguments.old, arguments.against, arguments.save))) > 1 or (arguments.stale and arguments.old):
        raise UsageError("--old, --save, --against and --stale: one at a time")
    missing = [str(path) for path in arguments.files if not path.is_file()]
    if missing:
        raise UsageError(f"{', '.join(missing)}: no such file")


def _source(arguments: argparse.Namespace, *all_settings: Settings) -> str:
    for settings in all_settings:
        names = sorted(settings.sources)
        if arguments.source and arguments.source not in names:
            raise UsageError(f"--source {arguments.source}: not in {settings.root} (sources: {', '.join(names)})")
        if not arguments.source and len(names) != 1:
            raise UsageError(f"--source is needed: whose rules hold for the files? (sources: {', '.join(names)})")
    return arguments.source or next(iter(all_settings[0].sources))


def _check_source(settings: Settings, source: str) -> None:
    if source not in settings.sources:
        names = ", ".join(sorted(settings.sources))
        raise UsageError(f"{source}: not a source of holdfast.toml in {settings.root} (sources: {names})")


def _book(settings: Settings, source: str) -> Rulebook:
    _check_source(settings, source)
    return rulebooks(settings)[source]


def _compared(arguments: argparse.Namespace, settings: Settings) -> tuple[Comparison, list[str]]:
    total, notes = Comparison(arguments.examples), list[str]()
    for partition in arguments.partition:
        _check_source(settings, _source_of(partition))
    with _progress(arguments, settings) as advance:
        for before, after in _pairs(arguments, settings, advance, notes):
            total.add(before, after)
    return total, notes


def _pairs(arguments: argparse.Namespace, new: Settings, advance: Any, notes: list[str]) -> Iterator[tuple[Made, Made]]:
    old = load_settings(arguments.old) if arguments.old else None
    if arguments.files:
        source = _source(arguments, *filter(None, (new, old)))
        block = min(new.limits.block_bytes, _BLOCK_BYTES)
        if old is None:
            if not _baseline(arguments.against).exists(BASELINE, source):
                raise UsageError(
                    f"{arguments.against}: nothing was put aside there for {source}; run --save {arguments.against} first"
                )
            yield from against(
                _baseline(arguments.against), arguments.files, source, _book(new, source), _salt(), block_bytes=block, progress=advance
            )  # fmt: skip
            return
        # Both sides mask with one salt: a token of this run alone will do.
        salt = secrets.token_bytes(32)
        both = _book(old, source), _book(new, source)
        yield from of_files(arguments.files, source, *both, salt, block_bytes=block, progress=advance)
        return
    lake, books, olds = Lake(new.var / "lake"), rulebooks(new), rulebooks(old) if old else None
    for partition in arguments.partition:
        source = _source_of(partition)
        if old:
            _check_source(old, source)
        book, before = books[source], olds[source] if olds else None
        if before and before.masking != book.masking:
            notes.append(f"{partition}: masked when it was harvested; other masking can be compared on files only")
        if before is None and not lake.exists("record_issues", partition):
            notes.append(f"{partition}: no record_issues in the lake; issues are not compared")
        yield from of_partition(lake, partition, book, before, advance)


def _source_of(partition: str) -> str:
    day, bar, source = partition.partition("|")
    if not bar or not day or not source:
        raise UsageError(f"--partition {partition}: must be DAY|SOURCE, as 2026-01-31|ebooks")
    return source


def _salt() -> bytes:
    """What is put aside is compared with what a later run masks: only the institution's own salt makes the same tokens."""
    return read_environment().need("HOLDFAST_MASKING_SALT").encode()


def _baseline(folder: Path) -> Lake:
    return Lake(folder)


def _save(arguments: argparse.Namespace, settings: Settings) -> int:
    source = _source(arguments, settings)
    block = min(settings.limits.block_bytes, _BLOCK_BYTES)
    with _progress(arguments, settings) as advance:
        records = save(
            _baseline(arguments.save), arguments.files, source, _book(settings, source), _salt(), block_bytes=block, progress=advance
        )  # fmt: skip
    print(f"{arguments.save}: {records:,} records put aside; compare with --against {arguments.save}")
    return 0


def _stale(arguments: argparse.Namespace, settings: Settings) -> int:
    lake, books = Lake(settings.var / "lake"), rulebooks(settings)
    stale = stale_partitions(lake, {name: book.rules.version for name, book in books.items()})
    partitions = list(dict.fromkeys(stale["partition"].to_list()))
    looked = partitions[: arguments.newest] if arguments.newest else partitions
    verdicts = {}
    with _bar(
        arguments, sum(lake.rows("harvested_marc", each) for each in looked if lake.exists("harvested_marc", each))
    ) as advance:
        for partition in looked:
            verdicts[partition] = _would_change(lake, partition, books[_source_of(partition)], advance)
    differing = sum(1 for _, each in verdicts.values() if each)
    if arguments.json:
        rows = [
            {**row, "records": verdicts.get(row["partition"], (None, None))[0], "would_change": verdicts.get(row["partition"], (None, None))[1]}
            for row in stale.iter_rows(named=True)
        ]  # fmt: skip
        print(json.dumps({"stale": rows, "would_change": differing}, ensure_ascii=False))
    else:
        table = Table("partition", "asset", "why", "made with", "now", "records", "would change")
        for row in stale.iter_rows(named=True):
            records, changed = verdicts.get(row["partition"], (None, None))
            cells = (row["partition"], row["asset"], row["why"], row["made_with"][:12], row["now"][:12])
            table.add_row(*cells, *("not looked at" if each is None else f"{each:,}" for each in (records, changed)))
        console = _console()
        if stale.height:
            console.print(table)
        console.print(
            f"{len(partitions)} partitions are stale; of {len(looked)} looked at, {differing} would change. The job changed_rules "
            "makes them anew; stale_partitions_sensor asks for all of them, some at a time."
        )
    return 1 if arguments.fail_on_difference and differing else 0


def _would_change(lake: Lake, partition: str, book: Rulebook, advance: Any) -> tuple[int | None, int | None]:
    """(records, how many of them would differ); nothing where the records are not in the lake any more."""
    total = Comparison(1)
    try:
        for before, after in of_partition(lake, partition, book, None, advance):
            total.add(before, after)
    except NotMaterialized:
        return None, None
    return total.records, total.differing


@contextlib.contextmanager
def _progress(arguments: argparse.Namespace, settings: Settings) -> Iterator[Any]:
    if arguments.files:
        total = sum(path.stat().st_size for path in arguments.files)
    else:
        lake = Lake(settings.var / "lake")
        total = sum(lake.rows("harvested_marc", each) for each in arguments.partition)
    with _bar(arguments, total) as advance:
        yield advance


@contextlib.contextmanager
def _bar(arguments: argparse.Namespace, total: int) -> Iterator[Any]:
    """A progress bar on standard error, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or arguments.json) as bar:
        task = bar.add_task("comparing", total=total)
        yield lambda done: bar.advance(task, done)


def _as_json(total: Comparison, notes: list[str]) -> dict[str, Any]:
    examples: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in total.examples.iter_rows(named=True):
        examples.setdefault((row.pop("part"), row.pop("name")), []).append(row)
    differences = [
        {**row, "examples": examples.get((row["part"], row["name"]), [])}
        for row in total.differences.iter_rows(named=True)
    ]
    return {"records": total.records, "differing": total.differing, "differences": differences, "notes": notes}


def _console() -> Console:
    return PipedConsole(width=None if Console().is_terminal else 150)


def _print(total: Comparison, notes: list[str]) -> None:
    console = _console()
    console.print(f"{total.records:,} records, {total.differing:,} differ.")
    for note in notes:
        console.print(note, markup=False)
    values = total.differences.filter(pl.col("part").is_in(_PARTS))
    if values.height:
        console.print(_table(values, ("what", "name", "records", "gone", "new", "changed")))
    issues = total.differences.filter(pl.col("part") == "issue")
    if issues.height:
        console.print(_table(issues, ("what", "name", "records", "gone", "new", "changed", "same")))
    if total.examples.height:
        table = Table("what", "name", "record", "before", "after")
        for row in total.examples.sort("part", "name", maintain_order=True).iter_rows(named=True):
            place = f"{row['file']} {row['record']}"
            table.add_row(*map(_safe, (row["part"], row["name"], place, row["before"], row["after"])))
        console.print(table)


def _table(frame: pl.DataFrame, columns: tuple[str, ...]) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name, justify="left" if name in ("what", "name") else "right")
    for row in frame.rename({"part": "what"}).select(columns).iter_rows():
        table.add_row(*(f"{each:,}" if isinstance(each, int) else _safe(each) for each in row))
    return table


def _safe(text: str | None) -> str:
    """Values are not ours: they must not steer a terminal, nor be read as markup."""
    if text is None:
        return "–"
    return "".join(each if each.isprintable() else " " for each in text).replace("[", "\\[")
