"""Claim: what a load would change, down to each subfield, is found by joins over columns, not by comparing records one by one.

Both compare the same pairs, a live record and the incoming one that matches it. Holdfast reads its tables (what is live, what was
normalized) and makes the whole plan: patches, before and after of every subfield, counts, the signed hash and the hundred most
surprising changes, and writes it. The peer, deepdiff, gets the records as pymarc dictionaries that are in memory before its clock
starts, and makes nothing but the differences; it has no idea of fields that are the same in another order, unless it is told to look
(`ignore_order`), which takes longer still: that is a contender of its own. The peers get a share of the pairs, evenly
spread; their dictionaries take the memory of that share.

The input is public (HOLDFAST_TEST_DATA, marc/aco): `orig` is live, `latest` comes in, matched by 001; copies with their own numbers make
25,000 pairs of them.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pymarc

from benchmarks.measure import OURS, ROOT, Contender, clock, compare, missing_package, report, show
from holdfast.catalogue.fields import as_catalogued, comparable_leader, field_texts
from holdfast.catalogue.merging import Protection
from holdfast.catalogue.plan import plan_part
from holdfast.catalogue.plan_document import PlanHash, add_counts, count_changes, measure_part, sign
from holdfast.catalogue.surprises import SURPRISES, first_of, frequencies, marc_reasons, surprising
from holdfast.marc import read_blocks, read_columns

SIZES = {False: 25_000, True: 2_000}  # pairs; by --quick
_PART = 5_000
_PROTECTED = ("59X", "9XX")
_IN_ORDER, _ANY_ORDER = "deepdiff", "deepdiff, ignore_order"
# One pair in so many takes part, by --quick: the peers' time grows with the pairs alone, and a round should end within minutes.
_SHARES = {_IN_ORDER: {False: 5, True: 4}, _ANY_ORDER: {False: 100, True: 40}}


# ---- the input --------------------------------------------------------------------------------------------------------


def raw_records(file: Path) -> dict[str, bytes]:
    """001 → bytes; the first of each number."""
    found: dict[str, bytes] = {}
    for raw in gzip.decompress(file.read_bytes()).split(b"\x1d"):
        if raw[24:27] == b"001":
            start = int(raw[12:17]) + int(raw[31:36])
            found.setdefault(raw[start : start + int(raw[27:31]) - 1].decode("ascii"), raw + b"\x1d")
    return found


def make(data: Path, folder: Path, pairs: int) -> None:
    """`folder`/live.mrc and incoming.mrc, pair by pair in the same order."""
    live, incoming = (raw_records(data / "marc" / "aco" / f"aco-{each}.mrc.gz") for each in ("orig", "latest"))
    both = sorted(live.keys() & incoming.keys())[:pairs]
    for name, records in (("live", live), ("incoming", incoming)):
        # As pymarc writes them: what it can't read is no input for the peer.
        ready = [pymarc.Record(data=records[number]).as_marc() for number in both]
        with (folder / f"{name}.mrc").open("wb") as out:
            out.writelines(ready[number % len(ready)] for number in range(pairs))
    _tables(folder)


def _tables(folder: Path) -> None:
    """The tables that a load has at hand when it plans: part by part, the live fields and the incoming subfields."""
    for name in ("live", "incoming"):
        frames, count = [], 0
        with (folder / f"{name}.mrc").open("rb") as stream:
            for block in read_blocks(stream):
                frames.append(read_columns(block, count + 1))
                count += frames[-1][0].height
        records = pl.concat(each[0] for each in frames)
        subfields = pl.concat(each[1] for each in frames)
        for part, start in enumerate(range(1, count + 1, _PART)):
            own = pl.col("record").is_between(start, start + _PART - 1)
            few, pieces = records.filter(own), subfields.filter(own)
            if name == "live":
                fields = as_catalogued(field_texts(pieces, few)).with_columns(_target())
                fields.drop("record").write_parquet(folder / f"live-{part:03}.parquet")
            else:
                todo = few.select("record", "leader", pl.col("fault").fill_null("").alias("encoding")).with_columns(
                    _target().alias("target"),
                    pl.lit("update").alias("action"),
                    *(pl.lit(text).alias(column) for column, text in (("title", ""), ("evidence", ""))),
                    pl.concat_str(pl.lit("c"), "record").alias("correlation_id"),
                    pl.concat_str(pl.lit("s"), "record").alias("content_sha256"),
                )
                todo.write_parquet(folder / f"todo-{part:03}.parquet")
                pieces.write_parquet(folder / f"subfields-{part:03}.parquet")


def _target() -> pl.Expr:
    return pl.concat_str(pl.lit("t"), "record").alias("instance_id")


# ---- the ways ---------------------------------------------------------------------------------------------------------


def with_holdfast(folder: Path, to: Path) -> tuple[float, int, pl.DataFrame]:
    """(seconds, pairs, changes): the plan of all pairs, written to `to`."""
    with clock() as took:
        pairs, changes = _plan(folder, to)
    return took[0], pairs, changes


def _plan(folder: Path, to: Path) -> tuple[int, pl.DataFrame]:
    hashed, counts, pairs, measures = PlanHash("benchmark", "2026-01-01|aco"), [], 0, None
    protection = Protection(_PROTECTED)
    files = sorted(folder.glob("todo-*.parquet"))
    for number, file in enumerate(files):
        todo = pl.read_parquet(file)
        versions = todo.select("target", pl.lit(1, pl.Int64).alias("version"), pl.lit("").alias("source_id"))
        part = plan_part(
            todo,
            pl.read_parquet(folder / f"subfields-{number:03}.parquet"),
            pl.read_parquet(folder / f"live-{number:03}.parquet"),
            versions,
            _PROTECTED,
        )
        hashed.add(*part)
        counts.append(count_changes(part.plan, part.changes))
        measures = measure_part(part, protection, Protection(()))
        for name, frame in zip(("plan", "patches", "changes"), part, strict=True):
            frame.write_parquet(to / f"{name}-{number:03}.parquet")
        pairs += todo.height
    rare, first = frequencies(add_counts(counts), {}, 0), pl.DataFrame(schema=SURPRISES)
    for number in range(len(files)):
        changes, plan = (pl.read_parquet(to / f"{name}-{number:03}.parquet") for name in ("changes", "plan"))
        first = first_of(pl.concat([first, surprising(changes, plan, rare, marc_reasons(protection))]))
    first.write_parquet(to / "surprises.parquet")
    if measures is not None:
        sign(hashed.hexdigest(), measures, b"a secret of the benchmark")
    return pairs, pl.read_parquet(sorted(to.glob("changes-*.parquet")))


def dictionaries(file: Path, step: int = 1) -> list[dict[str, Any]]:
    """Every step-th record as pymarc's dictionary, as a live record is compared: without what each system sets by itself."""
    found = []
    with file.open("rb") as stream:
        for number, record in enumerate(pymarc.MARCReader(stream, to_unicode=True, force_utf8=False)):
            if record is not None and number % step == 0:
                record.remove_fields("001", "003", "005", "066", *(f.tag for f in record if _is_protected(f.tag)))
                found.append(record.as_dict() | {"leader": comparable_leader(str(record.leader))})
    return found


def _is_protected(tag: str) -> bool:
    return tag.startswith(("59", "9"))


def with_deepdiff(folder: Path, *, any_order: bool, step: int = 1) -> tuple[float, int, list[bool]]:
    """(seconds, pairs, whether each differs), of every step-th pair."""
    from deepdiff import DeepDiff

    live, incoming = (dictionaries(folder / f"{name}.mrc", step) for name in ("live", "incoming"))
    with clock() as took:
        differing = [
            bool(DeepDiff(one, other, ignore_order=any_order, report_repetition=any_order))
            for one, other in zip(live, incoming, strict=True)
        ]
    return took[0], len(live), differing


def contenders(folder: Path, *, quick: bool) -> list[Contender]:
    def of(name: str, note: str) -> Contender:
        step = _SHARES.get(name, {}).get(quick, 1)
        command = [sys.executable, "-m", "benchmarks.plan", "--way", name, "--folder", str(folder), "--step", str(step)]
        missing = "" if name == OURS else missing_package("deepdiff")
        return Contender(name, command, missing, note=note + (f"; one pair in {step}" if step > 1 else ""))

    return [
        of(OURS, "reads Parquet, writes the whole plan"),
        of(_IN_ORDER, "differences only, from memory; another order of fields is a difference"),
        of(_ANY_ORDER, "differences only, from memory"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than a tenth of the input; ends within 50 seconds")
    parser.add_argument("--way", choices=(OURS, _IN_ORDER, _ANY_ORDER), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--step", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way == OURS:
        with tempfile.TemporaryDirectory() as name:
            seconds, count, _ = with_holdfast(arguments.folder, Path(name))
        report(seconds, count)
        return 0
    if arguments.way:
        seconds, count, _ = with_deepdiff(arguments.folder, any_order=arguments.way == _ANY_ORDER, step=arguments.step)
        report(seconds, count)
        return 0
    data = (ROOT / os.environ.get("HOLDFAST_TEST_DATA", "../shared/data")).resolve()
    if not data.is_dir():
        print(f"{data}: no test data; set HOLDFAST_TEST_DATA", file=sys.stderr)
        return 2
    pairs = SIZES[arguments.quick]
    with tempfile.TemporaryDirectory() as name:
        make(data, Path(name), pairs)
        what = f"{pairs:,} pairs of live and incoming records (marc/aco, orig and latest)"
        result = compare(
            "plan", what, contenders(Path(name), quick=arguments.quick), units=pairs, unit="records/s", rate=True
        )
    show([result], ["polars", "deepdiff", "pymarc"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
