"""Figures of a file, added up part by part, against figures counted another way."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from holdfast.marc.summary import Summary, _Seen, figures_of
from tests.records import book


def summary(data: bytes | Path, block_bytes: int = 4_000_000, *more: bytes) -> dict[str, Any]:
    found, before = Summary(), 0
    for n, each in enumerate((data, *more)):
        source = io.BytesIO(each) if isinstance(each, bytes) else each
        count = 0
        for part in marc.read(source, block_bytes=block_bytes, first_record=before + 1):
            if part.records.height:
                found.add(figures_of(part, f"file {n}", before))
            count += part.records.height
        before += count
    return found.as_dict()


def test_the_figures_of_real_records_are_those_that_pymarc_counts(data: Path) -> None:
    file = data / "marc/folio/61PRINT160129.mrc"
    found = summary(file, 50_000)
    fields, records, lengths = Counter[str](), Counter[str](), []
    with file.open("rb") as stream:
        for record in pymarc.MARCReader(stream, to_unicode=False):
            tags = [field.tag for field in record.fields]
            fields.update(tags)
            records.update(set(tags))
            lengths.append(int(str(record.leader)[:5]))
    assert {each["tag"]: (each["fields"], each["records"]) for each in found["fields"]} == {
        tag: (fields[tag], records[tag]) for tag in fields
    }
    assert found["lengths"] == {"min": min(lengths), "median": sorted(lengths)[122], "max": max(lengths)}
    assert found["records"] == found["readable"] == 246
    assert found["bytes"] == file.stat().st_size
    assert [(each["claims"], each["found"], each["records"]) for each in found["encodings"]] == [
        ("marc-8", "ascii", 182),
        ("marc-8", "marc-8", 64),
    ]


@pytest.mark.parametrize("block_bytes", [300, 4_000_000])
def test_duplicates_and_faults_have_their_places(block_bytes: int) -> None:
    one = book("1") + book("2") + book("1", org="YY") + book("1")
    found = summary(one, block_bytes, book("2") + b"nothing\x1d" + book("9") + book("9"))
    numbers = found["control_numbers"]
    assert (numbers["records"], numbers["missing"], numbers["duplicates"]) == (7, 0, 3)
    assert [
        (each["control_number"], each["first"]["file"], each["first"]["record"], each["again"]["record"])
        for each in numbers["first_duplicates"]
    ] == [("(XX-Test)1", "file 0", 1, 4), ("(XX-Test)2", "file 0", 2, 1), ("(XX-Test)9", "file 1", 3, 4)]
    (fault,) = found["faults"]
    assert fault["records"] == 1 and fault["hint"]
    assert (fault["first"][0]["file"], fault["first"][0]["record"]) == ("file 1", 2)
    assert [(each["records"], each["faults"]) for each in found["files"]] == [(4, 0), (4, 1)]
    assert (found["records"], found["readable"], found["unreadable"]) == (8, 7, 1)


def test_what_records_say_is_counted() -> None:
    found = summary(book("1", fields=(("020", "a", "0306406152"), ("020", "a", "0306406153"))) + book("2"))
    assert found["identifiers"]["isbn"] == {"records": 1, "values": 1}
    assert found["years"] == {"first": 1853, "median": 1853, "last": 1853, "records_without": 0}
    assert found["languages"] == {"eng": 2} and found["material_types"] == {"book": 2}


def test_an_empty_file_has_figures_too() -> None:
    found = summary(b"")
    assert (found["records"], found["unreadable"], found["fields"]) == (1, 1, [])
    assert found["lengths"] == {"min": None, "median": None, "max": None}


@given(st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=8))
def test_seen_numbers_are_found_as_a_dictionary_finds_them(parts: list[list[int]]) -> None:
    seen, expected, record = _Seen(), dict[int, int](), 0
    for part in parts:
        numbers = list(range(record, record + len(part)))
        record += len(part)
        found = seen.add(np.array(part, dtype=np.uint64), np.array(numbers, dtype=np.uint32)).tolist()
        first = []
        for each, number in zip(part, numbers, strict=True):
            first.append(expected.get(each, -1))
            expected.setdefault(each, number)
        assert found == first
