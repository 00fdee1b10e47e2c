"""Rows of a feed as columns: an element a column, each value in one form.

A cell that is empty says nothing: what the library system has stays. A row that can't be used stops only itself.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO, NamedTuple

import polars as pl

from holdfast.csv_rows import CsvRow, read_rows
from holdfast.feeds.elements import ELEMENTS, FeedKind, in_form, masked_elements
from holdfast.identity import NAMESPACE, correlation_id, fingerprint, named_parts
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import PREFIX, token
from holdfast.settings import Feed

BATCH_ROWS = 5_000
_HINTS: dict[str, str] = {
    "date": "set `date_format` of the feed, or mend the cell",
    "flag": "mend the cell at the source",
}


def rows_schema(kind: FeedKind) -> pl.Schema:
    """A row a row of the feed. Elements are String, null where the feed says nothing; dates ISO 8601, flags 'true', 'false'.

    Columns before them: record (UInt32, of the window, from 1), place, correlation_id, key (the key element's value),
    content_sha256 (hex, over the elements).
    """
    own = {"record": pl.UInt32, "place": pl.String, "correlation_id": pl.String}
    return pl.Schema({**own, "key": pl.String, "content_sha256": pl.String, **dict.fromkeys(ELEMENTS[kind], pl.String)})


class Batch(NamedTuple):
    """Unmasked: for memory only.

    Attributes:
        rows: shape `rows_schema`.
        rejected: (record, why) of the others.
        named: record → key of those rejected rows that have one.
    """

    rows: pl.DataFrame
    rejected: list[tuple[int, Rejection]]
    named: dict[int, str]


class _CellError(ValueError):
    def __init__(self, code: str, element: str, rule: str, hint: str) -> None:
        super().__init__(rule)
        self.code, self.element, self.rule, self.hint = code, element, rule, hint


def read_feed(
    file: IO[bytes], feed: Feed, *, feed_name: str, window: str, file_name: str, first_record: int = 1
) -> Iterator[Batch]:
    """The rows of one CSV in batches of at most BATCH_ROWS; every row is in one batch, as a row or as a rejection.

    Rejections beside those of `csv_rows.read_rows`: `feed.key_missing`, `feed.date`, `feed.flag`, `feed.too_long`.
    A fault that stops the file (unit 'file') counts as one record.
    """
    rows: list[tuple[str | int | None, ...]] = []
    rejected: list[tuple[int, Rejection]] = []
    named: dict[int, str] = {}
    schema, constants = rows_schema(feed.kind), constants_of(feed)
    for record, each in enumerate(read_rows(file, feed, name=file_name), first_record):
        if isinstance(each, Rejection):
            rejected.append((record, each))
        else:
            try:
                values = _values(each, feed, constants)
                rows.append(_row(record, each, values, feed, feed_name, window, file_name))
            except _CellError as error:
                rejected.append((record, _rejection(error, each, file_name)))
                if key := " ".join(each.cells[feed.columns[feed.key]].split()):
                    named[record] = key
        if len(rows) + len(rejected) >= BATCH_ROWS:
            yield Batch(pl.DataFrame(rows, schema=schema, orient="row"), rejected, named)
            rows, rejected, named = [], [], {}
    if rows or rejected:
        yield Batch(pl.DataFrame(rows, schema=schema, orient="row"), rejected, named)


def _values(row: CsvRow, feed: Feed, constants: dict[str, str]) -> dict[str, str]:
    values = dict(constants)
    elements = ELEMENTS[feed.kind]
    for element, column in feed.columns.items():
        value = " ".join(row.cells[column].split())
        if not value:
            continue
        if len(value) > 2_000:
            rule = f"{element} has {len(value):,} characters, 2,000 are the most"
            raise _CellError("feed.too_long", element, rule, "look for a quote that is opened and never closed")
        shape = elements[element].shape
        try:
            values[element] = in_form(value, shape, feed.date_format)
        except ValueError as error:
            raise _CellError(f"feed.{shape}", element, f"{element} {error}", _HINTS[shape]) from None
    if not values.get(feed.key):
        hint = "export the row with its number, or name another `key` in holdfast.toml"
        raise _CellError("feed.key_missing", feed.key, f"the row has no {feed.key}, by which it is found", hint)
    return values


def constants_of(feed: Feed) -> dict[str, str]:
    """What every row says, in the form of its element."""
    elements = ELEMENTS[feed.kind]
    values = {element: " ".join(text.split()) for element, text in feed.constants.items()}
    return {each: in_form(value, elements[each].shape, feed.date_format) for each, value in values.items() if value}


def content_hash(values: Sequence[tuple[str, str]]) -> str:
    """Hex SHA-256 of (element, value) pairs, whatever their order."""
    return hashlib.sha256(
        b"".join(named_parts(element=element, value=value) for element, value in sorted(values))
    ).hexdigest()


def correlation_of(feed: str, window: str, record: int, key: str, content: str) -> str:
    """Correlation id of a row, before it is masked."""
    return correlation_id(feed, window, record, fingerprint(key, content))


def _row(
    record: int, row: CsvRow, values: dict[str, str], feed: Feed, feed_name: str, window: str, file_name: str
) -> tuple[str | int | None, ...]:
    content = content_hash(list(values.items()))
    correlation = correlation_of(feed_name, window, record, values[feed.key], content)
    elements = [values.get(each) for each in ELEMENTS[feed.kind]]
    return (record, f"{file_name} row {row.number} line {row.line}", correlation, values[feed.key], content, *elements)


def _rejection(error: _CellError, row: CsvRow, file_name: str) -> Rejection:
    place = f"{file_name} row {row.number} line {row.line} element {error.element}"
    return Rejection(code=error.code, place=place, rule=error.rule, hint=error.hint)


def mask_rows(rows: pl.DataFrame, kind: FeedKind, key: str, salt: bytes) -> pl.DataFrame:
    """The rows as they may be stored: values of masked elements, and the key where it is one, as their tokens.

    `content_sha256` and `correlation_id` of such rows are keyed with the salt too: names and birthdays are few enough to be
    guessed by their hash.
    """
    masked = [each for each in masked_elements(kind) if each in rows.columns]
    columns = [*masked, *(["key"] if key in masked else [])]
    tokens = [
        pl.col(each).map_elements(lambda value: token(value, salt), return_dtype=pl.String).alias(each)
        for each in columns
    ]
    content = pl.col("content_sha256").map_elements(
        lambda value: token(value, salt).split(":", 1)[1], return_dtype=pl.String
    )
    correlation = pl.col("correlation_id").map_elements(
        lambda value: str(uuid.uuid5(NAMESPACE, token(value, salt))), return_dtype=pl.String
    )
    return rows.with_columns(*tokens, *([content, correlation] if masked else []))


def mask_rejection(rejection: Rejection, kind: FeedKind, salt: bytes) -> Rejection:
    """As it may be stored: a row of patrons is short enough to be guessed by its hash."""
    if not rejection.sha256 or not masked_elements(kind):
        return rejection
    return replace(rejection, sha256=token(rejection.sha256, salt).removeprefix(PREFIX))
