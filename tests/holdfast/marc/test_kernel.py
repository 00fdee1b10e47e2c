"""The compiled loop against the strict reader: whatever the bytes are, both say the same."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pymarc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from holdfast.marc import kernel
from holdfast.marc.blocks import Block, read_blocks
from holdfast.marc.encoding import MARC21, UNIMARC, Reading
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.marc8 import Marc8Error, code_tables, decode_marc8
from holdfast.marc.strict import read_strictly

DATA = Path(os.environ.get("HOLDFAST_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")
READINGS = [MARC21, UNIMARC, Reading(("utf-8", "cp1252")), Reading(("utf-8", "marc-8", "latin-1", "utf-8-twice"))]


def assert_same(data: bytes, block_bytes: int = 4_000_000, reading: Reading = MARC21) -> int:
    first, faults = 1, 0
    for block in read_blocks(io.BytesIO(data), block_bytes):
        ours, theirs = read_columns(block, first, reading), read_strictly(block, first, reading)
        # What UNIMARC claims is looked up in the frames afterwards.
        left_out = ["claims"] if reading.unimarc else []
        assert_frame_equal(ours.records.drop(left_out), theirs.records.drop(left_out))
        assert_frame_equal(ours.subfields, theirs.subfields)
        first += ours.records.height
        faults += ours.records["fault"].count()
    return faults


def record(*fields: tuple[str, bytes], leader9: bytes = b"a") -> bytes:
    directory, body = b"", b""
    for tag, content in fields:
        directory += tag.encode() + b"%04d%05d" % (len(content) + 1, len(body))
        body += content + b"\x1e"
    length = 25 + len(directory) + len(body) + 1
    return b"%05dnam %s22%05d i 4500" % (length, leader9, 25 + len(directory)) + directory + b"\x1e" + body + b"\x1d"


VALUES = st.one_of(
    st.text(max_size=30).map(str.encode),
    st.binary(max_size=30),
    st.sampled_from(
        [
            "Ã©tÃ©".encode(), "Ã© ÿ".encode(), b"\xe9t\xe9", b"\xe2e", b"\x1b$1!0!\x1b(B", b"\x1b(NVoina\x1b(B", b"\xc3\xa9 \xe2e",
            b"\x1bg", b"x\x1d", b"\x93quoted\x94", b"\xc9uber", b"\x1b(2\x60\x1b(B", b"\x1b)2\xe0\x1b)!E\xe2e",
        ]
    ),
)  # fmt: skip
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["001", "005", "008", "100", "245", "880", "9ZZ"]),
        st.lists(st.tuples(st.sampled_from(["a", "b", "6", "", "\x80"]), VALUES), max_size=4),
    ),
    max_size=6,
)


def field(tag: str, subfields: list[tuple[str, bytes]]) -> bytes:
    if tag < "010":
        return b"".join(value for _, value in subfields)
    return b"1 " + b"".join(b"\x1f" + code.encode("latin-1") + value for code, value in subfields)


@given(FIELDS, st.sampled_from([b"a", b" ", b"u"]), st.sampled_from(READINGS), st.data())
def test_records_of_any_content_read_the_same_both_ways(fields, leader9, reading, data) -> None:
    one = record(*((tag, field(tag, subfields)) for tag, subfields in fields), leader9=leader9)
    good = record(("001", b"1"), ("245", b"10\x1faBleak house /\x1fcCharles Dickens."), leader9=leader9)
    whole = bytearray(good + one + b"\r\n" + good + one)
    for _ in range(data.draw(st.integers(0, 2))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert_same(bytes(whole), data.draw(st.sampled_from([100, 4_000_000])), reading)


@given(st.binary(max_size=300))
@example(b"")
@example(b"00026     2200025   4500\x1e\x1d")
@example(b"00026     2200025   4500\x1e\x1d" * 2 + b"0")
def test_any_bytes_read_the_same_both_ways(data) -> None:
    assert_same(data)


def test_a_record_around_another_is_not_stitched_together() -> None:
    outer = record(("001", b"1"), ("500", b"  \x1faone\x1dtwo"))
    inner = record(("001", b"2"), ("245", b"10\x1faInside"))
    cut = outer.index(b"\x1d") + 1
    frames = read_columns(Block(outer[:cut] + inner + outer[cut:], 0, True))
    assert frames.records["fault"].is_null().to_list().count(True) == 1
    assert frames.records["offset"].to_list() == [0, cut, cut + len(inner)]


def pieces() -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [b"\x1b$1", b"\x1b(B", b"\x1b(N", b"\x1b)E", b"\x1b)!E", b"\x1b$)1", b"\x1b(2", b"\x1b(S", b"\x1bs"]
        ),
        st.sampled_from([b"\xe2e", b"\xe8\xe5o", b"!0!", b"\xb2\xa1", b" ", b"abc"]),
    )


@given(st.lists(pieces(), max_size=8).map(b"".join))
def test_marc8_is_decoded_as_the_strict_decoder_does(data) -> None:
    extra = np.zeros(3 * len(data) + 32, dtype=np.uint8)
    buffer = np.frombuffer(data + bytes(32), dtype=np.uint8)
    behind = kernel.marc8_run(buffer, 0, len(data), *code_tables(), extra, 0)
    try:
        text = decode_marc8(data)
    except Marc8Error:
        assert behind == -1
    else:
        assert behind >= 0 and bytes(extra[:behind]).decode() == text


@given(st.one_of(st.binary(max_size=20), st.text(max_size=10).map(str.encode)))
def test_utf8_is_what_python_says_it_is(data) -> None:
    valid, beyond, _ = kernel.utf8_run(np.frombuffer(data + bytes(32), dtype=np.uint8), 0, len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        assert not valid
    else:
        assert valid and beyond == (not text.isascii())


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the public test data is not at {DATA} (HOLDFAST_TEST_DATA)")
@pytest.mark.parametrize("folder", ["malformed", "marc4j", "pymarc", "traject", "uva-marc8", "folio", "holdings"])
def test_real_files_read_the_same_both_ways(folder) -> None:
    files = [each for each in sorted((DATA / "marc" / folder).rglob("*")) if each.is_file()]
    faults = 0
    for path in files:
        faults += assert_same(path.read_bytes(), 300_000)
    assert len(files) > 0 and (faults > 0 or folder != "malformed")


def test_pymarcs_own_records_are_all_taken_by_the_loop() -> None:
    made = pymarc.Record(force_utf8=True)
    made.add_field(pymarc.Field("245", subfields=[pymarc.Subfield("a", "Строка")]))
    buffer = np.frombuffer(made.as_marc() + bytes(32), dtype=np.uint8)
    from holdfast.marc import iso2709

    spans, _, _ = iso2709._scan(buffer, len(buffer) - 32)
    assert spans["state"].tolist() == [kernel.UTF8]
