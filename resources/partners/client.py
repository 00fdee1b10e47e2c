"""Make an export for a partner: its file and manifest in PARTNERS/NAME/, and in the lake what the next one is compared with.

    PARTNERS/NAME/NAME-YYYY-MM-DD.mrc          or .xml, .csv; .gz after it where it is packed
    PARTNERS/NAME/NAME-YYYY-MM-DD.json         the manifest: how many, SHA-256, from when to when

The file gets its name when it is whole, the manifest after it, and what was exported is noted last: an export that is killed is
made again from the same beginning. Made twice on one day, an export holds what differs from the last day's.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

import polars as pl

from holdfast.marc.frames import Frames
from holdfast.marc.writing import Form, form_of
from holdfast.outcomes import Rejection
from holdfast.partners.bibliographic import as_cells, chosen, deletions
from holdfast.partners.delta import EXPORTED, STATE, changes, gone
from holdfast.settings import Export, Settings
from resources.lake.client import Lake
from resources.partners.contents import Portion, Stores, portions

ASSET = "partner_exports"
STATES = "partner_export_states"
_FORMATS = {"marc": "iso2709", "marcxml": "marcxml"}


class ExportOvertaken(ValueError):
    """A later export has been made; one of an earlier day would take the partner back."""


class PartnerExport(NamedTuple):
    """rows: shape delta.EXPORTED, what is in the file. refused: records that the format has no place for."""

    path: Path
    manifest: dict[str, Any]
    rows: pl.DataFrame
    refused: list[Rejection]


class _Before(NamedTuple):
    state: pl.DataFrame
    until: str  # moment of that export; '' where there was none


def export_partner(settings: Settings, stores: Stores, name: str, day: str, *, full: bool = False) -> PartnerExport:
    """The export of a day, by what was read of the catalogue last.

    Raises:
        ExportOvertaken: a later day's was made already.
        NotMaterialized: what it is made of was never looked at.
    """
    export, lake = settings.exports[name], stores.lake
    before = _before(lake, name, day)
    whole, until = (
        full or export.mode == "full" or not before.until,
        dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
    folder = settings.partner_exports / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{day}{export.suffix}"
    parts: list[pl.DataFrame] = []
    with _replaced(path) as partial:
        with partial.open("xb") as raw, _packed(raw, export.gzip) as stream:
            file = _File(stream, export)
            for portion in portions(stores, export.contents):
                marked = changes(portion.state, before.state)
                parts.append(marked)
                file.write(portion, marked if whole else marked.filter(pl.col("change") != "same"))
            now = pl.concat([pl.DataFrame(schema=STATE), *(part.select(list(STATE)) for part in parts)])
            left = gone(now, before.state) if not whole else pl.DataFrame(schema=STATE)
            file.write_gone(left)
            file.end()
        rows = _rows(parts, left, whole, file.refused)
        manifest = _manifest(name, export, path, partial, rows, before.until, until, whole, file)
    _write(path.with_suffix("").with_suffix(".json") if export.gzip else path.with_suffix(".json"), manifest)
    with lake.replace(STATES, name) as writer:
        writer.write("before", before.state)
        writer.write("after", now)
        writer.facts |= {"day": day, "from": before.until, "until": until}
    return PartnerExport(path, manifest, rows, file.refused)


def _before(lake: Lake, name: str, day: str) -> _Before:
    if not lake.exists(STATES, name):
        return _Before(pl.DataFrame(schema=STATE), "")
    facts = lake.facts(STATES, name)
    if facts["day"] > day:
        raise ExportOvertaken(
            f"exports.{name}: the export of {facts['day']} has been made already; one of {day} would go back. Export today instead"
        )
    if facts["day"] == day:
        return _Before(lake.read(STATES, name, "before"), facts["from"])
    return _Before(lake.read(STATES, name, "after"), facts["until"])


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _packed(raw: BinaryIO, pack: bool) -> Iterator[BinaryIO]:
    if pack:
        # No name and no time in it: the same export is the same file.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
            yield cast("BinaryIO", stream)
    else:
        yield raw
    raw.flush()
    os.fsync(raw.fileno())


class _File:
    """Writes portions in one format; `refused` gathers what it has no place for."""

    def __init__(self, stream: IO[bytes], export: Export) -> None:
        self._stream, self._export = stream, export
        self._form: Form | None = form_of(_FORMATS[export.format], "utf-8") if export.format != "csv" else None
        self.refused: list[Rejection] = []
        self.written = 0
        columns = pl.DataFrame(schema=dict.fromkeys(export.columns_or_all, pl.String))
        stream.write(self._form.head() if self._form else columns.write_csv().encode())

    def write(self, portion: Portion, marked: pl.DataFrame) -> None:
        """The records of the portion that are in `marked`."""
        records = portion.state.select("id", pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record"))
        wanted = records.join(marked.select("id"), on="id", how="semi", maintain_order="left")
        if self._form:
            self._marc(chosen(portion.frames, wanted), records)
        elif portion.cells is not None:
            self._csv(portion.cells.join(wanted.select("id"), on="id", how="semi", maintain_order="left"))
        else:
            self._csv(as_cells(chosen(portion.frames, wanted), portion.state, self._export.columns_or_all))

    def write_gone(self, left: pl.DataFrame) -> None:
        if self._form:
            self._marc(
                deletions(left), left.select("id", pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record"))
            )
        else:
            number = "barcode" if self._export.contents == "circulation" else "number"
            own = pl.col("id").alias("item") if self._export.contents == "circulation" else pl.col("id").alias("_")
            self._csv(left.select("id", own, pl.col("number").alias(number), pl.lit("true").alias("deleted")))

    def _marc(self, frames: Frames, ids: pl.DataFrame) -> None:
        if self._form is None or not frames.records.height:
            return
        count, data, refused = self._form.body(frames)
        self.written += count
        self._stream.write(data)
        for row in refused.join(ids, on="record", how="left").iter_rows(named=True):
            place = f"record {row['id']}, {row['detail']}"
            self.refused.append(Rejection("export.no_place", place, row["rule"], row["hint"], correlation_id=row["id"]))

    def _csv(self, rows: pl.DataFrame) -> None:
        cells = [
            (pl.col(name) if name in rows.columns else pl.lit(None)).cast(pl.String).alias(name)
            for name in self._export.columns_or_all
        ]
        self.written += rows.height
        self._stream.write(rows.select(cells).write_csv(include_header=False).encode())

    def end(self) -> None:
        if self._form:
            self._stream.write(self._form.tail())


def _rows(parts: list[pl.DataFrame], left: pl.DataFrame, whole: bool, refused: list[Rejection]) -> pl.DataFrame:
    marked = pl.concat([pl.DataFrame(schema=EXPORTED), *(part.select(list(EXPORTED)) for part in parts)])
    kept = marked if whole else marked.filter(pl.col("change") != "same")
    both = pl.concat([kept, left.select("id", "number", pl.lit("deleted").alias("change"))])
    return both.filter(~pl.col("id").is_in([each.correlation_id for each in refused]))


def _manifest(
    name: str,
    export: Export,
    path: Path,
    partial: Path,
    rows: pl.DataFrame,
    since: str,
    until: str,
    whole: bool,
    file: _File,
) -> dict[str, Any]:
    with partial.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    counts = dict(rows.group_by("change").len().iter_rows())
    return {
        "export": name,
        "contents": export.contents,
        "format": export.format,
        "mode": "full" if whole else "since",
        "file": path.name,
        "bytes": partial.stat().st_size,
        "sha256": digest,
        "records": file.written,
        **{change: counts.get(change, 0) for change in ("new", "changed", "deleted")},
        "left_out": len(file.refused),
        "from": "" if whole else since,
        "to": until,
    }


def _write(path: Path, manifest: dict[str, Any]) -> None:
    with _replaced(path) as partial:
        partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
