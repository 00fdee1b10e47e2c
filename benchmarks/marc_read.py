"""Claim: binary MARC becomes columns on disk several times faster than a loop over pymarc's records makes them.

Both read the file, and write a table of every subfield and one of the facts of each record (holdfast.marc.normalize) as
Parquet with the same writer. yaz-marcdump makes MARCXML of the same file: no facts, no columns.

The input is public data (HOLDFAST_TEST_DATA); both ways make the same tables of it (tests/benchmarks).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import os
import re
import shutil
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pymarc

from benchmarks.measure import OURS, ROOT, Contender, clock, compare, report, show
from holdfast.identity import correlation_id, fingerprint
from holdfast.marc import SUBFIELDS, read_blocks, read_columns
from holdfast.marc.normalize import _MATERIAL, NORMALIZED, normalize, normalize_isbn, normalize_issn, normalize_lccn

PART_RECORDS = 2_000  # of the peer's parts: as many as a block of Holdfast's holds
_OCN = re.compile(r"^\(OCoLC\)\s*(?:ocm|ocn|on)?\s*0*(\d+)\s*$")
_OCN_001 = re.compile(r"^(?:ocm|ocn|on)0*(\d+)\s*$")
_DROPPED, _NO_WORD = re.compile(r"['’ʻʼʹ\[\]]"), re.compile(r"[\W_]+")


def with_holdfast(file: Path, folder: Path) -> int:
    """Records written to `folder`."""
    count = 0
    with file.open("rb") as stream:
        for number, block in enumerate(read_blocks(stream)):
            records, subfields = read_columns(block, count + 1)
            index = records.with_columns(pl.lit(file.name).alias("file"), pl.lit(0, pl.UInt32).alias("masked_values"))
            facts = normalize(index, subfields, source="benchmark", window="2026-01-01")
            if facts.height:
                facts.write_parquet(folder / f"records-{number:05}.parquet")
                subfields.write_parquet(folder / f"subfields-{number:05}.parquet")
            count += records.height
    return count


def with_pymarc(file: Path, folder: Path) -> int:
    """Records written to `folder`."""
    count, part = 0, 0
    facts: list[tuple[Any, ...]] = []
    rows: list[tuple[Any, ...]] = []
    with file.open("rb") as stream, silence():
        reader = pymarc.MARCReader(stream, to_unicode=True, permissive=True)
        for record in reader:
            count += 1
            if record is None:
                continue
            own = list(_rows(record, count))
            rows += own
            facts.append(_facts(own, count, file.name, reader.current_chunk or b""))
            if len(facts) == PART_RECORDS:
                _write(facts, rows, folder, part)
                facts, rows, part = [], [], part + 1
    if facts:
        _write(facts, rows, folder, part)
    return count


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """pymarc tells standard error of every character that it does not know."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _write(facts: list[tuple[Any, ...]], rows: list[tuple[Any, ...]], folder: Path, part: int) -> None:
    for name, schema, table in (("records", NORMALIZED, facts), ("subfields", SUBFIELDS, rows)):
        columns = dict(zip(schema.names(), zip(*table, strict=True), strict=True))
        pl.DataFrame(columns, schema=schema).write_parquet(folder / f"{name}-{part:05}.parquet")


def _rows(record: pymarc.Record, number: int) -> Iterator[tuple[Any, ...]]:
    for place, field in enumerate(record.fields):
        if field.control_field:
            yield number, place, field.tag, None, None, None, field.data
        else:
            for subfield in field.subfields:
                yield number, place, field.tag, *field.indicators, subfield.code, subfield.value


def _facts(rows: list[tuple[Any, ...]], number: int, file: str, data: bytes) -> tuple[Any, ...]:
    """The columns of normalize.NORMALIZED, in plain Python."""
    control: dict[str, str] = {}
    values: dict[tuple[str, str], list[str]] = {}
    title, author, fields = [], None, set()
    for _, place, tag, _, _, code, value in rows:
        fields.add(place)
        if code is None:
            control.setdefault(tag, value)
            continue
        values.setdefault((tag, code), []).append(value)
        if tag == "245" and code in "abnp":
            title.append(value)
        elif author is None and code == "a" and tag in ("100", "110", "111"):
            author = value
    leader = data[:24].decode("ascii")
    content = hashlib.sha256(data).hexdigest()
    own, org, modified = (control.get(tag, "").strip() for tag in ("001", "003", "005"))
    print_of_record = fingerprint(f"({org}){own}", modified or content)
    systems = values.get(("035", "a"), [])
    ocn = [_OCN.match(each.strip()) for each in systems] + [_OCN_001.match(control.get("001", ""))]
    fixed = control.get("008")
    year = fixed[7:11] if fixed else ""
    whole_title = " ".join(title) if title else None
    return (
        number,
        file,
        correlation_id("benchmark", "2026-01-01", number, print_of_record),
        print_of_record,
        content,
        own,
        org,
        _unique(each.strip() for each in systems),
        modified,
        leader,
        leader[5],
        "serial" if leader[7] in "bis" and leader[6] == "a" else _MATERIAL.get(leader[6], "other"),
        "ascii" if data.isascii() and b"\x1b" not in data else "utf-8" if leader[9] == "a" else "marc-8",
        _unique(each[1] for each in ocn if each),
        _unique(map(normalize_isbn, values.get(("020", "a"), []))),
        _unique(map(normalize_issn, values.get(("022", "a"), []))),
        _unique(map(normalize_lccn, values.get(("010", "a"), []))),
        fixed[35:38] if fixed is not None else None,
        int(year) if len(year) == 4 and year.isascii() and year.isdigit() else None,
        whole_title.strip(" /:;,.=") if whole_title is not None else None,
        _key(whole_title),
        author.strip(" /:;,.=") if author is not None else None,
        _key(author),
        len(fields),
        0,
    )


def _unique(values: Any) -> list[str]:
    return list(dict.fromkeys(each for each in values if each is not None))


def _key(text: str | None) -> str:
    """normalize.heading_key in plain Python."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text or "") if not unicodedata.category(c).startswith("M"))
    return _NO_WORD.sub(" ", _DROPPED.sub("", plain.lower())).strip()


WAYS = {OURS: with_holdfast, "pymarc": with_pymarc}


def _inputs(data: Path, folder: Path, quick: bool) -> Iterator[tuple[str, Path, str]]:
    """(name, file, character set for yaz-marcdump)"""
    aco = sorted((data / "marc" / "aco").glob("aco-orig.mrc.gz" if quick else "*.mrc.gz"))
    yield f"ACO{' (as supplied)' if quick else ''}, UTF-8", _joined(aco, folder / "aco.mrc"), "utf-8"
    yield "Virginia, MARC-8", _joined(sorted((data / "marc" / "uva-marc8").glob("*.mrc")), folder / "uva.mrc"), "marc-8"


def _joined(files: list[Path], to: Path) -> Path:
    with to.open("wb") as target:
        for file in files:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as source:
                shutil.copyfileobj(source, target)
    return to


def _head(file: Path, folder: Path, records: int = 10) -> Path:
    with file.open("rb") as stream:
        parts = stream.read(1_000_000).split(b"\x1d")[:records]
    (folder / "head.mrc").write_bytes(b"".join(part + b"\x1d" for part in parts))
    return folder / "head.mrc"


def contenders(file: Path, charset: str, folder: Path) -> list[Contender]:
    found = [
        Contender(name, [sys.executable, "-m", "benchmarks.marc_read", "--way", name, "--file", str(file)])
        for name in WAYS
    ]
    yaz = shutil.which("yaz-marcdump") or ""
    command = [yaz, "-i", "marc", "-o", "marcxml", "-f", charset, "-t", "utf-8", str(file)]
    missing = "" if yaz else "not installed (apt install yaz)"
    note = "makes MARCXML: no facts, no columns"
    return [*found, Contender("yaz-marcdump", command, missing, whole=True, output=folder / "yaz.xml", note=note)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.marc_read", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a part of the input; ends within 50 seconds")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help="another file of binary MARC, UTF-8")
    arguments = parser.parse_args()
    if arguments.way:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            WAYS[arguments.way](
                _head(arguments.file, folder), folder
            )  # libraries load parts of themselves on first use
            with clock() as took:
                count = WAYS[arguments.way](arguments.file, folder)
        report(took[0], count)
        return 0
    data = (ROOT / os.environ.get("HOLDFAST_TEST_DATA", "../shared/data")).resolve()
    if not arguments.file and not data.is_dir():
        print(f"{data}: no test data; set HOLDFAST_TEST_DATA, or name a file with --file", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder, results = Path(name), []
        own = [(arguments.file.name, arguments.file.resolve(), "utf-8")] if arguments.file else None
        for what, file, charset in own or _inputs(data, folder, arguments.quick):
            records = file.read_bytes().count(b"\x1d")
            what = f"{what}: {records:,} records, {file.stat().st_size / 1e6:.1f} MB"
            taking_part = contenders(file, charset, folder)
            results.append(
                compare(
                    "marc_read",
                    what,
                    taking_part,
                    units=records,
                    unit="records/s",
                    rate=True,
                    rounds=3 if arguments.quick else 5,
                )
            )
        show(results, ["polars", "pymarc"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
