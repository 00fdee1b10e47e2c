"""What a new authority file would touch in what the lake holds: read-only, but for its own report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from holdfast.authority.headings import HEADING_TAGS, headings
from holdfast.authority.records import AuthorityFile, joined
from holdfast.authority.what_if import TOUCHED, WhatIf
from holdfast.catalogue.fields import DELIMITER
from holdfast.marc.frames import SUBFIELDS
from resources.authorities.client import AuthorityFolder
from resources.authorities.lake import read_all
from resources.lake.client import Lake

CATALOGUE = "catalogue"


class Answer(NamedTuple):
    """changes: shape what_if.AUTHORITY_CHANGES. touched: parts in the shape of what_if.TOUCHED."""

    changes: pl.DataFrame
    touched: Iterator[pl.DataFrame]


def ask(
    lake: Lake, current: AuthorityFile, new: AuthorityFile, *, whole: bool, partitions: Sequence[str] = ()
) -> Answer:
    """What differs in the authorities, and which headings of the catalogue (catalog_snapshot, where it is in the lake) and of
    these partitions of normalized_records would be linked otherwise. Part by part."""
    question = WhatIf(current, new, whole=whole)

    def touched() -> Iterator[pl.DataFrame]:
        if lake.exists("catalog_snapshot"):
            for fields in lake.batches("catalog_snapshot", table="fields"):
                subfields, ids = subfields_of(fields)
                yield question.touched(headings(subfields), ids, CATALOGUE)
        for partition in partitions:
            for subfields in lake.batches("normalized_records", partition, "subfields"):
                ids = subfields.select("record").unique().with_columns(id=pl.col("record").cast(pl.String))
                yield question.touched(headings(subfields), ids, partition)

    return Answer(question.changes, touched())


def subfields_of(fields: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(shape marc.SUBFIELDS, columns record and id) of the fields with headings among live fields (shape snapshot.FIELDS)."""
    wanted = fields.filter(pl.col("tag").is_in(list(HEADING_TAGS)) & ~pl.col("masked"))
    ids = wanted.select(id=pl.col("instance_id").unique(maintain_order=True)).with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record")
    )
    rows = wanted.join(ids, left_on="instance_id", right_on="id", maintain_order="left")
    pieces = rows.with_columns(
        pl.col("text").str.slice(0, 1).alias("ind1"),
        pl.col("text").str.slice(1, 1).alias("ind2"),
        pl.col("text").str.slice(2).str.split(DELIMITER).list.slice(1).alias("piece"),
    ).explode("piece")
    subfields = pieces.filter(pl.col("piece").fill_null("") != "").with_columns(
        pl.col("piece").str.slice(0, 1).alias("code"), pl.col("piece").str.slice(1).alias("value")
    )
    return subfields.select(pl.col(name).cast(dtype) for name, dtype in SUBFIELDS.items()), ids


def first_of(parts: Iterable[pl.DataFrame], most: int) -> tuple[pl.DataFrame, int, int]:
    """(the first `most` rows, how many headings, how many records) of parts in the shape of TOUCHED."""
    shown = pl.DataFrame(schema=TOUCHED)
    count, records = 0, 0
    for part in parts:
        count += part.height
        records += part.select("held_in", "id").n_unique()
        if shown.height < most:
            shown = pl.concat([shown, part.head(most - shown.height)])
    return shown, count, records


class WhatIfReport(NamedTuple):
    """changes: change → authorities. records: of the catalogue and the partitions, by their ids. files: that were compared."""

    files: list[str]
    authorities: int
    changes: dict[str, int]
    headings: int
    records: int
    first_changes: pl.DataFrame
    first_touched: pl.DataFrame


def report_window(
    lake: Lake,
    folder: AuthorityFolder,
    names: Sequence[str],
    *,
    whole: bool,
    partitions: Sequence[str] = (),
    shown: int = 20,
) -> WhatIfReport:
    """`authority_what_if` in the lake: the files that lie in the folders now against `authority_records`."""
    files = [(name, file) for name in names or folder.names() for file in folder.listing(name)]
    new = joined([part.found for name, file in files for part in folder.read(name, file)])
    current = read_all(lake)
    answer = ask(lake, current, new, whole=whole, partitions=partitions)
    with lake.replace("authority_what_if") as writer:
        writer.write("rows", answer.changes)
        writer.write("touched", pl.DataFrame(schema=TOUCHED))

        def kept() -> Iterator[pl.DataFrame]:
            for part in answer.touched:
                writer.write("touched", part)
                yield part

        first, headings_touched, records = first_of(kept(), shown)
    counts = dict(answer.changes.group_by("change", maintain_order=True).len().iter_rows())
    return WhatIfReport(
        [f"{name}/{file.name}" for name, file in files],
        new.authorities.height,
        counts,
        headings_touched,
        records,
        answer.changes.head(shown),
        first,
    )
