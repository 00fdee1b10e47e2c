"""The verdict on what the bytes of a record are, and what may be done about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.marc.blocks import Block
from holdfast.marc.encoding import ENCODINGS, FOUND, MARC21, UNIMARC, Reading, candidates, undo_twice, what_bytes_are
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.iso5426 import Iso5426Error, decode_iso5426


def record(*values: bytes, claim: bytes = b"a", general: bytes = b"") -> bytes:
    fields = [b"00\x1fa" + value for value in values]
    tags = [b"245"] * len(fields)
    if general:
        fields, tags = [b"  \x1fa" + general, *fields], [b"100", *tags]
    directory, body = b"", b""
    for tag, content in zip(tags, fields, strict=True):
        directory += tag + b"%04d%05d" % (len(content) + 1, len(body))
        body += content + b"\x1e"
    length = 26 + len(directory) + len(body)
    return b"%05dnam %s22%05d i 4500" % (length, claim, 25 + len(directory)) + directory + b"\x1e" + body + b"\x1d"


def read(data: bytes, reading: Reading = MARC21) -> tuple[dict, list[str]]:
    frames = read_columns(Block(data, 0, True), 1, reading)
    return frames.records.row(0, named=True), frames.subfields["value"].to_list()


@pytest.mark.parametrize(
    ("value", "claim", "found", "used", "text"),
    [
        (b"plain", b"a", "ascii", "ascii", "plain"),
        (b"plain", b" ", "ascii", "ascii", "plain"),
        ("été".encode(), b"a", "utf-8", "utf-8", "été"),
        ("été".encode(), b" ", "utf-8", "utf-8", "été"),  # the leader is wrong, the bytes are beyond doubt
        (b"\xe2et\xe2e", b" ", "marc-8", "marc-8", "e\u0301te\u0301"),
        ("été".encode().decode("latin-1").encode(), b"a", "utf-8-twice", "utf-8", "Ã©tÃ©"),
        ("l’été".encode().decode("cp1252").encode(), b"a", "utf-8-twice", "utf-8", "lâ€™Ã©tÃ©"),
    ],
)
def test_what_is_readable_has_a_verdict(value, claim, found, used, text) -> None:
    row, values = read(record(value, claim=claim))
    assert (row["found"], row["encoding"], row["fault"], values) == (found, used, None, [text])


@pytest.mark.parametrize(
    ("values", "claim", "found", "fault", "byte", "names"),
    [
        ([b"caf\xe9 noir"], b"a", "latin-1", "marc.encoding", 3, "latin-1, cp1252"),
        ([b"\x93quoted\x94"], b"a", "cp1252", "marc.encoding", 0, "cp1252"),
        ([b"\xe2et\xe2e"], b"a", "marc-8", "marc.encoding", 0, "marc-8, latin-1, cp1252"),
        ([b"ab\xff"], b" ", "latin-1", "marc.encoding", 2, "latin-1, cp1252"),
        ([b"\x81"], b"a", "unknown", "marc.encoding", 0, "none"),
        (["été".encode(), b"caf\xe9 noir"], b"a", "mixed", "marc.encoding_mixed", 3, "latin-1"),
        (["été".encode(), b"\xe2et\xe2e"], b" ", "mixed", "marc.encoding_mixed", 0, "marc-8"),
    ],
)
def test_what_is_not_readable_is_rejected_with_the_byte_and_the_candidates(
    values, claim, found, fault, byte, names
) -> None:
    data = record(*values, claim=claim)
    row, texts = read(data)
    assert (row["found"], row["fault"], row["encoding"], texts) == (found, fault, None, [])
    assert row["fault_byte"] == data.rindex(values[-1]) + byte
    assert names in row["fault_detail"]


def test_a_source_may_allow_what_it_is_known_to_send() -> None:
    latin = Reading(("utf-8", "cp1252"))
    row, values = read(record(b"\x93caf\xe9\x94"), latin)
    assert (row["found"], row["encoding"], values) == ("cp1252", "cp1252", ["“café”"])
    row, values = read(record(b"\xe2et\xe2e", claim=b" "), latin)
    assert (row["encoding"], values) == ("cp1252", ["âetâe"]), "what was asked for, though MARC-8 would be likelier"
    row, values = read(record("été".encode().decode("cp1252").encode()), Reading(("utf-8", "utf-8-twice")))
    assert (row["encoding"], values) == ("utf-8-twice", ["été"])


@given(st.text(max_size=20))
def test_what_was_encoded_twice_is_undone_to_the_same_text(text) -> None:
    try:
        twice = text.encode().decode("cp1252")
    except UnicodeDecodeError:
        twice = text.encode().decode("latin-1")
    undone = undo_twice(twice)
    assert undone == text or (undone is None and text.isascii()) or not text.isascii()
    row, values = (
        read(record(twice.encode()), Reading(("utf-8", "utf-8-twice")))
        if not set("\x1d\x1e\x1f") & set(text)
        else ({}, [])
    )
    if row and row["encoding"] == "utf-8-twice":
        assert values != [twice]


@given(st.binary(max_size=60), st.sampled_from([b"a", b" "]), st.lists(st.sampled_from(ENCODINGS), unique=True))
def test_never_a_replacement_character_and_always_a_verdict(value, claim, encodings) -> None:
    data = record(value.translate(None, b"\x1d\x1e\x1f"), claim=claim)
    row, values = read(data, Reading(tuple(encodings)))
    assert row["found"] in FOUND
    assert (row["fault"] is None) == (row["encoding"] is not None)
    if "\ufffd".encode() not in value:
        assert not any("\ufffd" in each for each in values)


def test_unimarc_says_its_sets_in_100() -> None:
    general = b"20200101d2001    m  y0frey%s    ba"
    iso, utf8 = general % b"0103", general % b"50  "
    row, values = read(record(b"\xc2et\xc2e", claim=b" ", general=iso), UNIMARC)
    assert (row["claims"], row["found"], row["encoding"]) == ("iso-5426", "iso-5426", "iso-5426")
    assert values[1] == "e\u0301te\u0301"
    row, values = read(record("été".encode(), claim=b" ", general=utf8), UNIMARC)
    assert (row["claims"], row["encoding"], values[1]) == ("utf-8", "utf-8", "été")
    row, _ = read(record(b"\xcbet", claim=b" ", general=iso), UNIMARC)
    assert row["fault"] == "marc.encoding"


def test_umlaut_and_diaeresis_are_told_apart() -> None:
    assert decode_iso5426(b"\xc9u\xc8i") == "u\u0308i\u034f\u0308"
    with pytest.raises(Iso5426Error):
        decode_iso5426(b"\xc2")


@pytest.mark.parametrize(
    ("data", "verdict"),
    [(b"abc", "ascii"), (b"\x1b$1", "marc-8"), ("é".encode(), "utf-8"), (b"\x1faa\xc3\xa9\x1fbb\xe9 ", "mixed")],
)
def test_broken_records_have_a_verdict_too(data, verdict) -> None:
    assert what_bytes_are(data) == verdict


def test_candidates_put_the_likely_first() -> None:
    assert candidates(b"\xe2et\xe2e").startswith("marc-8")
    assert candidates(b"caf\xe9 noir").startswith("latin-1")
