"""Columns against pymarc and mrrc on every record of the public test data; docs/reader-differences.md has the outcome."""

from __future__ import annotations

import collections
import contextlib
import gzip
import io
import os
import re
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mrrc
import pymarc
import pytest

from holdfast import marc

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("HOLDFAST_TEST_DATA") or ROOT.parent / "shared" / "data")
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the public test data is not at {DATA} (HOLDFAST_TEST_DATA)")

Rows = list[tuple[Any, ...]]  # tag, indicators, code, value


def files() -> list[Path]:
    found = (each for each in sorted((DATA / "marc").rglob("*")) if each.is_file())
    return [each for each in found if each.suffix not in (".txt", ".csv", ".tsv")]


def records() -> Iterator[tuple[dict[str, Any], Rows, bytes]]:
    """(row of the records frame, rows of its subfields, bytes) of every record of every file."""
    for path in files():
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        first = 1
        for block in marc.read_blocks(io.BytesIO(data)):
            frames = marc.read_columns(block, first)
            first += frames.records.height
            own: dict[int, Rows] = collections.defaultdict(list)
            for row in frames.subfields.iter_rows():
                own[row[0]].append(row[2:])
            for record in frames.records.iter_rows(named=True):
                start = record["offset"] - block.offset
                yield record, own[record["record"]], block.data[start : start + record["length"]]


@contextlib.contextmanager
def silence() -> Iterator[None]:
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def of_pymarc(data: bytes) -> Rows | None:
    try:
        record = pymarc.Record(data, to_unicode=True, hide_utf8_warnings=True)
    except (pymarc.exceptions.PymarcException, UnicodeDecodeError, ValueError):
        return None
    rows: Rows = []
    for field in record.fields:
        if field.control_field:
            rows.append((field.tag, None, None, None, field.data))
        rows += [(field.tag, *field.indicators, each.code, each.value) for each in field.subfields]
    return rows


def of_mrrc(data: bytes) -> Rows | None:
    record = next(iter(mrrc.MARCReader(data, permissive=True)), None)
    if record is None:
        return None
    rows: Rows = []
    for field in record.fields():
        if field.is_control_field():
            rows.append((field.tag, None, None, None, field.data))
        else:
            rows += [(field.tag, *field.indicators, each.code, each.value) for each in field.subfields()]
    return rows


def form_c(rows: Rows) -> Rows:
    return [(*row[:-1], row[-1] if row[-1] is None else unicodedata.normalize("NFC", row[-1])) for row in rows]


def difference(record: dict[str, Any], ours: Rows, theirs: Rows | None) -> str:
    """Which kind of difference it is, a key of the tables in the documentation; empty: none."""
    if theirs is None:
        return "refused"
    if ours == theirs:
        return ""
    if form_c(ours) == form_c(theirs):
        return "composed"
    if record["claims"] == "marc-8" and record["encoding"] == "utf-8":
        return "UTF-8 taken for MARC-8"
    if any("\ufffd" in (row[-1] or "") for row in theirs):
        return "replacement characters"
    if form_c([row for row in ours if row[3] or row[1] is None]) == form_c(theirs):
        return "empty subfield dropped"
    if sorted(map(str, form_c(ours))) == sorted(map(str, form_c(theirs))):
        return "fields reordered"
    return "content"


@pytest.fixture(scope="module")
def outcome() -> dict[str, collections.Counter[str]]:
    counts: dict[str, collections.Counter[str]] = {"pymarc": collections.Counter(), "mrrc": collections.Counter()}
    with silence():
        for record, ours, data in records():
            for name, read in (("pymarc", of_pymarc), ("mrrc", of_mrrc)):
                theirs = read(data)
                if record["fault"] is not None:
                    counts[name]["rejected here, read there" if theirs is not None else "rejected by both"] += 1
                else:
                    counts[name]["compared"] += 1
                    counts[name][difference(record, ours, theirs) or "equal"] += 1
    return counts


def test_no_value_differs_from_pymarcs_but_for_the_kinds_that_are_documented(outcome) -> None:
    found = outcome["pymarc"]
    assert found["compared"] > 35_000
    assert found["content"] == 0, "the same fields, indicators, codes and values"
    assert found["replacement characters"] == found["fields reordered"] == 0


@pytest.mark.parametrize("reader", ["pymarc", "mrrc"])
def test_the_documented_counts_are_those_found(outcome, reader) -> None:
    text = (ROOT / "docs" / "reader-differences.md").read_text()
    section = text.split(f"## {reader}")[1].split("\n## ")[0]
    documented = {
        name.strip(): int(count.replace(",", ""))
        for name, count in re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|", section, re.MULTILINE)
    }
    assert documented == {name: count for name, count in outcome[reader].items() if count}
