"""Small authority records, and bibliographic ones with headings, for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pymarc

from holdfast.authority.records import AuthorityFile, joined, read_authorities
from holdfast.marc import read_blocks, read_columns
from holdfast.marc.frames import Frames

# (tag, indicators, 'a', 'value', 'x', 'value' …)
Spec = tuple[str, ...]


def marc(leader: str, controls: dict[str, str], fields: Sequence[Spec]) -> bytes:
    record = pymarc.Record(force_utf8=True)
    record.leader = pymarc.Leader(leader)
    for tag, data in controls.items():
        record.add_field(pymarc.Field(tag, data=data))
    for tag, indicators, *rest in fields:
        subfields = [pymarc.Subfield(code, value) for code, value in zip(rest[::2], rest[1::2], strict=True)]
        record.add_field(pymarc.Field(tag, indicators=pymarc.Indicators(*indicators), subfields=subfields))
    return bytes(record.as_marc())


def authority(
    number: str,
    *fields: Spec,
    status: str = "n",
    kind: str = "a",
    thesaurus: str = "a",
    as_name: bool = False,
    as_subject: bool = True,
    date: str = "20260101000000.0",
) -> bytes:
    """An authority record; the first field is its heading."""
    use = ("a" if as_name else "b") + ("a" if as_subject else "b")
    fixed = f"260101 | {kind}n{thesaurus}nn{use}bn          |a ana     d"
    return marc(f"00000{status}z  a2200000n  4500", {"001": number, "005": date, "008": fixed}, fields)


def heading_record(number: str, *fields: Spec) -> bytes:
    return marc("00000nam a2200000 i 4500", {"001": number}, fields)


def frames(*records: bytes) -> Frames:
    (block,) = [each for each in read_blocks(io.BytesIO(b"".join(records))) if each.data] or read_blocks(io.BytesIO())
    return read_columns(block)


def authority_file(*records: bytes, name: str = "lcsh", file: str = "lcsh/a.mrc") -> AuthorityFile:
    return joined([read_authorities(frames(*records), authority_file=name, file=file, thesaurus="lcsh")])
