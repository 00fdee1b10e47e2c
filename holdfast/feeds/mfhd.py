"""Holdings records (MARC 21 Format for Holdings Data) as the rows of a feed.

001 is the record's number where it comes from, 004 the number of its bibliographic record in the library system, 852 where it
stands; what is held is 866–868 (textual), else said by the pairs 853–855 and 863–865 (holdfast/holdings). A record with leader/05 d
becomes one that is hidden from the public: a load deletes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, cast

import polars as pl

from holdfast.feeds.elements import HOLDINGS
from holdfast.feeds.rows import Batch, constants_of, content_hash, correlation_of, rows_schema
from holdfast.holdings.statements import statements
from holdfast.marc.faults import rejection_of
from holdfast.marc.frames import Frames
from holdfast.marc.parts import Part
from holdfast.marc.reading import read
from holdfast.outcomes import Rejection
from holdfast.settings import Feed

_LONGEST = 2_000


def read_mfhd(
    file: BinaryIO, feed: Feed, *, feed_name: str, window: str, file_name: str, first_record: int = 1
) -> Iterator[Batch]:
    """As `rows.read_feed`, of holdings records in any format that holdfast.marc reads.

    Rejections: the faults of holdfast.marc (docs/reference/faults.md), `mfhd.no_holdings` (leader/06 is not u, v, x or y),
    `mfhd.no_number` (no 001), `mfhd.no_location`, `mfhd.two_locations` (852), `feed.too_long`.
    """
    for frames in read(file, first_record=first_record):
        part = cast("Part", frames)
        yield _batch(part, feed, feed_name, window, file_name)


def _batch(part: Part, feed: Feed, feed_name: str, window: str, file_name: str) -> Batch:
    rejected: list[tuple[int, Rejection]] = []
    rows: list[tuple[str | int | None, ...]] = []
    values, constants = mfhd_elements(part), constants_of(feed)
    for row in part.records.filter(pl.col("fault").is_not_null()).iter_rows(named=True):
        start = row["offset"] - part.offset
        each = rejection_of(row, file_name, part.data[start : start + row["length"]])
        rejected.append((row["record"], each))
    for row in values.iter_rows(named=True):
        record, place = row["record"], f"{file_name} record {row['record']}"
        if fault := _fault(row, place):
            rejected.append((record, fault))
            continue
        said = constants | {name: row[name] for name in HOLDINGS if row.get(name)}
        content = content_hash(list(said.items()))
        key = said[feed.by]
        correlation = correlation_of(feed_name, window, record, key, content)
        rows.append((record, place, correlation, key, content, *(said.get(name) for name in HOLDINGS)))
    schema = rows_schema("holdings")
    return Batch(pl.DataFrame(rows, schema=schema, orient="row"), sorted(rejected, key=lambda each: each[0]), {})


def mfhd_elements(frames: Frames) -> pl.DataFrame:
    """A row a readable record: record, leader, locations (how many 852 it has) and the elements of HOLDINGS that MARC says.

    Text of several subfields is joined by a blank, of several fields by ' ; '. Of several 852 the first counts.
    """
    records = frames.records.filter(pl.col("fault").is_null()).select("record", "leader")
    clean = pl.col("value").str.replace_all(r"\s+", " ").str.strip_chars()
    subfields = frames.subfields.with_columns(clean.alias("value")).filter(pl.col("value").fill_null("") != "")
    locations = frames.subfields.filter(pl.col("tag") == "852")
    first = locations.group_by("record").agg(
        pl.col("field").min().alias("first"), pl.col("field").n_unique().alias("locations")
    )
    place = (
        subfields.filter(pl.col("tag") == "852")
        .join(first, on="record")
        .filter(pl.col("field") == pl.col("first"))
        .group_by("record", maintain_order=True)
        .agg(
            _of("c").first().alias("shelf"),
            _of("b").first().alias("library"),
            _of("khim").str.join(" ").alias("call_number"),
            _of("t").first().alias("copy_number"),
            _of("z").str.join(" ").alias("public_note"),
            _of("x").str.join(" ").alias("staff_note"),
        )
        .with_columns(pl.coalesce("shelf", "library").alias("location"))
        .drop("shelf", "library")
    )
    control = [
        subfields.filter(pl.col("tag") == tag).group_by("record").agg(pl.col("value").first().alias(name))
        for tag, name in (("001", "source_number"), ("004", "bib"))
    ]
    rows = records.join(first.drop("first"), on="record", how="left", maintain_order="left")
    for each in (*control, place, held(subfields)):
        rows = rows.join(each, on="record", how="left", maintain_order="left")
    deleted = pl.when(pl.col("leader").str.slice(5, 1) == "d").then(pl.lit("true")).alias("suppressed")
    texts = [pl.when(pl.col(name) != "").then(pl.col(name)) for name in ("call_number", "public_note", "staff_note")]
    return rows.with_columns(deleted, pl.col("locations").fill_null(0), *texts)


def _of(codes: str) -> pl.Expr:
    return pl.col("value").filter(pl.col("code").is_in(list(codes)))


def held(subfields: pl.DataFrame) -> pl.DataFrame:
    """Columns record, statement: 866–868 $a; of records without them what their 863–865 say by their 853–855, as
    'v.1-10 (1990-1999)'. Of one with both, the text counts: it is what people wrote."""
    found = statements(subfields).with_columns((pl.col("form") == "textual").alias("written"))
    both = pl.format("{} ({})", "enumeration", "chronology")
    one = pl.when(pl.col("enumeration") == "").then(pl.col("chronology")).otherwise(both)
    shown = pl.when(pl.col("chronology") == "").then(pl.col("enumeration")).otherwise(one)
    texts = found.with_columns(pl.when("written").then("text").otherwise(shown).alias("statement")).filter(
        pl.col("statement") != ""
    )
    kept = texts.filter(pl.col("written") | ~pl.col("written").any().over("record"))
    return kept.group_by("record", maintain_order=True).agg(pl.col("statement").str.join(" ; "))


def _fault(row: dict[str, str | int | None], place: str) -> Rejection | None:
    kind = str(row["leader"])[6:7]
    if kind not in "uvxy":
        rule = f"leader/06 is {kind!r}; of a holdings record it is u, v, x or y (MARC 21 Holdings, leader)"
        hint = "the feed is of holdings: load bibliographic records as a source"
        return Rejection("mfhd.no_holdings", f"{place} leader", rule, hint)
    if not row["source_number"]:
        hint = "export the record with its number"
        return Rejection("mfhd.no_number", f"{place} field 001", "the record has no 001, by which it is found", hint)
    count = int(row["locations"] or 0)
    if count != 1 and str(row["leader"])[5:6] != "d":
        code, said = ("mfhd.no_location", "no 852") if not count else ("mfhd.two_locations", f"{count} fields 852")
        rule = f"the record has {said}; a holdings record stands at one place"
        return Rejection(code, f"{place} field 852", rule, "send a record for each place, with one 852")
    for name in HOLDINGS:
        if len(str(row.get(name) or "")) > _LONGEST:
            rule = f"{name} has more than {_LONGEST:,} characters"
            return Rejection("feed.too_long", f"{place} element {name}", rule, "look whether fields ran together")
    return None
