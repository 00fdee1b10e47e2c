"""What a reader hands on: the frames of some records, with the bytes that they were read from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from holdfast.marc.encoding import CLAIMS, MARC21, Reading, what_bytes_are
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames

if TYPE_CHECKING:
    from holdfast.marc.opening import Content

# A length is a UInt32: what is skipped is told in rows of a gigabyte.
_LONGEST_ROW = 1 << 30


UNMAPPED = pl.Schema(
    {
        "record": pl.UInt32,
        "property": pl.String,  # class and property: 'bf:Work bf:notation'
        "statements": pl.UInt32,  # how many have no place in MARC
    }
)


class Part(Frames):
    """Frames of one block of a file; a pair of records and subfields like any Frames.

    file: its name, `archive.zip/inner.mrc` in an archive. format: one of `reading.FORMATS`. data, offset: the block and its
    place in the unpacked file; rows of what was skipped may go beyond it. unmapped: shape UNMAPPED, what a BIBFRAME
    description says and MARC has no place for.
    """

    file: str
    format: str
    data: bytes
    offset: int
    unmapped: pl.DataFrame
    reading: Reading = MARC21

    @cached_property
    def originals(self) -> dict[int, bytes]:
        """Record → its bytes, for the ISO 2709 records that a writer could not make of their subfields alone."""
        from holdfast.marc.originals import originals_of

        return originals_of(self) if self.format == "iso2709" else {}


def part_of(frames: Frames, file: str, format: str, data: bytes, offset: int) -> Part:
    part = Part(*frames)
    part.file, part.format, part.data, part.offset = file, format, data, offset
    part.unmapped = pl.DataFrame(schema=UNMAPPED)
    return part


class Found(NamedTuple):
    """A record's row before it is one: [start, end) in the file, its bytes, and the fault or the leader."""

    start: int
    data: bytes
    leader: str | None = None
    encoding: str | None = None
    found: str = "unknown"
    fault: str | None = None
    fault_byte: int | None = None
    fault_detail: str | None = None


def records_frame(found: list[Found], first_record: int) -> pl.DataFrame:
    """Shape RECORDS, numbered from `first_record`."""
    return pl.DataFrame(
        [
            {
                "record": first_record + n,
                "offset": each.start,
                "length": len(each.data),
                "sha256": hashlib.sha256(each.data).hexdigest(),
                "leader": each.leader if each.fault is None else None,
                "claims": claims_of(each.leader),
                "found": each.found,
                "encoding": each.encoding if each.fault is None else None,
                "fault": each.fault,
                "fault_byte": each.fault_byte,
                "fault_detail": each.fault_detail,
            }
            for n, each in enumerate(found)
        ],
        schema=RECORDS,
    )


def claims_of(leader: str | None) -> str:
    return CLAIMS.get((leader or "")[9:10].encode(), "unknown")


def found_in(text: bytes) -> str:
    """Verdict (a key of encoding.FOUND) on a record's bytes in XML or JSON, which are UTF-8."""
    return "ascii" if text.isascii() else what_bytes_are(text)


def no_subfields() -> pl.DataFrame:
    return pl.DataFrame(schema=SUBFIELDS)


def fault_part(
    file: str, format: str, fault: str, detail: str, first_record: int, offset: int, data: bytes = b"", byte: int = -1
) -> Part:
    """One row with a fault, for `data` at `offset`."""
    found = Found(offset, data, fault=fault, fault_byte=byte if byte >= 0 else offset, fault_detail=detail)
    return part_of(Frames(records_frame([found], first_record), no_subfields()), file, format, data, offset)


def skip_rest(
    content: Content, format: str, fault: str, detail: str, first_record: int, offset: int, held: bytes, byte: int
) -> Iterator[Part]:
    """What can't be read to its end, `held` and all that follows in the content: a row at least, one a gigabyte."""
    number, head, length, digest = first_record, held[:4096], len(held), hashlib.sha256(held)
    while True:
        more = content.read(1 << 20)
        if (not more and (length or number == first_record)) or length + len(more) > _LONGEST_ROW:
            row = _skipped(number, offset, length, digest.hexdigest(), fault, detail, byte)
            yield part_of(Frames(row, no_subfields()), content.name, format, head, offset)
            number, offset, length = number + 1, offset + length, 0
            head, digest, byte = more[:4096], hashlib.sha256(), offset
        if not more:
            return
        digest.update(more)
        length += len(more)


def _skipped(record: int, offset: int, length: int, sha256: str, fault: str, detail: str, byte: int) -> pl.DataFrame:
    row: dict[str, Any] = {"record": record, "offset": offset, "length": length, "sha256": sha256}
    row |= {"claims": "unknown", "found": "unknown"}
    row |= {"fault": fault, "fault_byte": byte, "fault_detail": detail}
    return pl.DataFrame([row], schema=RECORDS)
