"""Read MARC from anywhere: any of the formats, plain or packed, a path, a URL or a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, cast

import polars as pl

from holdfast.marc.blocks import read_blocks
from holdfast.marc.encoding import MARC21, Reading
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.opening import Content, Source, open_contents
from holdfast.marc.parts import Part, fault_part, part_of

Reader = Callable[[Content, int, int], Iterator[Part]]

_HEAD = 65_536
_RDF_ROOT = re.compile(rb"<(?:[^\s/<>:]+:)?RDF[\s>/]")
_JSON_LD = re.compile(rb'"@(?:context|graph|id|type)"\s*:')


def _read_iso2709(content: Content, block_bytes: int, first_record: int, reading: Reading = MARC21) -> Iterator[Part]:
    for block in read_blocks(cast("BinaryIO", content), block_bytes):
        frames = read_columns(block, first_record, reading)
        part = part_of(frames, content.name, "iso2709", block.data, block.offset)
        part.reading = reading
        yield part
        first_record += frames.records.height


def _read_marcxml(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    from holdfast.marc.marcxml import read_marcxml

    yield from read_marcxml(content, block_bytes, first_record)


def _read_marc_json(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    from holdfast.marc.marc_json import read_marc_json

    yield from read_marc_json(content, block_bytes, first_record)


def _read_bibframe_xml(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    from holdfast.marc.bibframe import read_bibframe_xml

    yield from read_bibframe_xml(content, first_record)


def _read_bibframe_jsonld(content: Content, block_bytes: int, first_record: int) -> Iterator[Part]:
    from holdfast.marc.bibframe import read_bibframe_jsonld

    yield from read_bibframe_jsonld(content, block_bytes, first_record)


FORMATS: dict[str, Reader] = {
    "iso2709": _read_iso2709,
    "marcxml": _read_marcxml,
    "marc-json": _read_marc_json,
    "bibframe-xml": _read_bibframe_xml,
    "bibframe-jsonld": _read_bibframe_jsonld,
}


def detect(head: bytes) -> str:
    """Format of a file by its first bytes, unpacked. What is none of the others is 'iso2709', whose reader says what is wrong."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            head = head[2:].decode(encoding, "ignore").encode()
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if b"\x1d" in text:  # a record terminator, which neither XML nor JSON may hold
        return "iso2709"
    if text.startswith(b"<"):
        return "bibframe-xml" if _RDF_ROOT.search(text) else "marcxml"
    if text.startswith((b"{", b"[")):
        return "bibframe-jsonld" if _JSON_LD.search(text) else "marc-json"
    return "iso2709"


def check_format(format: str | None) -> None:
    if format is not None and format not in FORMATS:
        raise ValueError(f"format {format!r}: must be one of {', '.join(FORMATS)}, or None to tell it by the content")


def read_content(
    content: Content, format: str | None, block_bytes: int, first_record: int, reading: Reading = MARC21
) -> Iterator[Part]:
    """Parts of one unpacked file: every byte of it is in a row or between rows, and at least one row comes out."""
    head = content.peek(_HEAD)
    found = format or detect(head)
    number = first_record
    if head:
        reader = partial(_read_iso2709, reading=reading) if found == "iso2709" else FORMATS[found]
        for part in reader(content, block_bytes, number):
            number += part.records.height
            yield part
    if content.fault is not None:
        yield fault_part(content.name, found, *content.fault, number, content.position)
    elif not head:
        yield fault_part(content.name, found, "marc.empty_file", "0 bytes", number, 0)
    elif number == first_record:
        yield fault_part(content.name, found, "marc.no_record", f"{content.position:,} bytes", number, content.position)


def read(
    source: Source,
    *,
    format: str | None = None,
    block_bytes: int = 4_000_000,
    first_record: int = 1,
    reading: Reading = MARC21,
) -> Iterator[Frames]:
    """Frames of a source, block by block; memory does not depend on its size.

    What is in the source never raises: what can't be read is a row of `records` with a fault. Each pair of frames also
    says which file it is of (`.file`, 'archive.zip/inner.mrc' in an archive) and in which format (`.format`). Records are
    numbered over all files of the source; offsets are of the unpacked file.

    Args:
        source: a path, an address (whatever fsspec opens: http, s3, sftp, ftp …) or a binary stream. gzip, zstd and zip are
            known by their first bytes.
        format: 'iso2709', 'marcxml', 'marc-json', 'bibframe-xml' or 'bibframe-jsonld'; None: told by the content.
        block_bytes: about so many bytes are looked at at once.
        first_record: number of the first record.
        reading: in which character sets ISO 2709 may be; `encoding.UNIMARC` for UNIMARC.

    Raises:
        ValueError: `format` is none of these.
        OSError: the source itself can't be opened or read.
    """
    check_format(format)
    return _read(source, format, block_bytes, first_record, reading)


def _read(source: Source, format: str | None, block_bytes: int, first_record: int, reading: Reading) -> Iterator[Part]:
    contents = 0
    for content in open_contents(source):
        contents += 1
        for part in read_content(content, format, block_bytes, first_record, reading):
            first_record += part.records.height
            yield part
    if not contents:
        yield fault_part(str(getattr(source, "name", source)), "iso2709", "marc.no_record", "an empty archive", 1, 0)


def read_all(source: Source, *, format: str | None = None, reading: Reading = MARC21) -> Frames:
    """Frames of a whole source, for one that fits into memory. Arguments and errors are those of `read`."""
    parts = list(read(source, format=format, reading=reading))
    records = pl.concat([part.records for part in parts]) if parts else pl.DataFrame(schema=RECORDS)
    subfields = pl.concat([part.subfields for part in parts]) if parts else pl.DataFrame(schema=SUBFIELDS)
    return Frames(records, subfields)
