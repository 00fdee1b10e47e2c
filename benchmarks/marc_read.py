"""Claim: binary MARC becomes columns on disk an order of magnitude faster than a loop over records makes them.

All read the file, and write a table of every subfield (with its form C) and one of the facts of each record
(holdfast.marc.normalize) as Parquet. yaz-marcdump makes MARCXML of the same file and writes it to nowhere: no facts, no columns.
Holdfast works on blocks side by side, on all cores; `holdfast-1-thread` is the same without that.

The input is public data (HOLDFAST_TEST_DATA), repeated; all ways make the same tables of it (tests/benchmarks).
`--growth` shows time and peak memory from 25,000 to 1,000,000 records.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import hashlib
import os
import re
import shutil
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pymarc

from benchmarks.measure import (
    OURS,
    ROOT,
    Contender,
    clock,
    compare,
    count_records,
    measure,
    missing_package,
    report,
    show,
)  # fmt: skip
from holdfast.identity import correlation_id, fingerprint
from holdfast.marc import Frames, read_blocks, read_columns
from holdfast.marc.frames import NORMALIZED_SUBFIELDS
from holdfast.marc.nfc import with_nfc
from holdfast.marc.normalize import (
    _MATERIAL,
    NORMALIZED,
    _key_of,
    normalize,
    normalize_isbn,
    normalize_issn,
    normalize_lccn,
)
from holdfast.marc.parallel import map_in_order
from holdfast.parquet import write_parquet

Row = tuple[Any, ...]  # place of the field, tag, indicators, code, value

PART_RECORDS = 2_000  # of the peer's parts: as many as a block of Holdfast's holds
_OCN = re.compile(r"^\(OCoLC\)\s*(?:ocm|ocn|on)?\s*0*(\d+)\s*$")
_OCN_001 = re.compile(r"^(?:ocm|ocn|on)0*(\d+)\s*$")
_PLAIN_OCN = re.compile(r"^0*(\d+)$")
_LANGUAGE, _CODE = re.compile("[a-z]{3}"), re.compile("^[a-z]{3}$")
_YEAR = re.compile(r"(?:^|[^0-9])(1[4-9][0-9]{2}|20[0-9]{2})(?:[^0-9]|$)")


def with_holdfast(file: Path, folder: Path, workers: int | None = None) -> int:
    """Records written to `folder`."""
    with file.open("rb") as stream:
        return sum(map_in_order(lambda part: _normalize_part(*part, file.name, folder), _parts(stream), workers))


def with_one_thread(file: Path, folder: Path) -> int:
    return with_holdfast(file, folder, 1)


def _parts(stream: BinaryIO) -> Iterator[tuple[int, Frames]]:
    first = 1
    for number, block in enumerate(read_blocks(stream)):
        frames = read_columns(block, first)
        first += frames.records.height
        yield number, frames


def _normalize_part(number: int, frames: Frames, name: str, folder: Path) -> int:
    index = frames.records.with_columns(pl.lit(name).alias("file"), pl.lit(0, pl.UInt32).alias("masked_values"))
    subfields = with_nfc(frames.subfields)
    facts = normalize(index, subfields, source="benchmark", window="2026-01-01")
    if facts.height:
        write_parquet(facts, folder / f"records-{number:05}.parquet")
        write_parquet(subfields, folder / f"subfields-{number:05}.parquet")
    return index.height


def with_pymarc(file: Path, folder: Path) -> int:
    """Records written to `folder`."""
    with file.open("rb") as stream, silence():
        reader = pymarc.MARCReader(stream, to_unicode=True, permissive=True)
        return _loop(reader, _pymarc_rows, file.name, folder)


def with_mrrc(file: Path, folder: Path) -> int:
    """Records written to `folder`."""
    import mrrc  # only here: it would count in the memory of the others

    with silence():
        return _loop(mrrc.MARCReader(str(file), permissive=True), _mrrc_rows, file.name, folder)


def _loop(reader: Any, rows_of: Callable[[Any], Iterator[Row]], name: str, folder: Path) -> int:
    count, part = 0, 0
    facts: list[tuple[Any, ...]] = []
    rows: list[tuple[Any, ...]] = []
    for record in reader:
        count += 1
        if record is None:
            continue
        own = [(count, *each, _form_c(each[-1])) for each in rows_of(record)]
        rows += own
        facts.append(_facts(own, count, name, bytes(reader.current_chunk or b"")))
        if len(facts) == PART_RECORDS:
            _write(facts, rows, folder, part)
            facts, rows, part = [], [], part + 1
    if facts:
        _write(facts, rows, folder, part)
    return count


def _form_c(value: str | None) -> str | None:
    return None if value is None or unicodedata.is_normalized("NFC", value) else unicodedata.normalize("NFC", value)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """pymarc tells standard error of every character that it does not know."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _write(facts: list[tuple[Any, ...]], rows: list[tuple[Any, ...]], folder: Path, part: int) -> None:
    for name, schema, table in (("records", NORMALIZED, facts), ("subfields", NORMALIZED_SUBFIELDS, rows)):
        columns = dict(zip(schema.names(), zip(*table, strict=True), strict=True))
        pl.DataFrame(columns, schema=schema).write_parquet(folder / f"{name}-{part:05}.parquet")


def _pymarc_rows(record: pymarc.Record) -> Iterator[Row]:
    for place, field in enumerate(record.fields):
        if field.control_field:
            yield place, field.tag, None, None, None, field.data
        else:
            for subfield in field.subfields:
                yield place, field.tag, *field.indicators, subfield.code, subfield.value


def _mrrc_rows(record: Any) -> Iterator[Row]:
    for place, field in enumerate(record.fields()):
        if field.is_control_field():
            yield place, field.tag, None, None, None, field.data
        else:
            ind1, ind2 = field.indicators
            for subfield in field.subfields():
                yield place, field.tag, ind1, ind2, subfield.code, subfield.value


def _facts(rows: list[tuple[Any, ...]], number: int, file: str, data: bytes) -> tuple[Any, ...]:
    """The columns of normalize.NORMALIZED, in plain Python."""
    control: dict[str, str] = {}
    values: dict[tuple[str, str], list[str]] = {}
    title, author, fields = [], None, set()
    languages: list[str] = []
    publications: list[str] = []
    physical: list[str] = []
    work: dict[str, list[str]] = {}
    for _, place, tag, _, ind2, code, value, _ in rows:
        fields.add(place)
        if code is None:
            control.setdefault(tag, value)
            if tag == "007":
                physical.append(value)
            continue
        values.setdefault((tag, code), []).append(value)
        if tag == "245" and code in "abnp":
            title.append(value)
        elif tag == "041" and code in "ad":
            languages += _LANGUAGE.findall(value)
        elif tag == "264" and code == "c" and ind2 == "1":
            publications.append(value)
        if tag in ("130", "240", "245") and code in "anp":
            work.setdefault(tag, []).append(value)
        elif author is None and code == "a" and tag in ("100", "110", "111"):
            author = value
    leader = data[:24].decode("ascii")
    content = hashlib.sha256(data).hexdigest()
    own, org, modified = (control.get(tag, "").strip() for tag in ("001", "003", "005"))
    print_of_record = fingerprint(f"({org}){own}", modified or content)
    systems = values.get(("035", "a"), [])
    ocn = [_OCN.match(each.strip()) for each in systems] + [_OCN_001.match(control.get("001", ""))]
    if org == "OCoLC" and (plain := _PLAIN_OCN.match(own)):
        ocn.append(plain)
    fixed = control.get("008")
    if fixed is not None and _CODE.match(fixed[35:38]):
        languages.append(fixed[35:38])
    years = [_YEAR.search(each[0]) for each in (publications, values.get(("260", "c"), [])) if each]
    work_title = next((" ".join(work[tag]) for tag in ("130", "240", "245") if tag in work), None)
    work_key, author_key = _key(work_title), _key(author)
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
        carrier_plainly(leader[6:8], fixed, physical, values.get(("338", "b"), [])),
        "ascii" if data.isascii() and b"\x1b" not in data else "utf-8" if leader[9] == "a" else "marc-8",
        _unique(each[1] for each in ocn if each),
        _unique(map(normalize_isbn, values.get(("020", "a"), []))),
        _unique(map(normalize_issn, values.get(("022", "a"), []))),
        _unique(map(normalize_lccn, values.get(("010", "a"), []))),
        fixed[35:38] if fixed is not None else None,
        _unique(languages),
        fixed[15:18].strip() if fixed is not None else None,
        *((fixed[6:7], fixed[7:11], fixed[11:15]) if fixed is not None else (None, None, None)),
        int(year) if len(year) == 4 and year.isascii() and year.isdigit() else None,
        next((int(found[1]) for found in years if found), None),
        unicodedata.normalize("NFC", whole_title).strip(" /:;,.=") if whole_title is not None else None,
        _key(whole_title),
        unicodedata.normalize("NFC", author).strip(" /:;,.=") if author is not None else None,
        author_key,
        f"{author_key} / {work_key}" if work_key else "",
        len(fields),
        0,
    )


_FORMS = {
    **dict.fromkeys("oqs", "electronic"),
    **dict.fromkeys("abc", "microform"),
    **dict.fromkeys("dfr", "tangible"),
}
_OF_007 = {"c": "electronic", "h": "microform", **dict.fromkeys("adfgkmoqrstv", "tangible")}
_OF_338 = {"c": "electronic", "h": "microform", **dict.fromkeys("egmnpsv", "tangible")}


def carrier_plainly(kinds: str, fixed: str | None, f007: Sequence[str], f338: Sequence[str]) -> str | None:
    """holdfast.marc.carriers in plain Python; `kinds` is leader/06-07."""
    if kinds[0] not in "atcdijmpefgkor":
        return None
    place = 29 if kinds[0] in "efgkor" else 23
    form = (fixed or "")[place : place + 1]
    if form in _FORMS:
        return _FORMS[form]
    if kinds[0] == "m":
        return "electronic"
    rda = {_OF_338.get(each.strip()[0]) for each in f338 if len(each.strip()) == 2} - {None}
    if len(rda) == 1:
        return rda.pop()
    physical = {_OF_007.get(each[:1]) for each in f007} - {None}
    remote = all(each[1:2] == "r" for each in f007 if each[:1] == "c")
    whole = physical == {"microform"} or (physical == {"electronic"} and remote)
    if whole and not rda and kinds[1] not in "bis":
        return physical.pop()
    if form == " ":
        return "tangible"
    return physical.pop() if len(physical) == 1 else None


def _unique(values: Any) -> list[str]:
    return list(dict.fromkeys(each for each in values if each is not None))


_folded = functools.cache(_key_of)


def _key(text: str | None) -> str:
    """normalize.heading_keys in plain Python."""
    return " ".join(each for each in "".join(map(_folded, text or "")).split(" ") if each)


WAYS = {OURS: with_holdfast, f"{OURS}-1-thread": with_one_thread, "pymarc": with_pymarc, "mrrc": with_mrrc}


INPUTS = ("aco", "marc-8")


def _inputs(
    data: Path, folder: Path, quick: bool, records: int, wanted: Sequence[str]
) -> Iterator[tuple[str, Path, str]]:
    """(name, file, character set for yaz-marcdump)"""
    if "aco" in wanted:
        aco = sorted((data / "marc" / "aco").glob("aco-orig.mrc.gz" if quick else "*.mrc.gz"))
        file = repeated(joined(aco, folder / "aco.mrc"), 0 if quick else records)
        yield f"ACO{' (as supplied)' if quick else ', repeated'}, UTF-8", file, "utf-8"
    if "marc-8" in wanted:
        virginia = joined(sorted((data / "marc" / "uva-marc8").glob("*.mrc")), folder / "uva.mrc")
        yield "Virginia, repeated, MARC-8", repeated(virginia, 6_000 if quick else records), "marc-8"


def joined(files: list[Path], to: Path) -> Path:
    with to.open("wb") as target:
        for file in files:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as source:
                shutil.copyfileobj(source, target)
    return to


def repeated(file: Path, records: int) -> Path:
    """The file over and over, until it has so many records at least; itself where it has."""
    once = file.read_bytes()
    own = once.count(b"\x1d")
    if own >= records:
        return file
    to = file.with_stem(f"{file.stem}-{records}")
    ends = [0, *(match.end() for match in re.finditer(b"\x1d", once))]
    with to.open("wb") as target:
        for _ in range(records // own):
            target.write(once)
        target.write(once[: ends[records % own]])
    return to


def _head(file: Path, folder: Path, records: int = 10) -> Path:
    with file.open("rb") as stream:
        parts = stream.read(1_000_000).split(b"\x1d")[:records]
    (folder / "head.mrc").write_bytes(b"".join(part + b"\x1d" for part in parts))
    return folder / "head.mrc"


def contenders(file: Path, charset: str) -> list[Contender]:
    found = [
        Contender(
            name,
            [sys.executable, "-m", "benchmarks.marc_read", "--way", name, "--file", str(file)],
            missing_package("mrrc") if name == "mrrc" else "",
        )
        for name in WAYS
    ]
    yaz = shutil.which("yaz-marcdump") or ""
    command = [yaz, "-i", "marc", "-o", "marcxml", "-f", charset, "-t", "utf-8", str(file)]
    missing = "" if yaz else "not installed (apt install yaz)"
    note = "makes MARCXML, written to nowhere: no facts, no columns"
    return [*found, Contender("yaz-marcdump", command, missing, whole=True, output=Path(os.devnull), note=note)]


def growth(data: Path, folder: Path) -> None:
    """Time and peak memory by the number of records, each in a process of its own."""
    once = joined(sorted((data / "marc" / "aco").glob("*.mrc.gz")), folder / "aco.mrc")
    print("| records | seconds | records/s | peak MiB |", "|--:|--:|--:|--:|", sep="\n")
    for records in (25_000, 250_000, 1_000_000):
        file = repeated(once, records) if records > 25_000 else once
        taking_part = contenders(file, "utf-8")[0]
        sample = measure(taking_part)
        rate = sample.count / sample.seconds
        print(f"| {sample.count:,} | {sample.seconds:,.1f} | {rate:,.0f} | {sample.peak_mib:,.0f} |", flush=True)
        if file != once:
            file.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.marc_read", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a part of the input; ends within 50 seconds")
    parser.add_argument("--records", type=int, default=250_000, help="how many the input is repeated to")
    parser.add_argument(
        "--input", choices=INPUTS, action="append", help="only this one; may be repeated (default: all)"
    )
    parser.add_argument("--growth", action="store_true", help="time and memory from 25,000 to 1,000,000 records")
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
        if arguments.growth:
            growth(data, folder)
            return 0
        own = [(arguments.file.name, arguments.file.resolve(), "utf-8")] if arguments.file else None
        for what, file, charset in own or _inputs(
            data, folder, arguments.quick, arguments.records, arguments.input or INPUTS
        ):
            records = count_records(file)
            what = f"{what}: {records:,} records, {file.stat().st_size / 1e6:.1f} MB"
            taking_part = contenders(file, charset)
            results.append(
                compare(
                    "marc_read",
                    what,
                    taking_part,
                    units=records,
                    unit="records/s",
                    rate=True,
                    rounds=3,
                )
            )
        show(results, ["polars", "numba", "pymarc", "mrrc"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
