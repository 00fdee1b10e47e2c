"""MARC-in-JSON: as pymarc and others write it, broken objects, any bytes at all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import orjson
import polars as pl
import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import marc
from tests.holdfast.marc.corpora import accounted, parts, plain_bytes

LEADER = "00000nam a2200000 i 4500"
RECORD = {
    "leader": LEADER,
    "fields": [
        {"001": "1"},
        {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": 'Été } "quoted" \\'}, {"c": "x"}]}},
        {"500": {"ind1": " ", "ind2": " ", "subfields": []}},
    ],
}
ROWS = [
    (0, "001", None, None, None, "1"),
    (1, "245", "1", "0", "a", 'Été } "quoted" \\'),
    (1, "245", "1", "0", "c", "x"),
    (2, "500", " ", " ", None, None),
]
ONE = orjson.dumps(RECORD)
FORMS = {
    "an array": b"[" + ONE + b",\n " + ONE + b"]\n",
    "an array over lines": json.dumps([RECORD, RECORD], indent=2).encode(),
    "a record a line": ONE + b"\n" + ONE + b"\n",
    "records one after the other": json.dumps(RECORD, indent=1).encode()
    + b"\n"
    + json.dumps(RECORD, indent=1).encode(),
    "with a byte order mark": b"\xef\xbb\xbf[" + ONE + b"," + ONE + b"]",
    "other order": orjson.dumps([{"fields": RECORD["fields"], "leader": LEADER}] * 2),
}


def read(data: bytes, **options: object) -> marc.Frames:
    found = parts(io.BytesIO(data), **options)
    accounted(found, len(data))
    return marc.Frames(pl.concat([p.records for p in found]), pl.concat([p.subfields for p in found]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block_bytes", [11, 4_000_000])
def test_records_are_read_in_every_form_with_their_place(form: str, block_bytes: int) -> None:
    frames = read(FORMS[form], block_bytes=block_bytes)
    assert frames.records["fault"].to_list() == [None, None]
    for number, offset, length in frames.records.select("record", "offset", "length").iter_rows():
        assert json.loads(FORMS[form][offset : offset + length]) == RECORD
        assert frames.subfields.filter(pl.col("record") == number).drop("record").rows() == ROWS


def changed(path: list[object], value: object) -> bytes:
    record = json.loads(ONE)
    place = record
    for each in path[:-1]:
        place = place[each]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return orjson.dumps(record)


BROKEN = {
    "no leader": (changed(["leader"], None), "marc.leader"),
    "short leader": (changed(["leader"], "x"), "marc.leader"),
    "no fields": (changed(["fields"], None), "marc.json_structure"),
    "another member": (changed(["note"], "Mrs Sauer"), "marc.json_structure"),
    "two tags in one": (changed(["fields", 0], {"001": "1", "003": "x"}), "marc.json_structure"),
    "a long tag": (changed(["fields", 0], {"0011": "1"}), "marc.tag"),
    "a number": (changed(["fields", 0], {"001": 1}), "marc.json_structure"),
    "no indicator": (changed(["fields", 1, "245", "ind2"], None), "marc.indicators"),
    "a long code": (changed(["fields", 1, "245", "subfields", 0], {"aa": "x"}), "marc.subfield_code"),
    "a value that is a list": (changed(["fields", 1, "245", "subfields", 0], {"a": ["x"]}), "marc.json_structure"),
    "a control character": (
        changed(["fields", 1, "245", "subfields", 0], {"a": "x\x1fbSauer"}),
        "marc.control_character",
    ),
    "not JSON": (ONE.replace(b'"001":"1"', b'"001":1x'), "marc.json"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("form", [b"[%s,\n%s,\n%s]", b"%s\n%s\n%s\n"])
def test_a_broken_record_is_rejected_alone(kind: str, form: bytes) -> None:
    bad, code = BROKEN[kind]
    data = form % (ONE, bad, ONE)
    frames = read(data)
    assert frames.records["fault"].to_list() == [None, code, None]
    row = frames.records.row(1, named=True)
    assert row["offset"] <= row["fault_byte"] < row["offset"] + row["length"]
    assert "Sauer" not in row["fault_detail"]


def test_a_file_that_is_cut_keeps_what_was_whole() -> None:
    frames = read(b"[" + ONE + b"," + ONE[:-10])
    assert frames.records["fault"].to_list() == [None, "marc.json"]


@given(plain_bytes(200), st.integers(1, 60))
def test_any_bytes_are_accounted_for_and_nothing_is_raised(data: bytes, block_bytes: int) -> None:
    accounted(parts(io.BytesIO(data), format="marc-json", block_bytes=block_bytes), len(data))


@given(st.data())
def test_any_damage_loses_no_byte(data: st.DataObject) -> None:
    good = bytearray(data.draw(st.sampled_from(list(FORMS.values()))))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    accounted(
        parts(io.BytesIO(bytes(good)), format="marc-json", block_bytes=data.draw(st.integers(10, 900))), len(good)
    )


def test_pymarcs_files_are_read_as_pymarc_reads_them(data: Path) -> None:
    for name in ("one.json", "batch.json"):
        path = data / "marc" / "pymarc" / name
        ours = marc.read_all(path)
        theirs = list(pymarc.JSONReader(path.read_text()))
        assert ours.records["fault"].to_list() == [None] * len(theirs)
        for number, record in enumerate(theirs, 1):
            rows = ours.subfields.filter(pl.col("record") == number).select("tag", "code", "value").rows()
            wanted = []
            for field in record.fields:
                wanted += [(field.tag, None, field.data)] if field.control_field else []
                wanted += [(field.tag, each.code, each.value) for each in field.subfields]
            assert rows == wanted


def test_pymarc_reads_what_we_write(data: Path) -> None:
    out = io.BytesIO()
    marc.write(marc.read(data / "marcxml" / "marc2bibframe2" / "nlm.xml.gz"), out, format="marc-json")
    assert len(list(pymarc.JSONReader(out.getvalue().decode()))) == 99
