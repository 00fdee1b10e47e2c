"""Compile what numba compiles, once and ahead: so that no load waits for it, and no two at once do the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from holdfast.marc.blocks import Block
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.nfc import with_nfc
from holdfast.marc.normalize import normalize
from holdfast.marc.validation import load_rules, validate
from holdfast.parquet import write_parquet

# A record of our making: UTF-8, with a letter and its mark apart, dates and codes, an identifier that a loop is not sure of, and a value
# with a login, which issues don't show.
_FIELDS = (
    (b"001", b"1"),
    (b"008", b"260101s2026    xx            000 0 eng d"),
    (b"020", "  \x1fa0306406152 (reli\u00e9)".encode()),
    (b"035", "  \x1fa(OCoLC)ocm12345\u00a0".encode()),
    (b"041", b"0 \x1faeng"),
    (b"245", b"10\x1faHoldfast, e\xcc\x81te\xcc\x81."),
    (b"856", b"40\x1fuhttp//me:pii:word@example.org\x1fu"),
)


def compile_kernels() -> None:
    """Some ten seconds after an installation, under one second later: the result is kept beside the sources."""
    directory, body = b"", b""
    for tag, content in _FIELDS:
        directory += tag + b"%04d%05d" % (len(content) + 1, len(body))
        body += content + b"\x1e"
    head = b"%05dnam a22%05d i 4500" % (26 + len(directory) + len(body), 25 + len(directory))
    frames = read_columns(Block(head + directory + b"\x1e" + body + b"\x1d", 0, True))
    subfields = with_nfc(frames.subfields)
    index = frames.records.with_columns(pl.lit("").alias("file"), pl.lit(0, pl.UInt32).alias("masked_values"))
    facts = normalize(index, subfields, source="none", window="1970-01-01")
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(facts, Path(folder) / "facts.parquet")
        write_parquet(subfields, Path(folder) / "subfields.parquet")
    validate(frames, load_rules())


if __name__ == "__main__":
    compile_kernels()
