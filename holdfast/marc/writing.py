"""Write frames in any of the formats."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import polars as pl

from holdfast.marc.encoding import MARC21
from holdfast.marc.frames import Frames
from holdfast.marc.iso2709_writer import ENCODINGS, REFUSED, to_iso2709

FORMATS = ("iso2709", "marcxml", "marc-json", "bibframe-jsonld")


class Written(NamedTuple):
    """records: how many were written. bytes: of the file. refused: shape iso2709_writer.REFUSED, a row a record. left_out: tag
    and fields: how many fields of what was written have no place in the format (BIBFRAME only)."""

    records: int
    bytes: int
    refused: pl.DataFrame
    left_out: pl.DataFrame


class CannotWriteError(ValueError):
    """Records that the format has no place for; `refused` has all of them (shape iso2709_writer.REFUSED)."""

    def __init__(self, refused: pl.DataFrame) -> None:
        shown = [
            f"record {row['record']}, {row['detail']}: {row['rule']}; {row['hint']}"
            for row in refused.head(3).iter_rows(named=True)
        ]
        more = f"\nand {refused.height - 3:,} more" if refused.height > 3 else ""
        super().__init__("\n".join(shown) + more)
        self.refused = refused


_LEFT_OUT = pl.Schema({"tag": pl.String, "fields": pl.UInt32})


class Form(Protocol):
    """Bytes of one format, frames by frames. left_out: as in Written, over all frames so far."""

    left_out: pl.DataFrame

    def head(self) -> bytes: ...
    def tail(self) -> bytes: ...
    def body(self, frames: Frames) -> tuple[int, bytes, pl.DataFrame]: ...


class _Iso2709:
    left_out = pl.DataFrame(schema=_LEFT_OUT)

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def head(self) -> bytes:
        return b""

    tail = head

    def body(self, frames: Frames) -> tuple[int, bytes, pl.DataFrame]:
        originals = getattr(frames, "originals", None) if self._encoding == "keep" else None
        made = to_iso2709(frames, self._encoding, originals, getattr(frames, "reading", MARC21))
        return len(made.records), made.data, made.refused


class _Marcxml:
    left_out = pl.DataFrame(schema=_LEFT_OUT)

    def head(self) -> bytes:
        from holdfast.marc.marcxml_writer import HEAD

        return HEAD

    def tail(self) -> bytes:
        from holdfast.marc.marcxml_writer import TAIL

        return TAIL

    def body(self, frames: Frames) -> tuple[int, bytes, pl.DataFrame]:
        from holdfast.marc.marcxml_writer import to_marcxml

        made, refused = to_marcxml(frames)
        return made.height, "".join(made["xml"]).encode(), refused


class _Listed:
    """A JSON array, an object a line."""

    def __init__(self, format: str) -> None:
        self._format, self._first = format, True
        self.left_out = pl.DataFrame(schema=_LEFT_OUT)

    def head(self) -> bytes:
        return b"[\n"

    def tail(self) -> bytes:
        return b"\n]\n"

    def body(self, frames: Frames) -> tuple[int, bytes, pl.DataFrame]:
        objects: list[bytes]
        if self._format == "marc-json":
            from holdfast.marc.marc_json import to_marc_json

            objects = to_marc_json(frames)
        else:
            from holdfast.marc.bibframe_writer import to_bibframe

            objects, left_out = to_bibframe(frames)
            self.left_out = pl.concat([self.left_out, left_out]).group_by("tag").agg(pl.col("fields").sum()).sort("tag")
        data = b",\n".join(objects)
        if objects and not self._first:
            data = b",\n" + data
        self._first = self._first and not objects
        return len(objects), data, pl.DataFrame(schema=REFUSED)


def form_of(format: str, encoding: str) -> Form:
    """A format to write parts in, one after the other: head, bodies, tail.

    Raises:
        ValueError: `format` or `encoding` is none of those of `write`.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r}: must be one of {', '.join(FORMATS)}")
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding {encoding!r}: must be one of {', '.join(ENCODINGS)}")
    if format == "iso2709":
        return _Iso2709(encoding)
    return _Marcxml() if format == "marcxml" else _Listed(format)


def write(
    frames: Frames | Iterable[Frames],
    target: str | Path | BinaryIO,
    *,
    format: str = "iso2709",
    encoding: str = "keep",
    strict: bool = True,
) -> Written:
    """Write the readable records of frames; rows with a fault are passed over.

    What `read` gave is written back byte for byte as ISO 2709, and as MARCXML in our layout. A file gets its name once it is
    whole: after an error there is none.

    Args:
        target: a path, or a binary stream to write to.
        format: 'iso2709', 'marcxml', 'marc-json' or 'bibframe-jsonld'.
        encoding: of ISO 2709: 'keep' (as leader/09 says, which is as it was read), 'utf-8' (leader/09 becomes 'a') or
            'marc-8' (it becomes blank).
        strict: False: records that the format has no place for are left out, and told in `Written.refused`.

    Raises:
        CannotWriteError: with `strict`, records that the format has no place for, each with its field and rule: a field of
            more than 9,999 bytes or a record of more than 99,999 in ISO 2709, a control character in XML …
        ValueError: `format` or `encoding` is none of these.
    """
    form = form_of(format, encoding)
    given = [frames] if isinstance(frames, Frames) else frames
    count, size, refused = 0, 0, [pl.DataFrame(schema=REFUSED)]
    with _opened(target) as stream:
        size += stream.write(form.head())
        for each in given:
            records, data, struck = form.body(each)
            if struck.height and strict:
                raise CannotWriteError(struck)
            refused.append(struck)
            count += records
            size += stream.write(data)
        size += stream.write(form.tail())
    return Written(count, size, pl.concat(refused), form.left_out)


@contextmanager
def _opened(target: str | Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(target, str | Path):
        yield target
        return
    path = Path(target)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("xb") as stream:
            yield stream
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
