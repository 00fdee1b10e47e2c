"""What `holdfast marc` writes: files that are whole or not there, packed by their suffix, and what was refused beside them."""

from __future__ import annotations

import argparse
import base64
import contextlib
import gzip
import hashlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import orjson
import polars as pl

from commands.marc_inputs import Piece, UsageError, shown
from holdfast.marc.faults import FAULTS
from holdfast.marc.frames import Frames
from holdfast.marc.parts import Part, part_of
from holdfast.marc.writing import FORMATS, form_of

if TYPE_CHECKING:
    from holdfast.marc.writing import Form

SUFFIXES = {"iso2709": ".mrc", "marcxml": ".xml", "marc-json": ".json", "bibframe-jsonld": ".jsonld"}
_FORMAT_OF = {".mrc": "iso2709", ".marc": "iso2709", ".dat": "iso2709", ".xml": "marcxml", ".json": "marc-json"}
_FORMAT_OF |= {".jsonld": "bibframe-jsonld"}
_PACKED = (".gz", ".zst")


def add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=what)
    add_writing(parser)


def add_writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to", choices=FORMATS, help="format (default: by the suffix .mrc, .xml, .json, .jsonld; else iso2709)"
    )
    parser.add_argument(
        "--encoding",
        choices=("keep", "utf-8", "marc-8"),
        default="keep",
        help="of ISO 2709: keep (as each record is, the default), utf-8 or marc-8",
    )
    parser.add_argument("--nfc", action="store_true", help="values in Unicode normalization form C")
    parser.add_argument("--force", action="store_true", help="replace what is there")


def format_of(arguments: argparse.Namespace, name: str) -> str:
    if arguments.to:
        return str(arguments.to)
    suffixes = [each for each in Path(name).suffixes if each not in _PACKED]
    return _FORMAT_OF.get(suffixes[-1].lower() if suffixes else "", "iso2709")


def check_output(name: str, force: bool, inputs: list[str]) -> None:
    """Nothing that is there would be lost.

    Raises:
        UsageError: it is there and `force` is not given, it is one of the inputs, or its folder is missing.
    """
    if name == "-":
        return
    path = Path(name)
    if not path.parent.is_dir():
        raise UsageError(f"{shown(name)}: there is no folder {shown(str(path.parent))}; make it first")
    if path.is_dir():
        raise UsageError(f"{shown(name)}: is a directory; name a file in it")
    if path.exists():
        for each in inputs:
            with contextlib.suppress(OSError):
                if path.samefile(each):
                    raise UsageError(f"{shown(name)}: is one of the files to read; name another one")
        if not force:
            raise UsageError(f"{shown(name)}: is there already; name another one, or replace it with --force")


@contextlib.contextmanager
def output(name: str) -> Iterator[BinaryIO]:
    """A stream to write to: packed by the suffix .gz or .zst; - is standard output. The file has its name once it is whole.

    Raises:
        UsageError: it can't be written.
    """
    if name == "-":
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    partial = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        with partial.open("xb") as stream:
            with _packed(stream, path.suffix) as packed:
                yield packed
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{shown(name)}: can't be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _packed(stream: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    if suffix == ".gz":
        # Neither name nor time: the same records make the same bytes.
        with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
            yield cast("BinaryIO", packed)
    elif suffix == ".zst":
        import zstandard

        with zstandard.ZstdCompressor(3, write_checksum=True).stream_writer(stream, closefd=False) as packed:
            yield cast("BinaryIO", packed)
    else:
        yield stream


def in_form_c(part: Part) -> Part:
    """The part with its values in normalization form C."""
    from holdfast.marc.nfc import nfc_beside

    nfc = nfc_beside(part.subfields["value"])
    if nfc.null_count() == len(nfc):
        return part
    subfields = part.subfields.with_columns(value=pl.coalesce(nfc, "value"))
    made = part_of(Frames(part.records, subfields), part.file, part.format, part.data, part.offset)
    made.reading = part.reading
    return made


def only(part: Part, records: pl.Series) -> Part:
    """The part with some of its records."""
    wanted = pl.col("record").is_in(records.implode())
    frames = Frames(part.records.filter(wanted), part.subfields.filter(wanted))
    made = part_of(frames, part.file, part.format, part.data, part.offset)
    made.reading = part.reading
    return made


class RecordFile:
    """A file of records of one format, written part by part."""

    def __init__(self, stream: BinaryIO, form: Form) -> None:
        self.records = 0
        self._stream, self._form = stream, form
        stream.write(form.head())

    def write(self, part: Part) -> pl.DataFrame:
        """What was refused, shape iso2709_writer.REFUSED."""
        count, data, refused = self._form.body(part)
        self.records += count
        self._stream.write(data)
        return refused

    def end(self) -> pl.DataFrame:
        """Fields that have no place in the format: tag, fields."""
        self._stream.write(self._form.tail())
        return self._form.left_out


@contextlib.contextmanager
def record_file(name: str, format: str, encoding: str = "keep") -> Iterator[RecordFile]:
    """A file of records under a name, with the format's end at its end."""
    with output(name) as stream:
        yield RecordFile(stream, form_of(format, encoding))


class Rejected:
    """What could not be read or written: a JSON object a line, with the record's bytes, in a file made with the first of them."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self._stack = contextlib.ExitStack()
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Rejected:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def add(self, piece: Piece, refused: pl.DataFrame | None = None) -> None:
        """The records of a piece that have a fault, and those that a format refused."""
        faulty = piece.part.records.filter(pl.col("fault").is_not_null())
        for row in faulty.iter_rows(named=True):
            fault = FAULTS[row["fault"]]
            said = {"code": row["fault"], "byte": row["fault_byte"], "detail": row["fault_detail"]}
            self._write(piece, row, said | {"rule": fault.rule, "hint": fault.hint})
        if refused is None or not refused.height:
            return
        places = piece.part.records.join(refused.select("record"), on="record", how="semi")
        rows = {row["record"]: row for row in places.iter_rows(named=True)}
        for each in refused.iter_rows(named=True):
            said = {"code": "marc.cannot_be_written", "field": each["field"], "tag": each["tag"]}
            said |= {name: each[name] for name in ("detail", "rule", "hint")}
            self._write(piece, rows[each["record"]], said)

    def forget_earlier(self) -> None:
        """Nothing was refused: what an earlier run left under the name is not true any more."""
        if self.path is not None and not self.count:
            self.path.unlink(missing_ok=True)

    def _write(self, piece: Piece, row: dict[str, Any], said: dict[str, Any]) -> None:
        self.count += 1
        if self.path is None:
            return
        if self._stream is None:
            self._stream = self._stack.enter_context(output(str(self.path)))
        start = row["offset"] - piece.part.offset
        data = piece.part.data[max(start, 0) : max(start, 0) + row["length"]]
        whole = hashlib.sha256(data).hexdigest() == row["sha256"]
        place = {"file": piece.file, "record": row["record"] - piece.before, "offset": row["offset"]}
        place |= {"length": row["length"], "sha256": row["sha256"]}
        encoded = base64.b64encode(data).decode() if whole else None
        self._stream.write(orjson.dumps(place | said | {"bytes_base64": encoded}) + b"\n")


def rejected_path(name: str, suffix: str = ".rejected.jsonl") -> Path | None:
    return None if name == "-" else Path(name + suffix)


def say_rejected(rejected: Rejected) -> None:
    if rejected.count:
        where = f"in {shown(str(rejected.path))}, with their bytes" if rejected.path else "left out"
        print(f"{rejected.count:,} records could not be read or written: {where}", file=sys.stderr)
