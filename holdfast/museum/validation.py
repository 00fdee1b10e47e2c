"""An export, read to its end in batches: the objects that are right, the rejections of the rest, all counted.

In = objects + duplicates + rejections. What is rejected names, where it could be read, the identifier of the object, so
that the public index keeps the object as it was instead of taking it for withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from holdfast.museum.csv_crosswalk import csv_to_dublin_core
from holdfast.museum.csv_export import read_csv
from holdfast.museum.dublin_core import DublinCore
from holdfast.museum.identities import Identities, Seen, open_identities
from holdfast.museum.lido_crosswalk import lido_to_dublin_core
from holdfast.museum.lido_export import read_lido_file
from holdfast.museum.oai_dc_export import oai_dc_to_dublin_core, read_oai_dc_file
from holdfast.museum.objects import Origin, frame_of, object_row
from holdfast.outcomes import Rejection
from holdfast.settings import Collection

BATCH_OBJECTS = 2_000

REJECTIONS = pl.Schema(
    {
        name: pl.String()
        for name in ("identifier", "unit", "code", "place", "rule", "hint", "correlation_id", "sha256", "preview")
    }
)
"""A row a rejection; `identifier` is null where it could not be read."""


@dataclass(frozen=True)
class ExportFile:
    """A file of an export: the name it came with, and where it is kept now."""

    name: str
    path: Path


@dataclass
class Batch:
    """A stretch of the export.

    Attributes:
        objects: frame of `holdfast.museum.objects.SCHEMA`.
        rejected: frame of `REJECTIONS`.
        duplicates: objects that repeat an earlier one in every word.
        came_in: rows, records and files' faults that were taken, counted as they came.
    """

    objects: pl.DataFrame
    rejected: pl.DataFrame
    duplicates: int = 0
    came_in: int = 0


@dataclass
class _Rejected:
    rejection: Rejection
    identifier: str | None = None


_Read = tuple[DublinCore, Origin] | _Rejected


def validate_export(
    name: str, collection: Collection, files: Iterable[ExportFile], *, record_bytes: int
) -> Iterator[Batch]:
    """Batches of BATCH_OBJECTS at most; one at least, so that an export without objects has columns.

    Codes beside those of `csv_export`, `lido_export` and `oai_dc_export`: `object.<element>` (missing or wrong; as `object.title`) and
    `object.conflict` (an identifier that came before with other content).
    """
    with open_identities() as identities:
        collected = _Collected(name, identities)
        for file in files:
            for each in _read(file, collection, record_bytes):
                collected.take(each)
                if collected.came_in >= BATCH_OBJECTS:
                    yield collected.batch()
        yield collected.batch()


def _read(file: ExportFile, collection: Collection, record_bytes: int) -> Iterator[_Read]:
    if collection.format == "csv":
        return _read_csv(file, collection)
    return (_read_lido if collection.format == "lido" else _read_oai_dc)(file, collection, record_bytes)


def _read_oai_dc(file: ExportFile, collection: Collection, record_bytes: int) -> Iterator[_Read]:
    for each in read_oai_dc_file(file.path, record_bytes=record_bytes, name=file.name):
        if isinstance(each, Rejection):
            yield _Rejected(each)
            continue
        origin = Origin(file.name, each.number, f"object {each.number} line {each.line}")
        try:
            record = oai_dc_to_dublin_core(each)
        except ValidationError as error:
            own = each.values.get("identifier", [])
            identifier = each.oai_identifier or (own[0].strip() if own else "")
            yield _Rejected(_wrong(error, f"{file.name} {origin.place}"), identifier or None)
        else:
            yield _require(record, collection, origin) or (record, origin)


def _read_csv(file: ExportFile, collection: Collection) -> Iterator[_Read]:
    for row in read_csv(file.path, collection, name=file.name):
        if isinstance(row, Rejection):
            yield _Rejected(row)
            continue
        origin = Origin(file.name, row.number, f"row {row.number} line {row.line}")
        try:
            record = csv_to_dublin_core(row, collection)
        except ValidationError as error:
            column = collection.columns.get(_element(error), "")
            place = f"{file.name} {origin.place}" + (f" column {column[:80]!r}" if column else "")
            identifier = row.cells.get(collection.columns.get("identifier", ""), "").strip()
            yield _Rejected(_wrong(error, place), identifier or None)
        else:
            yield _require(record, collection, origin) or (record, origin)


def _read_lido(file: ExportFile, collection: Collection, record_bytes: int) -> Iterator[_Read]:
    for each in read_lido_file(file.path, record_bytes=record_bytes, name=file.name):
        if isinstance(each, Rejection):
            yield _Rejected(each)
            continue
        origin = Origin(file.name, each.number, each.xpath)
        try:
            record = lido_to_dublin_core(each.lido)
        except ValidationError as error:
            place = f"{file.name} record {each.number} line {each.line} {each.xpath}"
            yield _Rejected(_wrong(error, place), each.lido.rec_ids[0].value)
        else:
            yield _require(record, collection, origin) or (record, origin)


def _element(error: ValidationError) -> str:
    return str(error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"][0])


def _wrong(error: ValidationError, place: str) -> Rejection:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    element = str(first["loc"][0])
    if first["type"] in ("too_short", "missing"):
        return _missing(element, place)
    return Rejection(
        code=f"object.{element}",
        place=place,
        rule=f"{element}: {first['msg'].removeprefix('Value error, ')}",
        hint="mend the field in the collection management system and export again",
        unit="object",
    )


def _missing(element: str, place: str) -> Rejection:
    return Rejection(
        code=f"object.{element}",
        place=place,
        rule=f"{element} is required and is empty (DCMI Metadata Terms; `required` in holdfast.toml)",
        hint="fill the field in the collection management system and export again",
        unit="object",
    )


def _require(record: DublinCore, collection: Collection, origin: Origin) -> _Rejected | None:
    """What `required` of the collection asks for beyond identifier and title."""
    values = record.model_dump(by_alias=True)
    for element in collection.required:
        if not values.get(element):
            return _Rejected(_missing(element, f"{origin.source_file} {origin.place}"), record.identifier[0])
    return None


@dataclass
class _Collected:
    """What a batch is made of, until it is full."""

    collection: str
    identities: Identities
    rows: list[dict[str, object]] = field(default_factory=list)
    rejected: list[_Rejected] = field(default_factory=list)
    duplicates: int = 0
    came_in: int = 0

    def take(self, each: _Read) -> None:
        self.came_in += 1
        if isinstance(each, _Rejected):
            self.rejected.append(each)
            return
        row = object_row(self.collection, *each)
        identity = (str(row["identifier"]), str(row["content_sha256"]), f"{row['source_file']} {row['place']}")
        seen = self.identities.first_or_seen(*identity)
        if seen is None:
            self.rows.append(row)
        elif seen.content_sha256 == row["content_sha256"]:
            self.duplicates += 1
        else:
            self.rejected.append(_Rejected(_conflict(identity, seen), identity[0]))

    def batch(self) -> Batch:
        rows: list[dict[str, Any]] = [{"identifier": each.identifier, **vars(each.rejection)} for each in self.rejected]
        batch = Batch(
            frame_of(self.rows), pl.DataFrame(rows, schema=REJECTIONS, orient="row"), self.duplicates, self.came_in
        )
        self.rows, self.rejected, self.duplicates, self.came_in = [], [], 0, 0
        return batch


def _conflict(identity: tuple[str, str, str], seen: Seen) -> Rejection:
    identifier, content, place = identity
    return Rejection(
        code="object.conflict",
        place=place,
        rule=f"the identifier {identifier[:100]!r} came before, at {seen.place}, with other content; that one is kept",
        hint="give each object an identifier of its own, or remove one of the two",
        unit="object",
        sha256=content,
    )


def rejections_of(frame: pl.DataFrame) -> Iterator[Rejection]:
    """The rejections of a frame of REJECTIONS."""
    for row in frame.drop("identifier").iter_rows(named=True):
        yield Rejection(**row)
