"""Claim: a load is matched against a catalogue eight times its size in seconds, by joins over columns.

Both read the same Parquet files and write the same table (tests/benchmarks holds them equal): a row a record with verdict,
key, evidence, target and what agrees or differs. The peer is what a good script does: it indexes the load's keys in
dictionaries and lets the catalogue pass by, so that its memory depends on the load alone. DuckDB is named where it is missing.

The input is made of the identifiers, titles and dates of public records (HOLDFAST_TEST_DATA, marc/aco): the catalogue is as
many copies with changed identifiers as it takes; of the load 30 % are unchanged, 40 % updates, 22 % new, 4 % duplicates of
another record of it, and 4 % collide (an identifier of one record and of another; an ISBN on another book).
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import OURS, ROOT, Contender, clock, compare, report, show
from holdfast.catalogue.evidence import COMPARED, IDENTIFIERS
from holdfast.catalogue.matching import MATCHED, NAMES_A_PUBLICATION, RECORD_COLUMNS, match
from holdfast.catalogue.snapshot import RECORDS as SNAPSHOT
from holdfast.marc import read_blocks, read_columns
from holdfast.marc.normalize import normalize

KINDS = (*IDENTIFIERS, "title")
SIZES = {False: (250_000, 2_000_000), True: (25_000, 200_000)}  # records of the load, of the catalogue; by --quick
_PART = 50_000


# ---- the input --------------------------------------------------------------------------------------------------------


def base_of(data: Path) -> pl.DataFrame:
    """The records of marc/aco, one of each control number and each OCN, in the columns of normalize.NORMALIZED."""
    parts, count = [], 0
    for file in sorted((data / "marc" / "aco").glob("*.mrc.gz")):
        with gzip.open(file) as stream:
            for block in read_blocks(io.BufferedReader(stream)):
                records, subfields = read_columns(block, count + 1)
                index = records.with_columns(
                    pl.lit(file.name).alias("file"), pl.lit(0, pl.UInt32).alias("masked_values")
                )
                parts.append(normalize(index, subfields, source="benchmark", window="2026-01-01"))
                count += records.height
    rows = pl.concat(parts).filter((pl.col("control_number") != "") & (pl.col("title_key") != ""))
    rows = rows.unique(["control_number_org", "control_number"], keep="last", maintain_order=True)
    first = rows.select("record", "ocn").explode("ocn")
    again = first.filter(pl.col("ocn").is_not_null() & ~pl.col("ocn").is_first_distinct())
    return rows.join(again, on="record", how="anti", maintain_order="left")


def _changed(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` (with a column `copy`) with identifiers and titles of their own for every copy."""
    suffix = pl.concat_str(pl.lit("-"), "copy")
    rows = rows.with_row_index("row")
    lists = []
    for kind in ("ocn", "isbn", "issn", "lccn"):
        own = rows.select("row", "copy", kind).explode(kind).drop_nulls(kind)
        lists.append(own.group_by("row").agg(pl.concat_str(kind, suffix)))
    # Few of these records have an ISBN; of a vendor's load most have.
    made = pl.concat_str(
        pl.lit("979"), (pl.col("copy") * 100_000 + pl.col("at") % 100_000).cast(pl.String).str.zfill(10)
    )
    rows = rows.with_columns(pl.when(pl.col("at") % 10 < 6).then(pl.concat_list(made)).alias("isbn_made"))
    rows = rows.drop("ocn", "isbn", "issn", "lccn")
    for each in lists:
        rows = rows.join(each, on="row", how="left", maintain_order="left")
    return (
        rows.with_columns(
            pl.concat_str("control_number", suffix).alias("control_number"),
            pl.concat_str("title_key", pl.lit(" "), "copy").alias("title_key"),
            pl.coalesce("isbn", "isbn_made").alias("isbn"),
        )
        .with_columns(pl.col("ocn", "isbn", "issn", "lccn").fill_null([]))
        .drop("row", "isbn_made")
    )


def _catalogue_rows(base: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    """Rows `numbers` (counted from 0) of the made catalogue."""
    at = numbers.cast(pl.Int64)
    rows = base[(at % base.height).to_numpy()].with_columns((at // base.height).alias("copy"), at.alias("at"))
    return _changed(rows)


def make(base: pl.DataFrame, folder: Path, incoming: int, live: int, seed: int = 1) -> None:
    """The load as `folder`/load.parquet, the catalogue as `folder`/live-*.parquet."""
    for start in range(0, live, _PART):
        numbers = pl.Series(range(start, min(start + _PART, live)))
        rows = _catalogue_rows(base, numbers)
        supplied = pl.concat_str(pl.lit("("), "control_number_org", pl.lit(")"), "control_number")
        rows = rows.select(
            pl.concat_str(pl.lit("00000000-0000-4000-8000-"), pl.col("at").cast(pl.String).str.zfill(12)).alias(
                "instance_id"
            ),
            pl.concat_str(pl.lit("in"), "at").alias("hrid"),
            pl.lit(1).alias("version"),
            pl.lit("").alias("source_id"),
            pl.lit("").alias("updated"),
            pl.concat_list(supplied).alias("system_numbers"),
            pl.concat_str(pl.lit("in"), "at").alias("control_number"),
            pl.lit("HOLDFAST").alias("control_number_org"),
            pl.concat_str("content_sha256", "copy").alias("comparable_sha256"),
            *("ocn", "isbn", "issn", "lccn", "title", "title_key", "author", "author_key", "year", "carrier"),
        )
        rows.select(SNAPSHOT.names()).cast(SNAPSHOT).write_parquet(folder / f"live-{start:08}.parquet")
    random = np.random.default_rng(seed)
    kind = random.choice(5, incoming, p=[0.30, 0.40, 0.22, 0.04, 0.04])
    at = random.choice(live, incoming, replace=False)
    fresh = kind == 2
    at[fresh] += live  # copies that the catalogue has not
    rows = _catalogue_rows(base, pl.Series(at)).with_columns(pl.Series("kind", kind))
    rows = rows.with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record"),
        pl.when(pl.col("kind") == 0)
        .then(pl.concat_str("content_sha256", "copy"))
        .otherwise(pl.concat_str("content_sha256", "copy", pl.lit("changed")))
        .alias("comparable_sha256"),
    )
    # A duplicate is an older version of the record before it; a collision has the OCN and ISBN of the record before it.
    copied = ("control_number", "control_number_org", "ocn", "isbn", "issn", "lccn", "title", "title_key")
    again = (pl.col("kind") == 3) & (pl.col("record") > 1)
    rows = rows.with_columns(
        *(pl.when(again).then(pl.col(name).shift(1)).otherwise(name).alias(name) for name in copied),
        pl.when(again).then(pl.lit("19000101000000.0")).otherwise("last_modified").alias("last_modified"),
    )
    rows = rows.with_columns(
        pl.when(pl.col("kind") == 4).then(pl.col(name).shift(1)).otherwise(name).fill_null([]).alias(name)
        for name in ("ocn", "isbn")
    )
    rows = rows.with_columns(
        pl.concat_str(pl.lit("c"), "record").alias("correlation_id"), pl.lit("load.mrc").alias("file")
    )
    rows.select(RECORD_COLUMNS).write_parquet(folder / "load.parquet")


# ---- the ways ---------------------------------------------------------------------------------------------------------


def with_holdfast(folder: Path, to: Path) -> int:
    """Records matched into `to`."""
    records = pl.read_parquet(folder / "load.parquet")
    rows, sides = match(records, pl.scan_parquet(sorted(folder.glob("live-*.parquet"))), KINDS)
    rows.write_parquet(to / "matched.parquet")
    sides.write_parquet(to / "sides.parquet")
    return rows.height


def with_dictionaries(folder: Path, to: Path) -> int:
    """Records matched into `to`."""
    records = list(pl.read_parquet(folder / "load.parquet").iter_rows(named=True))

    def live() -> Iterable[dict[str, Any]]:
        for file in sorted(folder.glob("live-*.parquet")):
            yield from pl.read_parquet(file).iter_rows(named=True)

    rows = match_plainly(records, live(), KINDS)
    names = [name for name in MATCHED if name != "detail"]
    pl.DataFrame(rows, schema={name: MATCHED[name] for name in names}).write_parquet(to / "matched.parquet")
    return len(rows)


def _keys(row: dict[str, Any], kind: str, *, live: bool = False) -> list[str]:
    if kind == "title":
        whole = row["title_key"] and row["author_key"] and row["year"] is not None
        return [f"{row['author_key']} / {row['title_key']} / {row['year']}"] if whole else []
    if kind != "control_number":
        return list(row[kind])
    found = []
    if row["control_number"]:
        org, number = row["control_number_org"], row["control_number"]
        found.append(f"({org}){number}" if org else f"{number} / {row['title_key']}")
    supplied = row["system_numbers"] if live else ()
    return found + [each if each.startswith("(") else f"{each} / {row['title_key']}" for each in supplied]


def _organizations(numbers: Iterable[str]) -> set[str]:
    return {each[: each.index(")") + 1] for each in numbers if each.startswith("(") and ")" in each}


def compare_plainly(
    ours: dict[str, Any], theirs: dict[str, Any], live: bool, ours_live: bool = False
) -> tuple[list[str], list[str]]:
    """(agreed, disagreed) of two records; `live`: theirs is of the catalogue."""
    agreed, disagreed = [], []
    for kind in COMPARED:
        if kind in ("ocn", "isbn", "issn", "lccn"):
            left, right = set(ours[kind]), set(theirs[kind])
            known, agrees = bool(left and right), bool(left & right)
        elif kind == "control_number":
            left = set(_keys(ours, kind, live=ours_live))
            right = set(_keys(theirs, kind, live=live))
            agrees = bool(left & right)
            known = agrees or bool(_organizations(left) & _organizations(right))
        elif kind in ("year", "carrier"):
            known = ours[kind] is not None and theirs[kind] is not None
            agrees = ours[kind] == theirs[kind]
        else:
            one, two = ours[f"{kind}_key"], theirs[f"{kind}_key"]
            known = bool(one and two)
            agrees = f"{one} ".startswith(f"{two} ") or f"{two} ".startswith(f"{one} ")
        if known:
            (agreed if agrees else disagreed).append(kind)
    return agreed, disagreed


def _set_apart(ours: dict[str, Any], theirs: dict[str, Any], live: bool) -> bool:
    return any(kind in IDENTIFIERS for kind in compare_plainly(ours, theirs, live)[1])


def _on_other_carriers(ours: dict[str, Any], theirs: dict[str, Any], kind: str) -> bool:
    one, two = ours["carrier"], theirs["carrier"]
    return kind in NAMES_A_PUBLICATION and one is not None and two is not None and bool(one != two)


def _parts(kind: str, group: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], list[dict[str, Any]], bool]]:
    """(winner, its part of the group, whether its one record does not say to which part it belongs)."""
    known = [row for row in group if row["carrier"] is not None]
    carriers = sorted({row["carrier"] for row in known})
    if kind not in NAMES_A_PUBLICATION or len(carriers) < 2:
        return [(group[0], list(group), False)]
    parts = [[row for row in known if row["carrier"] == each] for each in carriers]
    unsure = [(known[0], [known[0], row], True) for row in group if row["carrier"] is None]
    return [(part[0], part, False) for part in parts if len(part) > 1] + unsure


def _newest(row: dict[str, Any]) -> tuple[str, int]:
    return row["last_modified"], row["record"]


def match_plainly(
    records: Sequence[dict[str, Any]], live: Iterable[dict[str, Any]], kinds: Sequence[str]
) -> list[dict[str, Any]]:
    """The rules of holdfast.catalogue.matching, a record after the other; a row a record in its order."""
    records = sorted(records, key=lambda row: row["record"])
    by_number = {row["record"]: row for row in records}
    by_id = {row["correlation_id"]: row for row in records}
    decided: dict[int, dict[str, Any]] = {}
    first_side: dict[int, tuple[dict[str, Any], bool]] = {}

    def settle(kind: str, rows: Sequence[dict[str, Any]]) -> None:
        groups: dict[str, set[int]] = {}
        for row in rows:
            for key in _keys(row, kind):
                groups.setdefault(key, set()).add(row["record"])
        verdicts: dict[int, tuple[str, str, dict[str, Any]]] = {}
        for key in sorted(key for key, group in groups.items() if len(group) > 1):
            whole = sorted((by_number[each] for each in groups[key]), key=_newest, reverse=True)
            for winner, group, unsure in _parts(kind, whole):
                everyone = whole if unsure else group
                if kind == "title":
                    group = [winner, *(each for each in group[1:] if not _set_apart(each, winner, False))]
                    if len(group) == 1:
                        continue
                if unsure:
                    same = False
                elif kind == "control_number":
                    same = True
                elif kind == "title":
                    same = len({each["comparable_sha256"] for each in group}) == 1
                else:
                    same = len({each["title_key"] for each in group}) == 1
                for each in group:
                    number = each["record"]
                    if (same or unsure) and each is winner:
                        continue
                    row = {
                        "verdict": "duplicate" if same else "collision",
                        "matched_by": kind,
                        "evidence": f"{kind} {key}",
                        "target": None,
                        "other": winner["correlation_id"]
                        if same
                        else ",".join(every["correlation_id"] for every in everyone[:11]),
                    }
                    rank = (row["verdict"], key, row)
                    if number not in verdicts or rank[:2] < verdicts[number][:2]:
                        verdicts[number] = rank
        decided.update({number: rank[2] for number, rank in verdicts.items()})

    for kind in kinds:
        if kind != "title":
            settle(kind, [row for row in records if row["record"] not in decided])
    left = [row for row in records if row["record"] not in decided]
    index: dict[tuple[str, str], list[int]] = {}
    for row in left:
        for kind in kinds:
            for key in _keys(row, kind):
                index.setdefault((kind, key), []).append(row["record"])
    hits: dict[int, dict[str, tuple[int, str, str]]] = {}
    facts: dict[str, dict[str, Any]] = {}
    for row in live:
        for rank, kind in enumerate(kinds):
            for key in _keys(row, kind, live=True):
                for number in index.get((kind, key), ()):
                    if _on_other_carriers(by_number[number], row, kind):
                        continue
                    found = (rank, f"{kind} {key}", kind)
                    own = hits.setdefault(number, {})
                    target = row["instance_id"]
                    own[target] = min(own.get(target, found), found)
                    facts[target] = row
    title = kinds.index("title") if "title" in kinds else len(kinds)
    strong = {
        number: {target: found for target, found in own.items() if found[0] != title} for number, own in hits.items()
    }
    if "title" in kinds:
        for row in left:
            number = row["record"]
            if not strong.get(number):
                strong[number] = {
                    target: found
                    for target, found in hits.get(number, {}).items()
                    if not _set_apart(row, facts[target], True)
                }
        settle("title", [row for row in left if not strong.get(row["record"])])
    sharing: dict[str, int] = {}
    best: dict[int, list[tuple[int, str, str, str]]] = {}
    for number, own in strong.items():
        if own:
            best[number] = sorted((rank, target, key, kind) for target, (rank, key, kind) in own.items())[:11]
            sharing[best[number][0][1]] = sharing.get(best[number][0][1], 0) + 1
    for number, found in best.items():
        _, target, evidence, kind = found[0]
        ours, theirs = by_number[number], facts[target]
        agreed, disagreed = compare_plainly(ours, theirs, True)
        another = (
            not {"control_number", "ocn"} & set(agreed)
            and bool({"isbn", "issn", "lccn"} & set(agreed))
            and "title" in disagreed
            and ("author" in disagreed or "year" in disagreed)
        )
        two = len(found) > 1
        collides = two or sharing[target] > 1 or another
        same = ours["comparable_sha256"] == theirs["comparable_sha256"]
        decided[number] = {
            "verdict": "collision" if collides else "unchanged" if same else "update",
            "matched_by": kind,
            "evidence": evidence,
            "target": None if two else target,
            "other": ",".join(each[1] for each in found) if two else None,
        }
        if collides:
            first_side[number] = (
                facts[min((each[1] for each in found), key=lambda each: (facts[each]["hrid"], each))],
                True,
            )
    return [_row(row, decided, by_id, facts, first_side) for row in records]


def _row(
    row: dict[str, Any],
    decided: dict[int, dict[str, Any]],
    by_id: dict[str, dict[str, Any]],
    facts: dict[str, dict[str, Any]],
    first_side: dict[int, tuple[dict[str, Any], bool]],
) -> dict[str, Any]:
    found = decided.get(row["record"])
    whole = {"record": row["record"], "correlation_id": row["correlation_id"]}
    if found is None:
        rest = {"verdict": "new", "matched_by": "", "evidence": "", "target": None, "other": None}
        return {**whole, **rest, "agreed": [], "disagreed": []}
    agreed: list[str] = []
    disagreed: list[str] = []
    if found["verdict"] == "duplicate":
        other = found["other"]
        while (further := decided.get(by_id[other]["record"])) and further["verdict"] == "duplicate":
            other = further["other"]
        found = {**found, "other": other}
        agreed, disagreed = compare_plainly(row, by_id[other], False)
    elif found["verdict"] != "collision":
        agreed, disagreed = compare_plainly(row, facts[found["target"]], True)
    elif row["record"] in first_side:
        agreed, disagreed = compare_plainly(row, *first_side[row["record"]])
    else:
        others = [each for each in found["other"].split(",") if each != row["correlation_id"]]
        if others:
            first = min(others, key=lambda each: (str(by_id[each]["record"]), each))
            agreed, disagreed = compare_plainly(row, by_id[first], False)
    return {**whole, **found, "agreed": agreed, "disagreed": disagreed}


WAYS = {OURS: with_holdfast, "dictionaries in Python": with_dictionaries}


def contenders(folder: Path) -> list[Contender]:
    found = [
        Contender(name, [sys.executable, "-m", "benchmarks.marc_match", "--way", name, "--folder", str(folder)])
        for name in WAYS
    ]
    why = (
        "is here, but these rules are not written in its SQL" if importlib.util.find_spec("duckdb") else "not installed"
    )
    return [*found, Contender("duckdb", missing=why)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.marc_match", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the input; ends within 50 seconds")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        with tempfile.TemporaryDirectory() as name, clock() as took:
            count = WAYS[arguments.way](arguments.folder, Path(name))
        report(took[0], count)
        return 0
    data = (ROOT / os.environ.get("HOLDFAST_TEST_DATA", "../shared/data")).resolve()
    if not data.is_dir():
        print(f"{data}: no test data; set HOLDFAST_TEST_DATA", file=sys.stderr)
        return 2
    incoming, live = SIZES[arguments.quick]
    with tempfile.TemporaryDirectory() as name:
        make(base_of(data), Path(name), incoming, live)
        what = f"{incoming:,} records against a catalogue of {live:,}"
        result = compare(
            "marc_match",
            what,
            contenders(Path(name)),
            units=incoming,
            unit="records/s",
            rate=True,
            rounds=3,
        )
    show([result], ["polars"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
