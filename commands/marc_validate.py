"""`holdfast marc validate FILE…`: what is wrong in records, with its place and what would mend it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

import polars as pl

from commands.marc_inputs import Piece, UsageError, add_files, check_files, read_files, shown

if TYPE_CHECKING:
    from holdfast.marc.validation import Rules
    from holdfast.marc.validation.local import LocalRule

_KINDS = ("bibliographic", "authority", "holdings", "unimarc")
_SEVERITIES = ("error", "warning", "info")


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "list what is wrong in records, with its place and what would mend it"
    parser = parsers.add_parser("validate", help=what, description=f"{what}; 1 where there is an error")
    add_files(parser)
    parser.add_argument(
        "--schema",
        action="append",
        default=[],
        metavar="[KIND=]PATH",
        help=f"an Avram schema in place of Holdfast's; KIND is {', '.join(_KINDS)} (bibliographic; with --unimarc unimarc)",
    )
    parser.add_argument(
        "--rules", type=Path, metavar="TOML", help="schemas, rules and severities of this holdfast.toml"
    )
    parser.add_argument("--source", default="", help="with --rules: the rules of this source, too")
    parser.add_argument(
        "--severity", choices=_SEVERITIES, default="info", help="only issues as severe as this (default: info, all)"
    )
    parser.add_argument(
        "--code", action="append", default=[], help="only issues of this code, as isbn.* (may be repeated)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line; counts go to standard error")
    form.add_argument("--csv", action="store_true", help="a table; counts go to standard error")
    parser.add_argument(
        "--limit", type=_limit, metavar="N", help="list so many issues at most, and count the others; 0: only count"
    )
    parser.add_argument("--exit-zero", action="store_true", help="0 even where there are errors")
    parser.set_defaults(call=run)


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number")
    return int(text)


class _Found(NamedTuple):
    """issues: the columns of a list. counts: by severity and code. with_issues: how many records have one."""

    issues: pl.DataFrame
    counts: Counter[tuple[str, str]]
    records: int
    with_issues: int


def run(arguments: argparse.Namespace) -> int:
    """0 where there is no error, 1 where there is one."""
    from holdfast.marc.parallel import map_in_order

    check_files(arguments.files)
    rules = _rules(arguments)
    codes = _codes(arguments.code, rules)
    severities = _SEVERITIES[: _SEVERITIES.index(arguments.severity) + 1]
    find = partial(_find, rules=rules, codes=codes, severities=severities)
    form = "json" if arguments.json else "csv" if arguments.csv else "text"
    counts: Counter[tuple[str, str]] = Counter()
    records = with_issues = listed = 0
    if form == "csv":
        sys.stdout.write(_list(_Found(_no_issues(), counts, 0, 0).issues, "csv", head=True))
    for found in map_in_order(find, read_files(arguments, streams=True)):
        counts.update(found.counts)
        records += found.records
        with_issues += found.with_issues
        rows = found.issues if arguments.limit is None else found.issues.head(max(0, arguments.limit - listed))
        listed += rows.height
        sys.stdout.write(_list(rows, form))
    _show_counts(counts, records, with_issues, listed, sys.stdout if form == "text" else sys.stderr)
    errors = any(severity == "error" for severity, _ in counts)
    return 1 if errors and not arguments.exit_zero else 0


def _rules(arguments: argparse.Namespace) -> Rules:
    from holdfast.marc.validation import RulesError, load_rules

    schemas: dict[str, Path | None] = {}
    local: tuple[LocalRule, ...] = ()
    severity = None
    if arguments.rules:
        # Only here: the settings bring the museum's and the preservation's with them.
        from holdfast.settings import load_settings

        if not arguments.rules.is_file():
            raise UsageError(f"{shown(str(arguments.rules))}: no such file")
        settings = load_settings(arguments.rules)
        if arguments.source and arguments.source not in settings.sources:
            known = ", ".join(sorted(settings.sources))
            raise UsageError(f"--source {shown(arguments.source)}: not in {shown(str(arguments.rules))} ({known})")
        schemas, local, severity = dict(settings.schemas), settings.validation.rules, settings.validation.severity
    elif arguments.source:
        raise UsageError("--source: needs --rules, the holdfast.toml that it is in")
    for given in arguments.schema:
        kind, _, path = given.rpartition("=") if given.partition("=")[0] in _KINDS else ("", "", given)
        schemas[kind or ("unimarc" if arguments.unimarc else "bibliographic")] = Path(path)
    try:
        return load_rules(schemas, local, severity, unimarc=arguments.unimarc, source=arguments.source)
    except (RulesError, OSError) as error:
        said = "--unimarc: name an Avram schema of UNIMARC by --schema PATH" if "missing" in str(error) else error
        raise UsageError(f"{said}") from error


def _codes(patterns: list[str], rules: Rules) -> list[str] | None:
    """Codes that are asked for; None: all."""
    from difflib import get_close_matches

    from holdfast.marc.faults import FAULTS
    from holdfast.marc.validation import KINDS

    if not patterns:
        return None
    known = list(dict.fromkeys([*KINDS, *rules.severities, *FAULTS]))
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matching = [code for code in known if fnmatchcase(code, pattern)]
        if not matching:
            near = get_close_matches(pattern, known, 3, 0.5)
            hint = f"; near it: {', '.join(near)}" if near else "; docs/reference/issues.md has all"
            raise UsageError(f"--code {shown(pattern)}: no issue has this code{hint}")
        chosen.update(dict.fromkeys(matching))
    return list(chosen)


def _no_issues() -> pl.DataFrame:
    from holdfast.marc.validation import ISSUES

    schema = {"file": pl.String, "record": pl.UInt32, "control_number": pl.String, "byte": pl.UInt64}
    return pl.DataFrame(schema=schema | {name: dtype for name, dtype in ISSUES.items() if name != "record"})


def _find(piece: Piece, rules: Rules, codes: list[str] | None, severities: tuple[str, ...]) -> _Found:
    """Issues of a block. Runs on many threads."""
    from holdfast.marc.validation import validate

    issues = pl.concat([_no_issues().drop("file", "control_number"), validate(piece.part, rules)], how="diagonal")
    faults = _faults(piece)
    if faults.height:
        issues = pl.concat([issues, faults], how="diagonal_relaxed").sort("record", "field", maintain_order=True)
    wanted = pl.col("severity").is_in(severities)
    if codes is not None:
        wanted &= pl.col("code").is_in(codes)
    issues = issues.filter(wanted)
    numbers = piece.part.subfields.filter(pl.col("tag") == "001").select("record", control_number="value")
    counts = {
        (severity, code): count for severity, code, count in issues.group_by("severity", "code").len().iter_rows()
    }
    listed = (
        issues.join(numbers.unique("record", keep="first"), on="record", how="left", maintain_order="left")
        .with_columns(file=pl.lit(piece.file), record=pl.col("record") - piece.before)
        .select(_no_issues().columns)
    )
    return _Found(listed, Counter(counts), piece.part.records.height, issues["record"].n_unique())


def _faults(piece: Piece) -> pl.DataFrame:
    """Records that can't be read, as issues."""
    from holdfast.marc.faults import FAULTS

    rows = piece.part.records.filter(pl.col("fault").is_not_null())
    codes = {code: FAULTS[code] for code in rows["fault"].unique()}
    of = pl.col("fault")
    return rows.select(
        "record",
        pl.col("fault_byte").alias("byte"),
        of.alias("code"),
        pl.lit("error").alias("severity"),
        of.replace_strict({code: fault.rule for code, fault in codes.items()}, return_dtype=pl.String).alias("rule"),
        pl.concat_str(pl.lit("can't be read: "), pl.col("fault_detail").fill_null("")).alias("message"),
        of.replace_strict({code: fault.hint for code, fault in codes.items()}, return_dtype=pl.String).alias("hint"),
    )


def _list(issues: pl.DataFrame, form: str, *, head: bool = False) -> str:
    if form == "json":
        return issues.write_ndjson() if issues.height else ""
    if form == "csv":
        return issues.write_csv(include_header=head)
    return "".join(issues.select(_as_line())["line"])


def _as_line() -> pl.Expr:
    """`file:record (001): severity code: 020 (2) $a, character 3, '…': message; hint`"""

    def if_there(name: str, before: str, after: str = "") -> pl.Expr:
        said = pl.concat_str(pl.lit(before), pl.col(name).cast(pl.String), pl.lit(after))
        return pl.when(pl.col(name).is_not_null()).then(said).otherwise(pl.lit(""))

    line = pl.concat_str(
        "file",
        pl.lit(":"),
        pl.col("record").cast(pl.String),
        if_there("control_number", " (", ")"),
        pl.lit(": "),
        "severity",
        pl.lit(" "),
        "code",
        if_there("tag", ": "),
        if_there("occurrence", " (", ")"),
        if_there("subfield", " $"),
        if_there("position", ", character "),
        if_there("byte", ": byte "),
        if_there("value", ", '", "'"),
        if_there("message", ": "),
        if_there("hint", "; "),
    )
    # Values come from records: a line is to stay one, and no terminal to be steered.
    return pl.concat_str(line.str.replace_all("[\x00-\x1f\x7f-\u009f\u2028\u2029]", "·"), pl.lit("\n")).alias("line")


def _show_counts(counts: Counter[tuple[str, str]], records: int, with_issues: int, listed: int, stream: TextIO) -> None:
    total = sum(counts.values())
    rows = sorted(counts.items(), key=lambda each: (_SEVERITIES.index(each[0][0]), -each[1], each[0][1]))
    lines = [f"{count:>10,}  {severity:<7}  {code}" for (severity, code), count in rows]
    unlisted = f" ({listed:,} listed)" if listed < total else ""
    lines.append(f"{total:,} issues{unlisted} in {with_issues:,} of {records:,} records")
    print("\n".join(lines), file=stream)
