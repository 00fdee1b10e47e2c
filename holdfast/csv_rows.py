"""A CSV, row by row: what can be read, and a rejection for what can't.

RFC 4180 with what systems really write: a byte order mark, CRLF or LF or CR, line breaks inside
quoted cells, any one-character delimiter. Memory holds a row: a file is never read whole, and neither is a row
that a stray quote has made endless.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

from holdfast.outcomes import Rejection, scrub, sha256_hex

LINE_CHARACTERS = 1_000_000
ROW_CHARACTERS = 4_000_000
"""A physical line, or a row of many lines, that is longer is given up: memory is bounded by it."""
_RETURNED_CHARACTERS = 100_000_000
"""Characters of one file that may be read a second time; bounds the time that stray quotes cost."""

_OTHER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_UTF8_MARK = b"\xef\xbb\xbf"


class CsvLayout(Protocol):
    """How a CSV is written, as a table of `holdfast.toml` says it."""

    @property
    def encoding(self) -> str: ...

    @property
    def delimiter(self) -> str: ...

    @property
    def columns(self) -> Mapping[str, str]:
        """element → column"""


@dataclass(frozen=True)
class CsvRow:
    """A row of data.

    Attributes:
        number: of the row, counted from 1 after the header; blank lines are no rows.
        line: the physical line in the file on which it starts, counted from 1.
        cells: column → text, exactly as it stands in the file.
    """

    number: int
    line: int
    cells: dict[str, str]


class _TooLong(Exception):
    """The line, or the row that goes over many lines, is longer than anything that people write."""


class _Lines:
    """Physical lines for `csv.reader`; remembers those of the row in hand, and takes lines back."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self._returned: list[str] = []
        self._characters = 0
        self._again = 0
        self.taken: list[str] = []
        self.line = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._returned.pop() if self._returned else self._stream.readline(LINE_CHARACTERS)
        if not line:
            raise StopIteration
        self.line += 1
        if len(line) >= LINE_CHARACTERS and not line.endswith(("\n", "\r")):
            self.taken.append(line[:200] + "\0")  # cut: must never pass for a row
            while (rest := self._stream.readline(LINE_CHARACTERS)) and not rest.endswith(("\n", "\r")):
                pass
            raise _TooLong
        self.taken.append(line)
        self._characters += len(line)
        if self._characters > ROW_CHARACTERS:
            raise _TooLong
        return line

    def start_row(self) -> None:
        self.taken.clear()
        self._characters = 0

    def give_back_all_but_first(self) -> None:
        self._returned.extend(reversed(self.taken[1:]))
        self._again += self._characters
        self.line -= len(self.taken) - 1
        del self.taken[1:]

    @property
    def may_give_back(self) -> bool:
        return self._again < _RETURNED_CHARACTERS


def read_rows(file: IO[bytes], layout: CsvLayout, *, name: str) -> Iterator[CsvRow | Rejection]:
    """Every row of `file` in its order, or why it can't be read.

    Rejections have `unit` 'record' for a row and 'file' for what stops the file: `csv.empty`, `csv.encoding`,
    `csv.column_missing`, `csv.column_twice`; for a row: `csv.ragged`, `csv.quote`, `csv.encoding`, `csv.too_long`,
    `csv.nul`. Nothing is raised for what stands in the file.
    """
    yield from _rows_and_rejections(file, layout, name)


def _file(code: str, place: str, rule: str, hint: str) -> Rejection:
    return Rejection(code=code, place=place, rule=rule, hint=hint, unit="file")


def _rows_and_rejections(file: IO[bytes], layout: CsvLayout, name: str) -> Iterator[CsvRow | Rejection]:
    start = file.read(3)
    if fault := _mark_fault(start, layout, name):
        yield fault
        return
    # surrogateescape keeps each byte that is not of the encoding in its cell, so that one bad cell stops only its row.
    encoding = "utf-8-sig" if layout.encoding.startswith("utf-8") else layout.encoding
    raw = io.BufferedReader(_Joined(start, file))
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape", newline="")
    lines = _Lines(stream)
    reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    header = _next_row(reader, lines)
    if isinstance(header, str) or not header:
        rule = header if isinstance(header, str) else "the file is empty: there is no header row"
        yield _file("csv.empty", f"{name} line 1", rule, "export again, with the column names in the first row")
        return
    if fault := _header_fault(header, layout, name):
        yield fault
        return
    yield from _data(reader, lines, header, layout, name)


class _Joined(io.RawIOBase):
    """The bytes already read, then the rest of the file."""

    def __init__(self, start: bytes, file: IO[bytes]) -> None:
        self._start, self._file = start, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data, self._start = (self._start or self._file.read(len(buffer))), b""
        buffer[: len(data)] = data
        return len(data)


def _mark_fault(start: bytes, layout: CsvLayout, name: str) -> Rejection | None:
    hint = "set `encoding` in holdfast.toml to what the file is in, or export it as UTF-8"
    if mark := _OTHER_MARKS.get(start[:2]):
        return _file("csv.encoding", f"{name} byte 0", f"the file starts with the byte order mark of {mark}", hint)
    if start == _UTF8_MARK and not layout.encoding.startswith("utf-8"):
        rule = f"the file starts with the byte order mark of UTF-8, and holdfast.toml says {layout.encoding}"
        return _file("csv.encoding", f"{name} byte 0", rule, hint)
    return None


def _header_fault(header: list[str], layout: CsvLayout, name: str) -> Rejection | None:
    place = f"{name} line 1"
    for element, column in layout.columns.items():
        if column not in header:
            near = difflib.get_close_matches(column, header, n=1)
            meant = f"; did you mean {near[0][:80]!r}?" if near else ""
            return _file(
                "csv.column_missing",
                f"{place} column {column!r}",
                f"there is no column {column!r}, which holdfast.toml maps to {element!r}; the columns are "
                f"{', '.join(map(repr, header[:40]))}"[:1000],
                f"export the column, or name another one in holdfast.toml{meant}",
            )
        if header.count(column) > 1:
            rule = f"{header.count(column)} columns are named {column!r}, which holdfast.toml maps to {element!r}"
            return _file("csv.column_twice", f"{place} column {column!r}", rule, "give each column a name of its own")
    return None


def _next_row(reader: Iterator[list[str]], lines: _Lines) -> list[str] | str | None:
    """Cells, what is wrong, or None at the end. Blank lines are passed over."""
    while True:
        lines.start_row()
        try:
            row = next(reader)
        except StopIteration:
            return None
        except _TooLong:
            return f"longer than {LINE_CHARACTERS:,} characters a line or {ROW_CHARACTERS:,} a row"
        except csv.Error as error:
            return str(error)
        if row:
            return row


def _data(
    reader: Iterator[list[str]], lines: _Lines, header: list[str], layout: CsvLayout, name: str
) -> Iterator[CsvRow | Rejection]:
    number = 0
    while (row := _next_row(reader, lines)) is not None:
        number += 1
        line = lines.line - len(lines.taken) + 1
        place = f"{name} row {number} line {line}"
        is_whole = isinstance(row, list) and len(row) == len(header)
        if not is_whole and lines.may_give_back and _is_row(lines.taken[1:2], header, layout):
            # A stray quote swallowed the rows that follow: only its own line is bad.
            lines.give_back_all_but_first()
            row = "a quote is opened and not closed on its line"
        if isinstance(row, str):
            yield _broken(row, place, lines.taken)
        elif len(row) != len(header):
            yield _ragged(row, header, place, lines.taken)
        elif fault := _cell_fault(row, header, layout, place, lines.taken):
            yield fault
        else:
            yield CsvRow(number, line, dict(zip(header, row, strict=True)))


def _is_row(line: list[str], header: list[str], layout: CsvLayout) -> bool:
    """Does the line by itself read as a whole row?"""
    if not line or len(header) < 2 or line[0].count('"') % 2:
        return False
    try:
        return [len(row) for row in csv.reader(line, delimiter=layout.delimiter, strict=True)] == [len(header)]
    except csv.Error:
        return False


def _row_rejection(code: str, place: str, rule: str, hint: str, taken: list[str]) -> Rejection:
    data = "".join(taken).encode("utf-8", "surrogateescape")
    return Rejection(code=code, place=place, rule=rule, hint=hint, sha256=sha256_hex(data), preview=scrub(data))


def _broken(fault: str, place: str, taken: list[str]) -> Rejection:
    if "field limit" in fault or "longer than" in fault:
        hint = "look for a quote that is opened and never closed; double the quotes inside a quoted cell"
        return _row_rejection("csv.too_long", place, fault, hint, taken)
    hint = "double the quotes inside a quoted cell (RFC 4180, section 2.7)"
    return _row_rejection("csv.quote", place, fault, hint, taken)


def _ragged(row: list[str], header: list[str], place: str, taken: list[str]) -> Rejection:
    rule = f"the row has {len(row)} cells, the header {len(header)} (RFC 4180, section 2.4)"
    where = f"column {header[len(row)][:80]!r}" if len(row) < len(header) else f"cell {len(header) + 1}"
    hint = f"look at {where}: quote cells that hold the delimiter or a line break, and export empty cells too"
    return _row_rejection("csv.ragged", f"{place} {where}", rule, hint, taken)


def _cell_fault(row: list[str], header: list[str], layout: CsvLayout, place: str, taken: list[str]) -> Rejection | None:
    text = "".join(row)
    if text.isascii() and "\0" not in text:
        return None
    for column, cell in zip(header, row, strict=True):
        if "\0" in cell:
            hint = "remove the NUL character where the file comes from"
            return _row_rejection(
                "csv.nul", f"{place} column {column[:80]!r}", "the cell holds a NUL byte", hint, taken
            )
        for character in cell:
            if "\udc80" <= character <= "\udcff":
                rule = f"byte 0x{ord(character) - 0xDC00:02X} is not {layout.encoding}"
                hint = "set `encoding` to what the file is in (cp1252 is Windows'), or export UTF-8"
                return _row_rejection("csv.encoding", f"{place} column {column[:80]!r}", rule, hint, taken)
    return None
