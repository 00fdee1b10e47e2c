"""Bibliographic records for partners, as they are in the catalogue, without what is masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from holdfast.catalogue.fields import DELIMITER
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.places import Place
from holdfast.partners.delta import STATE, hashes
from holdfast.privacy.masking import PREFIX


class Exportable(NamedTuple):
    """frames: numbered from 1 in the order of `state`, shape delta.STATE, a row a record."""

    frames: Frames
    state: pl.DataFrame


def exportable(fields: pl.DataFrame) -> Exportable:
    """Whole records of the shape catalogue.snapshot.FIELDS. Masked subfields are left out, and fields that hold nothing else."""
    ids = fields.select("instance_id").unique(maintain_order=True)
    ids = ids.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record"))
    rows = fields.join(ids, on="instance_id", how="left", maintain_order="left")
    leaders = rows.filter(pl.col("tag") == "LDR").select("record", pl.col("text").alias("leader"))
    subfields = _subfields(rows.filter(pl.col("tag") != "LDR"))
    numbers = subfields.filter(pl.col("tag") == "001").group_by("record").agg(pl.col("value").first().alias("number"))
    shown = pl.concat_str(
        [pl.col(name).cast(pl.String).fill_null("") for name in ("tag", "ind1", "ind2", "code", "value")],
        separator="\x1f",
    )
    places = pl.concat_str(pl.col("field").cast(pl.String), pl.lit("\x1f"), shown)
    texts = subfields.group_by("record").agg(places.str.join("\x1e").alias("text"))
    state = (
        ids.join(leaders, on="record", how="left", maintain_order="left")
        .join(numbers, on="record", how="left", maintain_order="left")
        .join(texts, on="record", how="left", maintain_order="left")
        .with_columns(pl.col("leader", "number", "text").fill_null(""))
    )
    state = state.with_columns(hashes(state["leader"] + "\x1e" + state["text"]).alias("sha256"))
    return Exportable(
        Frames(records_of(state), subfields),
        state.select(pl.col("instance_id").alias("id"), "number", "leader", "sha256").cast(STATE),
    )


def records_of(state: pl.DataFrame) -> pl.DataFrame:
    """Shape marc.RECORDS for records that are made here. state: columns record, leader."""
    made = {"leader": pl.col("leader"), "record": pl.col("record"), "encoding": pl.lit("utf-8")}
    return state.select([made.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in RECORDS.items()])


def _subfields(rows: pl.DataFrame) -> pl.DataFrame:
    """Shape marc.SUBFIELDS, fields numbered as they are in the catalogue."""
    control = pl.col("tag").str.starts_with("00")
    controls = rows.filter(control).select(
        "record", "field", "tag", *(pl.lit(None, pl.String).alias(name) for name in ("ind1", "ind2", "code")),
        pl.col("text").alias("value"),
    )  # fmt: skip
    pieces = rows.filter(~control).with_columns(pl.col("text").str.slice(2).str.split(DELIMITER).alias("piece"))
    data = (
        pieces.explode("piece")
        .filter(pl.col("piece") != "")
        .select(
            "record",
            "field",
            "tag",
            pl.col("text").str.slice(0, 1).alias("ind1"),
            pl.col("text").str.slice(1, 1).alias("ind2"),
            pl.col("piece").str.slice(0, 1).alias("code"),
            pl.col("piece").str.slice(1).alias("value"),
        )
        .filter(~pl.col("value").str.starts_with(PREFIX))
    )
    both = pl.concat([controls, data]).sort("record", "field", maintain_order=True)
    return both.select([pl.col(name).cast(dtype) for name, dtype in SUBFIELDS.items()])


def chosen(frames: Frames, records: pl.DataFrame) -> Frames:
    """These records of the frames; `records` has a column record."""
    return Frames(
        frames.records.join(records, on="record", how="semi", maintain_order="left"),
        frames.subfields.join(records, on="record", how="semi", maintain_order="left"),
    )


def deletions(gone: pl.DataFrame) -> Frames:
    """A record with leader/05 d and its number, for each row of the shape STATE."""
    rows = gone.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record"))
    leader = pl.concat_str(pl.col("leader").str.slice(0, 5), pl.lit("d"), pl.col("leader").str.slice(6))
    empty = pl.col("leader") == ""
    rows = rows.with_columns(pl.when(empty).then(pl.lit("00000dam a2200000 a 4500")).otherwise(leader).alias("leader"))
    subfields = rows.filter(pl.col("number") != "").select(
        "record", pl.lit(0).alias("field"), pl.lit("001").alias("tag"),
        *(pl.lit(None, pl.String).alias(name) for name in ("ind1", "ind2", "code")), pl.col("number").alias("value"),
    )  # fmt: skip
    return Frames(records_of(rows), subfields.select([pl.col(name).cast(dtype) for name, dtype in SUBFIELDS.items()]))


def as_cells(frames: Frames, state: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """A row a record of the frames, a column (String) each of `columns`: id, number, deleted, a tag or tag$code. Values are
    joined by ' ; '. state: as Exportable.state, in the order of the record numbers."""
    numbered = state.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("record"))
    rows = frames.records.select("record").join(
        numbered.select("record", "id", "number", pl.lit("false").alias("deleted")), on="record", how="left"
    )
    for name in columns:
        if name in rows.columns:
            continue
        place = Place(name[:3], codes=name[4:])
        found = frames.subfields.filter(place.expression()).group_by("record", "field", maintain_order=True)
        texts = found.agg(pl.col("value").str.join(" ")).group_by("record", maintain_order=True)
        rows = rows.join(texts.agg(pl.col("value").str.join(" ; ").alias(name)), on="record", how="left")
    return rows.sort("record").select(columns)
