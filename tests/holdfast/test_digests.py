"""The compiled digests against the standard library's."""

from __future__ import annotations

import hashlib
import uuid

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast import identity
from holdfast.digests import sha1, sha256

ROOM = 72  # bytes that padding may take


def digest(function, text: bytes, words: int, size: int, before: bytes = b"\xff") -> str:
    # Whatever an earlier and longer text has left in the buffer must not count.
    buffer = np.frombuffer((before * (len(text) + ROOM))[: len(text) + ROOM], dtype=np.uint8).copy()
    buffer[: len(text)] = np.frombuffer(text, dtype=np.uint8)
    state = np.full(size, 7, dtype=np.uint32)
    function(buffer, len(text), np.full(words, 7, dtype=np.uint32), state)
    return "".join(f"{word:08x}" for word in state.tolist())


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=3))
@example(b"", b"\xff")
def test_any_bytes_have_the_digests_that_hashlib_gives_them(text: bytes, before: bytes) -> None:
    assert digest(sha256, text, 64, 8, before) == hashlib.sha256(text).hexdigest()
    assert digest(sha1, text, 80, 5, before) == hashlib.sha1(text, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("length", [55, 56, 57, 63, 64, 65, 119, 120, 121, 127, 128, 129, 70_000])
def test_padding_goes_into_the_last_block_or_one_of_its_own(length: int) -> None:
    text = (b"\x80\x00\xff" * length)[:length]
    assert digest(sha256, text, 64, 8) == hashlib.sha256(text).hexdigest()
    assert digest(sha1, text, 80, 5) == hashlib.sha1(text, usedforsecurity=False).hexdigest()


@given(st.lists(st.tuples(st.text(max_size=90), st.text(max_size=40)), max_size=6))
def test_fingerprints_are_sha256_of_named_parts(parts) -> None:
    frame = pl.DataFrame(parts, schema={"number": pl.String, "modified": pl.String}, orient="row")
    expected = []
    for number, modified in ([each.encode() for each in pair] for pair in parts):
        text = b"control_number:%d:%s;last_modified:%d:%s;" % (len(number), number, len(modified), modified)
        expected.append(hashlib.sha256(text).hexdigest())
    assert identity.fingerprints(frame).to_list() == expected


@given(st.text(max_size=12), st.lists(st.tuples(st.integers(0, 2**32 - 1), st.text(max_size=70)), max_size=6))
@example("b", [(0, "a" * 70), (9, ""), (10, "é"), (2**32 - 1, "")])
def test_correlation_ids_are_what_uuid5_makes(source: str, rows) -> None:
    numbers = pl.Series([number for number, _ in rows], dtype=pl.UInt32)
    prints = pl.Series([text for _, text in rows], dtype=pl.String)
    expected = []
    for number, text in rows:
        parts = (("source", source), ("window", "2026-01-05"), ("record_number", str(number)), ("fingerprint", text))
        name = "".join(f"{key}:{len(value.encode())}:{value};" for key, value in parts)
        expected.append(str(uuid.uuid5(identity.NAMESPACE, name)))
    assert identity.correlation_ids(source, "2026-01-05", numbers, prints).to_list() == expected
